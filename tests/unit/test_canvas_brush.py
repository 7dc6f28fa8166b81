"""Brush and eraser, used with a mouse, and who may paint."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPointF, Qt
from PySide6.QtGui import QInputDevice, QPointingDevice, QPointingDeviceUniqueId, QTabletEvent
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.objects import ObjectInfo
from app.core.raster import disc, segment
from app.views.canvas import OverlayStyle, Tool
from model.types import LabelMap
from tests.hand import HEIGHT, LEFT, OBJECTS, RIGHT, SHIFT, WIDTH, Hand, heard, ids_of, make_hand


def blank() -> np.ndarray:
    return np.zeros((HEIGHT, WIDTH), np.bool_)


# Brush and eraser


def test_a_click_paints_a_disc(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.click(20, 15)
    expected = blank()
    disc(expected, (20, 15), 2.5)
    [(labels, name)] = hand.edits
    assert name == "Paint"
    assert np.array_equal(labels.ids, expected)
    assert labels.objects == (1,)


def test_an_object_that_is_new_makes_no_overlay_again(qtbot: QtBot) -> None:
    """So the first stroke in a large picture begins as quickly as any other."""
    hand = make_hand(qtbot, Tool.BRUSH)
    surface = hand.canvas.surface
    hand.canvas.grab()
    assert not surface._over_stale
    hand.canvas.set_objects((*OBJECTS, ObjectInfo(4, "gull")), 4)
    hand.canvas.set_labels(None)
    assert not surface._over_stale
    hand.canvas.set_objects((*OBJECTS, ObjectInfo(4, "gull", visible=False)), 4)
    assert surface._over_stale, "one that is hidden does"


def test_a_quick_stroke_has_no_gaps_and_is_told_once(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.press(5, 5)
    hand.move(50, 30)
    assert not hand.edits
    assert hand.ids[17, 27] == 1, "it is seen at once"
    hand.move(10, 30)
    hand.release(10, 30)
    expected = blank()
    segment(expected, (5, 5), (50, 30), 2.5)
    segment(expected, (50, 30), (10, 30), 2.5)
    [(labels, _)] = hand.edits
    assert np.array_equal(labels.ids, expected)


def test_what_was_handed_in_and_out_is_never_written_to(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.click(20, 15)
    first = hand.edits[0][0]
    before = first.ids.copy()
    hand.click(40, 15)
    assert np.array_equal(first.ids, before)
    assert hand.edits[1][0].ids[15, 40] == 1 and hand.edits[1][0].ids[15, 20] == 1


def test_an_even_brush_stands_on_a_corner(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.canvas.set_brush(2)
    hand.click(20.3, 15.3)
    assert np.argwhere(hand.edits[0][0].ids).tolist() == [[15, 20], [15, 21], [16, 20], [16, 21]]


def test_locked_objects_stay_as_they_are(qtbot: QtBot) -> None:
    ids = ids_of(o2=(10, 10, 20, 20), o3=(20, 10, 30, 20))
    hand = make_hand(qtbot, Tool.BRUSH, ids)
    hand.drag((12, 15), (28, 15))
    painted = hand.edits[0][0].ids
    assert (painted[10:20, 20:30] == 3).all()
    assert painted[15, 15] == 1


def test_right_erases_the_current_object_only(qtbot: QtBot) -> None:
    ids = ids_of(o1=(10, 10, 20, 20), o2=(20, 10, 30, 20))
    hand = make_hand(qtbot, Tool.BRUSH, ids)
    hand.drag((15, 15), (25, 15), button=RIGHT)
    labels, name = hand.edits[0]
    assert name == "Erase"
    assert labels.ids[15, 15] == 0 and labels.ids[15, 25] == 2


def test_right_with_shift_erases_all_that_is_not_locked(qtbot: QtBot) -> None:
    ids = ids_of(o1=(10, 10, 20, 20), o2=(20, 10, 30, 20), o3=(30, 10, 40, 20))
    hand = make_hand(qtbot, Tool.BRUSH, ids)
    hand.drag((15, 15), (35, 15), button=RIGHT, keys=SHIFT)
    assert hand.edits[0][0].ids[15, [15, 25, 35]].tolist() == [0, 0, 3]


def test_the_eraser_erases_with_the_left_button_and_the_object_stays_known(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.ERASER, ids_of(o1=(10, 10, 12, 12), o2=(12, 10, 14, 12)))
    hand.canvas.set_brush(15)
    hand.click(11, 11)
    labels, name = hand.edits[0]
    assert name == "Erase"
    assert 1 not in labels.ids and 2 in labels.ids
    assert labels.objects == (1, 2)


def test_esc_takes_the_stroke_back(qtbot: QtBot) -> None:
    ids = ids_of(o2=(10, 10, 20, 20))
    hand = make_hand(qtbot, Tool.BRUSH, ids)
    hand.press(15, 15)
    hand.move(30, 15)
    assert hand.wants(Qt.Key.Key_Escape)
    hand.key(Qt.Key.Key_Escape)
    assert np.array_equal(hand.ids, ids)
    hand.move(40, 15)
    hand.release(40, 15)
    assert not hand.edits
    assert np.array_equal(hand.ids, ids)
    assert not hand.wants(Qt.Key.Key_Escape), "the window has its key back"


def test_a_stroke_that_changes_nothing_is_not_told(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, ids_of(o1=(0, 0, 60, 40)))
    hand.click(20, 15)
    hand.drag((-30, -5), (-20, -3))
    assert not hand.edits


def test_shift_draws_a_straight_line_from_the_last_point(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.click(10, 30)
    hand.click(50, 10, keys=SHIFT)
    expected = blank()
    segment(expected, (10, 30), (50, 10), 2.5)
    assert np.array_equal(hand.edits[1][0].ids, expected)


def test_on_another_frame_there_is_no_last_point(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.click(10, 30)
    hand.canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    hand.canvas.set_labels(None)
    hand.click(50, 10, keys=SHIFT)
    assert hand.edits[1][0].ids[30, 10] == 0


def test_the_wheel_sets_the_size(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    said = heard(hand.canvas.brush_changed)
    before = hand.canvas.zoom
    hand.wheel(20, 15, 1)
    hand.wheel(20, 15, 0.5)
    hand.wheel(20, 15, 0.5)
    assert said == [(6,), (7,)]
    hand.wheel(20, 15, -40)
    assert hand.canvas.brush == 1
    assert hand.canvas.zoom == before


def test_labels_that_arrive_during_a_stroke_go_under_it(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.press(10, 10)
    hand.move(20, 10)
    hand.canvas.set_labels(LabelMap(ids_of(o2=(0, 0, 60, 12), o3=(0, 8, 14, 12))))
    hand.move(30, 10)
    hand.release(30, 10)
    painted = hand.edits[0][0].ids
    assert painted[10, [10, 18, 25, 50]].tolist() == [3, 1, 1, 2]


def test_another_frame_ends_the_stroke_untold(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.press(10, 10)
    hand.canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    hand.canvas.set_labels(None)
    hand.move(30, 10)
    hand.release(30, 10)
    assert not hand.edits
    assert not hand.ids.any()


def test_a_release_that_nobody_told_of_ends_the_stroke(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.press(10, 10)
    hand.move(20, 10)
    hand.hover(40, 10)
    assert len(hand.edits) == 1
    hand.hover(50, 10)
    assert len(hand.edits) == 1


def test_a_second_button_does_not_disturb_a_stroke(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.press(10, 10)
    hand.press(10, 10, RIGHT)
    hand.release(10, 10, RIGHT)
    hand.move(20, 10, LEFT)
    hand.release(20, 10)
    assert len(hand.edits) == 1
    assert hand.edits[0][0].ids[10, 18] == 1


def pen(hand: Hand, kind: QEvent.Type, x: float, y: float, pressure: float, rubber: bool = False) -> None:
    types = QPointingDevice.PointerType
    pointer = types.Eraser if rubber else types.Pen
    device = QPointingDevice(
        "pen", 7, QInputDevice.DeviceType.Stylus, pointer, QInputDevice.Capability.Pressure, 1, 1, "",
        QPointingDeviceUniqueId(),
    )  # fmt: skip
    at = QPointF(hand.place(x, y))
    up = kind == QEvent.Type.TabletRelease
    held = Qt.MouseButton.NoButton if up else LEFT
    event = QTabletEvent(
        kind, device, at, hand.canvas.mapToGlobal(at), pressure, 0, 0, 0, 0, 0, Qt.KeyboardModifier.NoModifier,
        LEFT, held,
    )  # fmt: skip
    QApplication.sendEvent(hand.canvas, event)
    assert not event.isAccepted(), "Qt makes a mouse event of it only if it is left over"


def test_a_pen_that_presses_half_paints_half_as_wide(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.canvas.set_brush(10)
    pen(hand, QEvent.Type.TabletPress, 20, 20, 0.5)
    hand.press(20, 20)
    pen(hand, QEvent.Type.TabletRelease, 20, 20, 0.0)
    hand.release(20, 20)
    expected = blank()
    disc(expected, (20, 20), 2.5)
    assert np.array_equal(hand.edits[0][0].ids, expected)
    hand.click(40, 20)
    assert hand.edits[1][0].ids[20, 36] == 1, "the mouse paints with the whole brush again"


def test_the_other_end_of_a_pen_erases(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, ids_of(o1=(0, 0, 60, 40)))
    pen(hand, QEvent.Type.TabletPress, 20, 20, 1.0, rubber=True)
    hand.press(20, 20)
    hand.release(20, 20)
    assert hand.edits[0][1] == "Erase"
    assert hand.edits[0][0].ids[20, 20] == 0


# Who may paint


def test_painting_asks_for_an_object_when_there_is_none(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, current=None)
    asked = heard(hand.canvas.object_needed)
    hand.canvas.object_needed.connect(lambda: hand.canvas.set_objects((*OBJECTS, ObjectInfo(4, "new")), 4))
    hand.click(20, 15)
    hand.click(30, 15)
    assert len(asked) == 1
    assert hand.edits[0][0].ids[15, 20] == 4


def test_without_an_object_nothing_is_painted(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, current=None)
    hand.click(20, 15)
    assert not hand.edits and not hand.ids.any()


def test_erasing_asks_for_no_object(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.ERASER, ids_of(o2=(0, 0, 30, 30), o3=(30, 0, 60, 30)), current=None)
    asked = heard(hand.canvas.object_needed)
    hand.drag((20, 15), (40, 15))
    assert not asked
    assert hand.edits[0][0].ids[15, [20, 40]].tolist() == [0, 3]


@pytest.mark.parametrize("tool", [Tool.BRUSH, Tool.ERASER, Tool.POLYGON, Tool.LASSO, Tool.FILL, Tool.CLICK])
@pytest.mark.parametrize("why", ["disabled", "locked", "hidden", "not alone"])
def test_what_may_not_be_changed_says_so(qtbot: QtBot, tool: Tool, why: str) -> None:
    hand = make_hand(qtbot, tool, ids_of(o1=(0, 0, 30, 30)))
    canvas = hand.canvas
    clicked = heard(canvas.clicked_segment)
    if why == "disabled":
        canvas.set_enabled_for_edit(False, "The video is playing")
    else:
        canvas.set_objects(
            (ObjectInfo(1, "swan", locked=why == "locked", visible=why != "hidden"), *OBJECTS[1:]),
            1,
            2 if why == "not alone" else None,
        )
    assert canvas.cursor().shape() == Qt.CursorShape.ForbiddenCursor
    hand.drag((20, 15), (30, 25), (35, 10))
    assert not hand.edits and not clicked
    assert canvas.message == "The video is playing" if why == "disabled" else "swan" in canvas.message
    canvas.set_enabled_for_edit(True)
    canvas.set_objects(OBJECTS, 1)
    assert canvas.cursor().shape() != Qt.CursorShape.ForbiddenCursor


def test_labels_that_are_hidden_are_seen_while_they_are_painted(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.canvas.set_style(OverlayStyle(show=False))
    hand.press(20, 15)
    assert hand.canvas.surface.style.show
    hand.release(20, 15)
    assert not hand.canvas.surface.style.show
