"""The timeline widget: what it shows is a `Display`; here is what the mouse does with it, as signals."""

from __future__ import annotations

from enum import Enum, auto

from PySide6.QtCore import QEvent, QPointF, Qt, QTimer, Signal
from PySide6.QtGui import QContextMenuEvent, QHelpEvent, QMouseEvent, QWheelEvent
from PySide6.QtWidgets import QMenu, QToolTip, QWidget

from app.core.lanes import KEYPOINTS
from app.views.timeline.display import Display
from app.views.timeline.layout import NAMES, Hit, Part, hit
from app.views.timeline.texts import tooltip, tr

CREEP = 30  # milliseconds between two steps of scrolling while the pointer is held beyond an end
ZOOM = 1.25  # per notch of the wheel


class Drag(Enum):
    """What the pressed mouse moves."""

    PLAYHEAD = auto()
    START = auto()
    STOP = auto()
    VIEW = auto()


class Timeline(Display):
    """The display, and what the user does with it.

    scrubbed(frame):            the user goes to a frame; while dragging, at every frame that the pointer comes to.
    span_changed(start, stop):  the user put an in or out point somewhere else; stop is the frame after the last.
    reference_dropped(frame):   the user wants a reference thrown out of memory, or a dropped one taken back.
    object_selected(id):        the user clicked the name of an object.
    """

    scrubbed = Signal(int)
    span_changed = Signal(int, int)
    reference_dropped = Signal(int)
    object_selected = Signal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._drag: Drag | None = None
        self._dragged_from = QPointF()
        self._span_before = (0, 0)
        self._creeping = QTimer(self, interval=CREEP)
        self._creeping.timeout.connect(self._creep)
        self.setMouseTracking(True)

    def clear(self) -> None:
        self._drag = None
        self._creeping.stop()
        super().clear()

    def set_playhead(self, frame: int) -> None:
        """As in the display, but while something is dragged, the view stays where the user holds it."""
        if self._drag is None:
            super().set_playhead(frame)
        else:
            self._move_playhead(frame)

    # Qt's events

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
