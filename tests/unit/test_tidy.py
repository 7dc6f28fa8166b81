"""Cleaning up: what goes, what is filled, and what stays."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.annotations import FrameLabels, PackedMap
from app.core.tidy import tidied
from model.types import LabelMap, Origin
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]


def test_islands_go_and_holes_are_filled() -> None:
    ids = np.zeros((60, 80), np.uint8)
    ids[10:40, 10:40] = 1
    clean = ids.copy()
    ids[20:22, 20:22] = 0  # a small hole
    ids[50:53, 60:63] = 1  # a small island
    assert np.array_equal(tidied(ids, 1), clean)
    ids[25:35, 25:35] = 0  # a large hole, as in a ring
    ids[45:58, 65:78] = 1  # another half of the object, beyond a pole
    clean[25:35, 25:35], clean[45:58, 65:78] = 0, 1
    assert np.array_equal(tidied(ids, 1), clean)


def test_other_objects_stay() -> None:
    ids = np.full((40, 40), 2, np.uint8)
    ids[5:35, 5:35] = 1
    ids[10:12, 10:12], ids[20:22, 20:22] = 2, 0  # an eye of another object, and a hole
    ids[1:3, 1:3] = 1
    new = tidied(ids, 1)
    assert (new[10:12, 10:12] == 2).all() and (new[20:22, 20:22] == 1).all()
    assert (new[1:3, 1:3] == 0).all() and (new[3:5] == 2).all()
    assert np.array_equal(tidied(new, 1), new) and np.array_equal(tidied(ids, 9), ids)


@pytest.mark.parametrize("at", ["edge", "whole"])
def test_the_border_of_the_picture_closes_nothing(at: str) -> None:
    ids = np.zeros((30, 30), np.uint8)
    ids[:20, :20] = 1
    ids[8:10, 0:2] = 0  # a notch, open to the edge
    if at == "whole":
        ids[:] = 1
    assert np.array_equal(tidied(ids, 1), ids)


def test_a_range_is_cleaned_up_beside_the_window_and_undone_at_once(desk: Desk) -> None:
    desk.open()
    dirty = desk.truth[0].copy()
    dirty[0:2, 70:72] = 1
    desk.label(0, dirty)
    document = desk.session.document
    desk.propagate()
    for frame in (2, 3):
        ids = desk.stored[frame].copy()
        ids[90:92, 5:7] = 1
        document.put_frames({frame: FrameLabels(Origin.PROPAGATED, PackedMap.pack(LabelMap(ids)))}, (), "Spoil")
    desk.studio.objects.choose(1)
    desk.does("edit.tidy_range")
    desk.wait(lambda: document.history.undo_name == "Clean up")
    assert all(not (desk.stored[frame][90:92, 5:7] == 1).any() for frame in (2, 3))
    assert (desk.stored[0][0:2, 70:72] == 1).all(), "a person's frame is not touched unasked"
    assert document.store.get(2).origin is Origin.PROPAGATED  # type: ignore[union-attr]
    desk.does("edit.undo")
    assert all((desk.stored[frame][90:92, 5:7] == 1).all() for frame in (2, 3))
    desk.go_to(0)
    desk.does("edit.tidy")
    assert not (desk.stored[0][0:2, 70:72] == 1).any()
