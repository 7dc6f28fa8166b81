"""Region similarity J and boundary accuracy F, by the rules of DAVIS.

Source: Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation"
(CVPR 2016), section 4, and Pont-Tuset et al., "The 2017 DAVIS Challenge on Video Object Segmentation".
All measures are in 0..1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from model.types import VOID, BoolArray, UInt8Array

BOUNDARY_TOLERANCE = 0.008  # of the image diagonal, rounded up to whole pixels
RECALL_THRESHOLD = 0.5
DECAY_BINS = 4


def region_similarity(truth: BoolArray, prediction: BoolArray, void: BoolArray | None = None) -> float:
    """J, the Jaccard index of two bool masks [H, W]; 1 where both are empty. Void pixels count for nothing."""
    if void is not None:
        truth, prediction = truth & ~void, prediction & ~void
    union = np.count_nonzero(truth | prediction)
    return np.count_nonzero(truth & prediction) / union if union else 1.0


def boundary_accuracy(truth: BoolArray, prediction: BoolArray, void: BoolArray | None = None) -> float:
    """F, the F-measure of boundary pixels that lie within the tolerance of the other mask's boundary.

    truth, prediction: bool [H, W]. Two masks without a boundary score 1; if only one has a boundary, 0.
    Void pixels are background in both masks.
    """
    if void is not None:
        truth, prediction = truth & ~void, prediction & ~void
    height, width = truth.shape
    disk = _disk(math.ceil(BOUNDARY_TOLERANCE * math.hypot(height, width)))

    # No boundary lies more than a pixel outside the masks, so the rest of the frame need not be looked at.
    x, y, w, h = cv2.boundingRect((truth | prediction).view(np.uint8))
    window = np.s_[max(y - 1, 0) : y + h + 1, max(x - 1, 0) : x + w + 1]
    true_edge, found_edge = _boundary(truth[window]), _boundary(prediction[window])
    true_count, found_count = cv2.countNonZero(true_edge), cv2.countNonZero(found_edge)
    if true_count == 0 or found_count == 0:
        return float(true_count == found_count)
    precision = cv2.countNonZero(cv2.bitwise_and(found_edge, cv2.dilate(true_edge, disk))) / found_count
    recall = cv2.countNonZero(cv2.bitwise_and(true_edge, cv2.dilate(found_edge, disk))) / true_count
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _boundary(mask: BoolArray) -> UInt8Array:
    """uint8 [H, W]: 1 where a pixel differs from its right, lower or lower-right neighbour in the image."""
    square = np.ones((2, 2), np.uint8)
    edge = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_GRADIENT, square, anchor=(0, 0))
    return np.asarray(edge, np.uint8)


@cache
def _disk(radius: int) -> UInt8Array:
    """uint8 [2 * radius + 1, 2 * radius + 1]: 1 within `radius` of the centre."""
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    return np.asarray(x**2 + y**2 <= radius**2, np.uint8)


def measure_frame(truth: UInt8Array, prediction: UInt8Array, objects: Sequence[int]) -> NDArray[np.float64]:
    """J and F of every object in one frame: float64 [len(objects), 2].

    truth, prediction: uint8 [H, W] object ids; 255 in the truth is void.
    """
    void = truth == VOID
    some_void = void if void.any() else None
    rows = []
    for number in objects:
        masks = truth == number, prediction == number
        rows.append((region_similarity(*masks, some_void), boundary_accuracy(*masks, some_void)))
    return np.array(rows, np.float64).reshape(len(objects), 2)


class Summary(NamedTuple):
    """One measure over the scored frames of an object, or the mean of that over objects.

    recall: share of frames above 0.5.
    decay:  mean of the first quarter of the frames minus the mean of the last.
    """

    mean: float
    recall: float
    decay: float


def summarise(values: NDArray[np.float64]) -> Summary:
    """The statistics of one measure over N >= 1 frames, float64 [N].

    The official quarters share the frame on which they meet.
    """
    edges = [(2 * (len(values) - 1) * i + DECAY_BINS) // (2 * DECAY_BINS) for i in range(DECAY_BINS + 1)]
    first, last = values[: edges[1] + 1], values[edges[-2] :]
    recall = np.mean(values > RECALL_THRESHOLD)
    return Summary(float(values.mean()), float(recall), float(first.mean() - last.mean()))


class Score(NamedTuple):
    """J and F of one object, or the mean of that over objects."""

    region: Summary
    boundary: Summary

    @classmethod
    def of(cls, measures: NDArray[np.float64]) -> Score:
        """From J and F of one object over its scored frames, float64 [N, 2]."""
        return cls(summarise(measures[:, 0]), summarise(measures[:, 1]))

    @classmethod
    def mean(cls, scores: Sequence[Score]) -> Score:
        """The mean over objects; every object has one vote, however many frames it was scored on."""
        region, boundary = np.mean(np.array(scores), axis=0).tolist()
        return cls(Summary(*region), Summary(*boundary))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, under the names of the DAVIS tables."""
        j, f = self.region, self.boundary
        return {
            "J&F": (j.mean + f.mean) / 2,
            "J": j.mean,
            "F": f.mean,
            "J-recall": j.recall,
            "F-recall": f.recall,
            "J-decay": j.decay,
            "F-decay": f.decay,
        }
