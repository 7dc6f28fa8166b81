"""A dark page to put text and pictures on: what contact sheets and inspections are drawn with."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from app.io.atomic import replacing
from model.types import UInt8Array

BACKGROUND, BRIGHT, TEXT, QUIET = (22, 24, 27), (236, 238, 240), (196, 200, 205), (128, 134, 142)

Colour = tuple[int, int, int]


class Page:
    """Places are in pixels from the top left."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width, height), BACKGROUND)
        self._draw = ImageDraw.Draw(self.image)

    def text(self, x: float, y: float, text: str, size: float, colour: Colour = TEXT, anchor: str = "ls") -> float:
        """Write with the anchor (Pillow's code; ls = left end of the base line) at (x, y). Returns the width."""
        font = ImageFont.load_default(size)
        self._draw.text((x, y), text, colour, font, anchor)
        return self._draw.textlength(text, font)

    def picture(self, x: int, y: int, size: tuple[int, int], picture: UInt8Array) -> None:
        """Paste scaled to size (width, height), with rounded corners."""
        shrinks = picture.shape[1] > size[0]
        scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
        corners = Image.new("L", (size[0] * 4, size[1] * 4))
        ImageDraw.Draw(corners).rounded_rectangle((0, 0, size[0] * 4 - 1, size[1] * 4 - 1), 20, 255)
        self.image.paste(Image.fromarray(scaled), (x, y), corners.resize(size, Image.Resampling.BOX))

    def swatch(self, x: float, y: float, colour: Colour) -> None:
        """A small square that sits on the base line y."""
        self._draw.rounded_rectangle((x, y - 12, x + 12, y), 3, colour)

    def ramp(self, x: int, y: int, width: int, colours: UInt8Array) -> None:
        """A strip of all colours of a ramp [256, 3], 12 pixels high, that sits on the base line y."""
        steps = np.linspace(0, len(colours) - 1, width).round().astype(int)
        self.picture(x, y - 12, (width, 12), np.ascontiguousarray(colours[steps][None].repeat(12, axis=0)))

    def save(self, path: Path) -> None:
        with replacing(path) as temporary:
            self.image.save(temporary, optimize=True)
