"""What every tool of the canvas is."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QPainter

from app.views.canvas.easel import Easel, Pointer


class Tool(StrEnum):
    """What the left button does on the canvas."""

    PAN = "pan"
    BRUSH = "brush"
    ERASER = "eraser"
    POLYGON = "polygon"
    LASSO = "lasso"
    FILL = "fill"
    PICK = "pick"
    CLICK = "click"
    KEYPOINT = "keypoint"
    INSPECT = "inspect"


class ToolBase:
    """A tool that does nothing. One button is held at a time; what it began ends with `release` or `cancel`.

    cursor: the shape of the pointer. edits: needs labels that may be changed, see `Easel.refusal`.
    """

    cursor = Qt.CursorShape.CrossCursor
    edits = False

    def __init__(self, canvas: Easel) -> None:
        self.canvas = canvas

    def press(self, at: Pointer) -> None:
        """A button went down."""

    def double_click(self, at: Pointer) -> None:
        """It went down twice quickly; the first time was a `press`."""
        self.press(at)

    def move(self, at: Pointer) -> None:
        """The pointer moved, with the button held or not."""

    def release(self, at: Pointer) -> None:
        """The button went up."""

    def leave(self) -> None:
        """The pointer left the canvas."""

    def wheel(self, steps: int) -> bool:
        """The wheel turned, away from the user for positive steps; whether the tool has a use for it."""
        return False

    def wanted(self) -> frozenset[Qt.Key]:
        """The keys that mean something now. All others stay with the window."""
        return frozenset()

    def key(self, key: Qt.Key) -> None:
        """One of `wanted` went down."""

    def cancel(self) -> None:
        """Forget what is under way."""

    def hint(self) -> str:
        """A line that says what can be done now."""
        return ""

    def shape(self) -> Qt.CursorShape:
        """The pointer's shape where it is now."""
        return self.cursor

    def paint(self, painter: QPainter) -> None:
        """Draw the tool's marks, in the window's coordinates."""

    def extent(self) -> QRectF:
        """What `paint` may draw on. Empty: nothing."""
        return QRectF()
