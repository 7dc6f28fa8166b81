"""Click on an object, and have its mask proposed."""

from __future__ import annotations

from PySide6.QtCore import Qt

from app.views.canvas.easel import Pointer
from app.views.canvas.texts import tr
from app.views.canvas.tools.base import ToolBase
from app.views.canvas.tools.outline import ENTER


class Click(ToolBase):
    """Left: this belongs to it. Right: this does not. Enter takes the proposed mask, Esc drops it."""

    edits = True

    def press(self, at: Pointer) -> None:
        if self.canvas.inside(at) and self.canvas.ready():
            self.canvas.clicked_segment.emit(at.x, at.y, not at.right)

    def wanted(self) -> frozenset[Qt.Key]:
        return frozenset({Qt.Key.Key_Escape, *ENTER}) if self._proposing else frozenset()

    def key(self, key: Qt.Key) -> None:
        if key == Qt.Key.Key_Escape:
            self.cancel()
        else:
            self.canvas.proposal_accepted.emit()

    def cancel(self) -> None:
        if self._proposing:
            self.canvas.proposal_dropped.emit()

    def hint(self) -> str:
        if not self._proposing:
            return ""
        if self.canvas.looking:
            return tr("Looking for what you clicked on…")
        return tr("Enter takes the mask · right click: not this · Esc drops it")

    @property
    def _proposing(self) -> bool:
        return self.canvas.surface.proposal is not None or bool(self.canvas.clicks)
