"""How labels look over a picture. Pure functions: arrays in, new arrays or strokes of a given painter out.

Overlays are uint32 [h, w], 0xAARRGGBB with colours premultiplied by alpha: Qt's ARGB32_Premultiplied. They are made at
the resolution of the screen, so an outline is as thin at 800 % as at 50 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen

from model.palette import PALETTE
from model.types import BACKGROUND, VOID, BoolArray, FloatArray, UInt8Array

Overlay = NDArray[np.uint32]
Indices = NDArray[np.intp]
Places = tuple[Indices, Indices]

HALO = np.uint32(0xB0000000)
HATCH, HATCH_SHADE = np.uint32(0xD0D0D0D0), np.uint32(0x90000000)
HATCH_PERIOD, HATCH_BREADTH = 8, 4
SURE = 0.4  # at this confidence and above, nothing is hatched
NEAR = 2  # cells around an object where doubt is of interest
DASH = 5
POINT_RADIUS = 5.0

# Half of the palette is dark. Outlines have the hue of their object and stand out from their halo on any picture: the
# colour at full strength, halfway to white.
_STRENGTH = np.maximum(PALETTE.max(axis=1, keepdims=True), 1).astype(np.float32)
LINES: UInt8Array = np.asarray(127.5 + PALETTE / _STRENGTH * 127.5, np.uint8)


@dataclass(frozen=True, slots=True)
class OverlayStyle:
    """opacity: of the filling, 0..1. contours: outlines around objects. show: labels and keypoints at all."""

    opacity: float = 0.5
    contours: bool = True
    show: bool = True


def line_colour(number: int) -> QColor:
    """The bright version of an object's colour: for outlines, cursors, points."""
    red, green, blue = (int(v) for v in LINES[number])
    return QColor(red, green, blue)


def label_overlay(
    ids: UInt8Array, shown: UInt8Array, style: OverlayStyle, line: int = 1, at: Places | None = None
) -> Overlay:
    """Objects filled, with a bright outline of `line` pixels on their own side and a dark halo on the other.

    ids: uint8 [H, W]. shown: uint8 [256], what each id is drawn as, 0 = not at all (see `shown_ids`). at: the rows and
    the columns of `ids` that those of the overlay show, ascending; by default the overlay is [H, W] too.
    """
    height, width = ids.shape
    rows, columns = at or (np.arange(height), np.arange(width))
    overlay = np.zeros((len(rows), len(columns)), np.uint32)
    if not overlay.size:
        return overlay
    # Colours are looked up where there are fewer pixels: before the map is enlarged, or after it was made smaller.
    ids, rows, columns = narrowed(ids, rows, columns)
    objects = np.asarray(cv2.LUT(ids, shown), np.uint8)
    x, y, w, h = cv2.boundingRect(objects)
    if not w:
        return overlay
    top, bottom = np.searchsorted(rows, (y, y + h))
    left, right = np.searchsorted(columns, (x, x + w))
    box = np.s_[max(top - line, 0) : bottom + line, max(left - line, 0) : right + line]
    rows, columns = rows[box[0]], columns[box[1]]
    fill, lines = _inks(style.opacity)
    over = gathered(np.take(fill, objects), rows, columns)
    if style.contours:
        part = gathered(objects, rows, columns)
        inside = part != BACKGROUND
        edge = cv2.morphologyEx(part, cv2.MORPH_GRADIENT, _diamond(line)) != 0
        ring = edge & inside
        over[ring] = lines[part[ring]]
        over[edge & ~inside] = HALO
    overlay[box] = over
    return overlay


