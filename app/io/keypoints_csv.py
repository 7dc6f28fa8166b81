"""Keypoints as a CSV table, one row per point and frame: `frame,name,x,y,visible,confidence`.

Frames count from 0; x and y are pixels of the video, and (0, 0) is the centre of its top-left pixel. Empty x and
y: the point is missing in that frame. `visible` is 1 or 0 (hidden; x and y may still say where), `confidence`
lies in 0..1. Reading needs the first four columns; a point is visible and trusted where nothing else is said.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.io.atomic import write_text
from app.io.text import shortened
from model.types import KeypointSet

REQUIRED = ("frame", "name", "x", "y")
COLUMNS = (*REQUIRED, "visible", "confidence")


@dataclass(frozen=True, slots=True)
class _Point:
    x: float
    y: float
    visible: bool
    confidence: float


MISSING = _Point(math.nan, math.nan, False, 0.0)


def read_keypoints(path: Path, size: tuple[int, int] | None = None) -> dict[int, KeypointSet]:
    """The keypoints by frame. Every frame gets the same names, in the order of their first rows.

    size: (height, width) of the video; a point outside it is an error.

    Raises ValueError naming the file, the line and the remedy.
    """
    names: dict[str, None] = {}
    frames: dict[int, dict[str, _Point]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                where = f"{path}, line {reader.line_num}"
                frame, name, point = _parse(row, where, size)
                points = frames.setdefault(frame, {})
                if name in points:
                    raise ValueError(
                        f"{where}: '{shortened(name)}' of frame {frame} was given before: keep one of the two rows"
                    )
                points[name] = point
                names[name] = None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{path}: cannot be read as a CSV table of keypoints: {error}") from error
    if not frames:
        raise ValueError(f"{path}: holds no keypoints: give one row per point, under {','.join(REQUIRED)}")
    return {frame: _gather(tuple(names), frames[frame]) for frame in sorted(frames)}


def write_keypoints(path: Path, frames: Mapping[int, KeypointSet]) -> None:
    """Write every point of every frame, in the order of the frames, atomically. Coordinates keep 3 decimals."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(COLUMNS)
    for frame in sorted(frames):
        points = frames[frame]
        rows = zip(points.names, points.xy, points.visible, points.confidence, strict=True)
        for name, (x, y), visible, confidence in rows:
            place = ("", "") if np.isnan(x) or np.isnan(y) else (f"{x:.3f}", f"{y:.3f}")
            writer.writerow((frame, name, *place, int(visible), f"{confidence:.4f}"))
    write_text(path, table.getvalue())


def _check_header(path: Path, header: Sequence[str]) -> None:
    if missing := [c for c in REQUIRED if c not in header]:
        raise ValueError(f"{path}: the column {missing[0]!r} is missing: the first line must be {','.join(COLUMNS)}")
    if unknown := [c for c in header if c not in COLUMNS]:
        raise ValueError(f"{path}: unknown column '{shortened(unknown[0])}': the columns are {','.join(COLUMNS)}")


def _parse(row: dict[str | None, str | None], where: str, size: tuple[int, int] | None) -> tuple[int, str, _Point]:
    if None in row or any(row.get(c) is None for c in REQUIRED):
        raise ValueError(f"{where}: has another number of fields than the first line: add or remove a comma")
    text = {column: (value or "").strip() for column, value in row.items() if column is not None}
    if not text["frame"].isdecimal():
        raise ValueError(f"{where}: frame '{shortened(text['frame'])}' is not a whole number: frames count from 0")
    if not text["name"]:
        raise ValueError(f"{where}: the point has no name: fill in the column 'name'")
    frame, name = int(text["frame"]), text["name"]
    if not text["x"] and not text["y"]:
        return frame, name, MISSING
    x, y = _number(text, "x", where), _number(text, "y", where)
    if size is not None and not (-0.5 <= x <= size[1] - 0.5 and -0.5 <= y <= size[0] - 0.5):
        raise ValueError(
            f"{where}: '{shortened(name)}' at ({x:g}, {y:g}) is outside the {size[1]}x{size[0]} frame: "
            "correct it, or leave x and y empty where the point is missing"
        )
    if text.get("visible", "") not in ("", "0", "1"):
        raise ValueError(f"{where}: visible is '{shortened(text['visible'])}': write 1 or 0")
    confidence = _number(text, "confidence", where) if text.get("confidence") else 1.0
    if not 0 <= confidence <= 1:
        raise ValueError(f"{where}: confidence is {confidence:g}: it lies in 0..1")
    return frame, name, _Point(x, y, text.get("visible") != "0", confidence)


def _number(text: Mapping[str, str], column: str, where: str) -> float:
    try:
        value = float(text[column])
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{where}: {column} is '{shortened(text[column])}': write a number")
    return value


def _gather(names: tuple[str, ...], points: Mapping[str, _Point]) -> KeypointSet:
    rows = [points.get(name, MISSING) for name in names]
    return KeypointSet(
        names,
        np.array([(p.x, p.y) for p in rows], np.float32),
        np.array([p.visible for p in rows], np.bool_),
        np.array([p.confidence for p in rows], np.float32),
    )
