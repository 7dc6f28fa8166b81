"""Cleaning up: stray islands of an object go, small holes in it are filled."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from app.core.annotations import FrameLabels, PackedMap
from model.types import BACKGROUND, LabelMap, UInt8Array

ISLAND = 0.1
"""A part that is smaller than this share of the object's largest part is an island."""

HOLE = 0.02
"""A hole of background that is smaller than this share of the object is filled."""


def tidied(ids: UInt8Array, number: int) -> UInt8Array:
    """A label map [H, W] with the object cleaned up. Pixels of other objects stay as they are."""
    x, y, width, height = cv2.boundingRect((ids == number).view(np.uint8))
    if not width:
        return ids
    new = ids.copy()
    part = new[y : y + height, x : x + width]
    _, places, stats, _ = cv2.connectedComponentsWithStats((part == number).view(np.uint8), connectivity=8)
    sizes = stats[:, cv2.CC_STAT_AREA]
    sizes[0] = 0  # all that is not the object
    part[(places > 0) & (sizes < ISLAND * sizes.max())[places]] = BACKGROUND
    # One free pixel around the object joins all that lies outside of it: no hole.
    outside = np.pad((part != number).view(np.uint8), 1, constant_values=1)
    _, places, stats, _ = cv2.connectedComponentsWithStats(outside, connectivity=4)
    small = stats[:, cv2.CC_STAT_AREA] < HOLE * np.count_nonzero(part == number)
    small[[0, places[0, 0]]] = False
    part[small[places[1:-1, 1:-1]] & (part == BACKGROUND)] = number
    return new


def tidy(known: FrameLabels, number: int) -> FrameLabels | None:
    """A frame's labels with the object cleaned up; None where there is nothing to do."""
    if known.labels is None or number not in known.labels.objects:
        return None
    ids = known.labels.unpack().ids
    new = tidied(ids, number)
    if np.array_equal(new, ids):
        return None
    return replace(known, labels=PackedMap.pack(LabelMap(new, known.labels.objects)))
