"""What has to be propagated again after a person changed a frame, and no more than that."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass

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

    A gap between two references of which one knows of an object that the other does not is done as a whole, and on
    over the other: so that a new object reaches a person's frames as well. Frames that no reference is left for stay
    stale; nothing can be done about them.
    """
    references = document.references
    last = len(references)
    gaps: dict[int, list[int]] = defaultdict(list)  # stale frames by the references before them
    whole: set[int] = set()
    for frame in document.stale():
        after = bisect_left(references, frame)
        if after < last and references[after] == frame:  # what is carried onto a person's frame
            whole |= {gap for gap in (after, after + 1) if 0 < gap < last}
        else:
            gaps[after].append(frame)
    for gap in gaps:
        if 0 < gap < last:
            before, behind = references[gap - 1], references[gap]
            if document.lacks(before, behind) or document.lacks(behind, before):
                whole.add(gap)
    spans: list[Span] = []
    for gap in sorted(gaps.keys() | whole):
        if gap in whole:
            start, stop = references[gap - 1], references[gap] + 1
            if spans and gap - 1 in whole:  # they share a reference
                start = spans.pop().start
            spans.append(Span(start, stop, Direction.BOTH))
        elif (direction := _direction(gap > 0, gap < last)) is not None:
            spans.append(Span(gaps[gap][0], gaps[gap][-1] + 1, direction))
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
