"""Where the image lies in the window: pure geometry, in device pixels.

An image coordinate is a point (x, y) with (0, 0) at the centre of the top-left pixel; a device coordinate is (u, v)
with (0, 0) at the top-left corner of the window. Device pixels make 100 % mean one pixel of the image on one of the
screen, whatever the scaling of the desktop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from app.core.raster import Box

MIN_SCALE, MAX_SCALE = 1 / 32, 64.0

Size = tuple[int, int]
"""(height, width)."""


@dataclass(frozen=True, slots=True)
class View:
    """scale: device pixels to a pixel of the image. left, top: the corner of the image, in device pixels."""

    scale: float = 1.0
    left: float = 0.0
    top: float = 0.0

    @classmethod
    def fit(cls, image: Size, window: Size, margin: int = 0) -> View:
        """All of the image, as large as it goes, in the middle of the window."""
        (height, width), (h, w) = image, window
        scale = _within(min((w - 2 * margin) / width, (h - 2 * margin) / height))
        return cls(scale, (w - scale * width) / 2, (h - scale * height) / 2)

    def to_device(self, x: float, y: float) -> tuple[float, float]:
        return self.left + (x + 0.5) * self.scale, self.top + (y + 0.5) * self.scale

    def to_image(self, u: float, v: float) -> tuple[float, float]:
        return (u - self.left) / self.scale - 0.5, (v - self.top) / self.scale - 0.5

    def panned(self, du: float, dv: float) -> View:
        return replace(self, left=self.left + du, top=self.top + dv)

    def zoomed(self, scale: float, u: float, v: float) -> View:
        """At another scale, within the limits; what lies at (u, v) stays there."""
        scale = _within(scale)
        factor = scale / self.scale
        return View(scale, u + (self.left - u) * factor, v + (self.top - v) * factor)

    def nearest(self, u: float, v: float, image: Size) -> tuple[float, float]:
        """The device coordinate on the image that is nearest to (u, v).

        Zooming about it keeps an image in sight that was in sight before.
        """
        height, width = image
        return (
            min(max(u, self.left), self.left + self.scale * width),
            min(max(v, self.top), self.top + self.scale * height),
        )

    def kept(self, image: Size, window: Size, margin: int) -> View:
        """Moved as little as it takes for `margin` device pixels of the image, or all, to stay in sight."""

        def inside(start: float, length: float, room: int) -> float:
            part = min(margin, length, room)
            return min(max(start, part - length), room - part)

        return replace(
            self,
            left=inside(self.left, self.scale * image[1], window[1]),
            top=inside(self.top, self.scale * image[0], window[0]),
        )

    def resized(self, old: Size, new: Size) -> View:
        """For a window of another size: what was in its middle stays there."""
        return self.panned((new[1] - old[1]) / 2, (new[0] - old[0]) / 2)

    def covered(self, box: Box, image: Size, window: Size) -> Box:
        """The device pixels that show something of a box of the image, as far as it is in sight."""
        box = box & Box(0, 0, image[1], image[0])
        if not box:
            return box
        device = Box(
            floor(self.left + self.scale * box.left),
            floor(self.top + self.scale * box.top),
            ceil(self.left + self.scale * box.right),
            ceil(self.top + self.scale * box.bottom),
        )
        return device & self.sight(image, Box.whole(window))

    def sight(self, image: Size, part: Box) -> Box:
        """The device pixels of a part of the window, or its surroundings, whose centre lies on the image."""
        return (
            Box(
                ceil(self.left - 0.5),
                ceil(self.top - 0.5),
                ceil(self.left + self.scale * image[1] - 0.5),
                ceil(self.top + self.scale * image[0] - 0.5),
            )
            & part
        )

    def pixels(self, box: Box, image: Size, grid: Size | None = None) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """The rows and the columns of the image under the centres of a box of device pixels.

        grid: rows and columns of a smaller picture that is stretched over the image, instead.
        """
        height, width = grid or image
        rows = (np.arange(box.top, box.bottom) + 0.5 - self.top) * (height / image[0] / self.scale)
        columns = (np.arange(box.left, box.right) + 0.5 - self.left) * (width / image[1] / self.scale)
        return (
            np.floor(rows).astype(np.intp).clip(0, height - 1),
            np.floor(columns).astype(np.intp).clip(0, width - 1),
        )


def _within(scale: float) -> float:
    return min(max(scale, MIN_SCALE), MAX_SCALE)
