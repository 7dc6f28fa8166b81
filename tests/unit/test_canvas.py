"""The canvas as a whole: looking around, and what is seen."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, QRect, Qt
from PySide6.QtGui import QNativeGestureEvent, QPaintEvent, QPointingDevice
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.objects import ObjectInfo, Skeleton
from app.views.canvas import Canvas, OverlayStyle, Tool
from model.types import LabelMap
from tests.hand import (
    CONTROL,
    HEIGHT,
    LEFT,
    MIDDLE,
    NONE,
    OBJECTS,
    WIDTH,
    Hand,
    colour,
    heard,
    ids_of,
    make_hand,
)

# Looking around


@pytest.mark.parametrize("tool", [Tool.BRUSH, Tool.PAN])
def test_control_and_wheel_zoom_about_the_pointer(qtbot: QtBot, tool: Tool) -> None:
    hand = make_hand(qtbot, tool)
    said = heard(hand.canvas.zoom_changed)
    place = QPointF(hand.place(40, 10))
    before = hand.canvas.to_image(place)
    hand.wheel(40, 10, 1, CONTROL)
    assert hand.canvas.zoom == 10
    assert hand.canvas.to_image(place) == pytest.approx(before, abs=1e-6)
    hand.wheel(*before, -1, CONTROL)
    assert said == [(10.0,), (8.0,)]
    assert hand.canvas.brush == 5


def test_two_fingers_zoom(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    at = QPointF(hand.place(40, 10))
    before = hand.canvas.to_image(at)
    event = QNativeGestureEvent(
        Qt.NativeGestureType.ZoomNativeGesture,
        QPointingDevice.primaryPointingDevice(),
        2,
        at,
        at,
        hand.canvas.mapToGlobal(at),
        0.25,
        QPointF(),
    )
    QApplication.sendEvent(hand.canvas, event)
    assert hand.canvas.zoom == 10
    assert hand.canvas.to_image(at) == pytest.approx(before, abs=1e-6)


@pytest.mark.parametrize(("tool", "button"), [(Tool.PAN, LEFT), (Tool.PAN, MIDDLE), (Tool.BRUSH, MIDDLE)])
def test_the_picture_is_pushed(qtbot: QtBot, tool: Tool, button: Qt.MouseButton) -> None:
    hand = make_hand(qtbot, tool)
    start, end = hand.place(30, 20), hand.place(25, 23)
    QTest.mousePress(hand.canvas, button, NONE, start)
    assert hand.canvas.cursor().shape() == Qt.CursorShape.ClosedHandCursor
    hand.move(25, 23, button)
    QTest.mouseRelease(hand.canvas, button, NONE, end)
    assert hand.canvas.to_image(QPointF(end)) == pytest.approx((30, 20), abs=0.1)
    assert hand.canvas.cursor().shape() != Qt.CursorShape.ClosedHandCursor
    hand.hover(10, 10)
    assert hand.canvas.to_image(QPointF(end)) == pytest.approx((30, 20), abs=0.1), "it was let go"
    assert not hand.edits


def test_the_wheel_alone_pushes_with_a_tool_that_has_no_use_for_it(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.FILL)
    x, y = hand.canvas.to_window(10, 10).toTuple()
    hand.wheel(20, 20, 1)
    assert hand.canvas.to_window(10, 10).toTuple() == (x, y + 60)


def test_the_view_is_kept_from_frame_to_frame(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    canvas = hand.canvas
    canvas.pan_by(13, -7)
    view = canvas.view
    canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    canvas.set_image(None)
    canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    assert canvas.view == view
    canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8), keep_view=False)
    assert canvas.view != view


def test_a_picture_of_another_size_is_shown_whole_without_the_old_labels(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, ids_of(o1=(0, 0, 60, 40)))
    hand.canvas.set_image(np.full((300, 200, 3), 90, np.uint8))
    assert hand.canvas.zoom == pytest.approx((360 - 24) / 300)
    assert colour(hand.canvas, 100, 150) == (90, 90, 90)
    with pytest.raises(ValueError, match="60×40"):
        hand.canvas.set_labels(LabelMap(ids_of(o1=(0, 0, 60, 40))))


def test_what_fits_goes_on_fitting_and_what_was_zoomed_keeps_its_middle(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    canvas = hand.canvas
    canvas.fit()
    zoom = canvas.zoom
    canvas.resize(260, 180)
    assert canvas.zoom < zoom
    canvas.zoom_to(3)
    middle = canvas.to_image(QPointF(130, 90))
    canvas.resize(400, 300)
    assert canvas.zoom == 3
    assert canvas.to_image(QPointF(200, 150)) == pytest.approx(middle)


def test_a_picture_cannot_be_pushed_out_of_sight(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    for _ in range(40):
        hand.canvas.pan_by(300, -200)
    x, y = hand.canvas.to_window(-0.5, HEIGHT - 0.5).toTuple()
    assert x < 520 and y > 0


def test_on_a_dense_screen_the_pointer_is_where_it_points(qtbot: QtBot) -> None:
    class Dense(Canvas):
        def devicePixelRatioF(self) -> float:
            return 2.0

    canvas = Dense()
    qtbot.addWidget(canvas)
    canvas.resize(520, 360)
    canvas.show()
    canvas.set_objects(OBJECTS, 1)
    canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    canvas.set_tool(Tool.BRUSH)
    canvas.set_brush(1)
    canvas.zoom_to(10)
    assert canvas.window_scale == 5, "100 % is one pixel of the screen"
    hand = Hand(canvas)
    hand.click(31, 17)
    assert np.argwhere(hand.edits[0][0].ids).tolist() == [[17, 31]]
    x, y = canvas.to_window(31, 17).toTuple()
    assert abs(x - 260) < 150 and abs(y - 180) < 150, "in Qt's pixels"
    place = QPointF(hand.place(50, 30))
    before = canvas.to_image(place)
    hand.wheel(50, 30, 1, CONTROL)
    assert canvas.to_image(place) == pytest.approx(before, abs=1e-6)


def test_on_another_screen_everything_keeps_its_place_and_apparent_size(qtbot: QtBot) -> None:
    class Moved(Canvas):
        ratio = 1.0

        def devicePixelRatioF(self) -> float:
            return self.ratio

    canvas = Moved()
    qtbot.addWidget(canvas)
    canvas.resize(520, 360)
    canvas.show()
    canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    canvas.zoom_to(6)
    canvas.pan_by(11, 5)
    before = canvas.to_window(31, 17).toTuple()
    canvas.ratio = 2.0
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.DevicePixelRatioChange))
    assert canvas.zoom == 12 and canvas.window_scale == 6
    assert canvas.to_window(31, 17).toTuple() == pytest.approx(before)


def test_where_the_pointer_is_is_told(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.PAN)
    hand.canvas.zoom_to(4)
    said = heard(hand.canvas.hovered)
    hand.hover(10, 20)
    hand.hover(-3, 20)
    QApplication.sendEvent(hand.canvas, QEvent(QEvent.Type.Leave))
    assert said[0] == (pytest.approx(10, abs=0.2), pytest.approx(20, abs=0.2), True)
    assert [inside for _, _, inside in said] == [True, False, False]


def test_without_a_picture_nothing_can_be_done(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.canvas.set_image(None)
    hand.drag((10, 10), (20, 20))
    hand.wheel(10, 10, 1)
    hand.canvas.fit()
    hand.canvas.zoom_to(3)
    assert not hand.edits
    assert not hand.canvas.grab().isNull()


# What is seen


def test_labels_are_seen_and_can_be_hidden(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.PAN, ids_of(o2=(10, 10, 30, 30)))
    canvas = hand.canvas
    canvas.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    assert colour(canvas, 20, 20) == (50, 114, 50)
    canvas.set_style(OverlayStyle(opacity=1))
    assert colour(canvas, 20, 20) == (0, 128, 0)
    canvas.set_style(OverlayStyle(show=False))
    assert colour(canvas, 20, 20) == (100, 100, 100)
    canvas.set_style(OverlayStyle())
    canvas.set_objects(OBJECTS, 1, solo=1)
    assert colour(canvas, 20, 20) == (100, 100, 100)
    canvas.set_objects(OBJECTS, 1, solo=None)
    canvas.set_layer(np.full((10, 15, 3), 200, np.uint8))
    assert colour(canvas, 20, 20) == (100, 164, 100)
    canvas.set_layer(None)
    canvas.set_labels(None)
    assert colour(canvas, 20, 20) == (100, 100, 100)


class Repaints(QObject):
    """Notes what is repainted."""

    def __init__(self) -> None:
        super().__init__()
        self.rects: list[QRect] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QPaintEvent):
            self.rects.append(event.rect())
        return False


def test_a_stroke_repaints_little(qtbot: QtBot) -> None:
    """With all that the window answers: a first object, labels that are shown already, and that there are no points."""
    hand = make_hand(qtbot, Tool.BRUSH, current=None)
    canvas = hand.canvas
    canvas.object_needed.connect(lambda: canvas.set_objects((ObjectInfo(1, "new"),), 1))
    canvas.labels_edited.connect(lambda labels, _: (canvas.set_labels(labels), canvas.set_keypoints(None, Skeleton())))
    qtbot.waitExposed(canvas)
    hand.hover(10, 10)
    QApplication.processEvents()
    repaints = Repaints()
    canvas.installEventFilter(repaints)
    for step in (hand.press, hand.move, hand.release):
        step(12, 11)
        QApplication.processEvents()
    canvas.removeEventFilter(repaints)
    assert len(hand.edits) == 1
    assert any(r.contains(hand.place(12, 11)) for r in repaints.rects)
    assert all(r.width() * r.height() < 0.1 * 520 * 360 for r in repaints.rects)


def test_the_wipe_is_dragged_by_its_handle(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH, ids_of(o2=(0, 0, 60, 40)))
    canvas = hand.canvas
    canvas.set_style(OverlayStyle(opacity=1))
    canvas.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    said = heard(canvas.wipe_moved)
    canvas.set_wipe(0.5)
    middle = canvas.to_image(QPointF(0, 180))[1]
    hand.drag((29.5, middle), (19.5, middle))
    assert said[-1][0] == pytest.approx(1 / 3, abs=0.01)
    assert not hand.edits
    assert colour(canvas, 10, 30) == (100, 100, 100)
    assert colour(canvas, 30, 30) == (0, 128, 0)
    canvas.set_wipe(None)
    assert colour(canvas, 10, 30) == (0, 128, 0)
    hand.click(29.5, middle)
    assert len(hand.edits) == 1


# Tools


def test_a_tool_is_seen_under_a_pointer_that_does_not_move(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.PAN, ids_of(o2=(10, 10, 20, 20)))
    canvas = hand.canvas
    hand.hover(30, 20)
    canvas.set_brush(30)
    before = canvas.grab().toImage()
    canvas.set_tool(Tool.BRUSH)
    assert canvas.tool is Tool.BRUSH
    assert canvas.grab().toImage() != before
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert canvas.grab().toImage() == before


def test_keys_that_no_tool_wants_are_the_windows(qtbot: QtBot) -> None:
    for tool in Tool:
        hand = make_hand(qtbot, tool, ids_of(o2=(10, 10, 20, 20)))
        hand.hover(15, 15)
        for key in (Qt.Key.Key_Space, Qt.Key.Key_Delete, Qt.Key.Key_Escape, Qt.Key.Key_Return, Qt.Key.Key_Backspace):
            assert not hand.wants(key), (tool, key)


def test_messages_go_away(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.BRUSH)
    hand.canvas.say("Nothing here")
    assert hand.canvas.message
    qtbot.waitUntil(lambda: not hand.canvas.message, timeout=4000)
