"""A picture with its overlay that can be looked at: zoom, pan, wipe. It knows nothing of tools."""

from __future__ import annotations

from math import ceil, floor

from PySide6.QtCore import QEvent, QPointF, QRectF, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QMouseEvent,
    QNativeGestureEvent,
    QPainter,
    QPaintEvent,
    QPen,
    QResizeEvent,
    QWheelEvent,
)
from PySide6.QtWidgets import QGestureEvent, QPinchGesture, QWidget

from app.core.raster import Box
from app.views.canvas.surface import Picture, Surface
from app.views.canvas.view import Size, View
from app.views.drawing import OverlayStyle
from model.types import FloatArray, UInt8Array

MARGIN = 12  # around the picture when it fits
IN_SIGHT = 48  # so much of the picture stays in the window, however it is pushed
NOTCH = 120  # a wheel's unit
ZOOM_STEP = 1.25
HANDLE = 11.0  # radius of the wipe's handle


class Stage(QWidget):
    """Signals: zoom_changed(scale; 1 is 100 %), wipe_moved(share of the width)."""

    zoom_changed = Signal(float)
    wipe_moved = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.surface = Surface()
        self._fits = True
        self._seen: Size | None = None  # the size of the last picture: the view is that one's
        self._grip: QPointF | None = None
        self._wiping = False
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setMinimumSize(160, 120)
        self.grabGesture(Qt.GestureType.PinchGesture)

    # What is shown

    def set_image(self, image: UInt8Array | None, keep_view: bool = True) -> None:
        """The picture, uint8 [H, W, 3], or None while there is none. One of another size is shown whole."""
        if image is not None and (image.ndim != 3 or image.shape[2] != 3):
            raise ValueError(f"a picture is uint8 [H, W, 3], not {list(image.shape)}")
        self.surface.picture = None if image is None else Picture(image)
        self._refresh(picture=True)
        if image is not None:
            before, self._seen = self._seen, (image.shape[0], image.shape[1])
            if not keep_view or before != self._seen:
                self.fit()

    def set_layer(self, rgb: UInt8Array | None) -> None:
        """Another picture, uint8 [h, w, 3], stretched over the image in its place; None for the image itself."""
        self.surface.layer = None if rgb is None else Picture(rgb)
        self._refresh(picture=True)

    def set_doubt(self, confidence: FloatArray | None) -> None:
        """Hatch what is doubtful. confidence: float32 [h, w] in 0..1 on the feature grid."""
        self.surface.confidence = confidence
        self._refresh()

    def set_style(self, style: OverlayStyle) -> None:
        self.surface.style = style
        self._refresh()

    def set_wipe(self, share: float | None) -> None:
        """Show the plain picture in this share of its width, from the left; None for no wipe."""
        self.surface.wipe = None if share is None else min(max(share, 0.0), 1.0)
        self._refresh(picture=True)

    def _refresh(self, picture: bool = False) -> None:
        self.surface.stale(picture)
        self.update()

    # Where it is shown

    @property
    def view(self) -> View:
        return self.surface.view

    @property
    def zoom(self) -> float:
        """Device pixels to a pixel of the image; 1 is 100 %."""
        return self.surface.view.scale

    def fit(self) -> None:
        """Show the whole picture, and go on showing it when the window's size changes."""
        self._fits = True
        if self.surface.image_size:
            margin = round(MARGIN * self.surface.ratio)
            self._set_view(View.fit(self.surface.image_size, self.surface.size, margin))

    def zoom_to(self, scale: float, at: QPointF | None = None) -> None:
        """Show the picture at a scale (1 is 100 %); what lies at `at`, or in the middle of the window, stays there."""
        size = self.surface.image_size
        if size is None:
            return
        height, width = self.surface.size
        u, v = (width / 2, height / 2) if at is None else (at.x() * self.surface.ratio, at.y() * self.surface.ratio)
        self._fits = False
        self._set_view(self.view.zoomed(scale, *self.view.nearest(u, v, size)))

    def zoom_by(self, factor: float, at: QPointF | None = None) -> None:
        self.zoom_to(self.zoom * factor, at)

    def pan_by(self, dx: float, dy: float) -> None:
        """Push the picture by so many of Qt's pixels, or nearly so: whole pixels of the screen are quick."""
        size = self.surface.image_size
        if size is None:
            return
        ratio = self.surface.ratio
        self._fits = False
        moved = self.view.panned(round(dx * ratio), round(dy * ratio))
        self._set_view(moved.kept(size, self.surface.size, round(IN_SIGHT * ratio)))

    def _set_view(self, view: View) -> None:
        if view == self.view:
            return
        scale = self.view.scale
        self.surface.view = view
        self.update()
        if view.scale != scale:
            self.zoom_changed.emit(view.scale)

    def to_image(self, position: QPointF) -> tuple[float, float]:
        """The point of the image under a place in the window."""
        return self.view.to_image(position.x() * self.surface.ratio, position.y() * self.surface.ratio)

    def to_window(self, x: float, y: float) -> QPointF:
        """The place in the window where a point of the image is drawn."""
        u, v = self.view.to_device(x, y)
        return QPointF(u / self.surface.ratio, v / self.surface.ratio)

    @property
    def window_scale(self) -> float:
        """Qt's pixels to a pixel of the image."""
        return self.view.scale / self.surface.ratio

    # Events: navigation

    def navigate(self, event: QMouseEvent) -> bool:
        """Take a mouse event that pans or moves the wipe; whether it did."""
        kind, position = event.type(), event.position()
        if kind in (QEvent.Type.MouseButtonPress, QEvent.Type.MouseButtonDblClick):
            if event.button() is Qt.MouseButton.MiddleButton:
                self.hold(position)
            elif event.button() is Qt.MouseButton.LeftButton and self.on_handle(position):
                self._wiping = True
        elif kind == QEvent.Type.MouseMove and self._grip is not None:
            self.drag(position)
            return True
        elif kind == QEvent.Type.MouseMove and self._wiping:
            self._move_wipe(position)
            return True
        elif kind == QEvent.Type.MouseButtonRelease and (self._grip is not None or self._wiping):
            self.let_go()
            return True
        return self._grip is not None or self._wiping

    def hold(self, position: QPointF) -> None:
        """Take hold of the picture, to `drag` it and `let_go`."""
        self._grip = position
        self.setCursor(Qt.CursorShape.ClosedHandCursor)

    def drag(self, position: QPointF) -> None:
        if self._grip is not None:
            ratio = self.surface.ratio
            step = position - self._grip
            whole = QPointF(round(step.x() * ratio) / ratio, round(step.y() * ratio) / ratio)
            self._grip += whole
            self.pan_by(whole.x(), whole.y())

    def let_go(self) -> None:
        self._grip = None
        self._wiping = False
        self.reset_cursor()

    def reset_cursor(self) -> None:
        """Show the cursor of what the pointer would do now."""
        self.unsetCursor()

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Ctrl zooms about the pointer; alone it pushes the picture."""
        turn = event.angleDelta()
        if event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.zoom_by(ZOOM_STEP ** (turn.y() / NOTCH), event.position())
        else:
            pixels = event.pixelDelta()
            step = QPointF(pixels) if not pixels.isNull() else QPointF(turn) * 0.5
            if event.modifiers() & Qt.KeyboardModifier.ShiftModifier:
                step = step.transposed()
            self.pan_by(step.x(), step.y())
        event.accept()

    def event(self, event: QEvent) -> bool:
        if isinstance(event, QNativeGestureEvent) and event.gestureType() == Qt.NativeGestureType.ZoomNativeGesture:
            self.zoom_by(1 + event.value(), event.position())
            return True
        if isinstance(event, QGestureEvent):
            pinch = event.gesture(Qt.GestureType.PinchGesture)
            if isinstance(pinch, QPinchGesture):
                self.zoom_by(pinch.scaleFactor(), QPointF(self.mapFromGlobal(pinch.centerPoint().toPoint())))
                return True
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self._fit_surface()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        self._fit_surface()

    def _fit_surface(self) -> None:
        surface = self.surface
        before, ratio = surface.size, surface.ratio
        surface.resize(self.width(), self.height(), self.devicePixelRatioF())
        if self._fits:
            self.fit()
            return
        if surface.ratio != ratio:  # on another screen, everything keeps its place and its apparent size
            change = surface.ratio / ratio
            view = View(self.view.scale * change, self.view.left * change, self.view.top * change)
            before = round(before[0] * change), round(before[1] * change)
        else:
            view = self.view
        view = view.resized(before, surface.size)
        if surface.image_size:
            view = view.kept(surface.image_size, surface.size, round(IN_SIGHT * surface.ratio))
        self._set_view(view)

    # The wipe

    @property
    def _wipe_x(self) -> float | None:
        size = self.surface.image_size
        if self.surface.wipe is None or size is None:
            return None
        return self.to_window(self.surface.wipe * size[1] - 0.5, 0).x()

    def on_handle(self, position: QPointF) -> bool:
        """Is a place in the window on the handle of the wipe?"""
        x = self._wipe_x
        if x is None:
            return False
        return abs(position.x() - x) <= HANDLE and abs(position.y() - self.height() / 2) <= HANDLE

    def _move_wipe(self, position: QPointF) -> None:
        size = self.surface.image_size
        if size is not None:
            x, _ = self.to_image(position)
            self.set_wipe((x + 0.5) / size[1])
            self.wipe_moved.emit(self.surface.wipe)

    # Painting

    def backdrop(self) -> QColor:
        """What surrounds the picture: quiet, and a shade away from the window."""
        window = self.palette().window().color()
        return window.darker(125) if window.lightness() < 128 else window.darker(112)

    def changeEvent(self, event: QEvent) -> None:
        if event.type() in (QEvent.Type.PaletteChange, QEvent.Type.StyleChange):
            self._refresh(picture=True)
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        rect, ratio = event.rect(), self.surface.ratio
        height, width = self.surface.size
        part = Box(
            floor(rect.left() * ratio),
            floor(rect.top() * ratio),
            ceil((rect.right() + 1) * ratio),
            ceil((rect.bottom() + 1) * ratio),
        ) & Box(0, 0, width, height)
        self.surface.paint(painter, part, self.backdrop())
        self._paint_wipe(painter)
        self.paint_marks(painter)
        painter.end()

    def paint_marks(self, painter: QPainter) -> None:
        """Draw what lies above picture and overlay."""

    def update_marks(self) -> None:
        """Repaint that, where it was and where it is now."""
        self.update()

    def update_device(self, box: Box) -> None:
        """Repaint a box of device pixels."""
        ratio = self.surface.ratio
        self.update(QRectF(box.left / ratio, box.top / ratio, box.width / ratio, box.height / ratio).toAlignedRect())

    def _paint_wipe(self, painter: QPainter) -> None:
        x = self._wipe_x
        if x is None:
            return
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for colour, width in ((QColor(0, 0, 0, 150), 3.0), (QColor(255, 255, 255), 1.0)):
            painter.setPen(QPen(colour, width))
            painter.drawLine(QPointF(x, 0), QPointF(x, self.height()))
        middle = QPointF(x, self.height() / 2)
        painter.setPen(QPen(QColor(0, 0, 0, 150), 1))
        painter.setBrush(QColor(255, 255, 255))
        painter.drawEllipse(middle, HANDLE - 1, HANDLE - 1)
        painter.setPen(QPen(QColor(40, 40, 40), 1.5))
        for side in (-1, 1):
            tip = middle + QPointF(6 * side, 0)
            painter.drawLine(tip, tip + QPointF(-3 * side, -3))
            painter.drawLine(tip, tip + QPointF(-3 * side, 3))
        painter.setBrush(Qt.BrushStyle.NoBrush)
