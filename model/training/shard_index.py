"""`index.jsonl`, the table of contents of a folder of shards: what lies where, without opening a tar.

A line for the whole, a line for each shard as it is finished, and a last one when everything is packed. So an
interrupted packing knows where to go on, and a training knows that nothing is missing.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.files import replacing

NAME = "index.jsonl"
_PROGRAM = "mer-studio"
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Shard:
    """One tar. videos, photos: [first byte, bytes, number of the source] of every stretch and of every photo.

    frames:  of the videos' stretches together.
    next:    the source, and the frame or photo of it, that comes after this shard.
    skipped: the sources that could not be read on the way, each with its reason.
    """

    name: str
    bytes: int
    videos: list[list[int]]
    photos: list[list[int]]
    frames: int
    next: list[int]
    skipped: list[str]


@dataclass(frozen=True, slots=True)
class Index:
    """job: what was to be packed and how; shards: those that are finished; skipped: as of `Shard`, of all.

    complete: was everything packed? sources: how many videos and folders of photos there were.
    """

    job: dict[str, Any]
    shards: tuple[Shard, ...]
    skipped: tuple[str, ...]
    complete: bool

    @property
    def sources(self) -> int:
        return int(self.job["sources"])


def read_index(folder: Path) -> Index:
    """The index of a folder of shards. ValueError if there is none, or none of this version's."""
    path = folder / NAME
    try:
        text = path.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]  # a half line was never done
        if lines[0]["program"] != _PROGRAM or lines[0]["format"] != _FORMAT:
            raise ValueError
        complete = "end" in lines[-1]
        shards = tuple(Shard(**line) for line in lines[1 : -1 if complete else None])
        last = lines[-1]["skipped"] if complete else []
        skipped = dict.fromkeys([*(reason for shard in shards for reason in shard.skipped), *last])
        return Index(lines[0]["job"], shards, tuple(skipped), complete)
    except FileNotFoundError:
        raise ValueError(f"{folder}: no folder of shards, it has no {NAME}; make one with `mer shards`") from None
    except (LookupError, TypeError, ValueError):
        raise ValueError(f"{path}: not an index that this version reads; pack the shards again") from None


def begin_index(folder: Path, job: dict[str, Any], shards: tuple[Shard, ...] = ()) -> None:
    """Write the line for the whole, and those of the shards that are there already."""
    lines = [{"program": _PROGRAM, "format": _FORMAT, "job": job}, *map(asdict, shards)]
    with replacing(folder / NAME) as partial:
        partial.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def add_shard(folder: Path, shard: Shard) -> None:
    _append(folder, asdict(shard))


def end_index(folder: Path, skipped: list[str]) -> None:
    """skipped: the sources behind the last shard that could not be read."""
    _append(folder, {"end": True, "skipped": skipped})


def _append(folder: Path, line: dict[str, Any]) -> None:
    with open(folder / NAME, "a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
