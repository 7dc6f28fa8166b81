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
"""Query cells along each side of a tile: their windows lie, and are moved, together."""


@dataclass(frozen=True, slots=True, eq=False)
class WindowPair:
    """Two windows around every query cell, which add up to one affinity (eq 15). * stands for nothing, or for a batch.

    origin:  int64 [*] radius of the first window, that of SimA_init; one for all cells.
    plus:    int64 [*, h, w] radius of the second, that of SimA+; one for each cell.
    delta:   weight of the second, δ >= 0; with 0 the first stands alone.
    combine: "logits": the similarities s are added before the softmax over the union of the windows. A window says
             nothing, that is 0, about cells outside it: so s counts 1 + δ times in both windows, once in
             the first alone, δ times in the second alone. All this is divided by 1 + δ: where both windows reach, the
             temperature then means what it means for one window.
             "mixture": a softmax over each, and their mean with weights 1 and δ.
    """

    origin: Tensor
    plus: Tensor
    delta: float = 0.5
    combine: str = "logits"

    def __post_init__(self) -> None:
        assert self.combine in ("logits", "mixture"), self.combine
        assert self.delta >= 0 and self.origin.min() >= 0 and self.plus.min() >= 0
        assert self.origin.shape == self.plus.shape[:-2], (self.origin.shape, self.plus.shape)

    @property
    def first(self) -> Tensor:
        """int64 [*, h, w] `origin` for every cell."""
        return self.origin[..., None, None].expand_as(self.plus)

    @property
    def near(self) -> Tensor:
        """int64 [*, h, w] the radius of the smaller window, which lies inside the other."""
        return torch.minimum(self.first, self.plus)

    @property
    def far(self) -> Tensor:
        """int64 [*, h, w] the radius of the union of the two: of the larger window."""
        return torch.maximum(self.first, self.plus)

    @property
    def far_share(self) -> Tensor:
        """float32 [*, h, w] the larger window's part of the two: 1 / (1 + δ) if it is the first, δ / (1 + δ) if not."""
        larger = (self.plus > self.first).float()
        return (1 - larger + larger * self.delta) / (1 + self.delta)


def squared_reach(dy: Tensor, dx: Tensor, window: str) -> Tensor:
    """The smallest r² whose window reaches (dy, dx): "circle" dx² + dy² ≤ r², "square" |dx|, |dy| ≤ r."""
    if window == "circle":
        return dy**2 + dx**2
    if window == "square":
        return torch.maximum(dy.abs(), dx.abs()) ** 2
    raise ValueError(f'window cannot be {window!r}: use "circle" or "square"')


@lru_cache(maxsize=2)
def reach_between(height: int, width: int, window: str, device: torch.device) -> Tensor:
    """int32 [h*w, h*w]: the smallest r² with which a query cell (row) sees a reference cell (column)."""
    with torch.inference_mode(False):  # whoever asks first, the next may need it for a gradient
        y = torch.arange(height, device=device, dtype=torch.int32).repeat_interleave(width)
        x = torch.arange(width, device=device, dtype=torch.int32).repeat(height)
        return squared_reach(y[:, None] - y, x[:, None] - x, window)


@lru_cache(maxsize=8)
def hidden_cells(height: int, width: int, radius: int, window: str, device: torch.device) -> Tensor:
    """bool [h*w, h*w]: True where a query cell (row) does not see a reference cell (column)."""
    with torch.inference_mode(False):
        return reach_between(height, width, window, device) > radius**2


@dataclass(frozen=True, slots=True, eq=False)
class Tiling:
    """A grid cut into N tiles of Q = TILE² query cells, each with the K reference cells that its windows touch.

    queries: int64 [N, Q] cells; where a tile sticks out of the grid, the nearest cell inside stands in.
    keys:    int32 [N, K] cells of one reference; h*w (one past the last) where a window leaves the grid.
    reach:   int32 [Q, K] the smallest r² with which query q sees key k; the same for every tile.
    places:  int64 [h*w] where each cell of the grid is among the N*Q queries.
    corner:  int64 [N, 2] the first cell (y, x) of each tile; halo: int64 [K, 2] where its keys are from there.
    grid:    (h, w).
    """

    queries: Tensor
    keys: Tensor
    reach: Tensor
    places: Tensor
    corner: Tensor
    halo: Tensor
    grid: tuple[int, int]

    def keys_moved(self, shift: Tensor | None) -> Tensor:
        """`keys` where the windows of each tile are moved by (dy, dx): integers [rows, columns, 2]; None = none."""
        if shift is None:
            return self.keys
        y, x = (self.corner + shift.to(self.corner).view(-1, 2))[:, None].add(self.halo).unbind(2)
        return _numbered(y, x, self.grid)


@lru_cache(maxsize=8)
def tiling(height: int, width: int, radius: int, window: str, device: torch.device, *, moved: bool = False) -> Tiling:
    """The tiles of a height × width grid for windows of at most this radius. moved: they will be."""
    rows, columns = -(-height // TILE), -(-width // TILE)
    inner = torch.arange(TILE)
    query_y, query_x = inner.repeat_interleave(TILE), inner.repeat(TILE)

    halo_y, halo_x = (radius, radius) if moved else (min(radius, height - 1), min(radius, width - 1))
    halo = torch.cartesian_prod(torch.arange(-halo_y, TILE + halo_y), torch.arange(-halo_x, TILE + halo_x))
    reach = squared_reach(halo[:, 0] - query_y[:, None], halo[:, 1] - query_x[:, None], window)
    touched = (reach <= radius**2).any(dim=0)
    halo = halo[touched]
    corner = torch.cartesian_prod(torch.arange(rows), torch.arange(columns)) * TILE
    tile_y, tile_x = corner[:, :1], corner[:, 1:]
    keys = _numbered(tile_y + halo[:, 0], tile_x + halo[:, 1], (height, width))
    queries = (tile_y + query_y).clamp(max=height - 1) * width + (tile_x + query_x).clamp(max=width - 1)

    y, x = torch.arange(height)[:, None], torch.arange(width)
    places = ((y // TILE * columns + x // TILE) * TILE**2 + y % TILE * TILE + x % TILE).flatten()
    return Tiling(
        queries.to(device),
        keys.to(device),
        reach[:, touched].int().to(device),
        places.to(device),
        corner.to(device),
        halo.to(device),
        (height, width),
    )


def _numbered(y: Tensor, x: Tensor, grid: tuple[int, int]) -> Tensor:
    """int32: the numbers of these cells of a grid, one past the last for what lies outside."""
    height, width = grid
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    return torch.where(inside, y * width + x, height * width).int()
