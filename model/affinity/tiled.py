"""The fast affinity: tiles of query cells against the cells that their windows touch (docs/method.md, 4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import pad

from model.affinity.select import GROUP, group_levels, largest, largest_of_many
from model.affinity.votes import Affinity
from model.affinity.window import TILE, Radius, Tiling, WindowPair, tiling
from model.device import bf16_is_fast

SPARE = 4
"""Candidates beyond k that the low-precision pass hands to the fp32 pass: its rounding may swap neighbours in rank."""


@torch.no_grad()
def windowed_affinity(
    query: Tensor,
    references: Tensor,
    *,
    radius: Radius | WindowPair,
    top_k: int,
    temperature: float,
    window: str = "circle",
    zero: Tensor | None = None,
    dtype: torch.dtype | None = None,
) -> Affinity:
    """The top-k votes of each query cell among the cells that its windows hold in all references (eqs 1 and 3).

    query [C, h, w], references [R, C, h, w]: features already scaled by the caller (L2-normalised for cosine);
    logits are <q, k> / temperature, in fp32 for the chosen. Channels-last references spare a copy.
    radius: in cells; one for all, one per reference, or an integer map [h, w] with one per query cell; or the two
            windows of the multi-cluster sampler (eq 15).
    top_k:  votes over all references together, softmax over these. Of a mixture: each softmax over its own top k, and
            the k heaviest of their mean, rescaled.
    zero:   [h, w] the <q, k> of cells with nothing in common, 0 if left out. Only two windows added as logits ask.
    dtype:  of the search for candidates; None = bf16 where the device is quick at it, else fp32.
    """
    count, channels, height, width = references.shape
    assert query.shape == (channels, height, width) and query.device == references.device
    device = query.device
    cells = height * width
    k = min(top_k, count * cells)
    dtype = dtype or (torch.bfloat16 if bf16_is_fast(device) else torch.float32)
    pair = radius if isinstance(radius, WindowPair) else None
    if pair is not None and pair.delta == 0:
        pair, radius = None, pair.first
    rings = [pair.near.int() ** 2, pair.far.int() ** 2] if pair else [_squared_radii(radius, count, device)]
    tiles = tiling(height, width, math.isqrt(int(rings[-1].max())), window, device)

    keys = references.permute(0, 2, 3, 1).reshape(count, cells, channels)
    queries = query.permute(1, 2, 0).reshape(cells, channels)
    index, products = _search(queries, keys, tiles, rings, min(k + SPARE, count * cells), dtype)
    if pair is None:
        best, weight = _votes(products, k, temperature)
    else:
        share = pair.far_share.flatten()[tiles.queries.flatten(), None]
        if pair.combine == "mixture":
            best, weight = _mixture(products, share, k, temperature)
        else:
            if zero is not None:
                products -= zero.flatten()[tiles.queries.flatten(), None]
            products.chunk(2, dim=1)[1].mul_(share)
            best, weight = _votes(products, k, temperature)
    return Affinity(weight[tiles.places], index.gather(1, best)[tiles.places], (height, width), count)


def _votes(products: Tensor, k: int, temperature: float) -> tuple[Tensor, Tensor]:
    """The columns of the k largest products of each row, and the softmax over these."""
    best = largest(products, k)
    return best, products.gather(1, best).div_(temperature).softmax(1)


def _mixture(products: Tensor, share: Tensor, k: int, temperature: float) -> tuple[Tensor, Tensor]:
    """The same for the mean of two softmaxes, one over the near half of the columns and one, by its share, over all."""
    near, near_weight = _votes(products.chunk(2, dim=1)[0], k, temperature)
    far, far_weight = _votes(products, k, temperature)
    mean = torch.zeros_like(products).scatter_(1, near, near_weight * (1 - share))
    mean.scatter_add_(1, far, far_weight * share)
    best = largest(mean, k)
    weight = mean.gather(1, best)
    return best, weight / weight.sum(1, keepdim=True)


def _search(
    queries: Tensor, keys: Tensor, tiles: Tiling, rings: list[Tensor], candidates: int, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """The best candidates of every query: indices into R*h*w cells and fp32 dot products, both [N*Q, n].

    rings: r² per reference [R], or per query cell [h, w]. Several follow from the inner to the outer one, and each has
    its own candidates, side by side: within a ring all cells weigh the same, so the search finds them by product alone.
    """
    count, cells, channels = keys.shape
    reached = tiles.keys.shape[1]
    hidden = torch.finfo(dtype).min / 4  # two may add up; infinities would not survive packing
    columns = max(count * reached, candidates)
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

    step = min(_tiles_at_once(columns, dtype, keys.device), len(tiles.keys))
    buffers = torch.empty(min(2, len(rings)), step, TILE**2, columns, dtype=dtype, device=keys.device)
    buffers[-1, :, :, count * reached :] = hidden
    per_cell = rings[0].ndim == 2
    biases = [] if per_cell else _biases(tiles.reach, [rings[0][None, None]], hidden, dtype)
    found, products = [], []
    for start in range(0, len(tiles.keys), step):
        chosen, offsets = tiles.queries[start : start + step], tiles.keys[start : start + step]
        n = len(chosen)
        if per_cell:
            biases = _biases(tiles.reach, [ring.flatten()[chosen][..., None] for ring in rings], hidden, dtype)
        places = (offsets[:, None] + first).flatten(1)
        places = pad(places, (0, columns - places.shape[1]), value=cells)
        q = query_table.index_select(0, chosen.flatten()).view(n, TILE**2, -1)
        k = key_table.index_select(0, places.flatten()).view(n, columns, -1)
        torch.bmm(q, k.transpose(1, 2), out=buffers[0, :n])
        rough, masked = (b[:n, :, : count * reached].unflatten(2, (count, reached)) for b in (buffers[0], buffers[-1]))
        picked, seen = [], []
        for bias in biases:
            torch.add(rough, bias, out=masked)
            picked.append(largest_of_many(buffers[-1, :n], candidates, levels))
            seen.append(buffers[-1, :n].gather(-1, picked[-1]) > hidden / 2)
        best = torch.cat(picked, -1)

        index = places.gather(1, best.flatten(1)).view(n * TILE**2, -1).long()
        index = (index - index // (cells + 1)).clamp_(max=count * cells - 1)
        exact = key_rows.index_select(0, index.flatten()).view(*index.shape, channels).float()
        exact = exact.mul_(queries.index_select(0, chosen.flatten()).float()[:, None]).sum(-1)
        found.append(index)
        products.append(exact.masked_fill_(~torch.cat(seen, -1).flatten(0, 1), torch.finfo(torch.float32).min))
    return torch.cat(found), torch.cat(products)


def _squared_radii(radius: Radius, count: int, device: torch.device) -> Tensor:
    """r² per reference [R] or per query cell [h, w]."""
    if isinstance(radius, int):
        radius = [radius] * count
    if not isinstance(radius, Tensor):
        assert len(radius) == count, f"{len(radius)} radii for {count} references"
        radius = torch.tensor(radius)
    assert radius.min() >= 0, "a window radius is 0 or more"
    return radius.to(device).int() ** 2


def _biases(reach: Tensor, limits: list[Tensor], hidden: float, dtype: torch.dtype) -> list[Tensor]:
    """For each ring, what hides the cells outside it: [1 or n, Q, 1 or R, K], for limits r² that broadcast to this."""
    outside = [reach[:, None] > limit[..., None] for limit in limits]
    inside = [torch.zeros_like(outside[0]), *(~o for o in outside[:-1])]
    return [torch.where(o | i, hidden, 0.0).to(dtype) for o, i in zip(outside, inside, strict=True)]


def _tiles_at_once(columns: int, dtype: torch.dtype, device: torch.device) -> int:
    """As many tiles as keep the logits in a processor's cache, or a GPU busy."""
    budget = 2**21 * torch.get_num_threads() if device.type == "cpu" else 2**28
    return max(1, budget // (TILE**2 * columns * dtype.itemsize))
