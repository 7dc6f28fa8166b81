"""What a project's labels are about: objects, and the points of a skeleton."""

from __future__ import annotations

from dataclasses import dataclass

from model.types import MAX_OBJECT_ID


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """An object that has masks. Its id is its name for the program, and its colour; it never changes.

    visible: drawn at all. locked: no tool changes its pixels, and nothing is painted over them.
    """

    id: int
    name: str
    visible: bool = True
    locked: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.id <= MAX_OBJECT_ID:
            raise ValueError(f"object ids are 1..{MAX_OBJECT_ID}, not {self.id}")
        if not self.name.strip():
            raise ValueError(f"object {self.id} needs a name")
        _check_text(self.name)


@dataclass(frozen=True, slots=True)
class Skeleton:
    """The keypoints that every frame may have, and the bones drawn between them.

    names: distinct. bones: pairs of positions in `names`.
    """

    names: tuple[str, ...] = ()
    bones: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.names)) != len(self.names):
            raise ValueError(f"keypoint names must differ: {', '.join(self.names)}")
        _check_text("".join(self.names))
        for a, b in self.bones:
            if a == b or not (0 <= a < len(self.names) and 0 <= b < len(self.names)):
                raise ValueError(f"a bone joins two of the {len(self.names)} keypoints, not {a} and {b}")


def _check_text(name: str) -> None:
    """Half characters come from damaged files; no file could keep them."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ValueError(f"the name {name!a} is not text; choose another") from None
