"""What is drawn over a picture, and where."""

from __future__ import annotations

import time

import numpy as np
import pytest

from app.io.overlay import LINE, compose
from model.palette import PALETTE
from model.types import KeypointSet, LabelMap

GREY = np.full((40, 60, 3), 100, np.uint8)


def square(number: int = 2) -> LabelMap:
    ids = np.zeros((40, 60), np.uint8)
    ids[10:30, 20:50] = number
    return LabelMap(ids)


def test_without_labels_the_picture_is_as_it_was() -> None:
    image = GREY.copy()
    drawn = compose(image)
    assert np.array_equal(drawn, GREY)
    assert drawn is not image


def test_an_object_is_filled_outlined_and_haloed() -> None:
    drawn = compose(GREY, square(), opacity=0.5)
    assert drawn[20, 35].tolist() == [50, 114, 50]  # half grey, half (0, 128, 0)
    for y, x in ((10, 20), (10, 35), (29, 49), (20, 20)):
        assert drawn[y, x].tolist() == LINE[2, 0].tolist()
    for y, x in ((9, 35), (30, 35), (20, 19), (20, 50)):
        assert drawn[y, x].tolist() == [0, 0, 0]
    far = np.ones((40, 60), bool)
    far[9:31, 19:51] = False
    assert np.array_equal(drawn[far], GREY[far])


@pytest.mark.parametrize("opacity", [0.0, 1.0])
def test_opacity_ranges_from_outline_only_to_solid(opacity: float) -> None:
    expected = PALETTE[2] if opacity else GREY[0, 0]
    assert compose(GREY, square(), opacity=opacity)[20, 35].tolist() == expected.tolist()


@pytest.mark.parametrize("number", range(1, 255, 23))
def test_the_outline_stands_out_from_its_halo(number: int) -> None:
    assert LINE[number].max() >= 127


def test_void_is_left_alone() -> None:
    assert np.array_equal(compose(GREY, square(255)), GREY)


def test_an_object_that_fills_the_picture_has_no_edge() -> None:
    drawn = compose(GREY, LabelMap(np.full((40, 60), 1, np.uint8)), opacity=1)
    assert (drawn == PALETTE[1]).all()


def test_keypoints_are_ringed_dots_at_their_place() -> None:
    xy = np.array([[10, 10], [30, 20], [np.nan, np.nan], [50, 30]], np.float32)
    points = KeypointSet(("a", "b", "c", "d"), xy, np.array([1, 1, 0, 0], bool), np.ones(4, np.float32))
    drawn = compose(GREY, None, points)
    assert drawn[10, 10].tolist() == LINE[1, 0].tolist()
    assert drawn[20, 30].tolist() == LINE[2, 0].tolist()
    assert drawn[10, 14].min() > 200  # the ring
    assert drawn[30, 50].tolist() == [100, 100, 100]  # hidden: hollow
    assert not np.array_equal(drawn[27:34, 47:54], GREY[27:34, 47:54])
    assert np.array_equal(drawn[:5, 40:], GREY[:5, 40:])


def test_arguments_stay_untouched() -> None:
    image, labels = GREY.copy(), square()
    image.flags.writeable = False
    compose(image, labels, KeypointSet.of({"a": (5, 5)}))
    assert np.array_equal(image, GREY)
    assert np.array_equal(labels.ids, square().ids)


def test_a_map_of_another_size_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        compose(GREY[:20], square())


def test_it_keeps_up_with_playback() -> None:
    """The best of several, because the machine may be busy; typically 3 ms."""
    image = np.zeros((480, 854, 3), np.uint8)
    ids = np.zeros((480, 854), np.uint8)
    ids[20:460, 20:400], ids[50:300, 500:800] = 1, 2
    labels, times = LabelMap(ids), []
    for _ in range(20):
        begun = time.perf_counter()
        compose(image, labels)
        times.append(time.perf_counter() - begun)
    assert min(times) < 0.008
