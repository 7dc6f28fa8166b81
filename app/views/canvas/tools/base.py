"""What every tool of the canvas is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QPainter

if TYPE_CHECKING:
    from app.views.canvas.canvas import Canvas


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


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the pointer is, and what is held down.

    x, y: the point of the image. position: the place in the window. button: of the event that this comes from, or
    NoButton. pressure: of a pen, 0..1; 1 for a mouse. rubber: the other end of a pen.
    """

    x: float
    y: float
    position: QPointF
    button: Qt.MouseButton
    modifiers: Qt.KeyboardModifier
    pressure: float = 1.0
    rubber: bool = False

    @property
    def pixel(self) -> tuple[int, int]:
        """(x, y) of the pixel that the pointer is on; it may lie outside the image."""
        return round(self.x), round(self.y)

    @property
    def place(self) -> tuple[float, float]:
        """(x, y) in the window."""
        return self.position.x(), self.position.y()

    @property
    def right(self) -> bool:
        return self.button is Qt.MouseButton.RightButton

    @property
    def shift(self) -> bool:
        return bool(self.modifiers & Qt.KeyboardModifier.ShiftModifier)


class ToolBase:
    """A tool that does nothing. One button is held at a time; what it began ends with `release` or `cancel`.

    cursor: the shape of the pointer. edits: needs labels that may be changed, see `Canvas.refusal`.
    """

    cursor = Qt.CursorShape.CrossCursor
    edits = False

    def __init__(self, canvas: Canvas) -> None:
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
