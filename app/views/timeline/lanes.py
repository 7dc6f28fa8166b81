"""Lanes and reference marks, drawn. What a lane means is told by shape first: ◆ ◈ ━ ╌ and nothing."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from PySide6.QtCore import QPointF, QRect, QRectF, QSizeF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPolygonF

from app.core.lanes import KEYPOINTS, Lane, LaneState
from app.views.timeline import detail
from app.views.timeline.geometry import Axis, Rows
from app.views.timeline.look import Ink, Look, faded, mixed, premultiplied

HALF = 5.5  # from the middle of a diamond to its corners
DOUBT = 0.3  # opacity of the doubt graph


def draw_lanes(painter: QPainter, box: QRect, lanes: tuple[Lane, ...], axis: Axis, rows: Rows, look: Look) -> None:
    """The visible part of all lanes."""
    starts, stop = axis.columns()
    height = rows.row - 1
    painter.save()
    painter.setClipRect(box)
    for i in rows.visible:
        origin, ink = QPointF(box.left(), box.top() + rows.top(i)), look.ink(QColor(*lanes[i].colour))
        painter.fillRect(QRectF(origin, QSizeF(box.width(), height)), look.band)
        if len(starts):
            _draw_line(painter, origin, detail.columns(lanes[i], axis, starts, stop), height, ink, look)
        _draw_marks(painter, origin + QPointF(0, height - detail.BELOW + 0.5), lanes[i], axis, ink, look)
    painter.restore()


def draw_marks_at(
    painter: QPainter, box: QRect, lanes: tuple[Lane, ...], axis: Axis, rows: Rows, frame: int, look: Look
) -> None:
    """A person's marks in one frame once more, above a line that crosses them: it would make ◆ look like ◈.

    Not where they are drawn out over many frames: there it does not.
    """
    reach = int(2 * HALF / axis.scale)
    painter.save()
    painter.setClipRect(box)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for i in rows.visible:
        state, near = lanes[i].states[frame], lanes[i].states[max(0, frame - reach) : frame + reach + 1]
        if state in (LaneState.HUMAN, LaneState.CORRECTED) and np.count_nonzero(near == state) == 1:
            y = box.top() + rows.top(i) + rows.row - 1 - detail.BELOW + 0.5
            place = QRectF(box.left() + axis.centre(frame), y, 0, 0)
            ink = look.ink(QColor(*lanes[i].colour))
            draw_diamond(painter, place, ink, look.band, hollow=state == LaneState.CORRECTED)
    painter.restore()


def _draw_line(painter: QPainter, origin: QPointF, part: detail.Columns, height: int, ink: Ink, look: Look) -> None:
    colours = (ink.fill, ink.edge, look.faint, faded(look.text, DOUBT))
    pixels = detail.pixels(part, height, *(premultiplied(colour) for colour in colours))
    width = pixels.shape[1]
    image = QImage(pixels.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
    painter.drawImage(origin, image)


def _draw_marks(painter: QPainter, origin: QPointF, lane: Lane, axis: Axis, ink: Ink, look: Look) -> None:
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for state, places in detail.marks(lane, axis, 2 * HALF).items():
        for first, last in places:
            place = QRectF(origin.x() + first, origin.y(), last - first, 0)
            draw_diamond(painter, place, ink, look.band, hollow=state == LaneState.CORRECTED)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)


def draw_diamond(painter: QPainter, place: QRectF, ink: Ink, ground: QColor, hollow: bool = False) -> None:
    """◆ where a person's labels are, ◈ where they correct propagated ones; drawn out over many frames side by side."""
    painter.setPen(QPen(ground, 5))  # a gap between it and the line
    shape = _diamond(place, HALF)
    painter.drawPolygon(shape)
    painter.setPen(QPen(ink.edge, 1.2))
    painter.setBrush(ink.fill)
    painter.drawPolygon(shape)
    if hollow:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(ink.hole)
        painter.drawPolygon(_diamond(place, 1.0 if place.width() else HALF - 2.5))


def draw_references(
    painter: QPainter, box: QRect, references: Collection[int], dropped: Collection[int], axis: Axis, look: Look
) -> None:
    """A pointer for every reference; those that were dropped are outlined and struck out."""
    painter.save()
    painter.setClipRect(box)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for out in (False, True):
        frames = np.array(sorted(f for f in references if (f in dropped) == out), np.int64)
        for first, last in detail.groups(frames, axis, 2 * HALF):
            left, right, y = box.left() + first, box.left() + last, box.top() + 3.0
            upper, lower = [(left - 4, 0), (right + 4, 0), (right + 4, 4)], [(right, 9), (left, 9), (left - 4, 4)]
            painter.setPen(QPen(look.dim if out else look.text, 1.2))
            painter.setBrush(Qt.BrushStyle.NoBrush if out else look.text)
            painter.drawPolygon(QPolygonF([QPointF(x, y + down) for x, down in upper + lower]))
            if out:
                painter.drawLine(QPointF(left - 5, y + 10), QPointF(right + 5, y - 1))
    painter.restore()


def draw_name(painter: QPainter, box: QRect, lane: Lane, name: str, look: Look, current: bool) -> None:
    """Colour, number and name of a lane; the current object's stands out."""
    if current:
        painter.fillRect(box, mixed(look.ground, look.accent, 0.22))
        painter.fillRect(QRect(box.left(), box.top(), 3, box.height()), look.accent)
    ink = look.ink(QColor(*lane.colour))
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(ink.edge, 1.2))
    painter.setBrush(ink.fill)
    swatch = QRectF(box.left() + 10.5, box.center().y() - 4.5, 10, 10)
    if lane.id == KEYPOINTS:
        painter.drawEllipse(swatch)
    else:
        painter.drawRoundedRect(swatch, 2, 2)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
    painter.setFont(look.font)
    middle = Qt.AlignmentFlag.AlignVCenter
    if lane.id != KEYPOINTS:
        painter.setPen(look.dim)
        painter.drawText(QRect(box.left() + 26, box.top(), 24, box.height()), middle, str(lane.id))
    place = box.adjusted(50, 0, -8, 0)
    painter.setPen(look.text)
    painter.drawText(place, middle, look.elided(name, place.width(), look.font))


def _diamond(place: QRectF, half: float) -> QPolygonF:
    """A diamond with corners `half` from the middle, its middle drawn out to the place's width."""
    y, left, right = place.top(), place.left(), place.right()
    points = [
        (left - half, y),
        (left, y - half),
        (right, y - half),
        (right + half, y),
        (right, y + half),
        (left, y + half),
    ]
    return QPolygonF([QPointF(x, y) for x, y in points])
