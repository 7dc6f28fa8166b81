from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.models.resnet import BasicBlock

from model.encoder import Encoder, EncoderConfig


def test_parameters_are_named_as_in_resnet18() -> None:
    """Weights files depend on these names."""
    with torch.device("meta"):
        names = {n for n in resnet18().state_dict() if not n.startswith("fc.")}
    narrower = {n for n in names if n.startswith("layer4.0.downsample.")}  # the last two stages are equally wide
    assert set(Encoder().state_dict()) == names - narrower | {"match.weight", "match.bias"}


def test_features_have_a_quarter_of_the_size() -> None:
    encoder = Encoder(EncoderConfig((4, 4, 6, 8), 5)).eval()
    assert encoder(torch.rand(2, 3, 24, 40)).shape == (2, 5, 6, 10)


def test_every_residual_branch_starts_as_the_identity() -> None:
    encoder = Encoder(EncoderConfig((4, 4, 6, 6), 5)).train()
    blocks = [m for m in encoder.modules() if isinstance(m, BasicBlock) and m.downsample is None]
    assert len(blocks) == 6
    for block in blocks:
        x = torch.rand(2, block.conv1.in_channels, 6, 6)
        assert torch.equal(block(x), x)


@pytest.mark.parametrize("cell", [(24, 22), (21, 25)])
def test_a_cell_is_centred_on_the_pixel_at_four_times_its_place(cell: tuple[int, int]) -> None:
    """With averaging weights, what a cell sees is symmetric about pixel (4i, 4j): the claim of `model.grid`."""
    encoder = Encoder(EncoderConfig((2, 2, 2, 2), 1)).eval()
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    image = torch.ones(1, 3, 192, 192, requires_grad=True)
    i, j = cell
    encoder(image)[0, 0, i, j].backward()
    assert image.grad is not None
    weight = image.grad[0, 0]
    reach = 64  # the receptive field is 123 pixels wide
    seen = weight[4 * i - reach : 4 * i + reach + 1, 4 * j - reach : 4 * j + reach + 1]
    assert seen.sum() == pytest.approx(float(weight.sum())) and seen[reach, reach] > 0
    torch.testing.assert_close(seen, seen.flip(0), rtol=1e-4, atol=1e-9)
    torch.testing.assert_close(seen, seen.flip(1), rtol=1e-4, atol=1e-9)
    places = torch.arange(192.0)
    centre = (weight.sum(1) @ places / weight.sum(), weight.sum(0) @ places / weight.sum())
    assert [float(c) for c in centre] == pytest.approx([4 * i, 4 * j], abs=1e-2)
