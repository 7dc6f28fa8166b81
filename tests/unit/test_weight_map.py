"""The weight-map loss against a plain transcription of eqs (18)-(20), and cases with known answers."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from model.weight_map import WeightMapOptions, colour_error, omega, pixel_weights, weight_map_loss

ABS, BLEND, OFF = WeightMapOptions("abs"), WeightMapOptions("blend"), WeightMapOptions("off")


def slow_loss(copied: Tensor, target: Tensor, value: Tensor, rho: float) -> float:
    """Eqs (18)-(20) for one sample, pixel by pixel: colours [C, H, W], value [h, w]; weights over their mean."""
    low, high = float(value.min()), float(value.max())
    h, w = value.shape
    _, height, width = target.shape
    weights, errors = [], []
    for py in range(height):
        for px in range(width):
            y, x = min(py / 4, h - 1), min(px / 4, w - 1)  # cell (i, j) is centred on pixel (4i, 4j)
            total = 0.0
            for i in range(h):
                for j in range(w):
                    share = max(0.0, 1 - abs(y - i)) * max(0.0, 1 - abs(x - j))
                    total += share * 2 * (float(value[i, j]) - low) / (high - low)
            weights.append(abs(rho - total))
            z = 0.0
            for c in range(len(target)):
                error = abs(20 * float(copied[c, py, px]) - 20 * float(target[c, py, px]))
                z += 0.5 * error**2 if error < 1 else error - 0.5
            errors.append(z / len(target))
    return sum(e * weight for e, weight in zip(errors, weights, strict=True)) / sum(weights)


def random_case(channels: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    # Errors on both sides of 1/20, where smooth-L1 changes its form.
    return 0.1 * torch.randn(2, channels, 12, 16), 0.1 * torch.randn(2, channels, 12, 16), torch.rand(2, 1, 3, 4)


@pytest.mark.parametrize("progress, channels", [(0.0, 1), (0.3, 1), (0.3, 2), (1.0, 1)])
def test_the_loss_equals_its_transcription(progress: float, channels: int) -> None:
    copied, target, value = random_case(channels)
    loss = weight_map_loss(copied, target, value, progress, ABS)
    expected = [slow_loss(copied[b], target[b], value[b, 0], 2 * progress) for b in range(2)]
    assert loss.tolist() == pytest.approx(expected, rel=1e-4)


def test_switched_off_it_is_the_plain_mean_of_eq_18() -> None:
    copied, target, value = random_case(2)
    loss = weight_map_loss(copied, target, value, 0.7, OFF)
    torch.testing.assert_close(loss, colour_error(copied, target).mean(dim=(1, 2, 3)))


def test_eq_19_is_quadratic_below_a_twentieth_and_linear_above() -> None:
    error = torch.tensor([0.0, 0.01, 0.05, 0.1, -0.5]).view(1, 1, 1, 5)
    z = colour_error(error, torch.zeros_like(error)).flatten()
    assert z.tolist() == pytest.approx([0, 0.5 * 0.2**2, 0.5, 1.5, 9.5])


def test_the_object_counts_first_and_the_background_last() -> None:
    value = torch.zeros(1, 1, 4, 4)
    value[..., :2] = 1  # the object is on the left
    target = torch.zeros(1, 1, 16, 16)
    left, right = target.clone(), target.clone()
    left[..., :4], right[..., 12:] = 0.2, 0.2
    for options in (ABS, BLEND):
        start = [float(weight_map_loss(c, target, value, 0.0, options)) for c in (left, right)]
        end = [float(weight_map_loss(c, target, value, 1.0, options)) for c in (left, right)]
        assert start[0] > 0 and start[1] == 0
        assert end[0] == 0 and end[1] > 0


def test_halfway_eq_20_ignores_middling_values_and_the_blend_weighs_all_alike() -> None:
    weights = torch.tensor([0.0, 1.0, 2.0]).view(1, 1, 1, 3)
    assert pixel_weights(weights, 0.5, ABS).flatten().tolist() == pytest.approx([1.5, 0, 1.5])
    assert pixel_weights(weights, 0.5, BLEND).flatten().tolist() == pytest.approx([1, 1, 1])


def test_a_smaller_rho_max_stops_earlier() -> None:
    weights = torch.tensor([0.0, 2.0]).view(1, 1, 1, 2)
    for mode in ("abs", "blend"):
        last = pixel_weights(weights, 1.0, WeightMapOptions(mode, rho_max=0.5))
        assert last.flatten().tolist() == pytest.approx([0.5, 1.5])


@given(
    progress=st.floats(0, 1),
    mode=st.sampled_from(["abs", "blend", "off"]),
    seed=st.integers(0, 2**31),
    flat=st.booleans(),
)
def test_weights_are_never_negative_and_have_mean_one(progress: float, mode: str, seed: int, flat: bool) -> None:
    value = torch.rand(3, 1, 4, 5, generator=torch.manual_seed(seed))
    value[1] = 0.25 if flat else value[1]
    weights = pixel_weights(omega(value, 16, 20), progress, WeightMapOptions(mode))
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.mean(dim=(1, 2, 3)), torch.ones(3), atol=1e-4, rtol=0)


@pytest.mark.parametrize("progress", [0.0, 1e-6, 0.5, 1.0])
def test_a_map_without_contrast_leaves_the_plain_mean(progress: float) -> None:
    copied, target, _ = random_case()
    for value in (torch.zeros(2, 1, 3, 4), torch.full((2, 1, 3, 4), 0.7)):
        loss = weight_map_loss(copied, target, value, progress, ABS)
        torch.testing.assert_close(loss, colour_error(copied, target).mean(dim=(1, 2, 3)))


def test_the_weight_map_spans_0_to_2_in_every_picture_by_itself() -> None:
    value = torch.rand(2, 1, 5, 6)
    value[1] = 100 * value[1] - 3
    stretched = omega(value, 20, 24)
    assert stretched.amin(dim=(1, 2, 3)).tolist() == pytest.approx([0, 0], abs=1e-6)
    assert stretched.amax(dim=(1, 2, 3)).tolist() == pytest.approx([2, 2])
    torch.testing.assert_close(omega(3 * value + 1, 20, 24), stretched)


def test_gradient_reaches_the_copy_and_not_the_value_map() -> None:
    copied, target, value = random_case()
    copied.requires_grad_(), value.requires_grad_()
    loss = weight_map_loss(copied, target, value * 2, 0.25, ABS).sum()
    assert torch.autograd.grad(loss, value, retain_graph=True, allow_unused=True) == (None,)
    (gradient,) = torch.autograd.grad(loss, copied)
    assert gradient.isfinite().all() and gradient.any()


@pytest.mark.parametrize("change", [{"mode": "square"}, {"rho_max": 0.0}, {"rho_max": 2.5}])
def test_options_that_cannot_be_are_named(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(change.values())))):
        WeightMapOptions(**change)
