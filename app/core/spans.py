"""What has to be propagated again after a person changed a frame, and no more than that."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from itertools import groupby

from app.core.document import Document
from model.types import Direction, PropagationRequest


@dataclass(frozen=True, slots=True)
class Span:
    """Frames start..stop-1 between two references, or beside one: from where labels can reach them."""

    start: int
    stop: int
    direction: Direction


def stale_spans(document: Document) -> tuple[Span, ...]:
    """The spans that hold all stale frames, ascending: from both sides where there is a reference on both.

    Frames that no reference is left for stay stale; nothing can be done about them.
    """
    references = document.references
    spans = []
    for after, frames in groupby(document.stale(), lambda frame: bisect_left(references, frame)):
        stale = list(frames)
        direction = _direction(after > 0, after < len(references))
        if direction is not None:
            spans.append(Span(stale[0], stale[-1] + 1, direction))
    return tuple(spans)


def update_requests(document: Document) -> tuple[PropagationRequest, ...]:
    """The propagations that bring all stale frames up to date."""
    return tuple(document.request(span.direction, span.start, span.stop) for span in stale_spans(document))


def _direction(before: bool, after: bool) -> Direction | None:
    if before and after:
        return Direction.BOTH
    if before:
        return Direction.FORWARD
    return Direction.BACKWARD if after else None
