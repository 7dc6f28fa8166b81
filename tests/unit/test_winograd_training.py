from __future__ import annotations

import pytest
import torch
from torch import nn

from model.encoder import Encoder, EncoderConfig
from model.winograd_training import Conv3x3

Results = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def results(conv: nn.Conv2d, form: type[nn.Conv2d], image: torch.Tensor, wanted: torch.Tensor) -> Results:
    """The convolution, and both gradients of its product with `wanted`."""
    image, conv.weight.grad = image.clone().requires_grad_(), None
    out = form.forward(conv, image)
    out.backward(wanted.to(out.dtype))
    assert image.grad is not None and conv.weight.grad is not None
    return out.detach(), image.grad, conv.weight.grad


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.winograd_training._WIDE", 1)
    monkeypatch.setattr("model.winograd_training.winograd_pays", lambda *args: True)
    monkeypatch.setattr("model.winograd_training._BLOCK", 36 * 4 * 8 * 2)  # two pictures at a time at most


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 8), (7, 5), (8, 8), (13, 30)])
def test_it_is_the_convolution_with_its_gradients(height: int, width: int) -> None:
    torch.manual_seed(0)
    conv = Conv3x3(6, 8)
    image, wanted = torch.randn(5, 6, height, width), torch.randn(5, 8, height, width)
    for got, expected in zip(
        results(conv, Conv3x3, image, wanted), results(conv, nn.Conv2d, image, wanted), strict=True
    ):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))


@pytest.mark.usefixtures("quick")
def test_bfloat16_costs_little() -> None:
    torch.manual_seed(0)
    conv = Conv3x3(64, 64)
    image, wanted = torch.randn(4, 64, 20, 20).relu(), torch.randn(4, 64, 20, 20)
    exact = results(conv, nn.Conv2d, image, wanted)
    with torch.autocast("cpu", torch.bfloat16):
        rough = results(conv, Conv3x3, image, wanted)
    assert rough[0].dtype == torch.bfloat16 and rough[2].dtype == torch.float32
    for got, expected in zip(rough, exact, strict=True):
        assert (got.float() - expected).norm() < 0.03 * expected.norm()


@pytest.mark.usefixtures("quick")
def test_what_is_not_learned_gets_no_gradient() -> None:
    conv, image = Conv3x3(4, 4), torch.randn(1, 4, 8, 8)
    conv(image).sum().backward()
    assert conv.weight.grad is not None
    conv.requires_grad_(False)
    moved = image.requires_grad_()
    conv(moved).sum().backward()
    assert moved.grad is not None


def test_the_encoder_has_it_where_channels_are_many() -> None:
    encoder = Encoder(EncoderConfig((8, 16, 24, 24), 8))
    assert [name for name, module in encoder.named_modules() if isinstance(module, Conv3x3)] == [
        f"layer{stage}.{block}.conv{n}"
        for stage in (1, 2, 3, 4)
        for block in (0, 1)
        for n in (1, 2)
        if (stage, block, n) != (2, 0, 1)  # which has stride 2
    ]
