"""Made-up videos and labels of any size, for when only their cost matters."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from model.types import Anchor, LabelMap, UInt8Array
from model.video import VideoSource
from model.video.source import Reader


class SyntheticVideo(VideoSource):
    """Noise that drifts, of any size and length, made when asked for: nothing but decoding is missing from it."""

    def __init__(self, height: int, width: int, frames: int) -> None:
        rng = np.random.default_rng(0)
        coarse = rng.random((math.ceil(height / 16), math.ceil(width / 16) + 1, 3), np.float32)
        self._picture = (cv2.resize(coarse, (2 * width, height)) * 255).astype(np.uint8)
        super().__init__(Path(f"synthetic {width}x{height}"), (height, width), 25.0, np.arange(frames) / 25, (), 0)

    def _open_reader(self) -> Reader:
        return _SyntheticReader(self._picture, self.size[1])


class _SyntheticReader(Reader):
    def __init__(self, picture: UInt8Array, width: int) -> None:
        self._picture, self._width = picture, width

    def read(self, index: int) -> UInt8Array | None:
        self.position = index + 1
        shift = abs((3 * index + self._width) % (2 * self._width) - self._width)  # there and back again
        return np.ascontiguousarray(self._picture[:, shift : shift + self._width])

    def close(self) -> None:
        """Nothing is held."""


def blobs(frame: int, size: tuple[int, int], objects: int) -> Anchor:
    """A frame's labels: as many ellipses beside each other as there are objects, on a fifth of the picture or so."""
    height, width = size
    ids = np.zeros(size, np.uint8)
    columns = math.ceil(math.sqrt(objects))
    rows = math.ceil(objects / columns)
    for number in range(objects):
        row, column = divmod(number, columns)
        centre = (round(width * (column + 0.5) / columns), round(height * (row + 0.5) / rows))
        axes = (max(1, width // (4 * columns)), max(1, height // (4 * rows)))
        cv2.ellipse(ids, centre, axes, 0, 0, 360, number + 1, -1)
    return Anchor(frame, LabelMap(ids, tuple(range(1, objects + 1))))


def wide(short_side: int) -> tuple[int, int]:
    """(height, width) of a 16:9 picture of this height, both even."""
    return short_side + short_side % 2, round(short_side * 8 / 9) * 2
