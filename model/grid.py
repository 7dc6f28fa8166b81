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


def by_cell(labels: Tensor) -> Tensor:
    """The mean of each cell's labels: [L, 2h, 2w] -> [L, h, w]."""
    parts = [labels[:, y::PARTS, x::PARTS] for y in range(PARTS) for x in range(PARTS)]
    return sum(parts[1:], parts[0]) / len(parts)


def by_label(cells: Tensor) -> Tensor:
    """What holds of a cell, for each of its labels: [..., h, w] -> [..., 2h, 2w]."""
    return cells.repeat_interleave(PARTS, dim=-1).repeat_interleave(PARTS, dim=-2)


def to_rows(labels: Tensor) -> Tensor:
    """Labels [L, 2h, 2w] -> a row for each cell with all of its own, [h*w, 4L]. Quick for what `from_rows` gave."""
    count, height, width = labels.shape
    h, w = height // PARTS, width // PARTS
    cells = labels.permute(1, 2, 0).reshape(h, PARTS, w, PARTS, count).transpose(1, 2)
    return cells.reshape(h * w, PARTS * PARTS * count)


def from_rows(rows: Tensor, grid: tuple[int, int]) -> Tensor:
    """The labels [L, 2h, 2w] of an h×w grid from rows [h*w, 4L]."""
    (h, w), count = grid, rows.shape[1] // PARTS**2
    cells = rows.reshape(h, w, PARTS, PARTS, count).transpose(1, 2)
    return cells.reshape(PARTS * h, PARTS * w, count).permute(2, 0, 1)
