"""What is left of an interrupted run."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.runs.resume import Piece, reached, remaining
from model.types import Direction, PropagationOptions

OPTIONS = PropagationOptions(long_term=(5,), short_term=(1, 3, 5))
FORWARD, BACKWARD, BOTH = Direction.FORWARD, Direction.BACKWARD, Direction.BOTH


@pytest.mark.parametrize(
    ("anchors", "direction", "expected"),
    [
        ([0], FORWARD, range(0, 20)),
        ([4, 9], FORWARD, range(4, 20)),
        ([4, 9], BACKWARD, range(0, 10)),
        ([4, 9], BOTH, range(0, 20)),
        ([30], FORWARD, range(30, 20)),
        ([30], BACKWARD, range(0, 20)),
    ],
)
def test_what_labels_reach(anchors: list[int], direction: Direction, expected: range) -> None:
    assert reached(anchors, direction, 0, 20) == expected


def test_nothing_finished_is_the_whole_run() -> None:
    assert remaining([3], BOTH, 0, 20, OPTIONS, ()) == [Piece(BOTH, 0, 20)]


def test_all_finished_leaves_nothing() -> None:
    assert remaining([3], FORWARD, 0, 20, OPTIONS, range(3, 20)) == []


def test_forward_goes_on_with_what_memory_held() -> None:
    """At frame 12: t-1 … t-5 (what 12 and the frames after it look back to) and frame 5 behind the anchor at 0."""
    assert remaining([0], FORWARD, 0, 20, OPTIONS, range(12)) == [Piece(FORWARD, 12, 20, (5, 7, 8, 9, 10, 11))]


def test_an_anchor_on_the_way_made_memory_forget() -> None:
    assert remaining([0, 10], FORWARD, 0, 20, OPTIONS, range(13)) == [Piece(FORWARD, 13, 20, (11, 12))]


def test_backward_is_the_mirror_image() -> None:
    forward = remaining([0], FORWARD, 0, 20, OPTIONS, range(12))[0]
    backward = remaining([19], BACKWARD, 0, 20, OPTIONS, range(8, 20))[0]
    assert (backward.start, backward.stop) == (20 - forward.stop, 20 - forward.start)
    assert backward.memory == tuple(sorted(19 - f for f in forward.memory))


def test_both_makes_what_lies_behind_the_last_anchor_first() -> None:
    first, second = remaining([4, 9], BOTH, 0, 20, OPTIONS, range(10, 13))
    assert first == Piece(FORWARD, 13, 20, (10, 11, 12))
    assert second == Piece(BOTH, 0, 10)


def test_both_goes_on_downwards() -> None:
    assert remaining([4, 9], BOTH, 0, 20, OPTIONS, range(7, 20)) == [Piece(BOTH, 0, 7)]


def test_a_lost_frame_is_made_again_with_all_that_follow() -> None:
    (piece,) = remaining([0], FORWARD, 0, 20, OPTIONS, set(range(12)) - {8})
    assert (piece.start, piece.stop) == (8, 20)


@given(
    st.sets(st.integers(0, 29), min_size=1, max_size=4), st.sampled_from(list(Direction)), st.sets(st.integers(0, 29))
)
def test_finished_and_remaining_make_the_whole(anchors: set[int], direction: Direction, finished: set[int]) -> None:
    pieces = remaining(sorted(anchors), direction, 0, 30, OPTIONS, finished)
    made = {f for p in pieces for f in range(p.start, p.stop)}
    assert made | finished >= set(reached(sorted(anchors), direction, 0, 30))
    for piece in pieces:
        assert set(piece.memory) <= finished - anchors - set(range(piece.start, piece.stop))
