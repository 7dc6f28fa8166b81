"""Ask where the label of a pixel comes from."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, QTimer
from PySide6.QtGui import QPainter

from app.views.canvas.easel import Easel, Pointer
from app.views.canvas.texts import tr
from app.views.canvas.tools.base import ToolBase
from app.views.canvas.votes import Legend, legend, paint_legend, paint_votes

PERIOD = 33  # ms between two questions


class Inspect(ToolBase):
    """Hovering asks about the pixel under the pointer; a click holds it, so that the legend can be reached."""

    def __init__(self, canvas: Easel) -> None:
        super().__init__(canvas)
        self._position: QPointF | None = None  # of the pointer
        self._asked: tuple[float, float] | None = None  # the point of the image that the votes are about
        self._next: tuple[float, float] | None = None
        self._held = False
        self._timer = QTimer(canvas)
        self._timer.setSingleShot(True)
        self._timer.setInterval(PERIOD)
        self._timer.timeout.connect(self._ask)

    def press(self, at: Pointer) -> None:
        laid = self._legend()
        if laid.box.contains(at.position):
            frame = laid.cross_at(at.position)
            if frame is not None:
                self.canvas.reference_dropped.emit(frame)
            return
        self._held = not self._held and self.canvas.inside(at)
        self._next = (at.x, at.y) if self.canvas.inside(at) else None
        self._ask()

    def move(self, at: Pointer) -> None:
        self._position = at.position
        if self._held or not self.canvas.inside(at) or self._legend().box.contains(at.position):
            return
        self._next = (at.x, at.y)
        if not self._timer.isActive():
            self._ask()

    def _ask(self) -> None:
        """Ask about the latest place, and not again for a moment."""
        if self._next is None:
            return
        self._asked, self._next = self._next, None
        self._timer.start()
        self.canvas.inspect_at.emit(*self._asked)
        self.canvas.update()

    def leave(self) -> None:
        self._position = None
        if not self._held:
            self._next = None

    def wanted(self) -> frozenset[Qt.Key]:
        return frozenset({Qt.Key.Key_Escape}) if self._held else frozenset()

    def key(self, key: Qt.Key) -> None:
        self._held = False
        self.canvas.update()

    def cancel(self) -> None:
        self._held = False
        self._asked = self._next = None

    def hint(self) -> str:
        return tr("Held: click again or press Esc to let go") if self._held else ""

    def shape(self) -> Qt.CursorShape:
        if self._position is not None and self._legend().cross_at(self._position) is not None:
            return Qt.CursorShape.PointingHandCursor
        return self.cursor

    def _legend(self) -> Legend:
        return legend(self.canvas.votes, QRectF(self.canvas.rect()))

    def paint(self, painter: QPainter) -> None:
        canvas = self.canvas
        if self._asked is None:
            return
        laid = self._legend()
        row = laid.row_at(self._position) if self._position is not None else None
        accent = canvas.palette().accent().color()
        places = [(canvas.to_window(v.x, v.y), v.weight, v.frame == canvas.votes_frame) for v in canvas.votes]
        bright = [row is not None and v.frame == row.frame for v in canvas.votes]
        paint_votes(painter, canvas.to_window(*self._asked), places, accent, bright)
        if laid.rows:
            title, name = tr("Votes come from"), tr("frame {0}")
            paint_legend(painter, laid, title, name, accent, self._position)

    def extent(self) -> QRectF:
        return QRectF(self.canvas.rect()) if self._asked is not None else QRectF()
