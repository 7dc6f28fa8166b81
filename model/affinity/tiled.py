"""The fast affinity: tiles of query cells against the cells that their windows touch (docs/method.md, 4)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from model.affinity.select import GROUP, group_levels, largest, largest_of_many
from model.affinity.votes import Affinity
from model.affinity.window import TILE, Radius, Tiling, tiling
from model.device import bf16_is_fast

SPARE = 4
"""Candidates beyond k that the low-precision pass hands to the fp32 pass: its rounding may swap neighbours in rank."""


@torch.no_grad()
def windowed_affinity(
    query: Tensor,
    references: Tensor,
    *,
    radius: Radius,
    top_k: int,
    temperature: float,
    window: str = "circle",
    dtype: torch.dtype | None = None,
) -> Affinity:
    """The top-k votes of each query cell among the cells that its windows hold in all references (eqs 1 and 3).

    query [C, h, w], references [R, C, h, w]: features already scaled by the caller (L2-normalised for cosine);
    logits are <q, k> / temperature, in fp32 for the chosen. Channels-last references spare a copy.
    radius: in cells; one for all, one per reference, or an integer map [h, w] with one per query cell.
    top_k:  votes over all references together, softmax over these.
    dtype:  of the search for candidates; None = bf16 where the device is quick at it, else fp32.
    """
    count, channels, height, width = references.shape
    assert query.shape == (channels, height, width) and query.device == references.device
    device = query.device
    cells = height * width
    k = min(top_k, count * cells)
    dtype = dtype or (torch.bfloat16 if bf16_is_fast(device) else torch.float32)
    limits, widest = _squared_radii(radius, count, device)
    tiles = tiling(height, width, widest, window, device)

    keys = references.permute(0, 2, 3, 1).reshape(count, cells, channels)
    queries = query.permute(1, 2, 0).reshape(cells, channels)
    index, logits = _search(queries, keys, tiles, limits, min(k + SPARE, count * cells), dtype)
    best = largest(logits, k)
    weight = logits.gather(1, best).div_(temperature).softmax(1)
    return Affinity(weight[tiles.places], index.gather(1, best)[tiles.places], (height, width), count)


def _search(
    queries: Tensor, keys: Tensor, tiles: Tiling, limits: Tensor, candidates: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The best candidates of every query: indices into R*h*w cells and fp32 dot products, both [N*Q, candidates]."""
    count, cells, channels = keys.shape
    hidden = torch.finfo(dtype).min / 4  # two may add up; infinities would not survive packing
    columns = max(count * tiles.keys.shape[1], candidates)
    levels = group_levels(columns, candidates)
    columns = -(-columns // GROUP**levels) * GROUP**levels

    # One more channel, 1 in every query, hides the cell that stands for everything outside the grid. Taking one
    # vector off all keys leaves each query's ranking as it is, and what features share would cost bf16 its digits.
    query_table = pad(queries.to(dtype), (0, 1), value=1.0)
    key_table = torch.zeros(count, cells + 1, channels + 1, dtype=dtype, device=keys.device)
    torch.sub(keys, keys[:, ::16].mean((0, 1)), out=key_table[:, :cells, :channels])
    key_table[:, cells, channels] = hidden
    key_table, key_rows = key_table.flatten(0, 1), keys.flatten(0, 1)
    first = torch.arange(count, dtype=torch.int32, device=keys.device)[:, None] * (cells + 1)

    step = _tiles_at_once(columns, dtype, keys.device)
    buffer = torch.empty(min(step, len(tiles.keys)), TILE**2, columns, dtype=dtype, device=keys.device)
    per_cell = limits.ndim == 2
    bias = torch.empty(0) if per_cell else _bias(tiles.reach, limits, count, columns, hidden, dtype)
    found, products = [], []
    for start in range(0, len(tiles.keys), step):
        chosen, offsets = tiles.queries[start : start + step], tiles.keys[start : start + step]
        n = len(chosen)
        if per_cell:
            bias = _bias(tiles.reach, limits.flatten()[chosen], count, columns, hidden, dtype)
        places = (offsets[:, None] + first).flatten(1)
        places = pad(places, (0, columns - places.shape[1]), value=cells)
        q = query_table.index_select(0, chosen.flatten()).view(n, TILE**2, -1)
        k = key_table.index_select(0, places.flatten()).view(n, columns, -1)
        rough = torch.baddbmm(bias.expand(n, -1, -1), q, k.transpose(1, 2), out=buffer[:n])

        best = largest_of_many(rough, candidates, levels)
        seen = rough.gather(-1, best).flatten(0, 1) > hidden / 2
        index = places.gather(1, best.flatten(1)).view(-1, candidates).long()
        index = (index - index // (cells + 1)).clamp_(max=count * cells - 1)
        exact = key_rows.index_select(0, index.flatten()).view(-1, candidates, channels).float()
        exact = exact.mul_(queries.index_select(0, chosen.flatten()).float()[:, None]).sum(-1)
        found.append(index)
        products.append(exact.masked_fill_(~seen, torch.finfo(torch.float32).min))
    return torch.cat(found), torch.cat(products)


def _squared_radii(radius: Radius, count: int, device: torch.device) -> tuple[Tensor, int]:
    """r² per reference [R] or per query cell [h, w], and the widest r."""
    if isinstance(radius, int):
        radius = [radius] * count
    if not isinstance(radius, Tensor):
        assert len(radius) == count, f"{len(radius)} radii for {count} references"
        radius = torch.tensor(radius)
    assert radius.min() >= 0, "a window radius is 0 or more"
    return radius.to(device).long() ** 2, int(radius.max())


def _bias(reach: Tensor, limits: Tensor, count: int, columns: int, hidden: float, dtype: torch.dtype) -> Tensor:
    """What hides the cells outside each query's window: [1 or n, Q, columns], for limits r² [R] or [n, Q]."""
    limits = limits.view(1, 1, -1, 1) if limits.ndim == 1 else limits[..., None, None]
    bias = torch.where(reach[:, None] <= limits, 0.0, hidden).to(dtype).expand(-1, -1, count, -1).flatten(2)
    return pad(bias, (0, columns - bias.shape[2]))


def _tiles_at_once(columns: int, dtype: torch.dtype, device: torch.device) -> int:
    """As many tiles as keep the logits in a processor's cache, or a GPU busy."""
    budget = 2**21 * torch.get_num_threads() if device.type == "cpu" else 2**28
    return max(1, budget // (TILE**2 * columns * dtype.itemsize))
