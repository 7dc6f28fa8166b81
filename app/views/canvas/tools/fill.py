"""Fill a region; pick the object under the pointer."""

from __future__ import annotations

from PySide6.QtCore import QRectF
from PySide6.QtGui import QFontMetricsF, QPainter

from app.core.raster import enclosed, region
from app.views.canvas.easel import Easel, Pointer
from app.views.canvas.marks import tag, tag_box
from app.views.canvas.texts import tr
from app.views.canvas.tools.base import ToolBase


class Fill(ToolBase):
    """Left gives the region under the pointer to the current object, or fills the holes of its own region.

    Right erases the region under the pointer if it is the current object's and, with Shift, whosoever it is.
    """

    edits = True

    def press(self, at: Pointer) -> None:
        if not self.canvas.inside(at) or not self.canvas.begin(erase=at.right, everything=at.right and at.shift):
            return
        draft = self.canvas.draft
        assert draft is not None
        x, y = at.pixel
        own = draft.ids[y, x] == draft.value
        box = (enclosed if own else region)(draft.mask, draft.ids, (x, y))
        self.canvas.touch(draft.add(box))
        if not self.canvas.commit("Erase" if at.right else "Fill"):
            self.canvas.say(self._why_not(own and not at.right))

    def _why_not(self, own: bool) -> str:
        if own:
            return tr("This region has no holes to fill")
        return tr("Nothing here that may be changed")


class Pick(ToolBase):
    """Make the object under the pointer the current one; its name is shown beside the pointer."""

    def __init__(self, canvas: Easel) -> None:
        super().__init__(canvas)
        self._at: Pointer | None = None

    def press(self, at: Pointer) -> None:
        self.canvas.pick(at)

    def move(self, at: Pointer) -> None:
        self._at = at

    def leave(self) -> None:
        self._at = None

    def _name(self) -> str:
        return self.canvas.object_name(self.canvas.object_at(self._at.x, self._at.y)) if self._at is not None else ""

    def paint(self, painter: QPainter) -> None:
        if name := self._name():
            tag(painter, name, self.extent())

    def extent(self) -> QRectF:
        if self._at is None or not (name := self._name()):
            return QRectF()
        return tag_box(QFontMetricsF(self.canvas.font()), name, self._at.position, QRectF(self.canvas.rect()))
