"""The timeline widget: shows a `View`, and turns what the mouse does into signals."""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto

import numpy as np
from numpy.typing import ArrayLike
from PySide6.QtCore import QEvent, QPointF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import (
    QContextMenuEvent,
    QHelpEvent,
    QImage,
    QMouseEvent,
    QPainter,
    QPaintEvent,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QMenu, QScrollBar, QSizePolicy, QToolTip, QWidget

from app.core.lanes import KEYPOINTS, Lane
from app.views.timeline.geometry import Axis, Rows
from app.views.timeline.layout import BAR, NAMES, PICTURES, REFERENCES, RULER, Hit, Layout, Part, hit
from app.views.timeline.live import playhead_area
from app.views.timeline.look import Look
from app.views.timeline.painting import Painting, View
from app.views.timeline.texts import tooltip, tr
from app.views.timeline.thumbnails import ThumbnailStrip, slots

PAUSE = 60  # milliseconds between two requests for thumbnails while the view moves
CREEP = 30  # milliseconds between two steps of scrolling while the pointer is held beyond an end
ZOOM = 1.25  # per notch of the wheel


class Drag(Enum):
    """What the pressed mouse moves."""

    PLAYHEAD = auto()
    START = auto()
    STOP = auto()
    VIEW = auto()


class Timeline(QWidget):
    """Ruler, thumbnails, references and lanes, from left to right along the frames of the video.

    scrubbed(frame):            the user goes to a frame; while dragging, at every frame that the pointer comes to.
    span_changed(start, stop):  the user put an in or out point somewhere else; stop is the frame after the last.
    thumbnails_wanted(frames):  pictures missing in sight, in place of all that were wanted before. They are asked for
                                in the height of `thumbnail_height`, and may each show any of the `thumbnail_step`
                                frames from there on.
    reference_dropped(frame):   the user wants a reference thrown out of memory, or a dropped one taken back.
    object_selected(id):        the user clicked the name of an object.
    """

    scrubbed = Signal(int)
    span_changed = Signal(int, int)
    thumbnails_wanted = Signal(list)
    reference_dropped = Signal(int)
    object_selected = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._view = View(Layout.of(960, 208), Axis.whole(0, 1), Rows(0, 0))
        self._painting = Painting(self._view)
        self._look: Look | None = None
        self._drag: Drag | None = None
        self._dragged_from = QPointF()
        self._span_before = (0, 0)
        self._playing = False
        self._across, self._down = (
            QScrollBar(Qt.Orientation.Horizontal, self),
            QScrollBar(Qt.Orientation.Vertical, self),
        )
        self._across.valueChanged.connect(lambda value: self._look_at(self._axis.scrolled(value - self._offset)))
        self._down.valueChanged.connect(self._scroll_lanes)
        self._asking = QTimer(self, singleShot=True, interval=PAUSE)
        self._asking.timeout.connect(self._ask)
        self._creeping = QTimer(self, interval=CREEP)
        self._creeping.timeout.connect(self._creep)
        self.setMouseTracking(True)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setAccessibleName(tr("Timeline"))

    # What is shown

    def set_video(self, frames: int, fps: float, times: ArrayLike, aspect: float = 16 / 9) -> None:
        """Another video. times: seconds [N] of each frame; aspect: width by height of its pictures."""
        view = self._view
        view.times = np.asarray(times, np.float64)
        assert len(view.times) == frames > 0, "every frame has its time"
        view.aspect, view.strip = aspect, ThumbnailStrip()
        view.lanes, view.references, view.dropped, view.cached = (), (), frozenset(), ()
        view.span, view.playhead, view.current, view.hover = (0, frames), 0, None, None
        view.axis = Axis.whole(frames, view.layout.lanes.width())
        self._arrange()

    def clear(self) -> None:
        """No video."""
        self._view = View(self._view.layout, Axis.whole(0, self._view.axis.width), self._view.rows)
        self._painting = Painting(self._view)
        self._drag = None
        self._creeping.stop()
        self._asking.stop()
        self._arrange()

    def set_playhead(self, frame: int) -> None:
        """The current frame. It is brought into sight, unless the user looked elsewhere while the video plays."""
        axis, old = self._axis, self._view.playhead
        if self._drag is None and (axis.shows(old) or not self._playing):
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
            self._arrange()
        else:
            self._outdate(head=False)

    def set_current(self, number: int | None) -> None:
        """The object that tools work on."""
        self._view.current = number
        self._outdate(head=False)

    def set_references(self, frames: Iterable[int], dropped: Iterable[int] = ()) -> None:
        """Frames that a person labelled, and those of them that were thrown out of memory."""
        self._view.dropped = frozenset(dropped)
        self._view.references = tuple(sorted({*frames, *self._view.dropped}))
        self._outdate(body=False)

    def set_cached(self, ranges: Iterable[tuple[int, int]]) -> None:
        """Frames that show at once, as (start, stop)."""
        self._view.cached = tuple(ranges)
        self.update(self._view.layout.ruler)

    def set_thumbnail(self, frame: int, picture: QImage) -> None:
        self._view.strip.put(frame, picture)
        self._outdate(body=False)

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
            self._outdate()
        super().changeEvent(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        at = self._hit(event.position())
        if event.button() == Qt.MouseButton.MiddleButton and self._axis.frames:
            self._drag = Drag.VIEW
        elif event.button() == Qt.MouseButton.LeftButton:
            self._press(at)
        self._dragged_from = event.position()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        at, x = event.position(), event.position().x() - NAMES
        self._hover(x)
        match self._drag:
            case None:
                self._point(self._hit(at), event)
            case Drag.VIEW:
                self._look_at(self._axis.scrolled(self._dragged_from.x() - at.x()))
                self._dragged_from = at
            case _:
                self._drag_to(x)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        drag, self._drag = self._drag, None
        self._creeping.stop()
        if drag in (Drag.START, Drag.STOP) and self._view.span != self._span_before:
            self.span_changed.emit(*self._view.span)

    def leaveEvent(self, event: QEvent) -> None:
        self._hover(-1)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Ctrl: zoom about the pointer. Otherwise scroll: lanes that do not all fit, else along the video."""
        if not self._axis.frames:
            return
        turn, pixels = event.angleDelta(), event.pixelDelta()
        keys = event.modifiers()
        if keys & Qt.KeyboardModifier.ControlModifier:
            self._look_at(self._axis.zoomed(ZOOM ** (turn.y() / 120), event.position().x() - NAMES))
        else:
            move = turn / 2 if pixels.isNull() else pixels
            over_lanes = event.position().y() >= self._view.layout.lanes.top()
            if over_lanes and self._view.rows.hidden and not keys & Qt.KeyboardModifier.ShiftModifier:
                self._down.setValue(self._down.value() - move.y())
                self._look_at(self._axis.scrolled(-move.x()))
            else:
                self._look_at(self._axis.scrolled(-move.x() - move.y()))
        event.accept()

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:
        at = self._hit(QPointF(event.pos()))
        if at.part is Part.REFERENCE:
            menu = QMenu(self)
            menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
            text = tr("Restore reference {0}") if at.frame in self._view.dropped else tr("Drop reference {0}")
            action = menu.addAction(text.format(at.frame))
            action.triggered.connect(lambda: self.reference_dropped.emit(at.frame))
            menu.popup(event.globalPos())

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ToolTip and isinstance(event, QHelpEvent):
            self._tell(self._hit(QPointF(event.pos())), event)
            return True
        return super().event(event)

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
        view.rows = Rows(len(view.lanes), layout.lanes.height()).scrolled_to(view.rows.offset)
        self._across.setGeometry(NAMES, self.height() - BAR, layout.lanes.width(), BAR)
        self._down.setGeometry(self.width() - BAR, layout.lanes.top(), BAR, layout.lanes.height())
        self._moved()

    def _look_at(self, axis: Axis) -> None:
        if axis != self._axis:
            self._view.axis = axis
            self._moved()

    def _moved(self) -> None:
        """The view was moved or zoomed: everything follows."""
        axis, rows = self._axis, self._view.rows
        _set_bar(
            self._across,
            round(axis.frames * axis.scale) - axis.width if not axis.is_whole else 0,
            self._offset,
            axis.width,
        )
        _set_bar(self._down, rows.hidden, rows.offset, rows.height)
        self._outdate()
        if not self._asking.isActive():
            self._asking.start()

    def _scroll_lanes(self, offset: int) -> None:
        self._view.rows = self._view.rows.scrolled_to(offset)
        self._outdate(head=False)

    def _outdate(self, *, head: bool = True, body: bool = True) -> None:
        self._painting.outdate(head=head, body=body)
        self.update()

    def _slots(self) -> list:
        return slots(self._axis, (PICTURES - 2) * self._view.aspect)

    def _ask(self) -> None:
        if self._view.layout.pictures.height() and (frames := self._view.strip.wanted(self._slots())):
            self.thumbnails_wanted.emit(frames)

    def _hit(self, at: QPointF) -> Hit:
        view = self._view
        return hit(view.layout, view.axis, view.rows, view.span, view.references, at.x(), at.y())

    def _press(self, at: Hit) -> None:
        match at.part:
            case Part.NAME:
                assert at.lane is not None
                if (number := self._view.lanes[at.lane].id) != KEYPOINTS:
                    self.object_selected.emit(number)
            case Part.START | Part.STOP:
                self._drag = Drag[at.part.name]
                self._span_before = self._view.span
            case Part.REFERENCE | Part.LANE | Part.TRACK:
                self._drag = Drag.PLAYHEAD
                self._scrub(at.frame, again=True)

    def _drag_to(self, x: float) -> None:
        start, stop = self._view.span
        match self._drag:
            case Drag.START:
                self.set_span(min(self._axis.edge_at(x), stop - 1), stop)
            case Drag.STOP:
                self.set_span(start, max(self._axis.edge_at(x), start + 1))
            case Drag.PLAYHEAD:
                self._scrub(self._axis.frame_at(min(max(x, 0), self._axis.width - 1)))
                if not 0 <= x < self._axis.width and not self._creeping.isActive():
                    self._creeping.start()

    def _creep(self) -> None:
        """The pointer is held beyond an end while scrubbing: go on in that direction, the faster the further."""
        x = self.mapFromGlobal(self.cursor().pos()).x() - NAMES
        beyond = x if x < 0 else x - self._axis.width
        if self._drag is not Drag.PLAYHEAD or 0 <= x < self._axis.width:
            self._creeping.stop()
            return
        self._look_at(self._axis.scrolled(beyond / 2))
        self._scrub(self._axis.frame_at(0 if x < 0 else self._axis.width - 1))

    def _scrub(self, frame: int, again: bool = False) -> None:
        if again or frame != self._view.playhead:
            self._move_playhead(frame)
            self.scrubbed.emit(frame)

    def _move_playhead(self, frame: int) -> None:
        old, self._view.playhead = self._view.playhead, frame
        for each in (old, frame):
            self.update(playhead_area(self._view.layout, self._axis, each))

    def _hover(self, x: float) -> None:
        old, view = self._view.hover, self._view
        view.hover = x if 0 <= x < self._axis.width and self._axis.frames else None
        for each in (old, view.hover):
            if each is not None:
                self.update(int(NAMES + each) - 1, 0, 3, self.height())

    def _point(self, at: Hit, event: QMouseEvent) -> None:
        """The pointer moves with no button down."""
        shapes = {Part.START: Qt.CursorShape.SplitHCursor, Part.STOP: Qt.CursorShape.SplitHCursor}
        self.setCursor(shapes.get(at.part, Qt.CursorShape.ArrowCursor))
        if QToolTip.isVisible():
            self._tell(at, event)

    def _tell(self, at: Hit, event: QMouseEvent | QHelpEvent) -> None:
        text = tooltip(at, self._view.lanes, self._view.times, at.frame in self._view.dropped)
        where = event.globalPos() if isinstance(event, QHelpEvent) else event.globalPosition().toPoint()
        QToolTip.showText(where, text, self)


def _set_bar(bar: QScrollBar, hidden: int, value: int, page: int) -> None:
    """Let a scroll bar show a place without its telling anybody; it is seen only where something is hidden."""
    bar.blockSignals(True)
    bar.setRange(0, max(0, hidden))
    bar.setPageStep(page)
    bar.setSingleStep(max(1, page // 20))
    bar.setValue(value)
    bar.blockSignals(False)
    bar.setVisible(hidden > 0)