def narrowed(array: NDArray[Any], rows: Indices, columns: Indices) -> tuple[NDArray[Any], Indices, Indices]:
    """As little of an array as is needed to gather ascending rows and columns of it, and these as they are there."""
    array = array[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    rows, columns = rows - rows[0], columns - columns[0]
    if len(rows) < array.shape[0]:
        array, rows = array[rows], np.arange(len(rows))
    if len(columns) < array.shape[1]:
        array, columns = array[:, columns], np.arange(len(columns))
    return np.ascontiguousarray(array), rows, columns


def gathered(array: NDArray[Any], rows: Indices, columns: Indices) -> NDArray[Any]:
    """These rows and columns of an array [h, w, ...]: columns first, for whole rows are quick to repeat."""
    return np.ascontiguousarray(array[:, columns][rows])


def shown_ids(hidden: frozenset[int], solo: int | None = None) -> UInt8Array:
    """uint8 [256] for `label_overlay`: every id but the hidden ones, or the one that is alone. Void is never drawn."""
    table = np.arange(256, dtype=np.uint8)
    if solo is not None:
        table[table != solo] = BACKGROUND
    table[[*hidden, VOID]] = BACKGROUND
    return table


def hatch(overlay: Overlay, confidence: FloatArray, origin: tuple[int, int] = (0, 0)) -> None:
    """Hatch an overlay where labels are doubtful: the less sure, the broader the strokes.

    confidence: float32 [h, w], 0..1, at the overlay's resolution. origin: (u, v) of the overlay's corner on the
    sheet that the strokes are fixed to, so that they do not swim when the picture is moved.
    """
    doubt = (1 - confidence / np.float32(SURE)).clip(0, 1)
    rows = np.arange(overlay.shape[0])[:, None] + origin[1]
    columns = np.arange(overlay.shape[1])[None] + origin[0]
    phase = (rows + columns) % HATCH_PERIOD
    breadth = np.ceil(doubt * HATCH_BREADTH).astype(np.int64)
    overlay[(phase >= breadth) & (phase < breadth + 1) & (breadth > 0)] = HATCH_SHADE
    overlay[phase < breadth] = HATCH


def doubt_of_objects(confidence: FloatArray, ids: UInt8Array, shown: UInt8Array) -> FloatArray:
    """Confidence [h, w] on the feature grid, with 1 wherever no object of the label map [H, W] is near.

    A plain background looks the same in many places, so votes are spread there; nobody need look at that.
    """
    objects = (np.asarray(cv2.LUT(ids, shown)) != BACKGROUND).astype(np.float32)
    share = cv2.resize(objects, confidence.shape[::-1], interpolation=cv2.INTER_AREA)
    near = cv2.dilate((share > 0).astype(np.uint8), np.ones((2 * NEAR + 1, 2 * NEAR + 1), np.uint8))
    return np.where(near, confidence, np.float32(1))


def dashes(overlay: Overlay, mask: BoolArray, colour: int, origin: tuple[int, int] = (0, 0), line: int = 1) -> None:
    """A mask that is proposed and not yet taken: lightly filled in the colour of an object, with a dashed edge."""
    part = mask.view(np.uint8)
    edge = cv2.morphologyEx(part, cv2.MORPH_GRADIENT, _diamond(line)) != 0
    rows = np.arange(overlay.shape[0])[:, None] + origin[1]
    columns = np.arange(overlay.shape[1])[None] + origin[0]
    light = (rows + columns) // (DASH * line) % 2 == 0
    fill, _ = _inks(0.35)
    overlay[mask] = fill[colour]
    overlay[edge & light] = 0xFFFFFFFF
    overlay[edge & ~light] = 0xFF000000


def draw_skeleton(
    painter: QPainter,
    points: FloatArray,
    visible: BoolArray,
    bones: Sequence[tuple[int, int]] = (),
    hovered: int | None = None,
) -> None:
    """Keypoints as ringed dots in the colours of the palette, hollow where hidden, and the bones between them.

    points: float [N, 2] in the painter's coordinates, NaN where missing. Bones with a hidden end are dashed.
    """
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    placed = np.asarray(~np.isnan(points).any(axis=1))
    dark, light = QColor(0, 0, 0, 170), QColor(255, 255, 255, 230)
    for a, b in bones:
        if not (placed[a] and placed[b]):
            continue
        ends = QPointF(*points[a].tolist()), QPointF(*points[b].tolist())
        painter.setPen(QPen(dark, 3.5))
        painter.drawLine(*ends)
        pen = QPen(light, 1.5)
        if not (visible[a] and visible[b]):
            pen.setDashPattern([3, 3])
        painter.setPen(pen)
        painter.drawLine(*ends)
    for i in np.flatnonzero(placed):
        centre = QPointF(*points[i].tolist())
        radius = POINT_RADIUS + (2 if i == hovered else 0)
        colour = line_colour(1 + int(i) % (VOID - 1))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(dark, 4.5))
        painter.drawEllipse(centre, radius, radius)
        if visible[i]:
            painter.setBrush(colour)
            painter.setPen(QPen(QColor(Qt.GlobalColor.white), 1.5))
        else:
            painter.setPen(QPen(colour, 2))
        painter.drawEllipse(centre, radius, radius)
    painter.restore()


@lru_cache(maxsize=64)
def _inks(opacity: float) -> tuple[Overlay, Overlay]:
    """Of every id: what it is filled with, and what it is outlined with."""
    alpha = round(255 * min(max(opacity, 0.0), 1.0))
    fill = _packed((PALETTE * (alpha / 255)).round(), alpha)
    fill[BACKGROUND] = 0
    return fill, _packed(LINES, 255)


def _packed(rgb: NDArray[np.generic], alpha: int) -> Overlay:
    red, green, blue = np.moveaxis(rgb.astype(np.uint32), -1, 0)
    packed: Overlay = np.uint32(alpha << 24) | red << np.uint32(16) | green << np.uint32(8) | blue
    return packed


@lru_cache(maxsize=8)
def _diamond(line: int) -> UInt8Array:
    """All steps of at most `line` pixels along rows and columns."""
    away = np.abs(np.arange(-line, line + 1))
    return (away[:, None] + away <= line).astype(np.uint8)
