"""Click to segment: from a few clicks to the mask of the object that they mean.

What tells an object from the rest is, first of all, that it moves otherwise than the camera; then that it is near the
click, and of like colours and features. The first clicks make a guess from these on the cells of the feature grid, and
GrabCut, which sees brightness, colour and the guess side by side, cuts the picture along it. Every further click bends
the mask that is there, strongest near by and where things look like the place that was clicked.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from app.jobs.queries import Click
from model.encoder import STRIDE
from model.flow import dis
from model.types import BoolArray, FloatArray, UInt8Array

_REACH = 0.55  # of the picture's height: how far from the click an object is taken to go, at first
_EASE = 0.3  # in favour of the object
_STILL = 0.35  # pixels: camera motion is never known better
_SAME = 0.3  # share of its own motion by which two parts of an object may differ
_SEED = 3  # cells or pixels around a click that are beyond doubt
_CUT_SIDE = 256  # pixels of the longer side of what GrabCut is given
_CUT_ROUNDS = 4
_GUESS_WEIGHT = 160  # grey levels between "surely not" and "surely" in GrabCut's picture
_FAR = 0.3  # what lies away from the object by more than this share of its size is less likely a part of it


class _Cell(NamedTuple):
    """A click on the grid."""

    x: float
    y: float
    positive: bool


class Segmenter:
    """One frame, ready to be clicked on. Masks of the clicks so far are kept: one more click costs one more step."""

    def __init__(self, image: UInt8Array, features: FloatArray, neighbour: UInt8Array | None) -> None:
        """image: uint8 [H, W, 3]; features: [C, h, w]; neighbour: the frame after or before, if there is one."""
        self._image = image
        _, height, width = features.shape
        self._size = height, width
        centred = features - features.mean(axis=(1, 2), keepdims=True)
        self._features = np.moveaxis(centred / np.maximum(np.linalg.norm(centred, axis=0), 1e-6), 0, -1)
        lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
        self._colours = _cells(cv2.blur(lab, (5, 5)), self._size)
        self._motion = np.zeros((height, width, 2), np.float32)
        if neighbour is not None:
            self._motion = own_motion(dis(neighbour, image), self._size)
        self._speed = np.linalg.norm(self._motion, axis=-1)
        self._noise = max(_STILL, 1.5 * float(np.median(self._speed)))
        self._rows, self._columns = np.mgrid[:height, :width].astype(np.float32)
        self._known: dict[tuple[Click, ...], BoolArray] = {}
