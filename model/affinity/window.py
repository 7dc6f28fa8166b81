"""Which reference cells a query cell may look at, and how the grid is cut into tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

Radius = int | Sequence[int] | Tensor
"""Window radius in cells, 0 or more: one for all, one per reference, or an integer map [h, w], one per query cell."""

TILE = 8


def squared_reach(dy: Tensor, dx: Tensor, window: str) -> Tensor:
    """The smallest r² whose window reaches (dy, dx): "circle" dx² + dy² ≤ r², "square" |dx|, |dy| ≤ r."""
    if window == "circle":
        return dy**2 + dx**2
    if window == "square":
        return torch.maximum(dy.abs(), dx.abs()) ** 2
    raise ValueError(f'window cannot be {window!r}: use "circle" or "square"')


@lru_cache(maxsize=8)
def hidden_cells(height: int, width: int, radius: int, window: str, device: torch.device) -> Tensor:
    """bool [h*w, h*w]: True where a query cell (row) does not see a reference cell (column)."""
    with torch.inference_mode(False):  # whoever asks first, the next may need it for a gradient
        y = torch.arange(height, device=device).repeat_interleave(width)
        x = torch.arange(width, device=device).repeat(height)
        return squared_reach(y[:, None] - y, x[:, None] - x, window) > radius**2


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """A grid cut into N tiles of Q = TILE² query cells, each with the K reference cells that its windows touch.

    queries: int64 [N, Q] cells; where a tile sticks out of the grid, the nearest cell inside stands in.
    keys:    int32 [N, K] cells of one reference; h*w (one past the last) where a window leaves the grid.
    reach:   int64 [Q, K] the smallest r² with which query q sees key k; the same for every tile.
    places:  int64 [h*w] where each cell of the grid is among the N*Q queries.
    """

    queries: Tensor
    keys: Tensor
    reach: Tensor
    places: Tensor


@lru_cache(maxsize=8)
def tiling(height: int, width: int, radius: int, window: str, device: torch.device) -> Tiling:
    """The tiles of a height × width grid for windows of at most this radius."""
    rows, columns = -(-height // TILE), -(-width // TILE)
    inner = torch.arange(TILE)
    query_y, query_x = inner.repeat_interleave(TILE), inner.repeat(TILE)

    halo_y, halo_x = min(radius, height - 1), min(radius, width - 1)
    halo = torch.cartesian_prod(torch.arange(-halo_y, TILE + halo_y), torch.arange(-halo_x, TILE + halo_x))
    reach = squared_reach(halo[:, 0] - query_y[:, None], halo[:, 1] - query_x[:, None], window)
    touched = (reach <= radius**2).any(dim=0)
    key_y, key_x = halo[touched].unbind(1)

    tile_y = (torch.arange(rows) * TILE).repeat_interleave(columns)[:, None]
    tile_x = (torch.arange(columns) * TILE).repeat(rows)[:, None]
    y, x = tile_y + key_y, tile_x + key_x
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    keys = torch.where(inside, y * width + x, height * width).int()
    queries = (tile_y + query_y).clamp(max=height - 1) * width + (tile_x + query_x).clamp(max=width - 1)

    y, x = torch.arange(height)[:, None], torch.arange(width)
    places = (y // TILE * columns + x // TILE) * TILE**2 + y % TILE * TILE + x % TILE
    return Tiling(queries.to(device), keys.to(device), reach[:, touched].to(device), places.flatten().to(device))
