"""The parts of the canvas that need no window."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.raster import Box
from app.views.canvas.draft import Draft
from app.views.canvas.hit import nearest_point, next_missing
from model.types import LabelMap

NAN = float("nan")


def labels(*rows: str, objects: tuple[int, ...] = ()) -> LabelMap:
    return LabelMap(np.array([[int(c) for c in row] for row in rows], np.uint8), objects)


def grow(draft: Draft, left: int, right: int) -> Box:
    draft.mask[:, left:right] = True
    return draft.add(Box(left, 0, right, draft.mask.shape[0]))


def test_a_draft_paints_what_its_mask_covers() -> None:
    before = labels("1023", "1023", objects=(5,))
    draft = Draft(before, np.zeros((2, 4), np.bool_), 4, locked=(3,))
    assert grow(draft, 1, 4) == Box(1, 0, 3, 2)
    after = draft.result(4)
    assert after is not None
    assert after.ids.tolist() == [[1, 4, 4, 3]] * 2
    assert after.objects == (1, 2, 3, 4, 5), "what was there once is known of"
    assert before.ids.tolist() == [[1, 0, 2, 3]] * 2


def test_a_draft_that_erases_knows_whom() -> None:
    draft = Draft(labels("11"), np.zeros((1, 2), np.bool_), 0, only=1)
    grow(draft, 0, 2)
    after = draft.result(1)
    assert after is not None and after.objects == (1,) and not after.ids.any()


def test_a_draft_without_change_is_none() -> None:
    draft = Draft(None, np.zeros((2, 2), np.bool_), 0)
    grow(draft, 0, 2)
    assert draft.result(1) is None
    assert Draft(labels("11"), np.zeros((1, 2), np.bool_), 1).result(1) is None


def test_the_result_of_a_draft_is_no_copy_and_is_written_to_no_more() -> None:
    draft = Draft(None, np.zeros((2, 2), np.bool_), 1)
    draft.mask[0, 0] = True
    draft.add(Box(0, 0, 1, 1))
    after = draft.result(1)
    assert after is not None and after.ids is draft.ids and not draft.ids.flags.writeable


def test_a_draft_goes_on_over_other_labels() -> None:
    draft = Draft(None, np.zeros((1, 5), np.bool_), 4, locked=(3,))
    grow(draft, 0, 2)
    draft.rebase(labels("30222"))
    assert draft.ids.tolist() == [[3, 4, 2, 2, 2]]
    grow(draft, 2, 3)
    after = draft.result(4)
    assert after is not None and after.ids.tolist() == [[3, 4, 4, 2, 2]]
    draft.rebase(None)
    assert draft.ids.tolist() == [[4, 4, 4, 0, 0]]


def test_a_mask_serves_one_draft_after_the_other() -> None:
    mask = np.zeros((2, 4), np.bool_)
    for left in (0, 2):
        draft = Draft(None, mask, 1)
        grow(draft, left, left + 1)
        assert draft.ids[0].tolist() == [int(column == left) for column in range(4)]
        draft.clear()
        assert not mask.any()


places = st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)) | st.just((NAN, NAN)), max_size=6)


@given(places, st.floats(-50, 50), st.floats(-50, 50), st.floats(0, 40))
def test_the_nearest_point_within_reach_is_hit(
    points: list[tuple[float, float]], x: float, y: float, reach: float
) -> None:
    hit = nearest_point(np.array(points).reshape(-1, 2), (x, y), reach)
    away = [np.hypot(px - x, py - y) for px, py in points]
    near = [d for d in away if d <= reach]
    assert (hit is None) == (not near)
    if hit is not None:
        assert away[hit] == pytest.approx(min(near))


@pytest.mark.parametrize(
    ("placed", "after", "expected"),
    [("010", -1, 0), ("010", 0, 2), ("010", 2, 0), ("111", 0, None), ("", -1, None), ("110", 2, 2)],
)
def test_missing_points_come_one_after_the_other(placed: str, after: int, expected: int | None) -> None:
    assert next_missing(np.array([c == "1" for c in placed], np.bool_), after) == expected
