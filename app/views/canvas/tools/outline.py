"""Go around what is to be labelled: from corner to corner, or by hand."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath

from app.core.raster import Point, polygon
from app.views.canvas.easel import Easel, Pointer
from app.views.canvas.hit import nearest_point
from app.views.canvas.marks import DARK, two_tone
from app.views.canvas.texts import tr
from app.views.canvas.tools.base import ToolBase
from app.views.drawing import line_colour

ENTER = (Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Outline(ToolBase):
    """A line through points (of the image) that closes around an area. The first button says: paint or erase."""

    edits = True

    def __init__(self, canvas: Easel) -> None:
        super().__init__(canvas)
        self.points: list[Point] = []
        self._right = False
        self._everything = False

    def _start(self, at: Pointer) -> bool:
        """Whether the outline may begin."""
        if not self.canvas.begin(erase=at.right or at.rubber, everything=at.right and at.shift):
            return False
        self._right = at.right or at.rubber
        self.points = [(at.x, at.y)]
        return True

    def _close(self, name: str) -> None:
        points, self.points = self.points, []
        draft = self.canvas.draft
        if draft is not None:
            self.canvas.touch(draft.add(polygon(draft.mask, points)))
            self.canvas.commit("Erase" if self._right else name)

    def cancel(self) -> None:
        self.points = []
        self.canvas.roll_back()

    def _path(self, *more: QPointF) -> QPainterPath:
        path = QPainterPath()
        for i, place in enumerate([*(self.canvas.to_window(*p) for p in self.points), *more]):
            if i:
                path.lineTo(place)
            else:
                path.moveTo(place)
        return path

    def _paint(self, painter: QPainter, path: QPainterPath) -> None:
        """The line, what it closes around, and how it would close."""
        current = self.canvas.current
        colour = QColor(Qt.GlobalColor.white) if self._right or current is None else line_colour(current)
        area = QColor(colour)
        area.setAlpha(50)
        path.setFillRule(Qt.FillRule.WindingFill)
        painter.fillPath(path, area)
        closing = QPainterPath(path.currentPosition())
        closing.lineTo(self.canvas.to_window(*self.points[0]))
        two_tone(painter, closing, colour, dashed=True, width=1)
        two_tone(painter, path, colour, dashed=self._right)

    def extent(self) -> QRectF:
        return QRectF(self.canvas.rect()) if self.points else QRectF()


class Lasso(Outline):
    """Draw around it with the button held."""

    def press(self, at: Pointer) -> None:
        self._start(at)

    def move(self, at: Pointer) -> None:
        if self.points and self.points[-1] != (at.x, at.y):
            self.points.append((at.x, at.y))

    def release(self, at: Pointer) -> None:
        if self.points:
            self._close("Lasso")

    def wanted(self) -> frozenset[Qt.Key]:
        return frozenset({Qt.Key.Key_Escape}) if self.points else frozenset()

    def key(self, key: Qt.Key) -> None:
        self.cancel()

    def paint(self, painter: QPainter) -> None:
        if self.points:
            self._paint(painter, self._path())


class Polygon(Outline):
    """Click corner by corner; corners can be moved until Enter, a double click or the first corner closes the line."""

    def __init__(self, canvas: Easel) -> None:
        super().__init__(canvas)
        self._at: Pointer | None = None
        self._dragged: int | None = None
        self._moved = False

    def press(self, at: Pointer) -> None:
        self._at = at
        if not self.points:
            self._start(at)
            return
        self._dragged, self._moved = self._hit(at), False
        if self._dragged is None:
            self.points.append((at.x, at.y))

    def move(self, at: Pointer) -> None:
        self._at = at
        if self._dragged is not None:
            self._moved = True
            self.points[self._dragged] = (at.x, at.y)

    def release(self, at: Pointer) -> None:
        on_first = self._dragged == 0 and not self._moved
        self._dragged = None
        if on_first and len(self.points) > 2:
            self._finish()

    def double_click(self, at: Pointer) -> None:
        if self.points:
            self._finish()  # the first click of the two has placed the last corner
        else:
            self.press(at)

    def leave(self) -> None:
        self._at = None

    def wanted(self) -> frozenset[Qt.Key]:
        return frozenset({Qt.Key.Key_Escape, Qt.Key.Key_Backspace, *ENTER}) if self.points else frozenset()

    def key(self, key: Qt.Key) -> None:
        if key in ENTER:
            self._finish()
        elif key == Qt.Key.Key_Escape:
            self.cancel()
        else:
            self._dragged = None
            self.points.pop()
            if not self.points:
                self.canvas.roll_back()

    def cancel(self) -> None:
        self._dragged = None
        super().cancel()

    def hint(self) -> str:
        return tr("Enter closes · Backspace takes a point back · Esc cancels") if self.points else ""

    def _finish(self) -> None:
        self._dragged = None
        if len(self.points) > 2:
            self._close("Polygon")

    def _hit(self, at: Pointer) -> int | None:
        places = [self.canvas.to_window(*p).toTuple() for p in self.points]
        return nearest_point(np.array(places, np.float64), at.place)

    def paint(self, painter: QPainter) -> None:
        if not self.points:
            return
        hit = self._hit(self._at) if self._at is not None else None
        ahead = [self._at.position] if self._at is not None and hit is None else []
        self._paint(painter, self._path(*ahead))
        painter.save()
        painter.setPen(DARK)
        for i, point in enumerate(self.points):
            radius = 5.5 if i == hit else 3.5
            painter.setBrush(QColor(Qt.GlobalColor.white))
            painter.drawEllipse(self.canvas.to_window(*point), radius, radius)
        painter.restore()
