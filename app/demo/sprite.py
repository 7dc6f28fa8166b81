"""A painted cut-out in rest coordinates, and the canvas that it is painted on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from app.demo.textures import Array

FINE = 2  # a canvas is painted this much finer than the sprite that is made from it


@dataclass(frozen=True, slots=True, eq=False)
class Sprite:
    """colour:  float32 [h, w, 4] RGB 0..255 premultiplied with opacity, and opacity 0..1.
    cover:   float32 [h, w], the share of each pixel inside the outline, see-through or not.
    corner:  rest coordinates of the centre of the first pixel, in world units.
    density: pixels per world unit.
    """

    colour: Array
    cover: Array
    corner: tuple[float, float]
    density: float


class Canvas:
    """Layers painted over each other on a box of rest coordinates (left, top, right, bottom), in world units."""

    def __init__(self, box: tuple[float, float, float, float], unit: float) -> None:
        self.unit = unit * FINE
        left, top, right, bottom = box
        width, height = (int(np.ceil(extent * unit)) * FINE for extent in (right - left, bottom - top))
        self.shape = (height, width)
        x = left + (np.arange(width, dtype=np.float32) + 0.5) / np.float32(self.unit)
        y = top + (np.arange(height, dtype=np.float32) + 0.5) / np.float32(self.unit)
        self.x, self.y = np.meshgrid(x, y)
        self._corner = (left, top)
        self._colour = np.zeros((height, width, 4), np.float32)
        self._cover = np.zeros((height, width), np.float32)

    def paint(self, colour: Array | tuple[float, ...], inside: Array, opacity: Array | float = 1.0) -> None:
        """Lay `colour` ([3] or [H, W, 3]) over what is there, where `inside` (0..1) says."""
        alpha = (inside * opacity)[..., None].astype(np.float32)
        rgb = np.asarray(colour, np.float32)
        self._colour *= 1 - alpha
        self._colour[..., :3] += rgb * alpha
        self._colour[..., 3:] += alpha
        self._cover = np.maximum(self._cover, inside)

    def cover(self) -> Array:
        """What has been painted so far, [H, W] in 0..1."""
        return self._cover

    def sprite(self) -> Sprite:
        size = (self.shape[1] // FINE, self.shape[0] // FINE)
        density = self.unit / FINE
        half = 0.5 / density
        return Sprite(
            cv2.resize(self._colour, size, interpolation=cv2.INTER_AREA),
            cv2.resize(self._cover, size, interpolation=cv2.INTER_AREA),
            (self._corner[0] + half, self._corner[1] + half),
            density,
        )
