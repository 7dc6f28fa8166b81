"""The strip of small pictures: which are wanted for what is seen, and what stands in until they come."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import OrderedDict
from dataclasses import dataclass

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter

from app.views.timeline.geometry import Axis

KEPT = 600  # pictures; a few screens full


@dataclass(frozen=True, slots=True)
class Slot:
    """A place of the strip: from frame, step frames on. The picture is of one of them."""

    frame: int
    step: int


def slots(axis: Axis, width: float) -> list[Slot]:
    """The places in sight, each at most as wide as a picture but for single frames.

    Steps are powers of two, and slots begin at their multiples: pictures stay where they are while one scrolls, and
    every second one stays when one zooms.
    """
    step = 1
    while 2 * step * axis.scale <= width:
        step *= 2
    seen = axis.visible
    return [Slot(frame, step) for frame in range(seen.start // step * step, seen.stop, step)]


class ThumbnailStrip:
    """The pictures that are there. Those of the frames seen last stay."""

    def __init__(self) -> None:
        self._pictures: OrderedDict[int, tuple[QImage, int]] = OrderedDict()
        self._frames: list[int] = []  # ascending
        self._steps: dict[int, int] = {}  # of what was asked for

    def wanted(self, places: list[Slot]) -> list[int]:
        """Frames whose pictures are missing, or were taken for a longer slot and may show another frame of it."""
        missing = [slot for slot in places if not self._serves(slot)]
        self._steps = {slot.frame: slot.step for slot in missing}
        return [slot.frame for slot in missing]

    def put(self, frame: int, picture: QImage) -> None:
        if frame not in self._pictures:
            insort(self._frames, frame)
        self._pictures[frame] = picture, self._steps.pop(frame, 1)
        self._pictures.move_to_end(frame)
        while len(self._pictures) > KEPT:
            gone, _ = self._pictures.popitem(last=False)
            del self._frames[bisect_left(self._frames, gone)]

    def draw(self, painter: QPainter, box: QRectF, axis: Axis, places: list[Slot]) -> None:
        for slot in places:
            place = QRectF(box.left() + axis.left(slot.frame), box.top(), slot.step * axis.scale, box.height())
            own = slot.frame in self._pictures
            frame = slot.frame if own else self._nearest(slot)
            if frame is None:
                continue
            self._pictures.move_to_end(frame)
            painter.setOpacity(1.0 if own else 0.4)
            _draw_cropped(painter, place.adjusted(0, 0, -1, 0), self._pictures[frame][0])
        painter.setOpacity(1.0)

    def _serves(self, slot: Slot) -> bool:
        return slot.frame in self._pictures and self._pictures[slot.frame][1] <= slot.step

    def _nearest(self, slot: Slot) -> int | None:
        """A picture from the slot's neighbourhood, to stand in."""
        at = bisect_left(self._frames, slot.frame)
        near = min(self._frames[max(0, at - 1) : at + 1], key=lambda f: abs(f - slot.frame), default=None)
        return near if near is not None and abs(near - slot.frame) <= 4 * slot.step else None


def _draw_cropped(painter: QPainter, place: QRectF, picture: QImage) -> None:
    """As high as the place; of what is too wide, the middle."""
    scale = place.height() / picture.height()
    width = min(place.width() / scale, picture.width())
    part = QRectF((picture.width() - width) / 2, 0, width, picture.height())
    painter.drawImage(QRectF(place.left(), place.top(), width * scale, place.height()), picture, part)
