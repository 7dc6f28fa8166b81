"""What an operation changed, so that whoever shows the document repaints that and no more."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """frames: whose labels changed. objects, skeleton, references, span, settings: parts that did.

    References also change when a human frame does; staleness of other frames follows from them.
    """

    frames: frozenset[int] = frozenset()
    objects: bool = False
    skeleton: bool = False
    references: bool = False
    span: bool = False
    settings: bool = False

    def __bool__(self) -> bool:
        return self != NOTHING

    def __or__(self, other: Change) -> Change:
        return Change(
            self.frames | other.frames,
            self.objects or other.objects,
            self.skeleton or other.skeleton,
            self.references or other.references,
            self.span or other.span,
            self.settings or other.settings,
        )


NOTHING = Change()
