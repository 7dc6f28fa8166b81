"""What is left of an interrupted propagation, as requests of its own. Numbers only: no video, no weights."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from model.types import Direction, PropagationOptions


@dataclass(frozen=True, slots=True)
class Piece:
    """One request: frames start..stop-1 in a direction, with the finished frames that its memory starts from."""

    direction: Direction
    start: int
    stop: int
    memory: tuple[int, ...] = ()


def reached(anchors: Sequence[int], direction: Direction, start: int, stop: int) -> range:
    """The frames of start..stop-1 that labels on the frames `anchors` reach."""
    if direction is Direction.FORWARD:
        return range(max(start, min(anchors)), stop)
    if direction is Direction.BACKWARD:
        return range(start, min(stop, max(anchors) + 1))
    return range(start, stop)


def remaining(
    anchors: Sequence[int],
    direction: Direction,
    start: int,
    stop: int,
    options: PropagationOptions,
    finished: Collection[int],
) -> list[Piece]:
    """The pieces that complete the run, in the order in which it would have made them; none when all is finished.

    FORWARD goes on behind the last frame before the first gap, BACKWARD is its mirror image. BOTH makes the frames
    behind the last anchor first, then all others downwards: what is left of the latter is fused from two passes
    that begin at anchors anyway, so no memory is handed over.
    """
    missing = [frame for frame in reached(anchors, direction, start, stop) if frame not in finished]
    if not missing:
        return []
    if len(missing) == len(reached(anchors, direction, start, stop)):
        return [Piece(direction, start, stop)]
    if direction is Direction.FORWARD:
        first = missing[0]
        return [Piece(direction, first, stop, _memory(anchors, first, 1, options, finished))]
    if direction is Direction.BACKWARD:
        last = missing[-1]
        return [Piece(direction, start, last + 1, _memory(anchors, last, -1, options, finished))]
    pieces = []
    if behind := [frame for frame in missing if frame > max(anchors)]:
        memory = _memory(anchors, behind[0], 1, options, finished)
        pieces.append(Piece(Direction.FORWARD, behind[0], stop, memory))
    if between := [frame for frame in missing if frame <= max(anchors)]:
        pieces.append(Piece(Direction.BOTH, start, between[-1] + 1))
    return pieces


def _memory(
    anchors: Sequence[int], frame: int, step: int, options: PropagationOptions, finished: Collection[int]
) -> tuple[int, ...]:
    """The finished frames that memory holds when `frame` is next: it forgets at every anchor on the way."""
    passed = [a for a in anchors if (frame - a) * step > 0]
    if not passed:
        return ()
    latest = max(passed) if step > 0 else min(passed)
    offsets = [frame - step * back for back in range(1, max(options.short_term) + 1)]
    offsets += [latest + step * ahead for ahead in options.long_term]
    return tuple(sorted({f for f in offsets if (f - latest) * step > 0 and (frame - f) * step > 0} & set(finished)))
