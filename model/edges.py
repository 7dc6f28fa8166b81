"""Edges at full resolution: soft labels from the quarter grid, bent to the edges of the picture they belong to.

A guided filter (He et al., 2010): around each pixel the label is modelled as a linear function of brightness, so it may
change where the picture does. It is local, needs no training, and costs six box filters per object.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.types import FloatArray, UInt8Array


class EdgeGuide:
    """The picture that edges are taken from.

    image: uint8 [H, W, 3]; radius: of the boxes in pixels, best half a cell: thin things survive it.
    """

    _EPSILON = 1e-3  # squared contrast (brightness 0..1) below which nothing counts as an edge

    def __init__(self, image: UInt8Array, radius: int) -> None:
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
        self._grey: FloatArray = np.asarray(grey, np.float32) * np.float32(1 / 255)
        self._radius = radius

    def refine(self, labels: FloatArray, rows: slice, columns: slice) -> FloatArray:
        """Soft labels float32 of the box rows × columns of the picture -> the same, with sharper edges, 0..1."""
        guide = self._grey[rows, columns]
        mean_guide, mean_label = self._mean(guide), self._mean(labels)
        covariance = self._mean(guide * labels) - mean_guide * mean_label
        variance = self._mean(guide * guide) - mean_guide * mean_guide
        slope = covariance / (variance + self._EPSILON)
        offset = mean_label - slope * mean_guide
        refined = self._mean(slope) * guide + self._mean(offset)
        return np.asarray(refined.clip(0, 1), np.float32)

    def _mean(self, values: NDArray[np.floating]) -> FloatArray:
        side = 2 * self._radius + 1
        return np.asarray(cv2.blur(values, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)
