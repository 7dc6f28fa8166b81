"""A hand on the canvas: real mouse, wheel and key events at points of the image."""

from __future__ import annotations

from typing import Any

import numpy as np
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.objects import ObjectInfo
from app.views.canvas import Canvas, Tool
from model.types import LabelMap

LEFT, RIGHT, MIDDLE = Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton, Qt.MouseButton.MiddleButton
NONE = Qt.KeyboardModifier.NoModifier
SHIFT, CONTROL, ALT = (
    Qt.KeyboardModifier.ShiftModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.AltModifier,
)
HEIGHT, WIDTH = 40, 60
OBJECTS = (ObjectInfo(1, "swan"), ObjectInfo(2, "shadow"), ObjectInfo(3, "shore", locked=True))


class Hand:
    """canvas: 60×40 pixels at 800 %. edits: every (label map, name) that it told of."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self.edits: list[tuple[LabelMap, str]] = []
        canvas.labels_edited.connect(lambda labels, name: self.edits.append((labels, name)))

    @property
    def ids(self) -> np.ndarray:
        """What is shown."""
        ids = self.canvas.surface.ids
        return np.zeros((HEIGHT, WIDTH), np.uint8) if ids is None else ids

    def place(self, x: float, y: float) -> QPoint:
        return self.canvas.to_window(x, y).toPoint()

    def press(self, x: float, y: float, button: Qt.MouseButton = LEFT, keys: Qt.KeyboardModifier = NONE) -> None:
        QTest.mousePress(self.canvas, button, keys, self.place(x, y))

    def move(self, x: float, y: float, buttons: Qt.MouseButton = LEFT, keys: Qt.KeyboardModifier = NONE) -> None:
        """With buttons held."""
        at = QPointF(self.place(x, y))
        event = QMouseEvent(
            QEvent.Type.MouseMove, at, self.canvas.mapToGlobal(at), Qt.MouseButton.NoButton, buttons, keys
        )
        QApplication.sendEvent(self.canvas, event)

    def hover(self, x: float, y: float, keys: Qt.KeyboardModifier = NONE) -> None:
        self.move(x, y, Qt.MouseButton.NoButton, keys)

    def release(self, x: float, y: float, button: Qt.MouseButton = LEFT, keys: Qt.KeyboardModifier = NONE) -> None:
        QTest.mouseRelease(self.canvas, button, keys, self.place(x, y))

    def click(self, x: float, y: float, button: Qt.MouseButton = LEFT, keys: Qt.KeyboardModifier = NONE) -> None:
        QTest.mouseClick(self.canvas, button, keys, self.place(x, y))

    def drag(
        self, *points: tuple[float, float], button: Qt.MouseButton = LEFT, keys: Qt.KeyboardModifier = NONE
    ) -> None:
        self.press(*points[0], button, keys)
        for point in points[1:]:
            self.move(*point, button, keys)
        self.release(*points[-1], button, keys)

    def double_click(self, x: float, y: float) -> None:
        """As Qt tells of one: press, release, double click, release."""
        self.click(x, y)
        QTest.mouseDClick(self.canvas, LEFT, NONE, self.place(x, y))
        self.release(x, y)

    def wheel(self, x: float, y: float, notches: float, keys: Qt.KeyboardModifier = NONE) -> None:
        at = QPointF(self.place(x, y))
        event = QWheelEvent(
            at,
            self.canvas.mapToGlobal(at),
            QPoint(),
            QPoint(0, round(120 * notches)),
            Qt.MouseButton.NoButton,
            keys,
            Qt.ScrollPhase.NoScrollPhase,
            False,
        )
        QApplication.sendEvent(self.canvas, event)

    def key(self, key: Qt.Key) -> None:
        QTest.keyClick(self.canvas, key)

    def wants(self, key: Qt.Key, keys: Qt.KeyboardModifier = NONE) -> bool:
        """Would the canvas take this key from the window's shortcuts?"""
        event = QKeyEvent(QEvent.Type.ShortcutOverride, key, keys)
        event.ignore()
        QApplication.sendEvent(self.canvas, event)
        return event.isAccepted()


def heard(signal: Any) -> list[tuple[Any, ...]]:
    """A list that grows with what a signal says."""
    said: list[tuple[Any, ...]] = []
    signal.connect(lambda *values: said.append(values))
    return said


def make_hand(qtbot: QtBot, tool: Tool, ids: np.ndarray | None = None, current: int | None = 1) -> Hand:
    canvas = Canvas()
    qtbot.addWidget(canvas)
    canvas.resize(520, 360)
    canvas.show()
    canvas.set_objects(OBJECTS, current)
    canvas.set_image(np.random.default_rng(3).integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    canvas.set_labels(None if ids is None else LabelMap(ids))
    canvas.zoom_to(8)
    canvas.set_tool(tool)
    canvas.set_brush(5)
    return Hand(canvas)


def ids_of(**boxes: tuple[int, int, int, int]) -> np.ndarray:
    """A label map of rectangles: o2=(left, top, right, bottom) is object 2."""
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for name, (left, top, right, bottom) in boxes.items():
        ids[top:bottom, left:right] = int(name[1:])
    return ids


def colour(canvas: Canvas, x: float, y: float) -> tuple[int, int, int]:
    """What is seen at a point of the image."""
    place = canvas.to_window(x, y).toPoint()
    seen = canvas.grab().toImage().pixelColor(place)
    return seen.red(), seen.green(), seen.blue()
