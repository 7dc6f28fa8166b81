"""What every exporter is and says of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from app.io.export.labelled import Labelled
from model.video import VideoSource

Options = Mapping[str, Any]


class CheckFailed(ValueError):
    """What was written does not read back as it should: nothing was put in place."""


@dataclass(frozen=True, slots=True)
class Option:
    """A choice the user has. default's type is its type; choices: all there are, or empty for any."""

    name: str
    label: str
    default: bool | float | str
    choices: tuple[str, ...] = ()


class Exporter(ABC):
    """Writes a format, and reads it back.

    id:     its name on the command line. title: for people.
    suffix: of the file; "" if it fills a folder.
    needs:  "masks", "keypoints", or "" for either.
    """

    id: ClassVar[str]
    title: ClassVar[str]
    suffix: ClassVar[str] = ""
    needs: ClassVar[str] = "masks"
    options: ClassVar[tuple[Option, ...]] = ()

    @abstractmethod
    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        """Write `target`, a file or an empty folder; yields after every frame."""

    @abstractmethod
    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        """Read everything back. CheckFailed where count, size, ids or values are not those of `labelled`."""

    def missing(self) -> str | None:
        """What has to be installed before it can be used, or None."""
        return None

    def chosen(self, given: Options) -> dict[str, Any]:
        """All options with their values. ValueError for an unknown one, or a value that is none of its choices."""
        known = {option.name: option for option in self.options}
        if strange := set(given) - set(known):
            raise ValueError(f"{self.id} has no option {min(strange)}; it has: {', '.join(known) or 'none'}")
        values = {name: option.default for name, option in known.items()} | dict(given)
        for name, option in known.items():
            if option.choices and values[name] not in option.choices:
                raise ValueError(f"{self.id}: {name} is one of {', '.join(option.choices)}, not {values[name]}")
        return values


def expect(ok: bool, what: str) -> None:
    """CheckFailed unless `ok`."""
    if not ok:
        raise CheckFailed(f"the export does not read back: {what}; nothing was put in place, please report this")
