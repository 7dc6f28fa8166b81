"""What the timeline shows: a `View`, the place in the video that one looks at, and the thumbnails wanted there."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QScrollBar, QSizePolicy, QWidget

from app.core.lanes import Lane
from app.views.timeline.geometry import Axis, Rows
from app.views.timeline.layout import BAR, NAMES, PICTURES, REFERENCES, RULER, Layout
from app.views.timeline.live import playhead_area
from app.views.timeline.look import Look
from app.views.timeline.painting import Band, Painting, View
from app.views.timeline.texts import tr
from app.views.timeline.thumbnails import ThumbnailStrip, slots

PAUSE = 60  # milliseconds between two requests for thumbnails while the view moves


class Display(QWidget):
    """Ruler, thumbnails, references and lanes, from left to right along the frames of the video.

    thumbnails_wanted(frames):  pictures missing in sight, in place of all that were wanted before. They are asked for
                                in the height of `thumbnail_height`, and may each show any of the `thumbnail_step`
                                frames from there on.
    """

    thumbnails_wanted = Signal(list)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = View(Layout.of(960, 208), Axis.whole(0, 1), Rows(0, 0))
        self._painting = Painting(self._view)
        self._look: Look | None = None
        self._playing = False
        self._across, self._down = (
            QScrollBar(Qt.Orientation.Horizontal, self),
            QScrollBar(Qt.Orientation.Vertical, self),
        )
        self._across.valueChanged.connect(lambda value: self._look_at(self._axis.scrolled(value - self._offset)))
        self._down.valueChanged.connect(self._scroll_lanes)
        self._asking = QTimer(self, singleShot=True, interval=PAUSE)
        self._asking.timeout.connect(self._ask)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(tr("Timeline"))

    # What is shown

    def set_video(self, frames: int, fps: float, times: ArrayLike, aspect: float = 16 / 9) -> None:
        """Another video; the current object stays what it was told to be.

        times: seconds [N] of each frame; aspect: width by height of its pictures.
        """
        view = self._view
        view.times = np.asarray(times, np.float64)
        assert len(view.times) == frames > 0, "every frame has its time"
        view.aspect, view.strip = aspect, ThumbnailStrip()
        view.lanes, view.references, view.dropped, view.cached = (), (), frozenset(), ()
        view.span, view.playhead, view.hover = (0, frames), 0, None
        view.axis = Axis.whole(frames, view.layout.lanes.width())
        self._arrange()

    def clear(self) -> None:
        """No video."""
        self._view = View(self._view.layout, Axis.whole(0, self._view.axis.width), self._view.rows)
        self._painting = Painting(self._view)
        self._asking.stop()
        self._arrange()

    def set_playhead(self, frame: int) -> None:
        """The current frame. It is brought into sight, unless the user looked elsewhere while the video plays."""
        axis, old = self._axis, self._view.playhead
        if axis.shows(old) or not self._playing:
            self._look_at(axis.turned_to(frame) if self._playing else axis.showing(frame))
        self._move_playhead(frame)

    def set_playing(self, playing: bool) -> None:
        """While the video plays, the view turns like a page when the playhead leaves it."""
        self._playing = playing

    def set_span(self, start: int, stop: int) -> None:
        """The in point, and the frame after the out point."""
        self._view.span = (start, stop)
        self.update()

    def set_lanes(self, lanes: tuple[Lane, ...]) -> None:
        assert all(len(lane.states) == self._axis.frames for lane in lanes), "lanes are as long as the video"
        count = len(self._view.lanes)
        self._view.lanes = lanes
        if len(lanes) != count:
            self._arrange_lanes()
        self._outdate(Band.LANES)

    def set_current(self, number: int | None) -> None:
        """The object that tools work on."""
        self._view.current = number
        self._outdate(Band.LANES)

    def set_references(self, frames: Iterable[int], dropped: Iterable[int] = ()) -> None:
        """Frames that a person labelled, and those of them that were thrown out of memory."""
        out = frozenset(dropped)
        every = tuple(sorted({*frames, *out}))
        if (every, out) != (self._view.references, self._view.dropped):
            self._view.references, self._view.dropped = every, out
            self._outdate(Band.REFERENCES)

    def set_cached(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Frames that show at once, as (start, stop)."""
        self._view.cached = tuple(ranges)
        self.update(self._view.layout.ruler)

    def set_thumbnail(self, frame: int, picture: QImage) -> None:
        self._view.strip.put(frame, picture)
        self._outdate(Band.HEAD)

    # Where one looks

    def zoom_by(self, factor: float) -> None:
        """Zoom about the playhead, or the middle where it is out of sight."""
        axis, frame = self._axis, self._view.playhead
        self._look_at(axis.zoomed(factor, axis.centre(frame) if axis.shows(frame) else axis.width / 2))

    def zoom_to_fit(self) -> None:
        """See all of the video."""
        self._look_at(Axis.whole(self._axis.frames, self._axis.width))

    @property
    def visible_frames(self) -> range:
        return self._axis.visible

    @property
    def thumbnail_height(self) -> int:
        """In device pixels."""
        return round(PICTURES * self.devicePixelRatioF())

    @property
    def thumbnail_step(self) -> int:
        """Frames from one thumbnail to the next."""
        places = self._slots()
        return places[0].step if places else 1

    def sizeHint(self) -> QSize:
        return QSize(960, 208)

    def minimumSizeHint(self) -> QSize:
        return QSize(NAMES + 240, RULER + REFERENCES + 2 * Rows.SMALLEST + BAR)

    # Qt's events

    def paintEvent(self, event: QPaintEvent) -> None:
        if self._look is None:
            self._look = Look.of(self.palette(), self.font())
        painter = QPainter(self)
        self._painting.paint(painter, self.rect(), self.devicePixelRatioF(), self._look)
        painter.end()

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._arrange()

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.FontChange, QEvent.Type.StyleChange):
            self._look = None
            self._outdate(*Band)
        super().changeEvent(event)

    # Inside

    @property
    def _axis(self) -> Axis:
        return self._view.axis

    @property
    def _offset(self) -> int:
        """How far the view is scrolled to the right, in pixels."""
        return round(self._axis.first * self._axis.scale)

    def _arrange(self) -> None:
        """Put everything in its place, for this size and these lanes."""
        view = self._view
        view.layout = layout = Layout.of(self.width(), self.height())
        view.axis = view.axis.resized(layout.lanes.width())
        self._across.setGeometry(NAMES, self.height() - BAR, layout.lanes.width(), BAR)
        self._down.setGeometry(self.width() - BAR, layout.lanes.top(), BAR, layout.lanes.height())
        self._arrange_lanes()
        self._moved()

    def _arrange_lanes(self) -> None:
        """A row for each lane."""
        view = self._view
        view.rows = rows = Rows(len(view.lanes), view.layout.lanes.height()).scrolled_to(view.rows.offset)
        _set_bar(self._down, rows.hidden, rows.offset, rows.height)

    def _look_at(self, axis: Axis) -> None:
        if axis != self._axis:
            self._view.axis = axis
            self._moved()

    def _moved(self) -> None:
        """The view was moved or zoomed: everything follows."""
        axis = self._axis
        _set_bar(
            self._across,
            round(axis.frames * axis.scale) - axis.width if not axis.is_whole else 0,
            self._offset,
            axis.width,
        )
        self._outdate(*Band)
        if not self._asking.isActive():
            self._asking.start()

    def _scroll_lanes(self, offset: int) -> None:
        self._view.rows = self._view.rows.scrolled_to(offset)
        self._outdate(Band.LANES)

    def _outdate(self, *bands: Band) -> None:
        self._painting.outdate(*bands)
        self.update()

    def _slots(self) -> list:
        return slots(self._axis, (PICTURES - 2) * self._view.aspect)

    def _ask(self) -> None:
        if self._view.layout.pictures.height() and (frames := self._view.strip.wanted(self._slots())):
            self.thumbnails_wanted.emit(frames)

    def _move_playhead(self, frame: int) -> None:
        old, self._view.playhead = self._view.playhead, frame
        for each in (old, frame):
            self.update(playhead_area(self._view.layout, self._axis, each))


def _set_bar(bar: QScrollBar, hidden: int, value: int, page: int) -> None:
    """Let a scroll bar show a place without its telling anybody; it is seen only where something is hidden."""
    bar.blockSignals(True)
    bar.setRange(0, max(0, hidden))
    bar.setPageStep(page)
    bar.setSingleStep(max(1, page // 20))
    bar.setValue(value)
    bar.blockSignals(False)
    bar.setVisible(hidden > 0)
