"""Which videos a batch is of: from the command line, or from a list in a file."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.runs.batch import Job
from app.runs.task import Task
from model.types import Direction

COLUMNS = ("video", "labels", "name", "frame", "direction", "start", "stop")


def paired(videos: Sequence[Path], labels: Sequence[Path], shared: Task) -> list[Job]:
    """Each video with what is named after it in the folders `labels`: clip.mp4 with clip.png, clip.csv and clip/.

    shared: what holds for all; its `out` is the folder that gets one for each video. A video without labels stays in,
    so that it fails when its turn comes. ValueError for what is no folder, and for two videos of one name.
    """
    for folder in labels:
        if not folder.is_dir():
            raise ValueError(
                f"--labels {folder}: for several videos give a folder with a mask, a table or a folder of masks named "
                "after each video, or give --list"
            )
    jobs = []
    for video in videos:
        wanted = [folder / f"{_name(video)}{ending}" for folder in labels for ending in (".png", ".csv", "")]
        found = tuple(path for path in wanted if path.exists()) or (wanted[0],)
        jobs.append(Job(_name(video), replace(shared, video=video, labels=found, out=shared.out / _name(video))))
    return _distinct(jobs)


def read_list(path: Path, shared: Task) -> list[Job]:
    """The videos of a list: CSV with a header, or one JSON object per line.

    Columns: video, labels (several with ; between them, in JSON a list), and what overrides the command line: name,
    frame, direction, start, stop. Files are named relative to the list. ValueError, naming the line, for the rest.
    """
    jobs = []
    for number, row in _rows(path):
        try:
            jobs.append(_job(row, path.parent, shared))
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    if not jobs:
        raise ValueError(f"{path}: lists no video; give one per line")
    return _distinct(jobs)


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ValueError(f"{path}: cannot be read ({error.strerror or error}); check the name") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not text; give a list in CSV or JSON lines") from None
    if path.suffix.lower() == ".csv":
        rows = csv.DictReader(text.splitlines())
        for row in rows:
            if None in row or None in row.values():
                raise ValueError(f"{path}, line {rows.line_num}: has not as many fields as the header")
            yield rows.line_num, {name.strip(): value.strip() for name, value in row.items() if value.strip()}
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise ValueError(f"{path}, line {number}: is no JSON object; name a list in CSV .csv")
        yield number, found


def _job(row: Mapping[str, Any], folder: Path, shared: Task) -> Job:
    if unknown := [name for name in row if name not in COLUMNS]:
        raise ValueError(f"unknown column {unknown[0]!r}; there are {', '.join(COLUMNS)}")
    if lacking := [name for name in COLUMNS[:2] if not row.get(name)]:
        raise ValueError(f"{lacking[0]} is missing")
    labels = row["labels"].split(";") if isinstance(row["labels"], str) else row["labels"]
    if not isinstance(labels, list) or not all(isinstance(text, str) and text.strip() for text in labels):
        raise ValueError("labels are names of files")
    video = folder / str(row["video"])
    name = str(row.get("name") or _name(video))
    if name in (".", "..") or Path(name).name != name:
        raise ValueError(f"name {name!r} is no name of a folder")
    try:
        direction = Direction(row.get("direction", shared.direction))
    except ValueError:
        raise ValueError(f"direction is {', '.join(Direction)}, not {row['direction']!r}") from None
    task = Task(
        video,
        tuple(folder / text.strip() for text in labels),
        shared.out / name,
        _number(row, "frame", shared.frame),
        direction,
        _number(row, "start", shared.start) or 0,
        _number(row, "stop", shared.stop),
    )
    return Job(name, task)


def _number(row: Mapping[str, Any], column: str, default: int | None) -> int | None:
    text = str(row.get(column, "" if default is None else default))
    if text and not text.isdecimal():
        raise ValueError(f"{column} is a frame's number, not {text!r}")
    return int(text) if text else None


def _name(video: Path) -> str:
    return video.stem if video.suffix else video.name


def _distinct(jobs: list[Job]) -> list[Job]:
    by_name: dict[str, Path] = {}
    for job in jobs:
        other = by_name.setdefault(job.name.casefold(), job.task.video)  # some disks know no capitals
        if other is not job.task.video:
            raise ValueError(
                f"{job.task.video} and {other} would share the folder {job.name}: give one another name in a --list"
            )
    return jobs
