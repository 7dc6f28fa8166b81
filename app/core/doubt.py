"""Which frame to look at next: where propagated labels are doubtful, most doubtful first.

How crisp the shares of an object still are says more about its errors than how sure each single vote was: soft labels
melt where matching fails, and what has melted stays so in the frames after.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from app.core.annotations import FrameLabels
from app.core.document import Document

DOUBTFUL = 0.8
"""Below this certainty a frame is called doubtful."""


def frame_certainty(known: FrameLabels) -> float | None:
    """The certainty of the least certain object or keypoint of a propagated frame; None where nothing tells."""
    if known.is_human:
        return None
    points: list[float] = []
    if known.keypoints is not None:  # one that is not placed says nothing
        points = known.keypoints.confidence[~np.isnan(known.keypoints.xy).any(axis=1)].tolist()
    return min([*known.confidence.values(), *points], default=None)


def doubts(document: Document, apart: int | None = None) -> list[tuple[int, float]]:
    """(frame, certainty) of the frames worth looking at, most doubtful first, within the span.

    A correction mends its neighbours too, so suggestions keep `apart` frames from each other and from human frames:
    by default a twentieth of the span.
    """
    start, stop = document.span
    apart = max(1, (stop - start) // 20) if apart is None else apart
    certain = {
        frame: value
        for frame in document.store
        if start <= frame < stop
        and (known := document.store.get(frame)) is not None
        and (value := frame_certainty(known)) is not None
    }
    return spread_out(certain, document.store.human, apart)


def doubtful(document: Document) -> list[int]:
    """The suggestions below `DOUBTFUL`, most doubtful first."""
    return [frame for frame, value in doubts(document) if value < DOUBTFUL]


def spread_out(certain: Mapping[int, float], taken: Iterable[int], apart: int) -> list[tuple[int, float]]:
    """Frames by rising certainty, leaving out those closer than `apart` to one before them or to one in `taken`."""
    near: set[int] = set()
    for frame in taken:
        near.update(range(frame - apart + 1, frame + apart))
    chosen = []
    for frame, value in sorted(certain.items(), key=lambda item: (item[1], item[0])):
        if frame not in near:
            chosen.append((frame, value))
            near.update(range(frame - apart + 1, frame + apart))
    return chosen
