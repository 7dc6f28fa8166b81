"""The projects that were opened lately, for the welcome page and the File menu."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from app.core.user_files import data_folder, read_json, write_json


@dataclass(frozen=True, slots=True)
class Recent:
    """One of them. path: its folder; it may be gone by now. when: it was last opened or saved."""

    path: Path
    name: str
    when: datetime
    thumbnail: Path | None = None

    @property
    def exists(self) -> bool:
        """Asks the disk."""
        return self.path.exists()


class RecentProjects:
    """The list, the latest first, in a file of the user's. Several windows may use it at the same time."""

    def __init__(self, length: int = 12, path: Path | None = None) -> None:
        self.length = length
        self.path = data_folder() / "recent.json" if path is None else path

    def __iter__(self) -> Iterator[Recent]:
        return iter(self.read())

    def read(self) -> tuple[Recent, ...]:
        """At most `length`. What cannot be understood is left out: a list of this kind is no reason to complain."""
        entries = read_json(self.path)[0].get("projects")
        found = [recent for entry in entries if (recent := _recent(entry))] if isinstance(entries, list) else []
        return tuple(found[: self.length])

    def add(self, path: Path, thumbnail: Path | None = None, now: datetime | None = None) -> None:
        """Put a project at the top. OSError if the list cannot be written."""
        path = path.absolute()
        new = Recent(path, path.stem, now or datetime.now(UTC), thumbnail and thumbnail.absolute())
        self._write([new, *(recent for recent in self.read() if recent.path != path)])

    def remove(self, path: Path) -> None:
        """Take a project off the list. OSError as above."""
        self._write([recent for recent in self.read() if recent.path != path.absolute()])

    def clear(self) -> None:
        self._write([])

    def _write(self, recents: list[Recent]) -> None:
        write_json(self.path, {"projects": [_entry(recent) for recent in recents[: self.length]]})


def _entry(recent: Recent) -> dict[str, Any]:
    return {
        "path": str(recent.path),
        "name": recent.name,
        "when": recent.when.isoformat(timespec="seconds"),
        "thumbnail": None if recent.thumbnail is None else str(recent.thumbnail),
    }


def _recent(entry: Any) -> Recent | None:
    try:
        thumbnail = entry["thumbnail"]
        when = datetime.fromisoformat(entry["when"]).astimezone(UTC)
        return Recent(Path(entry["path"]), str(entry["name"]), when, None if thumbnail is None else Path(thumbnail))
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
