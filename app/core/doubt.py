"""Which frame to look at next: where a person's labels would mend most.

Doubt is measured by how crisp the shares of an object still are. Soft labels melt where matching fails, and what has
melted stays so in the frames after: so the place to mend is not where doubt is greatest, which is always far from the
labelled frames, but where it grows. From the growth of doubt follows how much would be left with one more labelled
frame, wherever that is; the best is suggested, then the best beside it, and so on.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from app.core.annotations import FrameLabels
from app.core.document import Document

DOUBTFUL = 0.85
"""Below this certainty a frame is called doubtful. Certainty comes close to J itself: see docs/method.md."""

MOST = 20
"""So many suggestions are made at once."""

_CANDIDATES = 256  # frames of one gap that are weighed against each other
_STEADY = 1e-3  # growth of doubt per frame that is always there: where nothing is known, gaps are halved

Array = NDArray[np.float64]


def frame_certainty(known: FrameLabels) -> float | None:
    """The mean certainty of a propagated frame's objects and placed keypoints; None where nothing tells."""
    if known.is_human:
        return None
    certain = [*known.certainty.values()]
    if known.keypoints is not None:  # a point that is not placed says nothing
        certain += known.keypoints.confidence[~np.isnan(known.keypoints.xy).any(axis=1)].tolist()
    return sum(certain) / len(certain) if certain else None


def suggestions(document: Document, most: int = MOST, certain: Array | None = None) -> list[tuple[int, float]]:
    """(frame, certainty) of the propagated frames within the span that are best labelled next, the best first.

    certain: `frame_certainty` of all frames, where somebody has kept it (`LaneBook.certain`): then this is quick.
    """
    start, stop = document.span
    if certain is not None:
        certain = certain[start:stop]
    else:
        certain = np.full(stop - start, np.nan)
        for frame in document.store:
            known = document.store.get(frame)
            if start <= frame < stop and known is not None and (value := frame_certainty(known)) is not None:
                certain[frame - start] = value
    human = [frame - start for frame in document.store.human]
    return [(start + frame, float(certain[frame])) for frame in best_frames(certain, human, most)]


def doubtful(document: Document, certain: Array | None = None) -> list[int]:
    """The suggestions below `DOUBTFUL`, the best first. certain: as above."""
    return [frame for frame, value in suggestions(document, certain=certain) if value < DOUBTFUL]


def best_frames(certain: Array, human: Sequence[int], most: int) -> list[int]:
    """Greedily the frames that leave least doubt when they are labelled one after the other.

    certain: [N] of every frame, NaN where nothing was propagated; human: frames that are labelled, maybe outside.
    """
    count = len(certain)
    level = np.where(np.isnan(certain), 1.0, certain)
    level[[f for f in human if 0 <= f < count]] = 1.0
    growth = np.abs(np.diff(level, prepend=level[:1])) + _STEADY
    grown = np.concatenate([[0.0], np.cumsum(growth)])[1:]
    waiting = [item for gap in _gaps(count, human) if (item := _weigh(gap, grown, certain)) is not None]
    heapq.heapify(waiting)
    chosen: list[int] = []
    while waiting and len(chosen) < most:
        _, frame, (low, high, left, right) = heapq.heappop(waiting)
        chosen.append(frame)
        for gap in ((low, frame, left, True), (frame + 1, high, True, right)):
            if (item := _weigh(gap, grown, certain)) is not None:
                heapq.heappush(waiting, item)
    return chosen


Gap = tuple[int, int, bool, bool]  # frames low..high-1 without a human one; is there one before, and one behind?


def _gaps(count: int, human: Sequence[int]) -> list[Gap]:
    before, after = any(f < 0 for f in human), any(f >= count for f in human)
    ends = [-1, *sorted(f for f in human if 0 <= f < count), count]
    return [(a + 1, b, a >= 0 or before, b < count or after) for a, b in pairwise(ends) if b > a + 1]


def _weigh(gap: Gap, grown: Array, certain: Array) -> tuple[float, int, Gap] | None:
    """The best frame of a gap, behind minus what it gains; None where nothing was propagated."""
    low, high, left, right = gap
    frames = np.flatnonzero(~np.isnan(certain[low:high])) + low
    if not len(frames):
        return None
    if len(frames) > _CANDIDATES:
        frames = frames[np.linspace(0, len(frames) - 1, _CANDIDATES).round().astype(int)]
    at = grown[frames]
    share = (high - low) / len(frames)  # each candidate stands for its neighbours
    first = grown[low - 1] if low else 0.0
    last = grown[min(high, len(grown) - 1)]
    from_left = at - first if left else np.full(len(at), np.inf)
    from_right = last - at if right else np.full(len(at), np.inf)
    now = np.minimum(from_left, from_right)
    now = np.where(np.isinf(now), last - first, now)
    to_new = np.abs(at[:, None] - at)  # [candidate, frame]
    then = np.minimum(now, to_new)
    gain = share * (now.sum() - then.sum(axis=1))
    best = int(gain.argmax())
    return -float(gain[best]), int(frames[best]), gap
