"""Keypoints when the names of a skeleton change."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from model.types import KeypointSet


def fitted(points: KeypointSet, names: tuple[str, ...]) -> KeypointSet:
    """One point for each of these names; missing where `points` knows nothing of it."""
    if points.names == names:
        return points
    n = len(names)
    xy, visible, confidence = np.full((n, 2), np.nan, np.float32), np.zeros(n, np.bool_), np.zeros(n, np.float32)
    for i, name in enumerate(names):
        if name in points.names:
            at = points.names.index(name)
            xy[i], visible[i], confidence[i] = points.xy[at], points.visible[at], points.confidence[at]
    return KeypointSet(names, xy, visible, confidence)


def renamed(points: KeypointSet, names: Mapping[str, str]) -> KeypointSet | None:
    """The points under their new names, without those that have none; None if that leaves nothing."""
    kept = [i for i, name in enumerate(points.names) if name in names]
    if not kept:
        return None
    new = tuple(names[points.names[i]] for i in kept)
    return KeypointSet(new, points.xy[kept], points.visible[kept], points.confidence[kept])


def same(one: KeypointSet, other: KeypointSet) -> bool:
    """Whether two sets say the same."""
    return (
        one.names == other.names
        and np.array_equal(one.xy, other.xy, equal_nan=True)
        and np.array_equal(one.visible, other.visible)
        and np.array_equal(one.confidence, other.confidence)
    )
