"""The ruler: frame numbers, and the times at which these frames are shown."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF, QPointF, QRect
from PySide6.QtGui import QFontMetricsF, QPainter

from app.views.timeline.geometry import Axis
from app.views.timeline.look import Look
from app.views.wording import clock

ROOM = 16.0  # least space between two labels, in pixels
FINEST = 6.0  # least space between two ticks


def tick_step(scale: float, least: float) -> int:
    """The smallest of 1, 2, 5, 10, 20, 50, … frames that are at least so many pixels wide."""
    need = max(1.0, least / scale)
    power = 10 ** math.floor(math.log10(need))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= need * (1 - 1e-9))


def ticks(axis: Axis, step: int) -> range:
    """Visible multiples of a step, and one more on the left whose label may reach into sight."""
    first = max(0, (axis.visible.start // step - 1) * step)
    return range(first, axis.visible.stop, step)


def draw_ruler(painter: QPainter, box: QRect, axis: Axis, times: NDArray[np.float64], look: Look) -> None:
    """Ticks at the beginnings of frames; beside the long ones the frame's number, and below it its time."""
    metrics = QFontMetricsF(look.small)
    widest = max(metrics.horizontalAdvance(clock(times[-1])), metrics.horizontalAdvance(str(axis.frames)))
    step = tick_step(axis.scale, widest + ROOM)
    fine = tick_step(axis.scale, FINEST)
    painter.setPen(look.faint)
    bottom = box.bottom() + 1
    short = [box.left() + axis.left(f) + 0.5 for f in ticks(axis, fine) if f % step]
    painter.drawLines([QLineF(x, bottom - 4, x, bottom) for x in short])
    for frame in ticks(axis, step):
        x = box.left() + axis.left(frame) + 0.5
        painter.setPen(look.faint)
        painter.drawLine(QLineF(x, box.top() + 4, x, bottom))
        painter.setFont(look.small)
        time = clock(float(times[frame]))
        for pen, text, y in (
            (look.text, str(frame), box.top() + 3 + metrics.ascent()),
            (look.dim, time, bottom - 4 - metrics.descent()),
        ):
            if x + 4 + metrics.horizontalAdvance(text) <= box.right():  # half a number would be another number
                painter.setPen(pen)
                painter.drawText(QPointF(x + 4, y), text)
