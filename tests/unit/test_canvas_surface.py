"""What is on the screen after pushes and strokes is what would be drawn from scratch."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PySide6.QtGui import QColor, QImage, QPainter

from app.core.raster import Box, disc
from app.views.canvas.surface import Picture, Surface
from app.views.canvas.view import View
from app.views.drawing import OverlayStyle

IMAGE = np.random.default_rng(1).integers(0, 255, (40, 60, 3), np.uint8)
GREY = QColor(30, 30, 30)


@pytest.fixture(autouse=True)
def _qt(qapp: object) -> None:
    """Painters need an application."""


def surface(view: View, ratio: float = 1.0) -> Surface:
    made = Surface()
    made.resize(80 / ratio, 50 / ratio, ratio)
    made.picture = Picture(IMAGE)
    made.ids = np.zeros((40, 60), np.uint8)
    made.ids[10:20, 15:40] = 1
    made.view = view
    made.stale(picture=True)
    return made


def drawn(made: Surface) -> np.ndarray:
    """uint8 [50, 80, 3] RGB: the whole window."""
    height, width = made.size
    target = QImage(width, height, QImage.Format.Format_RGB32)
    target.setDevicePixelRatio(made.ratio)
    painter = QPainter(target)
    made.paint(painter, Box.whole(made.size), GREY)
    painter.end()
    pixels = np.frombuffer(target.bits(), np.uint8).reshape(height, width, 4)
    return pixels[..., 2::-1].copy()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("push"), st.integers(-30, 30), st.integers(-30, 30)),
        st.tuples(st.just("stroke"), st.integers(0, 60), st.integers(0, 40)),
        st.tuples(st.just("show"), st.just(0), st.just(0)),
    ),
    min_size=1,
    max_size=8,
)


@settings(max_examples=60)
@given(steps, st.sampled_from([0.4, 0.77, 1.0, 1.3, 2.0, 5.3]), st.sampled_from([1.0, 2.0]), st.booleans())
def test_small_repairs_come_to_the_same_as_drawing_all(
    todo: list[tuple[str, int, int]], scale: float, ratio: float, layer: bool
) -> None:
    made = surface(View(scale, 7.3, -4.6), ratio)
    if layer:
        made.layer, made.wipe = Picture(IMAGE[::2, ::2].copy()), 0.5
        made.confidence = np.linspace(0, 1, 150, dtype=np.float32).reshape(10, 15)
    drawn(made)
    for kind, a, b in todo:
        if kind == "push":
            made.view = made.view.panned(a, b)
        elif kind == "stroke":
            mask = np.zeros((40, 60), np.bool_)
            box = disc(mask, (a, b), 4.0)
            assert made.ids is not None
            made.ids[mask] = 2
            made.labels_changed(box)
        else:
            drawn(made)
    repaired = drawn(made)
    made.stale(picture=True)
    again = drawn(made)
    if scale >= 2 or scale == 1:
        if not layer:  # doubt follows the objects when all is drawn, not while a stroke is under way
            assert np.array_equal(repaired, again)
    elif not layer:
        # Qt begins its interpolation at the edge of what it is asked for: the last bit may differ.
        assert np.abs(repaired.astype(int) - again).max() <= 3


def test_pixels_are_squares_from_200_percent_on() -> None:
    shown = drawn(surface(View(4, 0, 0)))
    blocks = shown[:48, :80].reshape(12, 4, 20, 4, 3)
    assert (blocks[5, :, 2] == IMAGE[5, 2]).all()
    colours = {tuple(c) for c in shown.reshape(-1, 3).tolist()}
    own = {tuple(c) for c in IMAGE.reshape(-1, 3).tolist()}
    outlined = {c for c in colours - own if c != (30, 30, 30)}
    assert len(outlined) <= 250 + 3  # filled and outlined pixels of the object, and nothing in between


def test_at_100_percent_the_picture_is_exact_wherever_it_lies() -> None:
    made = surface(View(1, 3.4, 2.6))
    made.ids = None
    made.stale(picture=True)
    shown = drawn(made)
    assert np.array_equal(shown[3:43, 3:63], IMAGE)
    assert (shown[:3] == 30).all() and (shown[:, 63:] == 30).all()


def test_made_smaller_pixels_are_averaged() -> None:
    board = np.zeros((40, 60, 3), np.uint8)
    board[::2] = 255  # one line white, one black: what is skipped would show as stripes
    made = surface(View(0.25, 0, 0))
    made.picture, made.ids = Picture(board), None
    made.stale(picture=True)
    inner = drawn(made)[1:9, 1:14]
    assert np.abs(inner.astype(int) - 127).max() <= 2


def test_the_wipe_shows_the_plain_picture_on_its_left() -> None:
    made = surface(View(1, 0, 0))
    made.style = OverlayStyle(opacity=1)
    made.layer, made.wipe = Picture(np.full((4, 6, 3), 99, np.uint8)), 0.5
    made.stale(picture=True)
    shown = drawn(made)
    assert np.array_equal(shown[:40, :30], IMAGE[:, :30])
    assert (shown[25:40, 30:60] == 99).all()
    assert shown[15, 35].tolist() == [128, 0, 0]


def test_doubt_is_hatched_only_near_objects() -> None:
    made = surface(View(1, 0, 0))
    plain = drawn(made)
    made.confidence = np.zeros((10, 15), np.float32)
    made.stale()
    hatched = np.abs(drawn(made).astype(int) - plain).any(axis=2)
    assert 0.3 < hatched[10:20, 15:40].mean() < 0.9
    assert not hatched[35:].any()
    made.confidence = np.ones((10, 15), np.float32)
    made.stale()
    assert np.array_equal(drawn(made), plain)


def test_a_dense_screen_has_broader_lines() -> None:
    lines = []
    for ratio in (1.0, 2.0):
        made = surface(View(1, 0, 0), ratio)
        made.style = OverlayStyle(opacity=0)
        bare = made.ids
        made.ids = None
        made.stale()
        plain = drawn(made)
        made.ids = bare
        made.stale()
        changed = (drawn(made) != plain).any(axis=2)
        lines.append(int(changed[5:16, 30].sum()))
    assert lines == [2, 4]  # line and halo
