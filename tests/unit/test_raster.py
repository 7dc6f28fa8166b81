"""Shapes and regions against plain versions that look at every pixel."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.raster import Box, disc, enclosed, paint, polygon, region, segment

SHAPE = (24, 31)
coordinate = st.integers(-80, 400).map(lambda v: v / 10)  # tenths of a pixel, also outside
point = st.tuples(coordinate, coordinate)
radius = st.integers(5, 120).map(lambda v: v / 10)


def blank() -> np.ndarray:
    return np.zeros(SHAPE, np.bool_)


def outside(mask: np.ndarray, box: Box) -> np.ndarray:
    rest = mask.copy()
    rest[box.slices] = False
    return rest


def reach(a: tuple[float, float], b: tuple[float, float], ra: float, rb: float) -> np.ndarray:
    """How far each pixel lies outside of the disc that comes nearest to it, on its way from a to b."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    best = np.full(SHAPE, np.inf)
    for t in np.linspace(0, 1, 400):
        centre = (a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1]))
        best = np.minimum(best, np.hypot(x - centre[0], y - centre[1]) - (ra + t * (rb - ra)))
    return best


@given(point, point, radius, radius)
def test_a_segment_is_what_a_disc_sweeps(a: tuple[float, float], b: tuple[float, float], ra: float, rb: float) -> None:
    mask = blank()
    box = segment(mask, a, b, ra, rb)
    away = reach(a, b, ra, rb)
    sure = np.abs(away) > 0.05  # the plain version goes in steps
    assert np.array_equal(mask[sure], away[sure] < 0)
    assert not outside(mask, box).any()


@given(point, radius)
def test_a_disc_is_every_pixel_within_its_radius(centre: tuple[float, float], r: float) -> None:
    mask = blank()
    disc(mask, centre, r)
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    away = np.hypot(x - centre[0], y - centre[1]) - r
    sure = np.abs(away) > 1e-9
    assert np.array_equal(mask[sure], away[sure] < 0)


def test_the_smallest_brush_leaves_one_pixel() -> None:
    mask = blank()
    disc(mask, (7, 5), 0.5)
    assert np.argwhere(mask).tolist() == [[5, 7]]


@given(st.integers(0, 30), st.integers(0, 23), st.integers(0, 30), st.integers(0, 23))
def test_a_thin_line_has_no_gap(x0: int, y0: int, x1: int, y1: int) -> None:
    mask = blank()
    segment(mask, (x0, y0), (x1, y1), 0.5)
    steps = max(abs(x1 - x0), abs(y1 - y0))
    assert mask[y0, x0] and mask[y1, x1]
    lines = mask.any(axis=0) if abs(x1 - x0) >= abs(y1 - y0) else mask.any(axis=1)
    assert lines.sum() == steps + 1


def winding(points: list[tuple[float, float]], x: int, y: int) -> int:
    """How often the closed line goes around a pixel's centre."""
    turns = 0
    for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
        if (ay <= y) != (by <= y):
            cross = ax + (y - ay) * (bx - ax) / (by - ay)
            if cross <= x:
                turns += 1 if ay <= y else -1
    return turns


@given(st.lists(point, min_size=3, max_size=9))
def test_a_polygon_is_what_its_line_goes_around(points: list[tuple[float, float]]) -> None:
    mask = blank()
    box = polygon(mask, points)
    plain = np.array([[winding(points, x, y) != 0 for x in range(SHAPE[1])] for y in range(SHAPE[0])])
    # On the line itself, rounding may decide either way.
    assert (mask != plain).sum() <= len(points)
    assert not outside(mask, box).any()


def test_a_polygon_that_crosses_itself_has_no_hole() -> None:
    mask = blank()
    twice = [(2, 2), (20, 2), (20, 20), (2, 20)] * 2
    polygon(mask, twice)
    assert mask[3:20, 3:20].all()


@pytest.mark.parametrize("points", [[], [(3, 3)], [(3, 3), (9, 9)], [(40, 40), (50, 40), (50, 50)]])
def test_a_line_around_nothing_is_empty(points: list[tuple[float, float]]) -> None:
    mask = blank()
    assert not polygon(mask, points)
    assert not mask.any()


maps = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).integers(0, 3, (9, 11)).astype(np.uint8))
seeds = st.tuples(st.integers(0, 10), st.integers(0, 8))


def plain_region(ids: np.ndarray, seed: tuple[int, int]) -> np.ndarray:
    found = np.zeros(ids.shape, np.bool_)
    found[seed[1], seed[0]] = True
    ahead = deque([seed])
    while ahead:
        x, y = ahead.popleft()
        for nx, ny in ((x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)):
            inside = 0 <= nx < ids.shape[1] and 0 <= ny < ids.shape[0]
            if inside and not found[ny, nx] and ids[ny, nx] == ids[seed[1], seed[0]]:
                found[ny, nx] = True
                ahead.append((nx, ny))
    return found


@given(maps, seeds)
def test_a_region_hangs_together_by_sides(ids: np.ndarray, seed: tuple[int, int]) -> None:
    ids.flags.writeable = False  # labels that are shown are
    mask = np.zeros(ids.shape, np.bool_)
    box = region(mask, ids, seed)
    assert np.array_equal(mask, plain_region(ids, seed))
    assert not outside(mask, box).any()


@given(maps, seeds)
def test_what_is_enclosed_cannot_leave_without_crossing_the_region(ids: np.ndarray, seed: tuple[int, int]) -> None:
    mask = np.zeros(ids.shape, np.bool_)
    box = enclosed(mask, ids, seed)
    found = plain_region(ids, seed)
    free = plain_region(np.pad(found, 1).astype(np.uint8), (0, 0))[1:-1, 1:-1]
    assert np.array_equal(mask, ~free)
    assert not outside(mask, box).any()


@given(maps, maps, st.integers(0, 3), st.sets(st.integers(0, 2)), st.none() | st.integers(0, 2))
def test_paint_changes_what_it_may_and_tells_where(
    ids: np.ndarray, other: np.ndarray, value: int, locked: set[int], only: int | None
) -> None:
    mask, box = other > 0, Box(2, 1, 9, 8)
    painted = ids.copy()
    changed = paint(painted, mask, box, value, locked, only)
    plain = ids.copy()
    for y in range(1, 8):
        for x in range(2, 9):
            if mask[y, x] and ids[y, x] not in locked and only in (None, ids[y, x]):
                plain[y, x] = value
    assert np.array_equal(painted, plain)
    places = np.argwhere(plain != ids)
    if len(places):
        (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0) + 1
        assert changed == Box(left, top, right, bottom)
    else:
        assert not changed


boxes = st.builds(Box, *[st.integers(-5, 20)] * 4)


@given(boxes, boxes)
def test_boxes_meet_and_join_like_sets_of_pixels(a: Box, b: Box) -> None:
    def pixels(box: Box) -> set[tuple[int, int]]:
        return {(x, y) for x in range(box.left, box.right) for y in range(box.top, box.bottom)}

    assert pixels(a & b) == pixels(a) & pixels(b)
    assert pixels(a) | pixels(b) <= pixels(a | b)
    assert bool(a) == bool(pixels(a))
    if a:
        assert pixels(a.moved(3, -2)) == {(x + 3, y - 2) for x, y in pixels(a)}
        assert len(pixels(a.grown(1))) == (a.width + 2) * (a.height + 2)
