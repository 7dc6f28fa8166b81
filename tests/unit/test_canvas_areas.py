"""Polygon, lasso, fill and pick, used with a mouse."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.core.objects import ObjectInfo
from app.core.raster import polygon
from app.views.canvas import Tool
from tests.hand import ALT, CONTROL, HEIGHT, LEFT, RIGHT, SHIFT, WIDTH, Hand, heard, ids_of, make_hand


def blank() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), np.bool_)


# Polygon and lasso

CORNERS = [(10.0, 10.0), (40.0, 10.0), (40.0, 30.0), (10.0, 30.0)]


def area(points: list[tuple[float, float]]) -> np.ndarray:
    mask = blank()
    polygon(mask, points)
    return mask


def put(hand: Hand, points: list[tuple[float, float]], button: Qt.MouseButton = LEFT) -> None:
    for point in points:
        hand.click(*point, button)


def test_enter_closes_a_polygon(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, CORNERS)
    assert not hand.edits
    assert not hand.wants(Qt.Key.Key_Return, CONTROL), "that is another shortcut"
    hand.key(Qt.Key.Key_Return)
    labels, name = hand.edits[0]
    assert name == "Polygon"
    assert np.abs(labels.ids.astype(int) - area(CORNERS)).sum() < 60, "but for pixels under the line itself"
    assert labels.ids[20, 20] == 1 and labels.ids[5, 20] == 0
    assert not hand.wants(Qt.Key.Key_Return)


def test_a_double_click_closes_a_polygon(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, CORNERS[:3])
    hand.double_click(*CORNERS[3])
    assert len(hand.edits) == 1
    assert hand.edits[0][0].ids[28, 12] == 1


def test_the_first_corner_closes_a_polygon(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, CORNERS)
    hand.click(*CORNERS[0])
    assert len(hand.edits) == 1


def test_two_corners_close_nothing(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, CORNERS[:2])
    hand.key(Qt.Key.Key_Enter)
    assert not hand.edits
    put(hand, CORNERS[2:3])
    hand.key(Qt.Key.Key_Enter)
    assert len(hand.edits) == 1


def test_a_corner_can_be_moved(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, CORNERS)
    hand.drag(CORNERS[2], (50, 35), (55, 38))
    hand.key(Qt.Key.Key_Return)
    assert hand.edits[0][0].ids[34, 48] == 1


def test_backspace_takes_the_last_corner_back(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, [*CORNERS, (55.0, 38.0)])
    hand.key(Qt.Key.Key_Backspace)
    hand.key(Qt.Key.Key_Return)
    assert hand.edits[0][0].ids[32, 40] == 0
    put(hand, CORNERS[:1])
    hand.key(Qt.Key.Key_Backspace)
    assert not hand.wants(Qt.Key.Key_Escape), "nothing is under way"


@pytest.mark.parametrize("how", ["esc", "tool", "frame"])
def test_a_polygon_can_be_given_up(qtbot: QtBot, how: str) -> None:
    hand = make_hand(qtbot, Tool.POLYGON)
    put(hand, CORNERS)
    if how == "esc":
        hand.key(Qt.Key.Key_Escape)
    elif how == "tool":
        hand.canvas.set_tool(Tool.PAN)
        hand.canvas.set_tool(Tool.POLYGON)
    else:
        hand.canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    hand.key(Qt.Key.Key_Return)
    assert not hand.edits
    assert hand.canvas.draft is None


def test_a_polygon_begun_with_the_right_button_erases(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.POLYGON, ids_of(o1=(0, 0, 30, 40), o2=(30, 0, 60, 40)))
    hand.click(*CORNERS[0], RIGHT)
    put(hand, CORNERS[1:])
    hand.key(Qt.Key.Key_Return)
    labels, name = hand.edits[0]
    assert name == "Erase"
    assert labels.ids[20, [20, 35]].tolist() == [0, 2]


def test_a_lasso_fills_what_it_goes_around(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.LASSO, ids_of(o3=(15, 15, 20, 20)))
    hand.drag(*CORNERS)
    labels, name = hand.edits[0]
    assert name == "Lasso"
    assert labels.ids[25, 30] == 1 and labels.ids[5, 5] == 0
    assert (labels.ids[15:20, 15:20] == 3).all()


def test_a_lasso_erases_with_the_right_button_and_can_be_given_up(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.LASSO, ids_of(o1=(0, 0, 60, 40)))
    hand.drag(*CORNERS, button=RIGHT)
    assert hand.edits[0][0].ids[20, 20] == 0
    hand.press(5, 5)
    hand.move(20, 5)
    hand.key(Qt.Key.Key_Escape)
    hand.move(20, 20)
    hand.release(20, 20)
    assert len(hand.edits) == 1


def test_a_click_with_the_lasso_is_nothing(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.LASSO)
    hand.click(20, 20)
    assert not hand.edits and hand.canvas.draft is None


# Fill and pick


def ring(number: int) -> np.ndarray:
    ids = ids_of(**{f"o{number}": (10, 10, 30, 30)})
    ids[12:28, 12:28] = 0
    return ids


def test_fill_closes_a_contour(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.FILL, ring(1))
    hand.click(20, 20)
    labels, name = hand.edits[0]
    assert name == "Fill"
    assert (labels.ids == ids_of(o1=(10, 10, 30, 30))).all()


def test_fill_on_the_contour_itself_fills_its_holes(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.FILL, ring(1))
    hand.click(10, 20)
    assert (hand.edits[0][0].ids == ids_of(o1=(10, 10, 30, 30))).all()
    hand.click(20, 20)
    assert len(hand.edits) == 1
    assert hand.canvas.message


def test_fill_takes_the_region_of_another_object_unless_it_is_locked(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.FILL, ids_of(o2=(5, 5, 10, 10), o3=(20, 5, 30, 10)))
    hand.click(7, 7)
    assert (hand.edits[0][0].ids[5:10, 5:10] == 1).all()
    hand.click(25, 7)
    assert len(hand.edits) == 1


def test_fill_erases_an_island_with_the_right_button(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.FILL, ids_of(o1=(5, 5, 10, 10), o2=(40, 5, 50, 10)))
    hand.click(45, 7, RIGHT)
    assert not hand.edits
    hand.click(7, 7, RIGHT)
    assert hand.edits[0][1] == "Erase"
    assert set(np.unique(hand.edits[0][0].ids)) == {0, 2}
    hand.click(45, 7, RIGHT, SHIFT)
    assert not hand.edits[1][0].ids.any()


def test_fill_beside_the_picture_is_nothing(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.FILL)
    hand.canvas.zoom_to(4)
    hand.click(-5, 10)
    assert not hand.edits


def test_pick_names_the_object_under_the_pointer(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.PICK, ids_of(o2=(10, 10, 20, 20)))
    picked = heard(hand.canvas.object_picked)
    hand.click(15, 15)
    hand.click(40, 15)
    assert picked == [(2,)]


def test_alt_picks_with_any_tool(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, ids_of(o2=(10, 10, 20, 20)))
    picked = heard(hand.canvas.object_picked)
    hand.click(15, 15, keys=ALT)
    assert picked == [(2,)]
    assert not hand.edits


def test_what_is_not_shown_cannot_be_picked(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.PICK, ids_of(o2=(10, 10, 20, 20)))
    picked = heard(hand.canvas.object_picked)
    hand.canvas.set_objects((ObjectInfo(2, "shadow", visible=False),), None)
    hand.click(15, 15)
    assert not picked
