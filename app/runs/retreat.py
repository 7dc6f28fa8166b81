"""Where memory runs out in the middle of a propagation: what gives way, and what is left to do then.

The window and `mer propagate` go the same way: with fewer features, then on the processor, from the frames that are
finished.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from app.core.annotations import FrameLabels
from app.runs.resume import remaining
from model.types import Anchor, PropagationRequest

_FEWER = 8  # how many times


class Retreat(StrEnum):
    """What gives way."""

    FEATURES = "features"
    PROCESSOR = "processor"


@dataclass(frozen=True, slots=True)
class Means:
    """What a propagation works with: bytes of features that are kept, and the device."""

    features: int
    device: str


def retreats(means: Means) -> Iterator[tuple[Retreat, Means]]:
    """Ways to need less memory, each for when the one before did not do.

    Frames are encoded one at a time, so there is no batch that could be smaller.
    """
    fewer = replace(means, features=means.features // _FEWER)
    yield Retreat.FEATURES, fewer
    if means.device != "cpu":
        yield Retreat.PROCESSOR, replace(fewer, device="cpu")


def release() -> None:
    """Give back what graphics cards hold in reserve. What is to go has to be forgotten before."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def rest(request: PropagationRequest, frames: int, made: Mapping[int, FrameLabels]) -> list[PropagationRequest]:
    """The requests that make what a run did not come to.

    frames: of the video. made: what the run made so far.
    """
    anchors = [anchor.frame for anchor in request.anchors]
    given = {anchor.frame: anchor for anchor in request.known}
    finished = {*made, *given, *anchors} if made or given else ()
    stop = frames if request.stop is None else request.stop
    pieces = remaining(anchors, request.direction, request.start, stop, request.options, finished)
    found = []
    for piece in pieces:
        memory = [frame for frame in piece.memory if frame not in anchors]
        known = tuple(_anchor(frame, made[frame]) if frame in made else given[frame] for frame in memory)
        found.append(replace(request, direction=piece.direction, start=piece.start, stop=piece.stop, known=known))
    return found


def _anchor(frame: int, known: FrameLabels) -> Anchor:
    return Anchor(frame, None if known.labels is None else known.labels.unpack(), known.keypoints)
