"""What the shapes in the lanes mean."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRect, QRectF
from PySide6.QtGui import QFontMetricsF, QPainter

from app.core.lanes import LaneState
from app.views.timeline.lanes import DOUBT, draw_diamond
from app.views.timeline.look import Look, faded
from app.views.timeline.texts import state_name, tr

PITCH = 16  # from entry to entry, downwards
SAMPLE = 14  # width of a shape
ENTRIES = (LaneState.HUMAN, LaneState.PROPAGATED, LaneState.CORRECTED, LaneState.STALE, None)  # None: doubt


def draw_legend(painter: QPainter, box: QRect, look: Look) -> None:
    """As many entries as there is room for, in two columns."""
    painter.setFont(look.small)
    metrics = QFontMetricsF(look.small)
    column = SAMPLE + 16 + max(metrics.horizontalAdvance(state_name(state)) for state in ENTRIES[::2] if state)
    for i, state in enumerate(ENTRIES[: 2 * ((box.height() - 4) // PITCH)]):
        x, y = box.left() + 10 + (i % 2) * column, box.top() + 4 + (i // 2 + 0.5) * PITCH
        _draw_sample(painter, x, y, state, look)
        painter.setPen(look.dim)
        text = tr("doubt") if state is None else state_name(state)
        painter.drawText(QPointF(x + SAMPLE + 5, y + metrics.capHeight() / 2), text)


def _draw_sample(painter: QPainter, x: float, y: float, state: LaneState | None, look: Look) -> None:
    match state:
        case LaneState.PROPAGATED:
            painter.fillRect(QRectF(x, y - 2, SAMPLE, 4), look.dim)
        case LaneState.STALE:
            for left in (0, 8):
                painter.fillRect(QRectF(x + left, y - 1.5, 5, 3), look.dim)
        case None:
            for i, height in enumerate((2, 4, 8, 5, 3)):
                painter.fillRect(QRectF(x + 2.5 * i, y + 4 - height, 2.5, height), faded(look.text, DOUBT))
        case _:
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            place = QRectF(x + SAMPLE / 2, y, 0, 0)
            draw_diamond(painter, place, look.ink(look.dim), look.ground, hollow=state == LaneState.CORRECTED)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)
