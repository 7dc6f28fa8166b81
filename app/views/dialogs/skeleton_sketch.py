"""A drawing of a skeleton that has no places yet: points apart by the number of bones between them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QWidget

from app.core.objects import Skeleton
from app.views.theme import UNIT, colours
from model.types import FloatArray

RADIUS, REACH = 6.0, 14.0
STARTS, STEPS = 6, 100
_CLEAR = 3.0  # what covering another name, or a point, costs; a bone costs 2 at most
_FLAT = 0.25  # names are broad: outward is rather left or right than up or down


def spread(points: int, bones: tuple[tuple[int, int], ...]) -> FloatArray:
    """float32 [points, 2] in 0..1: places whose distances are as near as they can be to the number of bones between.

    Multidimensional scaling by majorisation (SMACOF), the best of a few starts. The first point is above the middle.
    """
    if points < 2:
        return np.full((points, 2), 0.5, np.float32)
    wanted = _bones_between(points, bones)
    random = np.random.default_rng(0)
    starts = [random.normal(size=(points, 2)) * points for _ in range(STARTS)]
    place = min((_settled(start, wanted) for start in starts), key=lambda place: _stress(place, wanted))
    place -= place.mean(0)
    x, y = place[0] / max(float(np.hypot(*place[0])), 1e-9)
    place = place @ np.array([[-y, -x], [x, -y]])
    low, high = place.min(0), place.max(0)
    return ((place - (low + high) / 2) / max(float((high - low).max()), 1e-9) + 0.5).astype(np.float32)


def _bones_between(points: int, bones: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """[points, points]: the shortest way over bones (Floyd and Warshall); a little more where there is none."""
    between = np.full((points, points), np.inf)
    np.fill_diagonal(between, 0)
    for a, b in bones:
        between[a, b] = between[b, a] = 1
    for via in range(points):
        between = np.minimum(between, between[:, via, None] + between[None, via])
    return np.where(np.isfinite(between), between, between[np.isfinite(between)].max() + 1)


def _settled(place: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    for _ in range(STEPS):
        apart = np.linalg.norm(place[:, None] - place[None], axis=2)
        pull = -np.divide(wanted, apart, out=np.zeros_like(wanted), where=apart > 1e-9)
        np.fill_diagonal(pull, 0)
        np.fill_diagonal(pull, -pull.sum(1))
        place = pull @ place / len(place)
    return place


def _stress(place: NDArray[np.float64], wanted: NDArray[np.float64]) -> float:
    apart = np.linalg.norm(place[:, None] - place[None], axis=2)
    return float(np.square(apart - wanted).sum())


class SkeletonSketch(QWidget):
    """pressed: the position of the point that was clicked."""

    pressed = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self._skeleton = Skeleton()
        self._places = spread(0, ())
        self._chosen: int | None = None
        self._hovered: int | None = None
        self.setMouseTracking(True)
        self.setMinimumSize(36 * UNIT, 36 * UNIT)

    def sizeHint(self) -> QSize:
        return QSize(48 * UNIT, 44 * UNIT)

    def set_skeleton(self, skeleton: Skeleton, chosen: int | None) -> None:
        """chosen: the point that the next click joins, or None."""
        if (len(skeleton.names), skeleton.bones) != (len(self._skeleton.names), self._skeleton.bones):
            self._places = spread(len(skeleton.names), skeleton.bones)
        self._skeleton, self._chosen, self._hovered = skeleton, chosen, None
        self.update()

    def place(self, position: int) -> QPointF:
        """Where a point is drawn, in pixels."""
        area = QRectF(self.rect()).adjusted(12 * UNIT, 3 * UNIT, -12 * UNIT, -3 * UNIT)
        side = min(area.width(), area.height())
        x, y = (float(v) - 0.5 for v in self._places[position])
        return QPointF(area.center().x() + x * side, area.center().y() + y * side)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at is not None and event.button() is Qt.MouseButton.LeftButton:
            self.pressed.emit(at)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at = self._at(event.position())
        if at != self._hovered:
            self._hovered = at
            self.setCursor(Qt.CursorShape.ArrowCursor if at is None else Qt.CursorShape.PointingHandCursor)
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        now = colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(now.line), 1))
        painter.setBrush(QColor(now.sunken))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), UNIT, UNIT)
        if not self._skeleton.names:
            painter.setPen(QColor(now.faint))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, self.tr("Points and bones are drawn here"))
        painter.setPen(QPen(QColor(now.quiet), 2))
        for a, b in self._skeleton.bones:
            painter.drawLine(self.place(a), self.place(b))
        for position, (name, box) in enumerate(zip(self._skeleton.names, self._boxes(), strict=True)):
            place, lit = self.place(position), position in (self._chosen, self._hovered)
            painter.setPen(QPen(QColor(now.sunken), 2))
            painter.setBrush(QColor(now.accent_text if lit else now.text))
            painter.drawEllipse(place, RADIUS + lit, RADIUS + lit)
            painter.setPen(QColor(now.accent_text if lit else now.quiet))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, name)
        painter.end()

    def _boxes(self) -> list[QRectF]:
        """Where the names are written: each clear of those before it, as far as that can be."""
        boxes: list[QRectF] = []
        for position in range(len(self._skeleton.names)):
            boxes.append(self._beside(position, boxes))
        return boxes

    def _beside(self, position: int, boxes: list[QRectF]) -> QRectF:
        """On the side of a point where bones are far and no other name is, and rather outside than inside."""
        here = self.place(position)
        ends = [self.place(a if b == position else b) for a, b in self._skeleton.bones if position in (a, b)]
        angles = np.array([np.arctan2(end.y() - here.y(), end.x() - here.x()) for end in ends])
        outward = np.arctan2(_FLAT * (here.y() - self.height() / 2), here.x() - self.width() / 2)
        sides = np.arange(8) * (np.pi / 4)
        taken = np.cos(sides[:, None] - angles).max(1, initial=-1)  # 1 = a bone goes there
        width = self.fontMetrics().horizontalAdvance(self._skeleton.names[position]) + 4
        height = 2 * UNIT
        found = []
        for side in sides:
            x = here.x() + np.cos(side) * (REACH - 2 + width / 2)
            y = here.y() + np.sin(side) * (REACH - 2 + height / 2)
            found.append(QRectF(x - width / 2, y - height / 2, width, height))
        points = [self.place(n) for n in range(len(self._skeleton.names))]
        covers = np.array(
            [_CLEAR * (any(map(box.intersects, boxes)) + any(map(box.contains, points))) for box in found]
        )
        return found[int(np.argmin(taken - 0.4 * np.cos(sides - outward) + covers))]

    def _at(self, place: QPointF) -> int | None:
        near = [(self.place(n) - place).manhattanLength() for n in range(len(self._skeleton.names))]
        return near.index(min(near)) if near and min(near) <= REACH else None
