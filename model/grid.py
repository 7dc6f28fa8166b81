"""The geometry between pixels, feature cells and labels.

With stride-4 convolutions padded as in `model.encoder`, cell (i, j) is centred on pixel (4i, 4j), not on the
middle of a 4×4 block. Every step between the two grids goes through here, or edges drift by 1.5 pixels.

Labels lie on a grid that is twice as fine: a cell has 2×2 of them, place (i, j) is centred on pixel (2i - 1, 2j - 1).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from model.encoder import STRIDE

PARTS = 2
"""Labels along each side of a cell."""
PITCH = STRIDE // PARTS
"""Pixels from one label to the next."""
FIRST = (PITCH - STRIDE) // 2
"""The pixel that the first label is centred on."""


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


def parted(labels: Tensor) -> Tensor:
    """Labels [..., 2h, 2w] -> those of each cell, as a view [..., 2, 2, h, w]."""
    h, w = (side // PARTS for side in labels.shape[-2:])
    return labels.reshape(*labels.shape[:-2], h, PARTS, w, PARTS).movedim((-3, -1), (-4, -3))


def joined(parts: Tensor) -> Tensor:
    """The labels [..., 2h, 2w] that cells have, [..., 2, 2, h, w]."""
    return parts.movedim((-4, -3), (-3, -1)).flatten(-2).flatten(-3, -2)


def by_cell(labels: Tensor) -> Tensor:
    """The mean of each cell's labels: [L, 2h, 2w] -> [L, h, w]."""
    return parted(labels).mean((-4, -3))


def by_label(cells: Tensor) -> Tensor:
    """What holds of a cell, for each of its labels: [..., h, w] -> [..., 2h, 2w]."""
    return cells.repeat_interleave(PARTS, dim=-1).repeat_interleave(PARTS, dim=-2)
