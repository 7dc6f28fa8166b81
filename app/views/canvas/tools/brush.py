"""Paint and erase with a round brush."""

from __future__ import annotations

from math import floor

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath

from app.core.raster import Point, segment
from app.views.canvas.easel import Easel, Pointer
from app.views.canvas.marks import BROAD, around, two_tone
from app.views.canvas.tools.base import ToolBase
from app.views.drawing import line_colour


class Brush(ToolBase):
    """Left paints, right erases the current object and, with Shift, whatever is not locked.

    Shift and left draw a straight line from where the last stroke ended. The wheel sets the size.
    """

    cursor = Qt.CursorShape.BlankCursor
    edits = True
    erases = False

    def __init__(self, canvas: Easel) -> None:
        super().__init__(canvas)
        self._at: Pointer | None = None
        self._from: tuple[Point, float] | None = None  # the end of what is drawn of the stroke, and the radius there
        self._erasing = False

    def press(self, at: Pointer) -> None:
        self._at = at
        self._erasing = self.erases or at.right or at.rubber
        if not self.canvas.begin(erase=self._erasing, everything=at.right and at.shift):
            return
        last = self.canvas.last_point
        radius = self._diameter(at) / 2
        line = at.shift and not at.right and last is not None
        self._from = (last if line and last else self._snapped(at), radius)
        self._draw(at)

    def move(self, at: Pointer) -> None:
        self._at = at
        if self._from is not None:
            self._draw(at)

    def release(self, at: Pointer) -> None:
        if self._from is None:
            return
        self._draw(at)
        self.canvas.last_point = self._from[0]
        self._from = None
        self.canvas.commit("Erase" if self._erasing else "Paint")

    def leave(self) -> None:
        self._at = None

    def wanted(self) -> frozenset[Qt.Key]:
        return frozenset({Qt.Key.Key_Escape}) if self._from is not None else frozenset()

    def key(self, key: Qt.Key) -> None:
        self.cancel()

    def cancel(self) -> None:
        self._from = None
        self.canvas.roll_back()

    def wheel(self, steps: int) -> bool:
        brush = self.canvas.brush
        for _ in range(abs(steps)):
            brush = max(brush + 1, round(brush * 1.12)) if steps > 0 else min(brush - 1, round(brush / 1.12))
        self.canvas.resize_brush(brush)
        return True

    def _draw(self, at: Pointer) -> None:
        """Go on from where the stroke is to the pointer, without a gap."""
        draft = self.canvas.draft
        if draft is None or self._from is None:
            return
        point, radius = self._snapped(at), self._diameter(at) / 2
        box = segment(draft.mask, self._from[0], point, self._from[1], radius)
        self._from = point, radius
        self.canvas.touch(draft.add(box))

    def _diameter(self, at: Pointer) -> float:
        return max(1.0, self.canvas.brush * at.pressure)

    def _snapped(self, at: Pointer) -> Point:
        """The middle or the corner of a pixel, so that a brush of one size always leaves the same mark."""
        if round(self._diameter(at)) % 2:
            return float(round(at.x)), float(round(at.y))
        return floor(at.x) + 0.5, floor(at.y) + 0.5

    # What it looks like

    def _circle(self, at: Pointer) -> tuple[QPointF, float]:
        return self.canvas.to_window(*self._snapped(at)), self._diameter(at) / 2 * self.canvas.window_scale

    def paint(self, painter: QPainter) -> None:
        if self._at is None or self.canvas.refusal():
            return
        centre, radius = self._circle(self._at)
        path = QPainterPath()
        path.addEllipse(centre, radius, radius)
        if radius < 4:  # too small to be seen: a cross around it
            for dx, dy in ((1, 0), (-1, 0), (0, 1), (0, -1)):
                path.moveTo(centre + QPointF(dx, dy) * (radius + 3))
                path.lineTo(centre + QPointF(dx, dy) * (radius + 8))
        start = self._line_start()
        if start is not None:
            path.moveTo(start)
            path.lineTo(centre)
        erasing = self._erasing if self._from is not None else self.erases
        current = self.canvas.current
        colour = QColor(Qt.GlobalColor.white) if erasing or current is None else line_colour(current)
        two_tone(painter, path, colour, dashed=erasing)

    def _line_start(self) -> QPointF | None:
        """Where a straight line would begin, while Shift is held."""
        last = self.canvas.last_point
        if self._at is None or self._from is not None or not self._at.shift or last is None:
            return None
        return self.canvas.to_window(*last)

    def extent(self) -> QRectF:
        if self._at is None:
            return QRectF()
        centre, radius = self._circle(self._at)
        box = around(centre, max(radius, 12.0) + BROAD)
        start = self._line_start()
        return box if start is None else box.united(around(start, BROAD))


class Eraser(Brush):
    """Left erases as the brush does with the right button."""

    erases = True
