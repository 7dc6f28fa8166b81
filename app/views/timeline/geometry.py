"""Where frames and lanes lie on the timeline. Pure: numbers in, numbers out; x in pixels from where frame 0 may lie."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

WIDEST = 48.0  # pixels per frame, unless the whole video is shown with more


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of the video across `width` pixels. Frame f covers first + x / scale in f..f+1.

    first: the place, in frames, at the left edge. scale: pixels per frame.
    """

    frames: int
    width: int
    first: float = 0.0
    scale: float = 1.0

    @classmethod
    def whole(cls, frames: int, width: int) -> Self:
        """All of the video."""
        return cls(frames, width, 0.0, max(1, width) / max(1, frames))

    @property
    def is_whole(self) -> bool:
        return self.scale * self.frames <= self.width * (1 + 1e-9)

    @property
    def span(self) -> float:
        """How many frames fit."""
        return self.width / self.scale

    @property
    def visible(self) -> range:
        """Frames of which something is seen."""
        last = min(self.frames, math.ceil(self.first + self.span))
        return range(max(0, math.floor(self.first)), max(0, last))

    def left(self, frame: float) -> float:
        """Where a frame begins."""
        return (frame - self.first) * self.scale

    def centre(self, frame: int) -> float:
        return self.left(frame + 0.5)

    def frame_at(self, x: float) -> int:
        """The frame at x; beyond the ends, the first or the last one."""
        return min(max(math.floor(self.first + x / self.scale), 0), max(0, self.frames - 1))

    def edge_at(self, x: float) -> int:
        """The border between two frames that is nearest to x: 0 before the first, `frames` behind the last."""
        return min(max(round(self.first + x / self.scale), 0), self.frames)

    def resized(self, width: int) -> Self:
        """For another width: what was whole stays whole, otherwise left edge and scale stay."""
        if self.is_whole:
            return type(self).whole(self.frames, width)
        return replace(self, width=width)._held()

    def zoomed(self, factor: float, about: float) -> Self:
        """Scale by a factor; what lies at x = about stays there as far as the ends allow."""
        scale = min(max(self.scale * factor, self._narrowest), max(WIDEST, self._narrowest))
        place = self.first + about / self.scale
        return replace(self, scale=scale, first=place - about / scale)._held()

    def scrolled(self, pixels: float) -> Self:
        """Look further right by so many pixels."""
        return replace(self, first=self.first + pixels / self.scale)._held()

    def showing(self, frame: int) -> Self:
        """Scroll no further than needed to see a frame whole, with a little room around it."""
        margin = min(24.0, self.width / 8)
        x = self.left(frame)
        if x < margin:
            return self.scrolled(x - margin)
        return self.scrolled(max(0.0, x + self.scale + margin - self.width))

    def turned_to(self, frame: int) -> Self:
        """Like turning a page: a frame that is out of sight comes to stand near the left edge."""
        return self if self.shows(frame) else replace(self, first=frame - 0.05 * self.span)._held()

    def shows(self, frame: int) -> bool:
        """Is the middle of a frame in sight?"""
        return 0 <= self.centre(frame) < self.width

    def columns(self) -> tuple[NDArray[np.int64], int]:
        """For every pixel column with a frame in it, from the left: the frame at its left edge; and where it ends.

        A column holds the frames from there to the start of the next, and at least one: int64 [C], and the frame after
        the last column.
        """
        count = max(0, min(self.width, math.ceil(self.left(self.frames))))
        starts = np.floor(self.first + np.arange(count) / self.scale).astype(np.int64).clip(0, self.frames - 1)
        return starts, self.visible.stop

    @property
    def _narrowest(self) -> float:
        return max(1, self.width) / max(1, self.frames)

    def _held(self) -> Self:
        """Kept within the video, and at a scale that fills the width."""
        scale = max(self.scale, self._narrowest)
        return replace(self, scale=scale, first=min(max(self.first, 0.0), max(0.0, self.frames - self.width / scale)))


@dataclass(frozen=True, slots=True)
class Rows:
    """Lanes above each other in `height` pixels, scrolled down by `offset`."""

    count: int
    height: int
    offset: int = 0

    SMALLEST = 20
    LARGEST = 40

    @property
    def row(self) -> int:
        """Height of one lane: few lanes are high, many are low, more still are scrolled."""
        return min(max(self.height // max(1, self.count), self.SMALLEST), self.LARGEST)

    @property
    def hidden(self) -> int:
        """How many pixels of all lanes do not fit."""
        return max(0, self.count * self.row - self.height)

    def top(self, lane: int) -> int:
        return lane * self.row - self.offset

    def lane_at(self, y: float) -> int | None:
        """The lane at y, or None below the last and outside."""
        lane = int((y + self.offset) // self.row)
        return lane if 0 <= y < self.height and lane < self.count else None

    @property
    def visible(self) -> range:
        first = self.offset // self.row
        return range(first, min(self.count, first + math.ceil((self.height + self.offset % self.row) / self.row)))

    def scrolled_to(self, offset: float) -> Self:
        return replace(self, offset=min(max(round(offset), 0), self.hidden))
