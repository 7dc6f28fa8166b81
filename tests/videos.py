"""Small videos made in memory, for tests that are not about decoding."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from model.types import UInt8Array
from model.video.source import Reader, VideoSource


class MemoryVideo(VideoSource):
    """A list of pictures as a video of 25 frames per second. `reads` counts the pictures handed out."""

    def __init__(self, images: Sequence[UInt8Array]) -> None:
        self.images = list(images)
        self.reads = 0
        size = self.images[0].shape[0], self.images[0].shape[1]
        super().__init__(Path("memory"), size, 25.0, np.arange(len(self.images)) / 25)

    def _open_reader(self) -> Reader:
        return _MemoryReader(self)


class _MemoryReader(Reader):
    def __init__(self, video: MemoryVideo) -> None:
        self._video = video

    def read(self, index: int) -> UInt8Array | None:
        self._video.reads += 1
        self.position = index + 1
        return self._video.images[index].copy()

    def close(self) -> None:
        pass


def texture(seed: int, height: int, width: int, low: int = 0, high: int = 255) -> UInt8Array:
    """Smooth coloured noise: every place looks like itself only."""
    rng = np.random.default_rng(seed)
    noise = cv2.resize(rng.random((height // 6 + 2, width // 6 + 2, 3)).astype(np.float32), (width, height))
    return np.asarray(low + noise * (high - low), np.uint8)


def moving_squares(
    frames: int = 10, height: int = 64, width: int = 96, size: int = 24, speed: int = 4
) -> tuple[list[UInt8Array], list[UInt8Array]]:
    """Two textured squares that move apart over a textured ground: pictures, and the true ids (7 and 200)."""
    ground = texture(0, height, width, 0, 120)
    squares = {7: texture(1, size, size, 120, 255), 200: texture(2, size, size, 90, 220)[..., ::-1]}
    images, truth = [], []
    for t in range(frames):
        image, ids = ground.copy(), np.zeros((height, width), np.uint8)
        for number, square in squares.items():
            y, x = (4, 4 + speed * t) if number == 7 else (height - size - 4, width - size - 4 - speed * t)
            image[y : y + size, x : x + size] = square
            ids[y : y + size, x : x + size] = number
        images.append(image)
        truth.append(ids)
    return images, truth
