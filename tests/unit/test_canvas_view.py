"""Where an image lies in the window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.raster import Box
from app.views.canvas.view import MAX_SCALE, MIN_SCALE, View

scales = st.floats(MIN_SCALE, MAX_SCALE)
places = st.floats(-2000, 4000)
views = st.builds(View, scales, places, places)
sizes = st.tuples(st.integers(1, 500), st.integers(1, 500))


@given(views, places, places)
def test_image_and_window_are_two_names_of_one_place(view: View, u: float, v: float) -> None:
    assert view.to_device(*view.to_image(u, v)) == pytest.approx((u, v), abs=1e-6)


def test_a_point_is_in_the_middle_of_its_pixel() -> None:
    view = View(scale=8, left=100, top=50)
    assert view.to_device(0, 0) == (104, 54)
    assert view.to_image(104, 54) == (0, 0)


@given(views, scales, places, places)
def test_zooming_keeps_what_is_under_the_pointer(view: View, scale: float, u: float, v: float) -> None:
    before = view.to_image(u, v)
    after = view.zoomed(scale, u, v)
    assert after.scale == scale
    assert after.to_image(u, v) == pytest.approx(before, rel=1e-6, abs=1e-5)


def test_zooming_has_limits() -> None:
    assert View().zoomed(1e9, 0, 0).scale == MAX_SCALE
    assert View().zoomed(1e-9, 0, 0).scale == MIN_SCALE


@given(sizes, sizes)
def test_what_fits_is_all_in_sight_and_in_the_middle(image: tuple[int, int], window: tuple[int, int]) -> None:
    view = View.fit(image, window)
    height, width = image[0] * view.scale, image[1] * view.scale
    if MIN_SCALE < view.scale < MAX_SCALE:
        assert view.left >= -1e-6 and view.top >= -1e-6
        assert min(view.left, view.top) == pytest.approx(0, abs=1e-6)
    assert view.left + width / 2 == pytest.approx(window[1] / 2)
    assert view.top + height / 2 == pytest.approx(window[0] / 2)


@given(views, sizes, sizes, st.integers(0, 60))
def test_pushed_pictures_stay_in_sight(
    view: View, image: tuple[int, int], window: tuple[int, int], margin: int
) -> None:
    kept = view.kept(image, window, margin)
    for start, length, room in (
        (kept.left, kept.scale * image[1], window[1]),
        (kept.top, kept.scale * image[0], window[0]),
    ):
        seen = min(start + length, room) - max(start, 0)
        assert seen >= min(margin, length, room) - 1e-6
    assert kept.kept(image, window, margin) == kept


@given(views, sizes, sizes, places, places, scales)
def test_zooming_about_the_nearest_place_keeps_the_picture_in_sight(
    view: View, image: tuple[int, int], window: tuple[int, int], u: float, v: float, scale: float
) -> None:
    kept = view.kept(image, window, 1)
    u, v = min(max(u, 0), window[1]), min(max(v, 0), window[0])
    zoomed = kept.zoomed(scale, *kept.nearest(u, v, image))
    assert zoomed.left <= window[1] + 1e-3 and zoomed.left + scale * image[1] >= -1e-3
    assert zoomed.top <= window[0] + 1e-3 and zoomed.top + scale * image[0] >= -1e-3


@given(st.floats(0.05, 20), st.floats(-50, 50), st.floats(-50, 50))
def test_every_device_pixel_shows_the_pixel_under_its_centre(scale: float, left: float, top: float) -> None:
    view, image, window = View(scale, left, top), (9, 13), (40, 50)
    sight = view.sight(image, Box.whole(window))
    rows, columns = view.pixels(sight, image)
    for v in range(window[0]):
        for u in range(window[1]):
            x, y = view.to_image(u + 0.5, v + 0.5)
            inside = -0.5 <= x < 12.5 and -0.5 <= y < 8.5
            margin = min(abs(x + 0.5), abs(x - 12.5), abs(y + 0.5), abs(y - 8.5))
            shown = sight.left <= u < sight.right and sight.top <= v < sight.bottom
            assert shown == inside or margin < 1e-6
            if shown and margin > 1e-6:
                assert abs(columns[u - sight.left] - x) <= 0.5 + 1e-6
                assert abs(rows[v - sight.top] - y) <= 0.5 + 1e-6


@given(st.floats(0.05, 20), st.floats(-50, 50), st.integers(0, 8), st.integers(1, 9))
def test_a_box_covers_all_that_shows_its_pixels(scale: float, left: float, first: int, count: int) -> None:
    view, image, window = View(scale, left, 3.25), (9, 13), (40, 50)
    box = Box(first, 2, first + count, 5)
    covered = view.covered(box, image, window)
    sight = view.sight(image, Box.whole(window))
    rows, columns = view.pixels(sight, image)
    for v, row in enumerate(rows, sight.top):
        for u, column in enumerate(columns, sight.left):
            if box.left <= column < box.right and box.top <= row < box.bottom:
                assert covered.left <= u < covered.right and covered.top <= v < covered.bottom


def test_a_resized_window_keeps_its_middle() -> None:
    view = View(2, 10, 20).resized((100, 200), (300, 260))
    assert view.to_image(130, 150) == View(2, 10, 20).to_image(100, 50)
