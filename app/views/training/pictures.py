"""A picture that fits its place, and two under one another with a line between them."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QImage, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.views.theme import UNIT, colours
from app.views.wording import tr
from model.types import UInt8Array


def as_image(picture: UInt8Array) -> QImage:
    """uint8 [H, W, 3] as Qt has it."""
    height, width = picture.shape[:2]
    data = np.ascontiguousarray(picture)
    return QImage(data.data, width, height, 3 * width, QImage.Format.Format_RGB888).copy()


class Picture(QWidget):
    """One picture and its caption below."""

    def __init__(self, caption: str, side: int = 18 * UNIT) -> None:
        super().__init__()
        self._face = _Face(side)
        self._caption = QLabel(caption)
        self._caption.setProperty("tone", "quiet")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(self._face)
        layout.addWidget(self._caption)

    def set_image(self, image: QImage | None) -> None:
        self._face.image = image
        self._face.update()

    def image(self) -> QImage | None:
        return self._face.image


class _Face(QWidget):
    def __init__(self, side: int) -> None:
        super().__init__()
        self.image: QImage | None = None
        self.setFixedSize(side, side)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(colours().sunken))
        if self.image is None:
            painter.setPen(QColor(colours().faint))
            painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, tr("not yet"))
        else:
            painter.drawImage(_fitted(self.rect().toRectF(), self.image), self.image)
        painter.end()


class Wipe(QWidget):
    """Left of the line the one before, right of it the one after; the line follows the pointer while it is pressed."""

    def __init__(self, before: str, after: str) -> None:
        super().__init__()
        self._names = before, after
        self._images: tuple[QImage, QImage] | None = None
        self._share = 0.5
        self.setMinimumHeight(28 * UNIT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setCursor(Qt.CursorShape.SplitHCursor)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setToolTip(tr("Drag the line: left before, right after"))

    def set_pictures(self, before: UInt8Array, after: UInt8Array) -> None:
        """Two pictures of one size, uint8 [H, W, 3]."""
        self._images = as_image(before), as_image(after)
        self.update()

    def share(self) -> float:
        """Where the line is, 0 = all after, 1 = all before."""
        return self._share

    def set_share(self, share: float) -> None:
        self._share = min(max(share, 0.0), 1.0)
        self.update()

    def sizeHint(self) -> QSize:
        return QSize(70 * UNIT, 36 * UNIT)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._drag(event)

    def _drag(self, event: QMouseEvent) -> None:
        if self._images is not None:
            area = _fitted(self.rect().toRectF(), self._images[0])
            self.set_share((event.position().x() - area.left()) / max(area.width(), 1))

    def paintEvent(self, event: QPaintEvent) -> None:
        now = colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.fillRect(self.rect(), QColor(now.stage))
        if self._images is None:
            painter.end()
            return
        area = _fitted(self.rect().toRectF(), self._images[0])
        line = area.left() + self._share * area.width()
        left, right = QRectF(area), QRectF(area)
        left.setRight(line)
        right.setLeft(line)
        for image, part in zip(self._images, (left, right), strict=True):
            painter.setClipRect(part)
            painter.drawImage(area, image)
        painter.setClipping(False)
        for colour, breadth in ((QColor(0, 0, 0, 140), 4), (QColor(255, 255, 255), 2)):
            painter.setPen(QPen(colour, breadth))
            painter.drawLine(QPointF(line, area.top()), QPointF(line, area.bottom()))
        self._label(painter, self._names[0], left, Qt.AlignmentFlag.AlignLeft)
        self._label(painter, self._names[1], right, Qt.AlignmentFlag.AlignRight)
        painter.end()

    def _label(self, painter: QPainter, name: str, part: QRectF, side: Qt.AlignmentFlag) -> None:
        """The name in its corner, where there is room for it."""
        width = painter.fontMetrics().horizontalAdvance(name) + 2 * UNIT
        if part.width() < width + 2 * UNIT:
            return
        x = part.left() + UNIT if side is Qt.AlignmentFlag.AlignLeft else part.right() - UNIT - width
        plate = QRectF(x, part.top() + UNIT, width, 3 * UNIT)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(0, 0, 0, 150))
        painter.drawRoundedRect(plate, 4, 4)
        painter.setPen(QColor(255, 255, 255))
        painter.drawText(plate, Qt.AlignmentFlag.AlignCenter, name)


def _fitted(area: QRectF, image: QImage) -> QRectF:
    """The largest place in the area that has the picture's shape."""
    scale = min(area.width() / image.width(), area.height() / image.height())
    width, height = scale * image.width(), scale * image.height()
    return QRectF(area.center().x() - width / 2, area.center().y() - height / 2, width, height)
