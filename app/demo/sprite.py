"""A painted cut-out in rest coordinates, and the canvas that it is painted on."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from app.demo.motion import Affine
from app.demo.textures import AnyArray, Array, smoothstep

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

    @property
    def to_pixels(self) -> Affine:
        """Rest coordinates to pixels of the sprite."""
        d = self.density
        return np.array([[d, 0, -d * self.corner[0]], [0, d, -d * self.corner[1]]])


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
        self.cover = np.zeros((height, width), np.float32)  # what has been painted so far

    def within(self, distance: AnyArray) -> Array:
        """1 inside an outline and 0 outside, with a soft edge, of the distance [H, W] to it in world units."""
        return smoothstep(-0.5, 0.5, distance * self.unit)

    def paint(self, colour: AnyArray | tuple[float, ...], inside: AnyArray, opacity: AnyArray | float = 1.0) -> None:
        """Lay `colour` ([3] or [H, W, 3]) over what is there, where `inside` (0..1) says."""
        alpha = (inside * opacity)[..., None].astype(np.float32)
        rgb = np.asarray(colour, np.float32)
        self._colour *= 1 - alpha
        self._colour[..., :3] += rgb * alpha
        self._colour[..., 3:] += alpha
        self.cover = np.maximum(self.cover, inside.astype(np.float32))

    def sprite(self) -> Sprite:
        size = (self.shape[1] // FINE, self.shape[0] // FINE)
        density = self.unit / FINE
        half = 0.5 / density
        return Sprite(
            np.asarray(cv2.resize(self._colour, size, interpolation=cv2.INTER_AREA), np.float32),
            np.asarray(cv2.resize(self.cover, size, interpolation=cv2.INTER_AREA), np.float32),
            (self._corner[0] + half, self._corner[1] + half),
            density,
        )
