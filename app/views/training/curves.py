"""Curves of a run's losses, drawn by hand: one small picture per term, for terms have scales of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.views.theme import UNIT, colours
from app.views.wording import tr

Curve = tuple[Sequence[int], Sequence[float]]
Points = NDArray[np.float64]

_HEAD = 3 * UNIT  # for the name and the last value
_FOOT = 2 * UNIT + UNIT // 2
_GAP = 2 * UNIT
_SMOOTH = 0.06  # of the points: what the clear line is the mean of
NAMES = {"total": "Total", "reconstruction": "Reconstruction", "correspondence": "Correspondence"}
NAMES |= {"contrast": "Contrast", "compactness": "Compactness", "tracks": "Tracks"}


class Curves(QWidget):
    """Every term beside the others: faint what was measured, clear its running mean."""

    def __init__(self) -> None:
        super().__init__()
        self._curves: dict[str, Curve] = {}
        self.setMinimumHeight(18 * UNIT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)

    def set_curves(self, curves: Mapping[str, Curve]) -> None:
        """Steps and values by name of the term. Of a single term the total would only be the same again."""
        terms = [name for name in curves if name != "total"]
        self._curves = {name: curve for name, curve in curves.items() if name != "total" or len(terms) != 1}
        self.setAccessibleDescription(
            ", ".join(f"{_name(name)} {values[-1]:.3g}" for name, (_, values) in self._curves.items() if values)
        )
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(70 * UNIT, 24 * UNIT)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if not any(values for _, values in self._curves.values()):
            painter.setPen(QColor(colours().faint))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("No step is done yet"))
            painter.end()
            return
        width = (self.width() - _GAP * (len(self._curves) - 1)) / len(self._curves)
        for number, (name, (steps, values)) in enumerate(self._curves.items()):
            left = number * (width + _GAP)
            self._draw(painter, QRectF(left, 0, width, self.height()), name, steps, values)
        painter.end()

    def _draw(self, painter: QPainter, area: QRectF, name: str, steps: Sequence[int], values: Sequence[float]) -> None:
        now = colours()
        painter.setFont(self.font())
        head = QRectF(area.left(), area.top(), area.width(), _HEAD - UNIT // 2)
        painter.setPen(QColor(now.quiet))
        painter.drawText(head, Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, _name(name))
        plot = area.adjusted(0, _HEAD, 0, -_FOOT)
        painter.fillRect(plot, QColor(now.sunken))
        x, y = thinned(np.asarray(steps, float), np.asarray(values, float), max(2, int(plot.width())))
        mean = running_mean(y)
        painter.setPen(QColor(now.text))
        painter.drawText(head, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter, f"{mean[-1]:.3f}")
        low, high, marks = scale(mean if len(mean) > 20 else y, y)
        painter.setFont(_small(painter))
        for mark in marks:
            height = plot.bottom() - (mark - low) / (high - low) * plot.height()
            painter.setPen(QPen(QColor(now.line), 1))
            painter.drawLine(QPointF(plot.left(), round(height) + 0.5), QPointF(plot.right(), round(height) + 0.5))
            if height - plot.top() > 2 * UNIT:  # below the name, there is room for the figure
                painter.setPen(QColor(now.faint))
                painter.drawText(QPointF(plot.left() + UNIT // 2, height - 3), f"{mark:g}")
        foot = QRectF(area.left(), plot.bottom() + 2, area.width(), _FOOT - 2)
        painter.setPen(QColor(now.faint))
        painter.drawText(foot, Qt.AlignmentFlag.AlignRight, tr("step {0}").format(steps[-1]))
        painter.save()
        painter.setClipRect(plot)
        for line, colour, breadth in ((y, now.thumb, 1.0), (mean, now.accent_text, 2.0)):
            painter.setPen(QPen(QColor(colour), breadth, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            points = _polygon(x, line, plot, (float(steps[0]), float(steps[-1])), (low, high))
            painter.drawPolyline(points)
            if len(line) == 1:  # no line yet
                painter.drawEllipse(points.first(), 2, 2)
        painter.restore()


def thinned(x: Points, y: Points, most: int) -> tuple[Points, Points]:
    """At most so many points: the means of equal stretches."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), most + 1).round().astype(int)
    parts = [slice(a, b) for a, b in pairwise(edges) if b > a]
    return np.array([x[part].mean() for part in parts]), np.array([y[part].mean() for part in parts])


def running_mean(y: Points) -> Points:
    """Of each point and those around it, fewer towards the ends: nothing is made up there."""
    reach = int(len(y) * _SMOOTH / 2)
    total = np.concatenate([[0.0], np.cumsum(y)])
    places = np.arange(len(y))
    first, last = np.maximum(places - reach, 0), np.minimum(places + reach + 1, len(y))
    return np.asarray((total[last] - total[first]) / (last - first))


def scale(mean: Points, y: Points) -> tuple[float, float, list[float]]:
    """From where to where, and round figures in between. A few wild values may leave the picture."""
    low = min(float(mean.min()), float(np.quantile(y, 0.02)))
    high = max(float(mean.max()), float(np.quantile(y, 0.98)))
    if high - low < 1e-6 * max(1.0, abs(high)):
        half = 0.1 * abs(high) or 0.5
        low, high = low - half, high + half
    room = 0.08 * (high - low)
    low, high = low - room, high + room
    rough = (high - low) / 3
    size = 10.0 ** np.floor(np.log10(rough))
    stride = float(next(size * m for m in (1, 2, 5, 10) if size * m >= rough))
    first = int(np.ceil(low / stride))
    return low, high, [round(n * stride, 10) for n in range(first, int(np.floor(high / stride)) + 1)]


def _polygon(x: Points, y: Points, plot: QRectF, across: tuple[float, float], up: tuple[float, float]) -> QPolygonF:
    width = max(across[1] - across[0], 1e-9)
    u = plot.left() + (x - across[0]) / width * plot.width()
    v = plot.bottom() - (y - up[0]) / (up[1] - up[0]) * plot.height()
    return QPolygonF([QPointF(a, b) for a, b in zip(u.tolist(), v.tolist(), strict=True)])


def _small(painter: QPainter) -> QFont:
    font = painter.font()
    font.setPointSizeF(font.pointSizeF() * 0.85)
    return font


def _name(term: str) -> str:
    return tr(NAMES.get(term, term))
