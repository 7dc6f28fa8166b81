"""What a pointer is on. Pure functions over window coordinates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH = 9.0
"""How near a pointer must come, in Qt's pixels."""


def nearest_point(points: NDArray[np.floating], at: tuple[float, float], reach: float = REACH) -> int | None:
    """The index of the point ([N, 2], NaN where there is none) nearest to `at`, if one is within reach."""
    if not len(points):
        return None
    distance = np.hypot(points[:, 0] - at[0], points[:, 1] - at[1])
    distance[np.isnan(distance)] = np.inf
    best = int(distance.argmin())
    return best if distance[best] <= reach else None


def next_missing(placed: NDArray[np.bool_], after: int = -1) -> int | None:
    """The first keypoint beyond `after` that has no place yet, going round; None if all have one."""
    missing = np.flatnonzero(~placed)
    if not len(missing):
        return None
    later = missing[missing > after]
    return int(later[0] if len(later) else missing[0])
