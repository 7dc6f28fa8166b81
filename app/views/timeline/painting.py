"""The timeline, painted: what changes seldom into pixmaps that are kept, what moves over them each time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QRect, QRectF, Qt
from PySide6.QtGui import QPainter, QPixmap

from app.core.lanes import Lane
from app.views.timeline.geometry import Axis, Rows
from app.views.timeline.lanes import draw_lanes, draw_marks_at, draw_name, draw_references
from app.views.timeline.layout import NAMES, Layout
from app.views.timeline.legend import draw_legend
from app.views.timeline.live import draw_cached, draw_hover, draw_playhead, draw_range
from app.views.timeline.look import Look
from app.views.timeline.ruler import draw_ruler
from app.views.timeline.texts import lane_name, tr
from app.views.timeline.thumbnails import ThumbnailStrip, slots


@dataclass(slots=True)
class View:
    """All that is shown, and where one looks. hover: x of the pointer over the frames, or None."""

    layout: Layout
    axis: Axis
    rows: Rows
    times: NDArray[np.float64] = field(default_factory=lambda: np.zeros(1))
    aspect: float = 16 / 9
    lanes: tuple[Lane, ...] = ()
    references: tuple[int, ...] = ()
    dropped: frozenset[int] = frozenset()
    span: tuple[int, int] = (0, 0)
    playhead: int = 0
    cached: tuple[tuple[int, int], ...] = ()
    current: int | None = None
    hover: float | None = None
    strip: ThumbnailStrip = field(default_factory=ThumbnailStrip)


class Band(Enum):
    """What is kept painted, each by itself."""

    HEAD = auto()  # ruler and pictures, with the legend beside them
    REFERENCES = auto()
    LANES = auto()


class Painting:
    """Paints a view. Whoever changes what is in a band says so by `outdate`."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._kept: dict[Band, QPixmap] = {}

    def outdate(self, *bands: Band) -> None:
        for band in bands:
            self._kept.pop(band, None)

    def paint(self, painter: QPainter, size: QRect, ratio: float, look: Look) -> None:
        """All of the timeline; ratio: device pixels per pixel."""
        view, layout = self._view, self._view.layout
        painter.fillRect(size, look.ground)
        if not view.axis.frames:
            painter.setPen(look.dim)
            painter.drawText(size, Qt.AlignmentFlag.AlignCenter, tr("The frames of the video will be here"))
            return
        for band, box, draw in (
            (Band.HEAD, layout.head, _draw_head),
            (Band.REFERENCES, layout.marks, _draw_references),
            (Band.LANES, layout.body, _draw_body),
        ):
            kept = self._kept.get(band)
            if kept is None or kept.devicePixelRatio() != ratio:
                kept = self._kept[band] = _picture(box, ratio, look, partial(draw, view=view, look=look))
            painter.drawPixmap(box.topLeft(), kept)
        painter.setClipRect(layout.tracks)
        draw_range(painter, layout, view.axis, view.span, look)
        draw_cached(painter, layout, view.axis, view.cached, look)
        if view.hover is not None:
            draw_hover(painter, layout, NAMES + view.hover, look)
        draw_playhead(painter, layout, view.axis, view.playhead, look)
        draw_marks_at(painter, layout.lanes, view.lanes, view.axis, view.rows, view.playhead, look)
        painter.setClipping(False)


def _picture(box: QRect, ratio: float, look: Look, draw: Callable[[QPainter], None]) -> QPixmap:
    """What `draw` paints in a box, on a pixmap of its own."""
    pixmap = QPixmap(box.size() * ratio)
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(look.ground)
    painter = QPainter(pixmap)
    painter.translate(-box.topLeft())
    draw(painter)
    painter.end()
    return pixmap


def _draw_head(painter: QPainter, view: View, look: Look) -> None:
    layout = view.layout
    draw_legend(painter, QRect(0, 0, NAMES, layout.references.top()), look)
    painter.setClipRect(layout.head.adjusted(NAMES, 0, 0, 0))
    draw_ruler(painter, layout.ruler, view.axis, view.times, look)
    if layout.pictures.height():
        strip = QRectF(layout.pictures).adjusted(0, 1, 0, -1)
        painter.fillRect(strip, look.band)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        view.strip.draw(painter, strip, view.axis, slots(view.axis, strip.height() * view.aspect))


def _draw_references(painter: QPainter, view: View, look: Look) -> None:
    layout = view.layout
    draw_references(painter, layout.references, view.references, view.dropped, view.axis, look)
    painter.setFont(look.small)
    painter.setPen(look.dim)
    box = QRect(10, layout.references.top(), NAMES - 18, layout.references.height())
    painter.drawText(box, Qt.AlignmentFlag.AlignVCenter, tr("References"))


def _draw_body(painter: QPainter, view: View, look: Look) -> None:
    layout, rows = view.layout, view.rows
    if not view.lanes:
        painter.setFont(look.font)
        painter.setPen(look.dim)
        painter.drawText(layout.lanes, Qt.AlignmentFlag.AlignCenter, tr("Every object gets a lane here"))
        return
    draw_lanes(painter, layout.lanes, view.lanes, view.axis, rows, look)
    painter.setClipRect(QRect(0, layout.body.top(), NAMES, layout.body.height()))
    for i in rows.visible:
        lane = view.lanes[i]
        box = QRect(0, layout.lanes.top() + rows.top(i), NAMES - 4, rows.row - 1)
        draw_name(painter, box, lane, lane_name(lane), look, lane.id == view.current)
