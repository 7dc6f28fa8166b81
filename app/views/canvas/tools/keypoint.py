"""Place the points of the skeleton, and move them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QFontMetricsF, QPainter

from app.views.canvas.easel import Easel, Pointer
from app.views.canvas.hit import nearest_point, next_missing
from app.views.canvas.marks import around, tag, tag_box
from app.views.canvas.texts import tr
from app.views.canvas.tools.base import ToolBase


class Keypoints(ToolBase):
    """Click places the next missing point, dragging moves one; right: hidden or visible; Del: missing.

    The wheel chooses which missing point comes next.
    """

    edits = True

    def __init__(self, canvas: Easel) -> None:
        super().__init__(canvas)
        self._at: Pointer | None = None
        self._dragged: int | None = None
        self._far = False  # it was not only clicked
        self._after = -1  # the point before the one that is placed next

    def press(self, at: Pointer) -> None:
        canvas = self.canvas
        self._at = at
        names = canvas.skeleton.names
        if not canvas.allowed():
            return
        hit = self._hit(at)
        if hit is not None and at.right:
            canvas.keypoint_toggled.emit(names[hit])
        elif hit is not None:
            self._dragged, self._far = hit, False
        elif not at.right and canvas.inside(at):
            self._place(at)

    def _place(self, at: Pointer) -> None:
        canvas = self.canvas
        names, point = canvas.skeleton.names, self._next()
        if not names:
            canvas.say(tr("This project has no keypoints yet: name them in the skeleton first"))
        elif point is None:
            canvas.say(tr("All keypoints are placed: drag one to move it"))
        else:
            self._after = point
            canvas.keypoint_placed.emit(names[point], at.x, at.y)

    def move(self, at: Pointer) -> None:
        self._at = at
        if self._dragged is not None:
            self._far = True
            self.canvas.move_point(self._dragged, self._clamped(at))

    def release(self, at: Pointer) -> None:
        dragged, self._dragged = self._dragged, None
        if dragged is None or not self._far:
            return
        x, y = self._clamped(at)
        self.canvas.move_point(None)
        self.canvas.keypoint_placed.emit(self.canvas.skeleton.names[dragged], x, y)

    def leave(self) -> None:
        self._at = None

    def wheel(self, steps: int) -> bool:
        missing = np.flatnonzero(~self.canvas.placed)
        point = self._next()
        if point is not None:
            here = int(np.searchsorted(missing, point))
            self._after = int(missing[(here - steps) % len(missing)]) - 1
        return True

    def wanted(self) -> frozenset[Qt.Key]:
        if self._dragged is not None:
            return frozenset({Qt.Key.Key_Escape})
        return frozenset({Qt.Key.Key_Delete}) if self.hovered is not None else frozenset()

    def key(self, key: Qt.Key) -> None:
        hovered = self.hovered
        if key == Qt.Key.Key_Escape:
            self.cancel()
        elif hovered is not None and self.canvas.allowed():
            self.canvas.keypoint_removed.emit(self.canvas.skeleton.names[hovered])

    def cancel(self) -> None:
        self._dragged, self._after = None, -1
        self.canvas.move_point(None)

    @property
    def hovered(self) -> int | None:
        """The point under the pointer, or in its hand."""
        if self._dragged is not None or self._at is None:
            return self._dragged
        return self._hit(self._at)

    def _hit(self, at: Pointer) -> int | None:
        return nearest_point(self.canvas.points_in_window(), at.place)

    def _next(self) -> int | None:
        return next_missing(self.canvas.placed, self._after)

    def _clamped(self, at: Pointer) -> tuple[float, float]:
        height, width = self.canvas.image_size
        return float(np.clip(at.x, -0.5, width - 0.5)), float(np.clip(at.y, -0.5, height - 0.5))

    # What it looks like

    def shape(self) -> Qt.CursorShape:
        if self._dragged is not None:
            return Qt.CursorShape.ClosedHandCursor
        return self.cursor if self.hovered is None else Qt.CursorShape.PointingHandCursor

    def _text(self) -> str:
        """The point under the pointer, or the one that a click would place."""
        names = self.canvas.skeleton.names
        if self._at is None or not names:
            return ""
        if (hovered := self.hovered) is not None:
            return names[hovered]
        point = self._next()
        return "" if point is None or not self.canvas.inside(self._at) else f"+ {names[point]}"

    def paint(self, painter: QPainter) -> None:
        if text := self._text():
            tag(painter, text, self._tag())

    def _tag(self) -> QRectF:
        if self._at is None or not (text := self._text()):
            return QRectF()
        return tag_box(QFontMetricsF(self.canvas.font()), text, self._at.position, QRectF(self.canvas.rect()))

    def extent(self) -> QRectF:
        hovered = self.hovered
        if hovered is None:
            return self._tag()
        x, y = self.canvas.points_in_window()[hovered].tolist()
        return self._tag().united(around(QPointF(x, y), 12))
