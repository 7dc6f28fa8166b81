"""How a propagation goes on after memory ran out: what is left of it, as requests of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from app.core.annotations import FrameLabels
from app.resume import remaining
from model.types import Anchor, PropagationRequest


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
