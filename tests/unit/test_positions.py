"""Position encodings: eq (6) of LIIR by hand, resizing, and the circular shift of negatives."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from model.positions import KINDS, PositionEncoding, PositionOptions, random_shifts, shift_circularly, waves

LEARNABLE = ("absolute_1d", "absolute_2d")


def test_waves_equal_their_formula() -> None:
    channels, height, width = 12, 5, 7
    encoding = waves(channels, height, width)
    assert encoding.shape == (channels, height, width)
    for c in range(channels):
        half, place = divmod(c, channels // 2)
        rate = 10_000 ** (4 * (place // 2) / channels)
        for y in range(height):
            for x in range(width):
                angle = (y if half else x) / rate
                expected = math.cos(angle) if place % 2 else math.sin(angle)
                assert float(encoding[c, y, x]) == pytest.approx(expected, abs=1e-5)


def test_waves_of_a_larger_grid_go_on_where_those_of_a_small_one_end() -> None:
    module = PositionEncoding("sinusoidal_2d", 8, (4, 4))
    torch.testing.assert_close(module.encoding(9, 11)[:, :4, :4], module.encoding(4, 4))


@pytest.mark.parametrize("kind", KINDS)
def test_the_encoding_is_added_to_the_features(kind: str) -> None:
    module, features = PositionEncoding(kind, 8, (5, 6)), torch.randn(3, 8, 5, 6)
    added = module(features) - features
    expected = torch.zeros(8, 5, 6) if kind == "none" else module.encoding(5, 6)
    torch.testing.assert_close(added, expected.expand(3, -1, -1, -1), atol=1e-6, rtol=0)
    assert bool(added.any()) == (kind != "none")


def test_in_one_dimension_every_place_is_free_and_in_two_only_rows_and_columns_are() -> None:
    assert [p.numel() for p in PositionEncoding("absolute_1d", 8, (5, 6)).parameters()] == [8 * 5 * 6]
    two = PositionEncoding("absolute_2d", 8, (5, 6))
    assert sorted(p.numel() for p in two.parameters()) == [4 * 5, 4 * 6]
    encoding = two.encoding(5, 6)
    assert encoding[:4].var(dim=1).max() == 0 and encoding[4:].var(dim=2).max() == 0  # x first, then y
    assert encoding[:4].var(dim=2).min() > 0 and encoding[4:].var(dim=1).min() > 0
    assert not list(PositionEncoding("sinusoidal_2d", 8, (5, 6)).parameters())


@pytest.mark.parametrize("kind", LEARNABLE)
def test_other_grids_get_the_encoding_resized(kind: str) -> None:
    module = PositionEncoding(kind, 4, (6, 8))
    expected = F.interpolate(module.encoding(6, 8)[None], (15, 12), mode="bicubic")[0]
    torch.testing.assert_close(module.encoding(15, 12), expected)
    assert module(torch.zeros(1, 4, 15, 12)).shape == (1, 4, 15, 12)


def test_a_ramp_stays_a_ramp_over_the_whole_picture_when_it_is_resized() -> None:
    module = PositionEncoding("absolute_2d", 4, (8, 8))
    with torch.no_grad():
        module.column.copy_(((torch.arange(8) + 0.5) / 8).expand(2, -1))  # the share of the picture to the left
    inner = module.encoding(16, 32)[0, 5, 6:-6]  # bicubic bends at the borders, and a ramp by half a percent
    torch.testing.assert_close(inner, ((torch.arange(32) + 0.5) / 32)[6:-6], atol=6e-3, rtol=0)


def test_a_shift_is_circular_and_each_frame_has_its_own() -> None:
    encoding = torch.randn(3, 4, 5)
    shifted = shift_circularly(encoding, torch.tensor([[0, 0], [1, 0], [0, 2], [3, 4]]))
    for frame, (down, right) in zip(shifted, [(0, 0), (1, 0), (0, 2), (3, 4)], strict=True):
        assert torch.equal(frame, encoding.roll((down, right), dims=(1, 2)))


@pytest.mark.parametrize("kind", ["absolute_1d", "absolute_2d", "sinusoidal_2d"])
def test_shifted_positions_are_those_of_other_places(kind: str) -> None:
    module, features = PositionEncoding(kind, 8, (4, 5)), torch.zeros(2, 8, 4, 5)
    shifted = module(features, torch.tensor([[1, 3], [2, 0]]))
    torch.testing.assert_close(shifted[0], module.encoding(4, 5).roll((1, 3), dims=(1, 2)))
    torch.testing.assert_close(shifted[1], module.encoding(4, 5).roll((2, 0), dims=(1, 2)))


@pytest.mark.parametrize("kind", LEARNABLE)
def test_positions_learn_from_their_own_video_and_not_from_shifted_ones(kind: str) -> None:
    module, features = PositionEncoding(kind, 4, (3, 4)), torch.randn(2, 4, 3, 4, requires_grad=True)
    (module(features) * torch.rand(4, 3, 4)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in module.parameters())

    module.zero_grad()
    features.grad = None
    module(features, torch.tensor([[1, 1], [2, 3]])).sum().backward()
    assert all(p.grad is None for p in module.parameters())
    assert features.grad is not None and features.grad.any()


def test_the_encoding_follows_the_features_number_format() -> None:
    features = torch.zeros(1, 8, 3, 4, dtype=torch.bfloat16)
    for kind in KINDS:
        assert PositionEncoding(kind, 8, (3, 4))(features).dtype == torch.bfloat16


def test_shifts_reach_every_place_and_depend_on_the_sample_alone() -> None:
    shifts = random_shifts((3, 5), seed=1, numbers=range(400))
    assert {tuple(s) for s in shifts.tolist()} == {(y, x) for y in range(3) for x in range(5)}
    assert torch.equal(shifts[100:104], random_shifts((3, 5), seed=1, numbers=range(100, 104)))
    assert not torch.equal(shifts, random_shifts((3, 5), seed=2, numbers=range(400)))


def test_what_cannot_be_is_named() -> None:
    with pytest.raises(ValueError, match="absolute_3d"):
        PositionOptions("absolute_3d")
    with pytest.raises(ValueError, match="multiple of 4 channels, not 6"):
        PositionEncoding("absolute_2d", 6, (3, 4))
