"""Where the parts of the timeline lie, and what is under the pointer. Pure but for Qt's rectangles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Self

from PySide6.QtCore import QRect

from app.views.timeline.geometry import Axis, Rows

NAMES = 184  # width of the names on the left
RULER, PICTURES, REFERENCES = 32, 40, 16  # heights
BAR = 10  # thickness of scroll bars
ROOM_FOR_PICTURES = 144  # a lower timeline does without them
GRIP = 9  # width of the in and out handles
REACH = 6  # how far from a mark a click still means it


@dataclass(frozen=True, slots=True)
class Layout:
    """The parts, from top to bottom; names are on the left of all of them."""

    ruler: QRect
    pictures: QRect
    references: QRect
    lanes: QRect

    @classmethod
    def of(cls, width: int, height: int) -> Self:
        room = max(1, width - NAMES - BAR)
        pictures = PICTURES if height >= ROOM_FOR_PICTURES else 0
        top = RULER + pictures + REFERENCES
        return cls(
            QRect(NAMES, 0, room, RULER),
            QRect(NAMES, RULER, room, pictures),
            QRect(NAMES, RULER + pictures, room, REFERENCES),
            QRect(NAMES, top, room, max(0, height - top - BAR)),
        )

    @property
    def tracks(self) -> QRect:
        """All that lies over the frames."""
        return self.ruler.united(self.lanes)

    @property
    def head(self) -> QRect:
        """Ruler and pictures, with what is on the left of them."""
        return QRect(0, 0, self.ruler.right() + 1, self.references.top())

    @property
    def marks(self) -> QRect:
        """The references with their name."""
        return QRect(0, self.references.top(), self.references.right() + 1, self.references.height())

    @property
    def body(self) -> QRect:
        """The lanes with their names."""
        return QRect(0, self.lanes.top(), self.lanes.right() + 1, self.lanes.height())


class Part(Enum):
    """What can be under the pointer."""

    NOTHING = auto()
    NAME = auto()  # of a lane
    START = auto()  # the handle of the in point
    STOP = auto()
    REFERENCE = auto()
    LANE = auto()
    TRACK = auto()  # anywhere else over the frames


@dataclass(frozen=True, slots=True)
class Hit:
    """A part, the frame there, and the lane or None."""

    part: Part
    frame: int = 0
    lane: int | None = None


def hit(
    layout: Layout, axis: Axis, rows: Rows, span: tuple[int, int], references: Sequence[int], x: float, y: float
) -> Hit:
    """What lies at a point of the timeline. Small things win over what is behind them."""
    along, lane = x - NAMES, rows.lane_at(y - layout.lanes.top())
    if along < 0:
        return Hit(Part.NOTHING if lane is None else Part.NAME, lane=lane)
    if along >= axis.width or not axis.frames:
        return Hit(Part.NOTHING)
    frame = axis.frame_at(along)
    if y < RULER // 2 and (part := _handle(axis, span, along)):
        return Hit(part, frame)
    if layout.references.top() <= y <= layout.references.bottom():
        near = min(references, key=lambda f: abs(axis.centre(f) - along), default=None)
        if near is not None and abs(axis.centre(near) - along) <= max(REACH, axis.scale / 2):
            return Hit(Part.REFERENCE, near)
    return Hit(Part.TRACK if lane is None else Part.LANE, frame, lane)


def _handle(axis: Axis, span: tuple[int, int], x: float) -> Part | None:
    """The handles reach from the ends of the range inwards, and a little outwards."""
    start, stop = axis.left(span[0]), axis.left(span[1])
    if -3 <= x - start <= GRIP and x - start <= (stop - start) / 2 + 3:
        return Part.START
    return Part.STOP if -GRIP <= x - stop <= 3 else None
