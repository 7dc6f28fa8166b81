"""Move the picture with the left button."""

from __future__ import annotations

from PySide6.QtCore import Qt

from app.views.canvas.easel import Pointer
from app.views.canvas.tools.base import ToolBase


class Pan(ToolBase):
    """The hand."""

    cursor = Qt.CursorShape.OpenHandCursor

    def press(self, at: Pointer) -> None:
        self.canvas.hold(at.position)

    def move(self, at: Pointer) -> None:
        self.canvas.drag(at.position)

    def release(self, at: Pointer) -> None:
        self.canvas.let_go()

    def cancel(self) -> None:
        self.canvas.let_go()
