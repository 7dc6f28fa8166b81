"""Marks above the picture, readable on any: every bright stroke has a dark one beneath it."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFontMetricsF, QPainter, QPainterPath, QPen

DARK = QColor(0, 0, 0, 170)
PANEL = QColor(24, 24, 26, 225)
TEXT = QColor(236, 236, 238)
BROAD = 4.0
"""How far a two-tone stroke may reach beyond its path."""


def around(centre: QPointF, radius: float) -> QRectF:
    return QRectF(centre.x() - radius, centre.y() - radius, 2 * radius, 2 * radius)


def two_tone(painter: QPainter, path: QPainterPath, colour: QColor, dashed: bool = False, width: float = 1.5) -> None:
    """Stroke a path in a bright colour over a dark line that is a little broader."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(DARK, width + 2))
    painter.drawPath(path)
    pen = QPen(colour, width)
    if dashed:
        pen.setDashPattern([4, 3])
    painter.setPen(pen)
    painter.drawPath(path)
    painter.restore()


def tag_box(painter_font: QFontMetricsF, text: str, corner: QPointF, room: QRectF) -> QRectF:
    """Where a tag goes: beside `corner`, and within the room."""
    width, height = painter_font.horizontalAdvance(text) + 12, painter_font.height() + 6
    box = QRectF(corner.x() + 12, corner.y() + 12, width, height)
    if box.right() > room.right():
        box.moveRight(corner.x() - 12)
    if box.bottom() > room.bottom():
        box.moveBottom(corner.y() - 12)
    return box


def tag(painter: QPainter, text: str, box: QRectF) -> None:
    """A short text on a dark ground."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(PANEL)
    painter.drawRoundedRect(box, 4, 4)
    painter.setPen(TEXT)
    painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)
    painter.restore()


def notice(painter: QPainter, text: str, room: QRectF) -> None:
    """A line at the foot of the room."""
    metrics = QFontMetricsF(painter.font())
    width = min(metrics.horizontalAdvance(text) + 24, room.width() - 16)
    box = QRectF(room.center().x() - width / 2, room.bottom() - metrics.height() - 28, width, metrics.height() + 12)
    tag(painter, metrics.elidedText(text, Qt.TextElideMode.ElideRight, width - 16), box)


def click_dot(painter: QPainter, centre: QPointF, positive: bool) -> None:
    """A click of click-to-segment: dark + on white, or white − on dark."""
    light, dark = QColor(255, 255, 255), QColor(20, 20, 22)
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(dark if positive else light, 1.5))
    painter.setBrush(light if positive else dark)
    painter.drawEllipse(centre, 7.5, 7.5)
    painter.setPen(QPen(dark if positive else light, 2))
    painter.drawLine(centre + QPointF(-3.5, 0), centre + QPointF(3.5, 0))
    if positive:
        painter.drawLine(centre + QPointF(0, -3.5), centre + QPointF(0, 3.5))
    painter.restore()
