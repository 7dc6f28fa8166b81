"""What moves without anything else changing: playhead, in and out points, the bar of cached frames."""

from __future__ import annotations

from collections.abc import Iterable

from PySide6.QtCore import QLineF, QPointF, QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPen, QPolygonF

from app.views.timeline.geometry import Axis
from app.views.timeline.layout import GRIP, Layout
from app.views.timeline.look import Look, faded


def draw_range(painter: QPainter, layout: Layout, axis: Axis, span: tuple[int, int], look: Look) -> None:
    """Shade on what lies outside the in and out points, and a bracket at each of them."""
    box = layout.tracks
    start, stop = box.left() + axis.left(span[0]), box.left() + axis.left(span[1])
    end = box.left() + axis.left(axis.frames)
    shade = faded(look.ground, 0.6)
    painter.fillRect(QRectF(box.left(), 0, start - box.left(), box.height()), shade)
    painter.fillRect(QRectF(stop, 0, end - stop, box.height()), shade)
    painter.setPen(QPen(look.accent, 1))
    for x, cut in ((start, span[0] > 0), (stop - 1, span[1] < axis.frames)):
        if cut:
            painter.drawLine(QLineF(x + 0.5, 0, x + 0.5, box.bottom()))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(look.accent)
    for x, inwards in ((start, 1), (stop, -1)):
        corners = [(0, 0), (GRIP, 0), (GRIP, 3), (3, 3), (3, 15), (0, 15)]
        painter.drawPolygon(QPolygonF([QPointF(x + inwards * dx, dy) for dx, dy in corners]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def draw_cached(painter: QPainter, layout: Layout, axis: Axis, cached: Iterable[tuple[int, int]], look: Look) -> None:
    """A thin bar along the ruler over the frames that show at once."""
    box = layout.ruler
    for start, stop in cached:
        left, right = max(0.0, axis.left(start)), min(float(axis.width), axis.left(stop))
        if left < right:
            painter.fillRect(
                QRectF(box.left() + left, box.bottom() - 1, max(1.0, right - left), 2), faded(look.accent, 0.7)
            )


def draw_playhead(painter: QPainter, layout: Layout, axis: Axis, frame: int, look: Look) -> None:
    box = layout.tracks
    if axis.scale >= 6:
        place = QRectF(box.left() + axis.left(frame), box.top(), axis.scale, box.height())
        painter.fillRect(place, faded(look.accent, 0.16))
    x = box.left() + int(axis.centre(frame)) + 0.5
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(faded(look.ground, 0.8), 3.5))
    line = QLineF(x, layout.ruler.bottom() - 8, x, box.bottom())
    painter.drawLine(line)
    painter.setPen(QPen(look.accent, 1.5))
    painter.drawLine(line)
    y = layout.ruler.bottom() - 12.0
    painter.setPen(QPen(look.ground, 1))
    painter.setBrush(look.accent)
    painter.drawPolygon(QPolygonF([QPointF(x + dx, y + dy) for dx, dy in ((-6, 0), (6, 0), (6, 6), (0, 12), (-6, 6))]))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def playhead_area(layout: Layout, axis: Axis, frame: int) -> QRect:
    """What has to be painted again when the playhead comes or goes."""
    left = layout.tracks.left() + axis.left(frame)
    middle = layout.tracks.left() + axis.centre(frame)
    reach = QRectF(left, 0, axis.scale, layout.tracks.height()).united(
        QRectF(middle - 8, 0, 16, layout.tracks.height())
    )
    return reach.toAlignedRect().adjusted(-1, 0, 1, 1)


def draw_hover(painter: QPainter, layout: Layout, x: float, look: Look) -> None:
    painter.setPen(faded(look.text, 0.35))
    painter.drawLine(QLineF(int(x) + 0.5, 0, int(x) + 0.5, layout.tracks.bottom()))
