"""Which reference pixels decided about a pixel: marks on the picture, and a legend by reference frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import atan2, cos, sin, sqrt
from typing import Protocol

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QPainter, QPainterPath, QPen

from app.views.canvas.marks import DARK, PANEL, TEXT, two_tone
from app.views.wording import percent

ROW, WIDTH, GAP = 24.0, 208.0, 12.0
SHOWN = 8
"""So many frames are listed: the ones that count most."""


class Vote(Protocol):
    """One reference pixel: its frame, its place (x, y) there, and its share of the decision."""

    @property
    def frame(self) -> int: ...
    @property
    def x(self) -> float: ...
    @property
    def y(self) -> float: ...
    @property
    def weight(self) -> float: ...


def shares(votes: Sequence[Vote]) -> tuple[tuple[int, float], ...]:
    """(frame, share) of every reference frame, the largest first; the shares add up to 1."""
    total = sum(v.weight for v in votes)
    if total <= 0:
        return ()
    frames = sorted({v.frame for v in votes})
    found = [(f, sum(v.weight for v in votes if v.frame == f) / total) for f in frames]
    return tuple(sorted(found, key=lambda pair: -pair[1]))


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the legend. cross: where a click drops the frame."""

    frame: int
    share: float
    box: QRectF
    cross: QRectF


@dataclass(frozen=True, slots=True)
class Legend:
    """The list of reference frames, laid out."""

    box: QRectF
    rows: tuple[Row, ...]

    def row_at(self, position: QPointF) -> Row | None:
        return next((row for row in self.rows if row.box.contains(position)), None)

    def cross_at(self, position: QPointF) -> int | None:
        """The frame whose cross is there."""
        row = self.row_at(position)
        return row.frame if row is not None and row.cross.contains(position) else None


def legend(votes: Sequence[Vote], room: QRectF) -> Legend:
    """In the upper right corner of the room; without rows where there are no votes."""
    found = shares(votes)[:SHOWN]
    if not found:
        return Legend(QRectF(), ())
    box = QRectF(room.right() - WIDTH - GAP, room.top() + GAP, WIDTH, ROW * (len(found) + 1) + 8)
    rows = []
    for i, (frame, share) in enumerate(found):
        row = QRectF(box.left(), box.top() + ROW * (i + 1), WIDTH, ROW)
        rows.append(Row(frame, share, row, QRectF(row.right() - ROW - 4, row.top(), ROW, ROW)))
    return Legend(box, tuple(rows))


def paint_legend(
    painter: QPainter, laid: Legend, title: str, frame_text: str, accent: QColor, pointer: QPointF | None
) -> None:
    """frame_text: how a frame is called, with {0} for its number."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PANEL)
    painter.drawRoundedRect(laid.box, 6, 6)
    quiet = QColor(TEXT)
    quiet.setAlpha(160)
    left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
    right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
    painter.setPen(quiet)
    painter.drawText(QRectF(laid.box.left() + 12, laid.box.top() + 2, WIDTH - 24, ROW), left, title)
    for row in laid.rows:
        hovered = pointer is not None and row.box.contains(pointer)
        bar = QRectF(row.box.left() + 88, row.box.center().y() - 3, 44, 6)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(255, 255, 255, 40))
        painter.drawRoundedRect(bar, 3, 3)
        painter.setBrush(accent)
        painter.drawRoundedRect(QRectF(bar.left(), bar.top(), max(bar.height(), bar.width() * row.share), 6), 3, 3)
        painter.setPen(TEXT)
        painter.drawText(row.box.adjusted(12, 0, 0, 0), left, frame_text.format(row.frame))
        painter.drawText(QRectF(bar.right(), row.box.top(), 42, ROW), right, percent(row.share))
        on_cross = hovered and pointer is not None and row.cross.contains(pointer)
        painter.setPen(QPen(TEXT if on_cross else quiet, 1.5))
        middle = row.cross.center()
        for dy in (-4, 4):
            painter.drawLine(middle + QPointF(-4, dy), middle + QPointF(4, -dy))
    painter.restore()


def paint_votes(
    painter: QPainter,
    origin: QPointF,
    places: Sequence[tuple[QPointF, float, bool]],
    accent: QColor,
    highlighted: Sequence[bool],
) -> None:
    """Arrows from the inspected place to votes.

    places: (where in the window, weight, whether it lies in this frame). Votes of other frames are hollow: the place
    is that of the reference, and something else may be seen there now.
    """
    white = QColor(255, 255, 255)
    largest = max((weight for _, weight, _ in places), default=1.0) or 1.0
    for (place, weight, here), bright in sorted(zip(places, highlighted, strict=True), key=lambda p: p[0][1]):
        radius = 2.5 + 4.5 * sqrt(weight / largest)
        colour = accent if bright else white
        step = place - origin
        length = sqrt(QPointF.dotProduct(step, step))
        if length > radius + 6:
            path = QPainterPath(origin)
            end = place - step * (radius / length)
            path.lineTo(end)
            if here:
                angle = atan2(step.y(), step.x())
                for turn in (2.6, -2.6):
                    path.moveTo(end)
                    path.lineTo(end + QPointF(cos(angle + turn), sin(angle + turn)) * 7)
            two_tone(painter, path, colour, dashed=not here, width=1)
        dot = QPainterPath()
        dot.addEllipse(place, radius, radius)
        if here or bright:
            painter.save()
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(DARK, 1.5))
            painter.setBrush(colour)
            painter.drawPath(dot)
            painter.restore()
        else:
            two_tone(painter, dot, colour)
    cross = QPainterPath()
    for dx, dy in ((9, 0), (0, 9)):
        for side in (-1, 1):
            cross.moveTo(origin + QPointF(dx, dy) * (side * 0.35))
            cross.lineTo(origin + QPointF(dx, dy) * side)
    two_tone(painter, cross, accent, width=2)
