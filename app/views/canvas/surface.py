"""What lies under the marks, ready for the screen: the picture and the overlay, at the screen's resolution.

Both are kept until something changes, and only what changed is made again. So a stroke costs what its own few pixels
cost, and a move of the cursor nothing.
"""

from __future__ import annotations

from math import ceil, floor, log2

import cv2
import numpy as np
from PySide6.QtCore import QRectF
from PySide6.QtGui import QColor, QImage, QPainter

from app.core.raster import Box
from app.views.canvas.view import Size, View
from app.views.drawing import (
    Overlay,
    OverlayStyle,
    dashes,
    doubt_of_objects,
    gathered,
    hatch,
    label_overlay,
    narrowed,
    shown_ids,
)
from model.types import BoolArray, FloatArray, UInt8Array

CRISP = 2.0  # from this scale on, pixels are drawn as squares


class Picture:
    """An image (uint8 [H, W, 3]) that can be drawn at any scale. Smaller copies are made when they are needed."""

    def __init__(self, image: UInt8Array) -> None:
        self.size: Size = (image.shape[0], image.shape[1])
        self._image = image
        self._halves = [image]
        self._ready: dict[int, tuple[UInt8Array, QImage]] = {}

    def draw(self, target: Screen, part: Box, view: View, image: Size) -> None:
        """Draw it, stretched over an image of a given size, within a box of the screen."""
        box = view.sight(image, part & Box.whole(target.size))
        if not box:
            return
        stretch = view.scale * image[1] / self.size[1]
        if view.scale >= CRISP or stretch == 1:
            rows, columns = view.pixels(box, image, self.size)
            near, rows, columns = narrowed(self._image, rows, columns)
            pixels = cv2.cvtColor(near, cv2.COLOR_RGB2BGRA).view(np.uint32)[..., 0]
            target.pixels[box.slices] = gathered(pixels, rows, columns)
            return
        painter = QPainter(target.image)
        painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
        painter.setClipRect(part.left, part.top, part.width, part.height)
        source = self._level(max(0, floor(log2(1 / stretch))))
        where = QRectF(view.left, view.top, view.scale * image[1], view.scale * image[0])
        painter.drawImage(where, source, QRectF(source.rect()))
        painter.end()

    def _level(self, level: int) -> QImage:
        """The image, halved so many times. Averaging over squares keeps fine detail from flickering."""
        while len(self._halves) <= level:
            h, w = self._halves[-1].shape[:2]
            half = cv2.resize(self._halves[-1], (max(1, w // 2), max(1, h // 2)), interpolation=cv2.INTER_AREA)
            self._halves.append(np.asarray(half, np.uint8))
        if level not in self._ready:
            pixels = np.asarray(cv2.cvtColor(np.ascontiguousarray(self._halves[level]), cv2.COLOR_RGB2BGRA), np.uint8)
            h, w = pixels.shape[:2]
            self._ready[level] = pixels, QImage(pixels.data, w, h, 4 * w, QImage.Format.Format_RGB32)
        return self._ready[level][1]


class Screen:
    """A QImage and its pixels, uint32 [h, w], which share their memory."""

    def __init__(self, size: Size, form: QImage.Format, ratio: float) -> None:
        self.size = size
        self.image = QImage(size[1], size[0], form)
        self.pixels: Overlay = np.frombuffer(self.image.bits(), np.uint32).reshape(size)
        self.image.setDevicePixelRatio(1.0)
        self.ratio = ratio

    def scroll(self, du: int, dv: int) -> None:
        """Push its content; what comes in is undefined."""
        height, width = self.size
        to = np.s_[max(dv, 0) : height + min(dv, 0), max(du, 0) : width + min(du, 0)]
        of = np.s_[max(-dv, 0) : height + min(-dv, 0), max(-du, 0) : width + min(-du, 0)]
        self.pixels[to] = self.pixels[of]

    def blit(self, painter: QPainter, part: Box) -> None:
        """Draw a box of it where it belongs in a window."""
        source = QRectF(part.left, part.top, part.width, part.height)
        r = self.ratio
        painter.drawImage(QRectF(part.left / r, part.top / r, part.width / r, part.height / r), self.image, source)


class Surface:
    """The picture and the overlay of a window.

    Whoever sets an attribute also says what became `stale`. ids: the label map [H, W]; shown: what ids are drawn as;
    wipe: the share of the image's width, from its left, that shows the plain picture.
    """

    def __init__(self) -> None:
        self._view = View()
        self.picture: Picture | None = None
        self.layer: Picture | None = None
        self.ids: UInt8Array | None = None
        self.shown = shown_ids(frozenset())
        self.style = OverlayStyle()
        self.confidence: FloatArray | None = None
        self._doubt: FloatArray | None = None
        self.proposal: BoolArray | None = None
        self.proposal_id = 1
        self.wipe: float | None = None
        self.ratio = 1.0
        self._resize((1, 1))

    @property
    def size(self) -> Size:
        """(height, width) of the window, in device pixels."""
        return self._base.size

    @property
    def image_size(self) -> Size | None:
        return self.picture.size if self.picture else None

    def resize(self, width: float, height: float, ratio: float) -> None:
        """For a window of another size (in Qt's pixels) or another resolution."""
        size = max(1, ceil(height * ratio)), max(1, ceil(width * ratio))
        if (size, ratio) != (self.size, self.ratio):
            self.ratio = ratio
            self._resize(size)

    def _resize(self, size: Size) -> None:
        self._base = Screen(size, QImage.Format.Format_RGB32, self.ratio)
        self._over = Screen(size, QImage.Format.Format_ARGB32_Premultiplied, self.ratio)
        self.stale(picture=True)

    def stale(self, picture: bool = False) -> None:
        """All of the overlay is to be made again, and the picture too."""
        self._over_stale = [Box.whole(self.size)]
        if picture:
            self._base_stale = [Box.whole(self.size)]
        self._doubt = None

    @property
    def view(self) -> View:
        return self._view

    @view.setter
    def view(self, view: View) -> None:
        """Look elsewhere. Where the picture is only pushed by whole pixels, what is there already is pushed too."""
        du, dv = view.left - self._view.left, view.top - self._view.top
        pushed = view.scale == self._view.scale and float(du).is_integer() and float(dv).is_integer()
        self._view = view
        height, width = self.size
        if not pushed or abs(du) >= width or abs(dv) >= height:
            self.stale(picture=True)
            return
        u, v = int(du), int(dv)
        self._base.scroll(u, v)
        self._over.scroll(u, v)
        whole = Box.whole(self.size)
        come = [box for box in (_come_in(whole, u, 0), _come_in(whole, 0, v)) if box]
        self._base_stale = [*(box.moved(u, v) & whole for box in self._base_stale), *come]
        self._over_stale = [*(box.moved(u, v) & whole for box in self._over_stale), *come]

    def labels_changed(self, box: Box) -> Box:
        """Labels changed within a box of the image; the box of the window, in device pixels, that looks different."""
        size = self.image_size
        if size is None:
            return Box()
        # The outline and its halo reach into the next pixels.
        near = self.view.covered(box, size, self.size).grown(2 * self.line) & Box.whole(self.size)
        # Steps of a stroke lie side by side: one box for all that wait is less work than many.
        waiting = self._over_stale.pop() if self._over_stale else Box()
        self._over_stale.append(waiting | near)
        return near

    @property
    def line(self) -> int:
        """Device pixels to a line of one of Qt's pixels."""
        return max(1, round(self.ratio))

    @property
    def wipe_column(self) -> int:
        """The first device column that is not plain."""
        size = self.image_size
        if self.wipe is None or size is None:
            return 0
        return min(max(round(self.view.left + self.wipe * self.view.scale * size[1]), 0), self.size[1])

    def paint(self, painter: QPainter, part: Box, backdrop: QColor) -> None:
        """Bring everything up to date and draw a box of the window, in device pixels."""
        for box in self._base_stale:
            self._draw_base(box, backdrop)
        for box in self._over_stale:
            self._draw_over(box)
        self._base_stale, self._over_stale = [], []
        self._base.blit(painter, part)
        right = part & Box(self.wipe_column, 0, self.size[1], self.size[0])
        if right:
            self._over.blit(painter, right)

    def _draw_base(self, stale: Box, backdrop: QColor) -> None:
        self._base.pixels[stale.slices] = backdrop.rgba()
        if self.picture is None:
            return
        height, width = self.size
        column = width if self.layer is None else self.wipe_column
        self.picture.draw(self._base, stale & Box(0, 0, column, height), self.view, self.picture.size)
        if self.layer is not None:
            self.layer.draw(self._base, stale & Box(column, 0, width, height), self.view, self.picture.size)

    def _draw_over(self, stale: Box) -> None:
        self._over.pixels[stale.slices] = 0
        size = self.image_size
        if size is None:
            return
        # A little more than what is stale is worked on, for outlines depend on what is beside them.
        box = self.view.sight(size, stale.grown(2 * self.line))
        if not box:
            return
        at = self.view.pixels(box, size)
        if self.ids is not None and self.style.show:
            overlay = label_overlay(self.ids, self.shown, self.style, self.line, at)
        else:
            overlay = np.zeros((box.height, box.width), np.uint32)
        corner = box.left - floor(self.view.left), box.top - floor(self.view.top)
        if self.confidence is not None:
            if self._doubt is None:
                near = self.confidence
                self._doubt = near if self.ids is None else doubt_of_objects(near, self.ids, self.shown)
            hatch(overlay, self._stretched(self._doubt, box, size), corner)
        if self.proposal is not None:
            dashes(overlay, gathered(*narrowed(self.proposal, *at)), self.proposal_id, corner, self.line)
        inner = box & stale
        top, left = inner.top - box.top, inner.left - box.left
        self._over.pixels[inner.slices] = overlay[top : top + inner.height, left : left + inner.width]

    def _stretched(self, grid: FloatArray, box: Box, image: Size) -> FloatArray:
        """Values of a coarse grid at the device pixels of a box. The first cell is centred on the first pixel."""
        h, w = grid.shape
        fx, fy = w / (image[1] * self.view.scale), h / (image[0] * self.view.scale)
        x, y = (box.left + 0.5 - self.view.left) * fx, (box.top + 0.5 - self.view.top) * fy
        matrix = np.array([[fx, 0, x], [0, fy, y]], np.float64)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        size = (box.width, box.height)
        return np.asarray(cv2.warpAffine(grid, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _come_in(window: Box, du: int, dv: int) -> Box:
    """The part of a window that is not covered by itself when it is pushed along one side."""
    old = window.moved(du, dv)
    if du:
        return Box(old.right, 0, window.right, window.bottom) if du < 0 else Box(0, 0, old.left, window.bottom)
    return Box(0, old.bottom, window.right, window.bottom) if dv < 0 else Box(0, 0, window.right, old.top)
