"""What the tools of the canvas work on: labels and points, what is shown beside them, and who is told.

It knows of no tool; `Canvas` chooses one and hands it what the pointer does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PySide6.QtCore import QPointF, Qt, Signal
from PySide6.QtWidgets import QWidget

from app.views.canvas.sheet import Sheet
from app.views.canvas.votes import Vote
from model.types import BoolArray

MAX_BRUSH = 999


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


class Easel(Sheet):
    """Signals, beside those of `Stage` (zoom_changed, wipe_moved) and `Sheet` (labels_edited, object_needed):

    hovered(x, y, on the image), brush_changed(diameter), object_picked(id);
    keypoint_placed(name, x, y), keypoint_removed(name), keypoint_toggled(name): hidden or visible;
    clicked_segment(x, y, positive), proposal_accepted(), proposal_dropped();
    inspect_at(x, y), reference_dropped(frame).
    """

    hovered = Signal(float, float, bool)
    brush_changed = Signal(int)
    object_picked = Signal(int)
    keypoint_placed = Signal(str, float, float)
    keypoint_removed = Signal(str)
    keypoint_toggled = Signal(str)
    clicked_segment = Signal(float, float, bool)
    proposal_accepted = Signal()
    proposal_dropped = Signal()
    inspect_at = Signal(float, float)
    reference_dropped = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.brush = 24
        self.clicks: tuple[tuple[float, float, bool], ...] = ()
        self.looking = False
        self.votes: tuple[Vote, ...] = ()
        self.votes_frame = -1

    def set_brush(self, diameter: int) -> None:
        """The diameter of brush and eraser, in pixels of the image."""
        self.brush = min(max(diameter, 1), MAX_BRUSH)
        self.update_marks()

    def resize_brush(self, diameter: int) -> None:
        """The user changes the brush."""
        before = self.brush
        self.set_brush(diameter)
        if self.brush != before:
            self.brush_changed.emit(self.brush)

    def set_clicks(self, clicks: Sequence[tuple[float, float, bool]], looking: bool = False) -> None:
        """The clicks of an object: (x, y, positive). looking: its mask is still being worked on."""
        self.clicks, self.looking = tuple(clicks), looking
        self.update_marks()
        self.update()

    def set_proposal(self, mask: BoolArray | None) -> None:
        """A mask, bool [H, W], that is not part of the labels yet; None for none. ValueError for another size."""
        if mask is not None and mask.shape != self.image_size:
            raise ValueError(f"the proposed mask is {list(mask.shape)}, the picture {list(self.image_size)}")
        self.surface.proposal = mask
        self._refresh()

    def set_votes(self, votes: Sequence[Vote], frame: int = -1) -> None:
        """What decided about the inspected pixel. frame: the one that is shown."""
        self.votes, self.votes_frame = tuple(votes), frame
        self.update()

    def inside(self, at: Pointer) -> bool:
        """Is it on the picture?"""
        return self.on_image(at.x, at.y)

    def pick(self, at: Pointer) -> None:
        number = self.object_at(at.x, at.y)
        if number is not None:
            self.object_picked.emit(number)
