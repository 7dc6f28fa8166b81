from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from model.winograd import DirectConv, WinogradConv, transforms


def expected(image: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, residual: torch.Tensor) -> torch.Tensor:
    return (F.conv2d(image, weight, bias, padding=1) + residual).relu()


@pytest.mark.parametrize("form", [WinogradConv, lambda *args: DirectConv(*args, stride=1, padding=1)])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (4, 8), (7, 5), (13, 30)])
def test_it_is_the_convolution(form, height: int, width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.winograd._BLOCK", 36 * 2 * 8)  # one row of tiles at a time
    torch.manual_seed(0)
    image, weight, bias = torch.randn(2, 6, height, width), torch.randn(8, 6, 3, 3), torch.randn(8)
    residual = torch.randn(2, 8, height, width)
    conv = form(weight, bias, torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(conv(image, residual), expected(image, weight, bias, residual), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(conv(image), expected(image, weight, bias, torch.zeros(1)), rtol=1e-4, atol=1e-4)


def test_bfloat16_costs_little() -> None:
    torch.manual_seed(0)
    image, weight, bias = torch.randn(1, 64, 20, 20).relu().bfloat16(), torch.randn(64, 64, 3, 3) / 24, torch.zeros(64)
    exact = F.conv2d(image.float(), weight, padding=1).relu()
    with torch.inference_mode():
        error = WinogradConv(weight, bias, torch.bfloat16)(image).float() - exact
    assert error.square().mean().sqrt() < 0.03 * exact.square().mean().sqrt()


def test_bfloat16_holds_the_transforms_exactly() -> None:
    """Rounded transforms would no longer cancel: the error would be no noise, but the same in every picture."""
    forth, _, back = transforms()
    for matrix in (torch.kron(forth, forth), torch.kron(back, back)):
        assert torch.equal(matrix.bfloat16().double(), matrix)
