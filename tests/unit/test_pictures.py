"""Pictures of what the method sees: each against an answer known by construction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.pictures import (
    RAMP,
    UNKNOWN,
    by_cells,
    cluster_picture,
    draw_votes,
    feature_colours,
    flow_colours,
    flow_wheel,
    map_picture,
    ramp_colours,
    similarity_picture,
    similarity_row,
)
from model.types import FloatArray, UInt8Array


def constant_flow(x: float, y: float) -> FloatArray:
    """Backward flow of a picture whose content moves by (x, y)."""
    return np.broadcast_to(np.array([-x, -y], np.float32)[:, None, None], (2, 3, 4)).copy()


def hue(colour: UInt8Array) -> str:
    """The strongest channel, or the two strongest where they are alike."""
    r, g, b = (int(c) for c in colour)
    names = {"r": r, "g": g, "b": b}
    top = max(names.values())
    return "".join(n for n, v in names.items() if top - v < 10)


def test_the_ramp_grows_brighter_all_the_way() -> None:
    luminance = RAMP @ np.array([0.2126, 0.7152, 0.0722])
    assert luminance[-1] - luminance[0] > 120
    assert (np.diff(luminance) > -0.6).all() and (luminance[10:] - luminance[:-10] > 2).all()


def test_ramp_ends_where_it_is_told_and_knows_no_nan() -> None:
    colours = ramp_colours(np.array([-3, 2, 4, 6, 99, np.nan], np.float32), low=2, high=6)
    expected = [RAMP[0], RAMP[0], RAMP[128], RAMP[255], RAMP[255], np.array(UNKNOWN)]
    assert np.array_equal(colours, np.stack(expected))
    with pytest.raises(ValueError, match=r"from 1\.0 to 1\.0"):
        ramp_colours(np.zeros(3), 1.0, 1.0)


@given(height=st.integers(1, 33), width=st.integers(1, 33))
def test_every_pixel_has_what_its_nearest_cell_has(height: int, width: int) -> None:
    h, w = -(-height // 4), -(-width // 4)
    cells = np.arange(h * w).reshape(h, w)
    pixels = by_cells(cells, (height, width))
    assert pixels.shape == (height, width)
    for y in range(height):
        for x in range(width):
            i, j = int(pixels[y, x]) // w, int(pixels[y, x]) % w
            # Cell (i, j) is centred on pixel (4i, 4j); a pixel halfway belongs to either.
            assert abs(4 * i - y) <= 2 or i == h - 1
            assert abs(4 * j - x) <= 2 or j == w - 1
            assert abs(4 * i - y) <= 3 and abs(4 * j - x) <= 3


def test_a_map_shows_its_cells_in_the_ramps_colours() -> None:
    picture = map_picture(np.array([[0, 1], [0.5, np.nan]], np.float32), (8, 8))
    assert picture.shape == (8, 8, 3) and picture.dtype == np.uint8
    assert np.array_equal(picture[0, 0], RAMP[0]) and np.array_equal(picture[0, 7], RAMP[255])
    assert np.array_equal(picture[7, 0], RAMP[128]) and np.array_equal(picture[7, 7], UNKNOWN)
    assert (picture[:2, :2] == RAMP[0]).all() and (picture[2:, :2] == RAMP[128]).all()


@pytest.mark.parametrize("x, y, expected", [(1, 0, "r"), (-1, 0, "gb")])
def test_flow_to_the_right_is_red_and_to_the_left_cyan(x: float, y: float, expected: str) -> None:
    assert hue(flow_colours(constant_flow(x, y))[0, 0]) == expected


def test_what_is_still_is_white_and_slow_motion_pale() -> None:
    assert (flow_colours(constant_flow(0, 0)) == 255).all()
    fast, slow = (flow_colours(constant_flow(v, 0))[0, 0].astype(int) for v in (1.0, 0.25))
    assert fast.tolist() == [255, 0, 0] and slow.tolist() == [255, 191, 191]


@pytest.mark.parametrize("direction", [(1, 0), (0, 1), (-1, 0), (0, -1), (0.6, 0.8), (-0.6, 0.8)])
@pytest.mark.parametrize("speed", [0.4, 0.9])
def test_the_wheel_has_the_colour_of_a_motion_where_that_motion_leads(
    direction: tuple[float, float], speed: float
) -> None:
    wheel, middle = flow_wheel(201), 100
    x, y = (round(middle + 100 * speed * d) for d in direction)
    expected = flow_colours(constant_flow(speed * direction[0], speed * direction[1]))[0, 0].astype(int)
    assert np.abs(wheel[y, x].astype(int) - expected).max() <= 6


def test_the_wheel_is_round_on_any_ground() -> None:
    wheel = flow_wheel(51, outside=(10, 20, 30))
    assert wheel.shape == (51, 51, 3) and wheel.dtype == np.uint8
    assert wheel[0, 0].tolist() == wheel[50, 50].tolist() == [10, 20, 30]
    assert wheel[25, 25].tolist() == [255, 255, 255] and wheel[25, 49].tolist() != [10, 20, 30]


def axes(h: int = 6, w: int = 7) -> torch.Tensor:
    """Features of 2 frames that vary along three channels, strongest along channel 2, then 0, then 4."""
    parts = torch.rand(2, 3, h, w) - 0.5
    features = torch.zeros(2, 5, h, w)
    features[:, 2], features[:, 0], features[:, 4] = 9 * parts[:, 0], 3 * parts[:, 1], parts[:, 2]
    return features


def test_principal_components_become_red_green_and_blue_in_their_order() -> None:
    features = axes()
    colours = feature_colours(features).astype(float)
    for colour, channel in ((0, 2), (1, 0), (2, 4)):
        shown, there = colours[..., colour].ravel(), features[:, channel].numpy().ravel()
        assert np.corrcoef(shown, there)[0, 1] > 0.95  # and not -0.95: the sign is that of the channel
        assert shown.min() == 0 and shown.max() == 255


def test_colours_are_the_same_each_time_and_do_not_flip_with_a_little_noise() -> None:
    features = axes()
    colours = feature_colours(features)
    assert np.array_equal(feature_colours(features.clone()), colours)
    noisy = feature_colours(features + 0.001 * torch.randn_like(features))
    assert np.abs(noisy.astype(int) - colours).max() <= 10
    swapped = feature_colours(features.flip(0))
    assert np.abs(swapped[::-1].astype(int) - colours).max() <= 1


def test_like_features_have_like_colours_in_all_frames() -> None:
    features = axes()
    features[1] = features[0].flip(-1)
    colours = feature_colours(features)
    assert np.array_equal(colours[1], colours[0][:, ::-1])


def test_what_does_not_vary_is_grey() -> None:
    assert (feature_colours(torch.ones(2, 5, 3, 4)) == 128).all()
    features = torch.zeros(1, 2, 3, 4)
    features[:, 0] = torch.arange(12.0).view(3, 4)
    colours = feature_colours(features)  # fewer channels than colours
    assert colours[..., 0].max() == 255 and (colours[..., 1:] == 128).all()


def test_one_stray_cell_does_not_take_all_contrast() -> None:
    features = torch.rand(1, 1, 20, 20)
    features[0, 0, 3, 3] = 1000
    assert feature_colours(features)[..., 0].std() > 50


def test_clusters_have_colours_of_their_own_and_grown_cells_are_outlined() -> None:
    image = np.full((32, 32, 3), 100, np.uint8)
    clusters = np.zeros((8, 8), np.int64)
    clusters[:, 4:] = 1
    grown = np.zeros((8, 8), bool)
    grown[2:5, 1:3] = True
    centres = np.array([[6, 6], [np.nan, np.nan]], np.float32)
    picture = cluster_picture(image, clusters, grown, centres)
    assert len(np.unique(picture[28:, :12].reshape(-1, 3), axis=0)) == 1
    left, right, inside = picture[30, 2].astype(int), picture[2, 30].astype(int), picture[12, 7].astype(int)
    assert np.abs(left - right).max() > 20
    assert np.abs(inside - 100).max() > np.abs(left - 100).max() > 0  # the same colour, stronger
    assert (picture[6, 4:10] == 255).all() and (picture[12, 2] == 255).all()  # its border: pixels 6..17, 2..9
    assert not np.array_equal(picture[24, 24], picture[28, 28])  # a centre, and no trace of the missing one


def test_similarities_are_products_with_the_one_cell() -> None:
    query, references = torch.randn(5, 4, 6), torch.randn(3, 5, 4, 6)
    row = similarity_row(query, references, x=4, y=1)
    for r, i, j in ((0, 0, 0), (2, 3, 5), (1, 1, 4)):
        assert float(row[r, i, j]) == pytest.approx(float(query[:, 1, 4] @ references[r, :, i, j]), abs=1e-5)


def test_outside_the_window_the_picture_is_dimmed() -> None:
    image = np.full((16, 16, 3), 90, np.uint8)
    seen = np.zeros((4, 4), bool)
    seen[1, 2] = True
    picture = similarity_picture(image, np.full((4, 4), 3, np.float32), seen, low=1, high=5)
    coloured = (picture != 30).any(axis=2)
    assert np.array_equal(coloured, by_cells(seen, (16, 16)))
    assert (picture[coloured] == RAMP[128]).all() and (image == 90).all()


def test_the_area_of_a_votes_ring_is_its_weight() -> None:
    image = np.zeros((200, 400, 3), np.uint8)
    drawn = draw_votes(image, [(100, 100, 1.0), (300, 100, 0.25)], radius=60)
    assert not image.any()
    for x, radius in ((100, 60), (300, 30)):
        bright = np.flatnonzero(drawn[100, :, 0] > 200)
        near = bright[np.abs(bright - x) < 90]
        assert near.min() == pytest.approx(x - radius, abs=1.5) and near.max() == pytest.approx(x + radius, abs=1.5)
        assert drawn[100, x].tolist() == [0, 0, 0]  # a ring and no disc: what is voted for stays visible
