"""Shapes and regions of label maps, pixel by pixel: what brushes, polygons and fills come down to.

A shape is written into a mask (bool [H, W]) and the function returns the box that it may have touched; `paint` brings
a mask to a label map. A pixel belongs to a shape if its centre does. Points are (x, y) and may lie outside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, hypot, sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from model.types import BoolArray, UInt8Array

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """The pixels left..right-1, top..bottom-1. False if there are none."""

    left: int = 0
    top: int = 0
    right: int = 0
    bottom: int = 0

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Box:
        """All of an array [H, W, ...]."""
        return cls(0, 0, shape[1], shape[0])

    @property
    def width(self) -> int:
        return max(0, self.right - self.left)

    @property
    def height(self) -> int:
        return max(0, self.bottom - self.top)

    @property
    def slices(self) -> tuple[slice, slice]:
        """To index an array with; the box must lie within it."""
        return slice(self.top, self.bottom), slice(self.left, self.right)

    def __bool__(self) -> bool:
        return self.left < self.right and self.top < self.bottom

    def __and__(self, other: Box) -> Box:
        """What both have in common."""
        box = Box(
            max(self.left, other.left),
            max(self.top, other.top),
            min(self.right, other.right),
            min(self.bottom, other.bottom),
        )
        return box or Box()

    def __or__(self, other: Box) -> Box:
        """The smallest box around both."""
        if not self or not other:
            return self or other
        return Box(
            min(self.left, other.left),
            min(self.top, other.top),
            max(self.right, other.right),
            max(self.bottom, other.bottom),
        )

    def moved(self, dx: int, dy: int) -> Box:
        return Box(self.left + dx, self.top + dy, self.right + dx, self.bottom + dy) if self else self

    def grown(self, pixels: int) -> Box:
        """With so many pixels more on every side; an empty box stays empty."""
        if not self:
            return self
        return Box(self.left - pixels, self.top - pixels, self.right + pixels, self.bottom + pixels)


def disc(mask: BoolArray, centre: Point, radius: float) -> Box:
    """All pixels no farther than `radius` from `centre`."""
    return segment(mask, centre, centre, radius)


def segment(mask: BoolArray, a: Point, b: Point, radius: float, end_radius: float | None = None) -> Box:
    """What a disc sweeps on its way from a to b, while its radius goes evenly from `radius` to `end_radius`."""
    other = radius if end_radius is None else end_radius
    box = Box(
        floor(min(a[0] - radius, b[0] - other)),
        floor(min(a[1] - radius, b[1] - other)),
        ceil(max(a[0] + radius, b[0] + other)) + 1,
        ceil(max(a[1] + radius, b[1] + other)) + 1,
    ) & Box.whole(mask.shape)
    if not box:
        return box
    # The shape is convex, so every row of pixels meets it in one interval.
    rows = np.arange(box.top, box.bottom, dtype=np.float64)
    low, high = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    for centre, r in ((a, radius), (b, other)):
        square = r * r - (rows - centre[1]) ** 2
        half = np.sqrt(square, out=np.full_like(square, -np.inf), where=square >= 0)
        np.minimum(low, centre[0] - half, out=low)
        np.maximum(high, centre[0] + half, out=high)
    for p, q in _sides(a, b, radius, other):
        _widen(low, high, rows, p, q)
    columns = np.arange(box.left, box.right, dtype=np.int32)
    first = np.ceil(low.clip(box.left, box.right)).astype(np.int32)
    last = np.floor(high.clip(box.left - 1, box.right)).astype(np.int32)
    mask[box.slices] |= (columns >= first[:, None]) & (columns <= last[:, None])
    return box


def _sides(a: Point, b: Point, ra: float, rb: float) -> Iterator[tuple[Point, Point]]:
    """The four sides of the quadrilateral that the common outer tangents of two circles cut out."""
    length = hypot(b[0] - a[0], b[1] - a[1])
    if length <= abs(ra - rb):
        return  # one disc lies within the other
    ux, uy = (b[0] - a[0]) / length, (b[1] - a[1]) / length
    sine = (ra - rb) / length
    cosine = sqrt(1 - sine * sine)
    corners = [
        (centre[0] + r * (sine * ux - side * cosine * uy), centre[1] + r * (sine * uy + side * cosine * ux))
        for centre, r, side in ((a, ra, 1), (b, rb, 1), (b, rb, -1), (a, ra, -1))
    ]
    yield from zip(corners, (*corners[1:], corners[0]), strict=True)


def _widen(low: NDArray[np.float64], high: NDArray[np.float64], rows: NDArray[np.float64], p: Point, q: Point) -> None:
    """Let the intervals of the rows that the side p-q crosses reach it."""
    if p[1] == q[1]:
        return  # its ends belong to its neighbours
    if p[1] > q[1]:
        p, q = q, p
    crossed = (rows >= p[1]) & (rows <= q[1])
    x = p[0] + (rows[crossed] - p[1]) * ((q[0] - p[0]) / (q[1] - p[1]))
    low[crossed] = np.minimum(low[crossed], x)
    high[crossed] = np.maximum(high[crossed], x)


def polygon(mask: BoolArray, points: Sequence[Point]) -> Box:
    """What a closed line through the points goes around, in either sense; where it crosses itself, all of it."""
    p = np.asarray(points, np.float64).reshape(-1, 2)
    if len(p) < 3:
        return Box()
    height = mask.shape[0]
    low, high = p.min(axis=0), p.max(axis=0)
    box = Box(ceil(low[0]), ceil(low[1]), floor(high[0]) + 1, floor(high[1]) + 1) & Box.whole(mask.shape)
    if not box:
        return box
    q = np.roll(p, -1, axis=0)
    upper, lower = np.minimum(p[:, 1], q[:, 1]), np.maximum(p[:, 1], q[:, 1])
    # Rows from the upper end to before the lower one, so that a corner counts once.
    first = np.ceil(upper).clip(0, height).astype(np.int64)
    count = np.maximum(np.ceil(lower).clip(0, height).astype(np.int64) - first, 0)
    edge = np.repeat(np.arange(len(p)), count)
    row = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[edge]
    slope = (q[edge, 0] - p[edge, 0]) / (q[edge, 1] - p[edge, 1])
    x = p[edge, 0] + (row - p[edge, 1]) * slope
    column = np.ceil(x).clip(box.left, box.right).astype(np.int64) - box.left
    turns = np.zeros((box.height, box.width + 1), np.int16)
    np.add.at(turns, (row - box.top, column), np.where(p[edge, 1] < q[edge, 1], 1, -1))
    np.cumsum(turns, axis=1, out=turns)
    mask[box.slices] |= turns[:, :-1] != 0
    return box


def region(mask: BoolArray, ids: UInt8Array, seed: tuple[int, int]) -> Box:
    """The pixels of one id that hang together (by their sides) with the pixel `seed`, which lies within the map."""
    found, box = _flood(ids, seed)
    mask[box.slices] |= found[box.slices]
    return box


def enclosed(mask: BoolArray, ids: UInt8Array, seed: tuple[int, int]) -> Box:
    """The region of `seed` and everything that it goes around, where no way leads to the edge of the map."""
    found, box = _flood(ids, seed)
    # One free pixel around the region joins all that lies outside of it.
    part = np.pad(found[box.slices].astype(np.uint8), 1)
    outside, _ = _flood(part, (0, 0))
    mask[box.slices] |= ~outside[1:-1, 1:-1]
    return box


def _flood(ids: UInt8Array, seed: tuple[int, int]) -> tuple[BoolArray, Box]:
    height, width = ids.shape
    flags = 4 | cv2.FLOODFILL_MASK_ONLY | cv2.FLOODFILL_FIXED_RANGE | (1 << 8)
    _, _, found, (x, y, w, h) = cv2.floodFill(
        ids.copy(), np.zeros((height + 2, width + 2), np.uint8), seed, 0, 0, 0, flags
    )
    inner: BoolArray = found[1:-1, 1:-1].astype(np.bool_)
    return inner, Box(x, y, x + w, y + h)


def paint(
    ids: UInt8Array, mask: BoolArray, box: Box, value: int, locked: Collection[int] = (), only: int | None = None
) -> Box:
    """Give the pixels of `mask` within `box` the id `value`; the box of those that changed.

    locked: ids whose pixels stay as they are. only: pixels of all other ids stay as they are.
    """
    part = ids[box.slices]
    free = np.ones(256, np.bool_) if only is None else np.arange(256) == only
    free[[*locked, value]] = False
    change = mask[box.slices] & free[part]
    x, y, width, height = cv2.boundingRect(change.view(np.uint8))
    part[change] = value
    return Box(box.left + x, box.top + y, box.left + x + width, box.top + y + height) if width else Box()
