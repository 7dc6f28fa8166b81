"""The encoder in the form that inference uses: normalisation folded into convolutions, which are done the quick way."""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

import torch
from torch import Tensor, nn
from torchvision.models.resnet import BasicBlock

from model.encoder import Encoder
from model.winograd import DirectConv, WinogradConv, winograd_pays

_WIDE = 128
"""With fewer channels, coming or going, Winograd's transforms cost more than they save."""

Network = TypeVar("Network", bound=Encoder)


def folded(network: Network, dtype: torch.dtype) -> Network:
    """A copy of a network for inference: the same features but for rounding, computed in `dtype`."""
    network = deepcopy(network).eval().requires_grad_(False)
    network.conv1 = _First(*_fold(network.conv1, network.bn1), dtype)  # type: ignore[assignment]
    network.bn1, network.relu = nn.Identity(), nn.Identity()  # type: ignore[assignment]
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for n, block in enumerate(stage):
            assert isinstance(block, BasicBlock)
            stage[n] = _Block(block, dtype)
    network.match = network.match.to(dtype)
    return network.to(memory_format=torch.channels_last)


class _First(DirectConv):
    """The stem, which pictures enter."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__(weight, bias, dtype, stride=2, padding=3)

    def forward(self, image: Tensor, residual: Tensor | None = None) -> Tensor:
        return super().forward(image.to(self._weight.dtype), residual)


class _Block(nn.Module):
    """A residual block: two convolutions and a way around them."""

    def __init__(self, block: BasicBlock, dtype: torch.dtype) -> None:
        super().__init__()
        self._dtype = dtype
        self.first = _convolution(block.conv1, block.bn1, dtype)
        self.second = _convolution(block.conv2, block.bn2, dtype)
        self.shortcut: nn.Module | None = None
        if block.downsample is not None:
            conv, norm = block.downsample
            weight, bias = _fold(conv, norm)
            self.shortcut = nn.Conv2d(
                conv.in_channels, conv.out_channels, 1, conv.stride, device=weight.device, dtype=dtype
            ).requires_grad_(False)
            self.shortcut.weight.copy_(weight)
            assert self.shortcut.bias is not None
            self.shortcut.bias.copy_(bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x.to(self._dtype)  # positions add fp32 to it
        out: Tensor = self.second(self.first(x), x if self.shortcut is None else self.shortcut(x))
        return out


def _convolution(conv: nn.Conv2d, norm: nn.BatchNorm2d, dtype: torch.dtype) -> nn.Module:
    """Convolution, normalisation, residual and ReLU as one, in the quicker way."""
    weight, bias = _fold(conv, norm)
    wide = min(conv.in_channels, conv.out_channels) >= _WIDE
    if wide and conv.stride == (1, 1) and winograd_pays(weight.device, dtype):
        return WinogradConv(weight, bias, dtype)
    return DirectConv(weight, bias, dtype, conv.stride[0], 1)


@torch.no_grad()
def _fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[Tensor, Tensor]:
    """Weight and bias, fp32, of a convolution with the normalisation behind it."""
    assert conv.bias is None and norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return conv.weight * scale[:, None, None, None], norm.bias - norm.running_mean * scale
