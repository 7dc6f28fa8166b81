"""A clip of which everything is known, and what to make of the answers of the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from app.io.masks import read_written

SIZE = (64, 96)
FRAMES = 12
STEP = 3  # pixels per frame that the square moves to the right
NOSE = (20, 30)


def scene(height: int = 64, width: int = 96) -> Iterator[np.ndarray]:
    """A textured orange square of 24 pixels that moves over bluish noise, and a green corner that stays."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.integers(0, 255, (height, width), np.uint8), (0, 0), 2)
    back = np.dstack([noise // 4, noise // 2, 120 + noise // 2])
    back[:10, :16] = (40, 200, 20)
    own = cv2.GaussianBlur(rng.integers(0, 255, (24, 24), np.uint8), (0, 0), 1.5)
    square = np.dstack([180 + own // 4, 80 + own // 2, own // 4])
    for i in range(FRAMES):
        image = back.copy()
        image[20:44, 10 + STEP * i : 34 + STEP * i] = square
        yield image.astype(np.uint8)


def truth(frame: int, number: int = 1, size: tuple[int, int] = SIZE) -> np.ndarray:
    ids = np.zeros(size, np.uint8)
    ids[20:44, 10 + STEP * frame : 34 + STEP * frame] = number
    return ids


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def overlap(path: Path, expected: np.ndarray, number: int = 1) -> float:
    found, expected = read_written(path).ids == number, expected == number
    return (found & expected).sum() / (found | expected).sum()


def one_line(code: int, out: str, err: str) -> str:
    """What every mistake gets: exit code 2, nothing on the output, one line of complaint."""
    assert code == 2, err
    assert out == ""
    assert err.startswith("mer: ")
    assert err.count("\n") == 1
    return err
