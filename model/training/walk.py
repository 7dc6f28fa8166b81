"""The way through a corpus that is read by stream: every unit once in each lap, shard by shard, shuffled.

Where a route is at a turn follows from the seed alone. So a run resumes in the middle of a lap without reading what was
before it, and it does not matter which process serves which route.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

WINDOW = 1024  # units among which a route shuffles
_SALT = 2  # keeps the draws here apart from those of the samples and the bank, which have the same seed


class Walk:
    """Units 0..N-1, shard after shard, given out to a number of routes.

    In every lap the shards are put in a new order, and each route gets an equal part of their units, one behind the
    other: routes share no shard but where one part ends and the next begins. A route shuffles its part in windows of
    `WINDOW` units. The fewer than `routes` units that are left over wait for the next lap, which leaves out others.
    With fewer units than routes, some routes are at the same unit.

    counts: how many units each shard has, at least one in all.
    """

    def __init__(self, counts: NDArray[np.int64], routes: int, seed: int) -> None:
        self._counts, self._routes, self._seed = counts, routes, seed
        self._begins = np.cumsum(counts) - counts
        self._total = int(counts.sum())
        assert self._total > 0 and routes > 0
        self._length = max(1, self._total // routes)

    def __call__(self, route: int, turn: int) -> int:
        """The unit at which a route is at a turn, both counted from 0."""
        assert 0 <= route < self._routes and turn >= 0
        lap, place = divmod(turn, self._length)
        window = place // WINDOW * WINDOW
        shuffled = _shuffled(min(WINDOW, self._length - window), (self._seed, _SALT, lap, route, window))
        position = (route * self._length + window + int(shuffled[place - window])) % self._total
        order = _shuffled(len(self._counts), (self._seed, _SALT, lap))
        ends = np.cumsum(self._counts[order])
        at = int(np.searchsorted(ends, position, side="right"))
        shard = order[at]
        return int(self._begins[shard] + position - (ends[at] - self._counts[shard]))


@lru_cache(maxsize=512)
def _shuffled(count: int, key: tuple[int, ...]) -> NDArray[np.int64]:
    return np.random.default_rng(key).permutation(count)
