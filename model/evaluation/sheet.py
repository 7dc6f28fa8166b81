"""A white page for charts, drawn with Pillow.

Everything is drawn three times as large and averaged down, which makes edges smooth and leaves flat colours exact.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from model.types import UInt8Array

PAPER, INK, QUIET, GRID = (255, 255, 255), (33, 37, 41), (108, 117, 125), (226, 230, 234)
SERIES = ((0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0), (86, 180, 233))
"""Okabe and Ito's colours, which the colour-blind tell apart."""

_SCALE = 3

Colour = tuple[int, int, int]


class Sheet:
    """A white page; coordinates are in its own pixels."""

    def __init__(self, width: int, height: int) -> None:
        self._size = (width, height)
        self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), PAPER)
        self._pen = ImageDraw.Draw(self._image)

    def picture(self) -> UInt8Array:
        return np.asarray(self._image.resize(self._size, Image.Resampling.BOX), np.uint8)

    def length(self, text: str, size: int) -> float:
        return float(_font(size).getlength(text)) / _SCALE

    def text(self, x: float, y: float, text: str, size: int, colour: Colour, anchor: str) -> None:
        self._pen.text((x * _SCALE, y * _SCALE), text, colour, _font(size), anchor)

    def upright(self, x: float, y: float, text: str, size: int, colour: Colour) -> None:
        """Text that reads upwards, its middle at (x, y)."""
        width, height = math.ceil(self.length(text, size)) + 4, 2 * size
        strip = Image.new("RGB", (width * _SCALE, height * _SCALE), PAPER)
        middle = (width * _SCALE / 2, height * _SCALE / 2)
        ImageDraw.Draw(strip).text(middle, text, colour, _font(size), "mm")
        corner = (round((x - height / 2) * _SCALE), round((y - width / 2) * _SCALE))
        self._image.paste(strip.transpose(Image.Transpose.ROTATE_90), corner)

    def line(self, points: Sequence[tuple[float, float]], colour: Colour, width: float = 1.0) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._pen.line(scaled, colour, round(width * _SCALE), joint="curve")

    def bar(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> None:
        """A filled rectangle; nothing if it has no width."""
        if right > left:
            self._pen.rectangle([round(c * _SCALE) for c in (left, top, right, bottom)], colour)

    def dot(self, x: float, y: float, radius: float, colour: Colour) -> None:
        box = [(c + way * radius) * _SCALE for way in (-1, 1) for c in (x, y)]
        self._pen.ellipse(box, colour)

    def whisker(self, start: tuple[float, float], end: tuple[float, float], colour: Colour) -> None:
        """A line with a stroke across each end; none where there is no spread."""
        dx, dy = end[0] - start[0], end[1] - start[1]
        length = math.hypot(dx, dy)
        if length < 0.5:
            return
        across = (-dy / length * 5, dx / length * 5)
        self.line([start, end], colour, 2)
        for x, y in (start, end):
            self.line([(x - across[0], y - across[1]), (x + across[0], y + across[1])], colour, 2)


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size * _SCALE)
    assert isinstance(font, ImageFont.FreeTypeFont), "Pillow's wheels come with FreeType"
    return font
