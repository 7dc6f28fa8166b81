"""Where the cells of one frame of a video are in a later one: what to learn from when much has changed between them.

Classical flow leads from frame to frame on the way, and back again. What does not come home is not believed; so what
was hidden, or left the picture, or looks the same all over, is left out. No label, and no weights of others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np

from model.types import FloatArray, UInt8Array


@dataclass(frozen=True, slots=True)
class TrackOptions:
    """weight: of the cross-entropy against the tracks in the loss. step: seconds between frames on the way.

    agree: how far from home a way there and back may end, pixels of the crop. crops: share of the pairs of frames that
    are cropped each in its own way, as those of photos are.
    """

    weight: float = 0.04
    step: float = 1 / 15
    agree: float = 1.5
    crops: float = 0.5

    def __post_init__(self) -> None:
        if not (self.weight >= 0 and self.step > 0 and self.agree > 0 and 0 <= self.crops <= 1):
            raise ValueError(f"tracks: a weight from 0 on, step and agree above 0, crops from 0 to 1, not {self}")


def tracks(pictures: Sequence[UInt8Array], agree: float) -> tuple[FloatArray, FloatArray]:
    """Where each pixel of the first picture [H, W, 3] is in the last one, and each of the last in the first.

    Both float32 [H, W, 2], as (x, y) in pixels; NaN where the way there and back ends more than `agree` pixels from
    home, or leads out of the picture.
    """
    greys = [np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8) for picture in pictures]
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    forth, back = _carried(flow, greys), _carried(flow, greys[::-1])
    return _believed(forth, back, agree), _believed(back, forth, agree)


def _carried(flow: cv2.DISOpticalFlow, greys: Sequence[UInt8Array]) -> FloatArray:
    place = _home(greys[0].shape)
    for before, after in pairwise(greys):
        moved = np.asarray(flow.calc(before, after, None), np.float32)  # type: ignore[call-overload]
        place += _sampled(moved, place)
    return place


def _believed(there: FloatArray, back: FloatArray, agree: float) -> FloatArray:
    height, width = there.shape[:2]
    home = _home((height, width))
    inside = ((there >= 0) & (there <= (width - 1, height - 1))).all(axis=2)
    error = np.linalg.norm(_sampled(back, there) - home, axis=2)
    return np.where((inside & (error <= agree))[..., None], there, np.float32(np.nan))


def _home(shape: Sequence[int]) -> FloatArray:
    return np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), axis=-1).astype(np.float32)


def between_pixels(field: FloatArray, place: FloatArray) -> FloatArray:
    """A field [H, W, 2] at places [..., 2], between its pixels as well; NaN outside."""
    return _sampled(field, place, cv2.BORDER_CONSTANT)


def _sampled(field: FloatArray, place: FloatArray, border: int = cv2.BORDER_REPLICATE) -> FloatArray:
    x, y = np.ascontiguousarray(place[..., 0]), np.ascontiguousarray(place[..., 1])
    nowhere = (float("nan"),) * 2
    found = cv2.remap(field, x, y, cv2.INTER_LINEAR, borderMode=border, borderValue=nowhere)
    return np.asarray(found, np.float32).reshape(place.shape)
