"""The geometry between pixels and feature cells.

With stride-4 convolutions padded as in `model.encoder`, cell (i, j) is centred on pixel (4i, 4j), not on the
middle of a 4×4 block. Every step between the two grids goes through here, or edges drift by 1.5 pixels.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from model.encoder import STRIDE


def padded_size(height: int, width: int) -> tuple[int, int]:
    """The next multiples of the stride."""
    return -(-height // STRIDE) * STRIDE, -(-width // STRIDE) * STRIDE


def pad_to_stride(image: Tensor) -> Tensor:
    """[B, C, H, W] -> the same, bottom and right edges repeated up to multiples of the stride."""
    height, width = image.shape[-2:]
    new_height, new_width = padded_size(height, width)
    if (new_height, new_width) == (height, width):
        return image
    return F.pad(image, (0, new_width - width, 0, new_height - height), mode="replicate")


def sample_cells(image: Tensor) -> Tensor:
    """[..., H, W] -> the values at the cell centres [..., H/4, W/4]."""
    return image[..., ::STRIDE, ::STRIDE]


def to_pixels(cells: Tensor, height: int, width: int) -> Tensor:
    """Bilinear from cells [B, C, h, w] to pixels [B, C, height, width]; height <= 4h, width <= 4w."""
    h, w = cells.shape[-2:]
    inner = (STRIDE * (h - 1) + 1, STRIDE * (w - 1) + 1)  # from the first centre to the last one
    pixels = F.interpolate(cells, inner, mode="bilinear", align_corners=True)
    pixels = F.pad(pixels, (0, STRIDE - 1, 0, STRIDE - 1), mode="replicate")
    return pixels[..., :height, :width]
