"""The canvas: a frame, its labels, and the tools that change them.

It edits a copy of its own and says what came of it; whoever listens puts that into the document and gives back what is
to be shown. The picture and the labels of another frame are set together, in one go of the event loop.
"""

from __future__ import annotations

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt
from PySide6.QtGui import QKeyEvent, QMouseEvent, QPainter, QPointingDevice, QTabletEvent, QWheelEvent
from PySide6.QtWidgets import QWidget

from app.views.canvas.easel import Easel, Pointer
from app.views.canvas.marks import click_dot, notice
from app.views.canvas.stage import NOTCH
from app.views.canvas.tools import TOOLS, Keypoints, Tool, ToolBase
from app.views.drawing import draw_skeleton
from model.types import UInt8Array


class Canvas(Easel):
    """An easel with a tool in hand, which gets what pointer, wheel and keys do."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._name = Tool.PAN
        self._tool: ToolBase = TOOLS[Tool.PAN](self)
        self._pointer: Pointer | None = None
        self._button = Qt.MouseButton.NoButton  # the one that the tool's work is held with
        self._turn = 0  # of the wheel, less than a notch
        self._pressure, self._rubber = 1.0, False
        self._drawn = QRectF()  # where the tool's marks are on the screen
        self._hint = ""
        self.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        self.setAccessibleName(self.tr("Canvas"))

    # Tools

    @property
    def tool(self) -> Tool:
        return self._name

    def set_tool(self, tool: Tool) -> None:
        """What the left button does. What the tool before had under way is forgotten."""
        if tool == self._name:
            return
        self._cancel()
        self._name, self._tool = tool, TOOLS[tool](self)
        if self._pointer is not None:
            self._tool.move(self._pointer)
        self.reset_cursor()
        self.update()

    def set_image(self, image: UInt8Array | None, keep_view: bool = True) -> None:
        """The picture of another frame, or None while it is not there. What a tool had under way is forgotten."""
        self._cancel()
        super().set_image(image, keep_view)
        self.reset_cursor()

    def set_enabled_for_edit(self, enabled: bool, reason: str = "") -> None:
        if not enabled and self._tool.edits:
            self._cancel()
        super().set_enabled_for_edit(enabled, reason)

    def _cancel(self) -> None:
        self._button = Qt.MouseButton.NoButton
        self._tool.cancel()

    # Events

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._press(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        self._press(event, double=True)

    def _press(self, event: QMouseEvent, double: bool = False) -> None:
        event.accept()
        held = self._button != Qt.MouseButton.NoButton
        if self.surface.picture is None or held or self.navigate(event):
            return
        at = self._at(event)
        if event.button() not in (Qt.MouseButton.LeftButton, Qt.MouseButton.RightButton):
            return
        if event.modifiers() & Qt.KeyboardModifier.AltModifier and event.button() == Qt.MouseButton.LeftButton:
            self.pick(at)
            return
        self._button = event.button()
        if double:
            self._tool.double_click(at)
        else:
            self._tool.press(at)
        self.update_marks()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if self.surface.picture is None or self.navigate(event):
            return
        at = self._at(event)
        if self._button != Qt.MouseButton.NoButton and not event.buttons() & self._button:
            self._release(at)  # it went up where nobody told us
        self._pointer = at
        self._tool.move(at)
        self.hovered.emit(at.x, at.y, self.inside(at))
        self.update_marks()
        self.reset_cursor()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        event.accept()
        if self._button != event.button():
            self.navigate(event)
            return
        self._release(self._at(event))
        self._pressure, self._rubber = 1.0, False

    def _release(self, at: Pointer) -> None:
        self._button = Qt.MouseButton.NoButton
        self._tool.release(at)
        self.update_marks()

    def tabletEvent(self, event: QTabletEvent) -> None:
        """Note how a pen is held. The mouse event that follows does the rest."""
        if event.type() != QEvent.Type.TabletRelease:  # a pen that is lifted presses no more: the stroke would taper
            self._pressure = event.pressure() if event.buttons() else 1.0
            self._rubber = event.pointerType() == QPointingDevice.PointerType.Eraser
        event.ignore()

    def leaveEvent(self, event: QEvent) -> None:
        at, self._pointer = self._pointer, None
        self._tool.leave()
        self.update_marks()
        if at is not None:
            self.hovered.emit(at.x, at.y, False)
        super().leaveEvent(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        control = event.modifiers() & Qt.KeyboardModifier.ControlModifier
        if control or self.surface.picture is None or not self._tool.wheel(0):
            super().wheelEvent(event)
        else:
            self._turn += event.angleDelta().y()
            steps = int(self._turn / NOTCH)
            self._turn -= steps * NOTCH
            self._tool.wheel(steps)
            event.accept()
        self.update_marks()

    def event(self, event: QEvent) -> bool:
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and self._wants(event):
            event.accept()  # the tool needs this key more than the window
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if self._wants(event):
            self._tool.key(Qt.Key(event.key()))
            self.update_marks()
            self.update()
        else:
            super().keyPressEvent(event)

    def _wants(self, event: QKeyEvent) -> bool:
        plain = not event.modifiers() & ~Qt.KeyboardModifier.KeypadModifier
        return plain and event.key() in self._tool.wanted()

    def _at(self, event: QMouseEvent) -> Pointer:
        position = event.position()
        x, y = self.to_image(position)
        return Pointer(x, y, position, event.button(), event.modifiers(), self._pressure, self._rubber)

    def reset_cursor(self) -> None:
        shape = self._tool.shape()
        if self.surface.picture is None:
            shape = Qt.CursorShape.ArrowCursor
        elif self._tool.edits and self.refusal():
            shape = Qt.CursorShape.ForbiddenCursor
        elif self._pointer is not None and self.on_handle(self._pointer.position):
            shape = Qt.CursorShape.SplitHCursor
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    # Painting

    def update_marks(self) -> None:
        """Repaint where the tool's marks were, and where they are now."""
        extent, hint = self._tool.extent(), self._tool.hint()
        self.update(self._drawn.united(extent).toAlignedRect())
        self._drawn = extent
        if hint != self._hint:
            self._hint = hint
            self.update()

    def paint_marks(self, painter: QPainter) -> None:
        room = QRectF(self.rect())
        if self.surface.picture is None:
            painter.setPen(self.palette().placeholderText().color())
            painter.drawText(room, Qt.AlignmentFlag.AlignCenter, self.tr("Loading…"))
            return
        self._paint_points(painter)
        for x, y, positive in self.clicks:
            click_dot(painter, self.to_window(x, y), positive)
        self._tool.paint(painter)
        self._drawn = self._drawn.united(self._tool.extent())  # it may have changed without a word of the mouse
        if text := self.message or self._tool.hint():
            notice(painter, text, room)

    def _paint_points(self, painter: QPainter) -> None:
        tool = self._tool
        placing = isinstance(tool, Keypoints)
        if not (self.surface.style.show or placing):
            return
        painter.save()
        plain = self.surface.wipe_column / self.surface.ratio
        painter.setClipRect(
            QRectF(QPointF(plain, 0), QPointF(self.width(), self.height())), Qt.ClipOperation.IntersectClip
        )
        hovered = tool.hovered if isinstance(tool, Keypoints) else None
        draw_skeleton(painter, self.points_in_window(), self.visible, self.skeleton.bones, hovered)
        painter.restore()
