"""YOLO segmentation: a text file per frame with one polygon per part of an object, in shares of width and height."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.io.export.base import Exporter, Options, expect
from app.io.export.labelled import Labelled
from app.io.text import read_text
from model.types import BoolArray
from model.video import VideoSource

DIGITS = 6  # enough to tell pixels of a 100 000 pixel wide image apart


class Yolo(Exporter):
    """`labels/00000.txt` and `data.yaml`. A class is an object; polygons have no holes, so holes are filled."""

    id, title = "yolo", "YOLO segmentation"

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        classes = {info.id: i for i, info in enumerate(labelled.objects)}
        folder = target / "labels"
        folder.mkdir(parents=True)
        for frame in labelled.frames:
            lines = []
            for info, mask in labelled.masks(frame):
                for polygon in polygons(mask):
                    numbers = " ".join(f"{value:.{DIGITS}f}" for value in polygon.ravel())
                    lines.append(f"{classes[info.id]} {numbers}\n")
            (folder / f"{frame:05d}.txt").write_text("".join(lines), encoding="ascii")
            yield
        names = "".join(f"  {i}: {_quoted(info.name)}\n" for i, info in enumerate(labelled.objects))
        (target / "data.yaml").write_text(f"path: .\ntrain: images\nval: images\nnames:\n{names}", encoding="utf-8")

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        files = sorted((target / "labels").iterdir())
        expect([int(p.stem) for p in files] == list(labelled.frames), "another number of files")
        for frame, path in zip(labelled.frames, files, strict=True):
            written = read_polygons(path, labelled.media.size)
            shown = {info.id: mask for info, mask in labelled.masks(frame)}
            for number, info in enumerate(labelled.objects):
                mask = written.get(number)
                expect((mask is not None) == (info.id in shown), f"{info.name} is missing or made up in frame {frame}")
                if mask is not None:
                    same = np.array_equal(mask, filled(shown[info.id]))
                    expect(same, f"{info.name} of frame {frame} has another outline")


def polygons(mask: BoolArray) -> list[NDArray[np.float64]]:
    """The outer outlines of a mask's parts, float64 [N, 2] each: (x, y) of pixel centres in shares of the size."""
    height, width = mask.shape
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    found = []
    for outline in outlines:
        points = outline[:, 0]
        if len(points) < 3:  # a polygon has three corners, even that of one pixel
            points = np.resize(points, (3, 2))
        found.append(np.asarray((points + 0.5) / [width, height], np.float64))
    return found


def read_polygons(path: Path, size: tuple[int, int]) -> dict[int, BoolArray]:
    """The masks of a file by class, at (height, width). ValueError, naming the line, for anything else."""
    height, width = size
    masks: dict[int, BoolArray] = {}
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            kind, *rest = line.split()
            values = np.array(rest, np.float64).reshape(-1, 2)
            index = int(kind)
        except ValueError:
            raise ValueError(f"{path}, line {number}: not a class and pairs of numbers") from None
        if index < 0 or len(values) < 3 or not ((values >= 0) & (values <= 1)).all():
            raise ValueError(f"{path}, line {number}: needs a class from 0 and three or more points within 0..1")
        corners = np.rint(values * [width, height] - 0.5).astype(np.int32)
        canvas = masks.setdefault(index, np.zeros(size, np.bool_)).view(np.uint8)
        cv2.fillPoly(canvas, [corners.clip(0, [width - 1, height - 1])], 1)
    return masks


def filled(mask: BoolArray) -> BoolArray:
    """The mask without holes."""
    outlines, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    canvas = np.zeros(mask.shape, np.uint8)
    for outline in outlines:  # one by one: together, parts that touch would be taken as even and odd
        cv2.fillPoly(canvas, [outline], 1)
    return canvas > 0


def _quoted(name: str) -> str:
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
