"""Winograd's convolutions with gradients: what training on a processor without matrix units spends its time in.

The gradients are convolutions as well. That of the picture is one with the kernels turned round; that of the kernels
correlates picture and gradient, and is worked out at the same 36 points: what goes forth for the picture, and back,
transposed, for the gradient of the result.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.winograd import SIDE, TILE, kernels_at_points, tile_transforms, transforms, winograd_pays

_WIDE = 256
"""With fewer channels, coming or going, the library's own convolutions are no slower."""

_BLOCK = 2**22  # numbers transformed at once: they stay in the processor's cache


class Conv3x3(nn.Conv2d):
    """A 3×3 convolution with stride 1, padding 1 and no bias, done the quick way where that pays.

    Its parameters, and its results but for rounding, are those of `nn.Conv2d`.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__(channels_in, channels_out, 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """image [B, C, H, W] -> [B, K, H, W]."""
        device = image.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else image.dtype
        if min(self.in_channels, self.out_channels) < _WIDE or not winograd_pays(image.device, dtype):
            return super().forward(image)
        result: Tensor = _Convolution.apply(image.to(dtype), self.weight)
        return result


class _Convolution(torch.autograd.Function):
    """image [B, C, H, W] of the dtype of the multiplications, weight fp32 [K, C, 3, 3] -> [B, K, H, W]."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(image, weight)
        return _convolved(image, weight)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        image, weight = ctx.saved_tensors
        of_image = _convolved(gradient, weight.flip(2, 3).transpose(0, 1)) if ctx.needs_input_grad[0] else None
        of_weight = _weight_gradient(image, gradient) if ctx.needs_input_grad[1] else None
        return of_image, of_weight


def _convolved(image: Tensor, weight: Tensor) -> Tensor:
    forth, back = tile_transforms(image.device, image.dtype)
    kernels = kernels_at_points(weight, image.dtype)
    pixels = image.permute(0, 2, 3, 1)
    height, width = pixels.shape[1:3]
    rows, columns, channels = -(-height // TILE), -(-width // TILE), kernels.shape[2]
    out = image.new_empty(len(image), height, width, channels)
    for part in _parts(pixels, channels):
        products = torch.bmm(_points(pixels[part], forth), kernels)
        tiles = (back @ products.flatten(1)).view(TILE, TILE, -1, rows, columns, channels)
        whole = tiles.permute(2, 3, 0, 4, 1, 5).reshape(-1, rows * TILE, columns * TILE, channels)
        out[part] = whole[:, :height, :width]
    return out.permute(0, 3, 1, 2)


def _weight_gradient(image: Tensor, gradient: Tensor) -> Tensor:
    """[B, C, H, W] and [B, K, H, W] -> fp32 [K, C, 3, 3]."""
    forth, back = tile_transforms(image.device, image.dtype)
    kernel = transforms()[1].to(image.device).float()
    pixels, wanted = image.permute(0, 2, 3, 1), gradient.permute(0, 2, 3, 1)
    height, width, channels = wanted.shape[1:]
    rows, columns = -(-height // TILE), -(-width // TILE)
    total = image.new_zeros(SIDE**2, pixels.shape[3], channels, dtype=torch.float32)
    for part in _parts(pixels, channels):
        whole = F.pad(wanted[part], (0, 0, 0, columns * TILE - width, 0, rows * TILE - height))
        tiles = whole.view(-1, rows, TILE, columns, TILE, channels).permute(2, 4, 0, 1, 3, 5)
        points = (back.T @ tiles.reshape(TILE**2, -1)).view(SIDE**2, -1, channels)
        total += torch.bmm(_points(pixels[part], forth).mT, points)
    return torch.einsum("ij,ilco,lk->ocjk", kernel, total.view(SIDE, SIDE, *total.shape[1:]), kernel)


def _parts(pixels: Tensor, channels: int) -> list[slice]:
    """Pictures [B, H, W, C] so few at a time that they fit the cache, with K = channels of the other side."""
    tiles = -(-pixels.shape[1] // TILE) * -(-pixels.shape[2] // TILE)
    step = max(1, _BLOCK // (SIDE**2 * tiles * max(pixels.shape[3], channels)))
    return [slice(start, start + step) for start in range(0, len(pixels), step)]


def _points(pixels: Tensor, forth: Tensor) -> Tensor:
    """Pictures [B, H, W, C] at the points: [36, tiles, C]."""
    height, width, channels = pixels.shape[1:]
    down, right = -height % TILE + 1, -width % TILE + 1
    tiles = F.pad(pixels, (0, 0, 1, right, 1, down)).unfold(1, SIDE, TILE).unfold(2, SIDE, TILE)
    return (forth @ tiles.permute(4, 5, 0, 1, 2, 3).reshape(SIDE**2, -1)).view(SIDE**2, -1, channels)
