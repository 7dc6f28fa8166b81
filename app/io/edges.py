"""Tell the ids that a person drew from those that an editor's smoothing left along the edges."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from model.types import BoolArray

IntArray = NDArray[np.int32]

REACH = 3  # anti-aliasing reaches this many pixels to either side of an edge; feathering further
MANY = 16  # nobody paints more objects than this that are thin everywhere, but feathering makes hundreds
MIN_STEP = 16  # between two ids closer than this, a mixture cannot be told from a thin object
FRINGE = 10  # a grey value is the fringe of one close to it that covers so many times its pixels
NO_ID = 1 << 20  # higher than any id
BLOCK = np.ones((3, 3), np.uint8)


def thin_ids(values: IntArray) -> BoolArray:
    """bool [H, W]: pixels whose id nowhere in `values` [H, W] fills a 3x3 block."""
    return _share_per_id(values, _core(values)) == 0


def stray_ids(values: IntArray, thin: BoolArray, foreign: int, grey: bool) -> BoolArray:
    """bool [H, W]: pixels of ids that smoothing made.

    values: int32 [H, W]; from `foreign` on they stand for colours that are no object's.
    thin:   `thin_ids(values)`.
    grey:   the values are grey levels; then wide, almost flat rims count as smoothed too.

    Evidence of smoothing is a thin foreign colour; very many thin grey levels; or thin ids that lie nearly everywhere
    between a lower and a higher solid id close by (a thin object on the background does not). Where there is
    evidence, ids that are mostly seam are strays too: a mixture may hit an object's colour, or fill a small block.
    """
    if (values >= foreign).any():
        evidence = thin & (values >= foreign)
    elif grey and len(np.unique(values[thin])) > MANY:
        evidence = thin
    else:
        window = np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8)
        plane = values.astype(np.float32)
        low = cv2.erode(np.where(thin, np.float32(NO_ID), plane), window)
        high = cv2.dilate(np.where(thin, np.float32(-NO_ID), plane), window)
        between = thin & (low < plane) & (plane < high) & (high - low >= MIN_STEP)
        evidence = thin & (_share_per_id(values, between) >= 0.8)
    if not evidence.any():
        return evidence
    block = cv2.dilate(_core(values).astype(np.uint8), BLOCK) != 0
    stray = _share_per_id(values, block) < 0.5
    return stray | _fringe(values) if grey else stray


def _fringe(values: IntArray) -> BoolArray:
    """Pixels whose value is less than MIN_STEP away from one that covers at least FRINGE times as many pixels."""
    ids, inverse, pixels = np.unique(values, return_inverse=True, return_counts=True)
    close = np.abs(ids[:, None] - ids[None]) < MIN_STEP
    fringe = (close & (pixels[None] >= FRINGE * pixels[:, None])).any(axis=1)
    return np.asarray(fringe[inverse].reshape(values.shape))


def _core(values: IntArray) -> BoolArray:
    """Pixels whose eight neighbours all have their id."""
    plane = values.astype(np.float32)
    return np.asarray(cv2.erode(plane, BLOCK) == cv2.dilate(plane, BLOCK))


def _share_per_id(values: IntArray, pixels: BoolArray) -> NDArray[np.float64]:
    """float64 [H, W]: for every pixel, the share of its id's pixels that are among `pixels` [H, W]."""
    ids, inverse = np.unique(values, return_inverse=True)
    inverse = inverse.reshape(values.shape)
    among = np.bincount(inverse[pixels], minlength=len(ids))
    return np.asarray((among / np.bincount(inverse.ravel()))[inverse])


def give_to_nearest(values: IntArray, stray: BoolArray) -> IntArray:
    """`values` [H, W] with every stray pixel given the id of the nearest pixel that is not."""
    _, nearest = cv2.distanceTransformWithLabels(stray.astype(np.uint8), cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    id_of = np.zeros(int(nearest.max()) + 1, np.int32)
    id_of[nearest[~stray]] = values[~stray]
    return np.asarray(id_of[nearest], np.int32)
