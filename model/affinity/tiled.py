"""The fast affinity: tiles of query cells against the cells that their windows touch (docs/method.md, 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from model.affinity.dispatch import kernel_on
from model.affinity.select import GROUP, group_levels, largest, largest_of_many
from model.affinity.votes import Affinity, mixture
from model.affinity.window import TILE, Radius, Tiling, WindowPair, tiling
from model.device import bf16_is_fast

SPARE = 4
"""Candidates beyond k that the low-precision pass hands to the fp32 pass: its rounding may swap neighbours in rank."""

_FAR = 2**30
"""The r² of what no window reaches."""


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
    bias: Sequence[float] | None = None,
    shift: Sequence[Tensor | None] | None = None,
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
    bias:   [R] what every <q, k> of a reference gets on top; nothing when left out.
    shift:  [R] how far windows are moved in a reference: (dy, dx) cells for each tile of TILE² query cells, integers
            [ceil(h/TILE), ceil(w/TILE), 2], or None for not at all. Not with windows that differ from cell to cell.
    dtype:  of the search for candidates; None = bf16 where the device is quick at it, else fp32.
    """
    count, channels, height, width = references.shape
    assert query.shape == (channels, height, width) and query.device == references.device
    assert bias is None or len(bias) == count, f"{len(bias)} biases for {count} references"
    assert shift is None or (len(shift) == count and isinstance(radius, int | Sequence)), "one shift for each reference"
    if isinstance(radius, WindowPair) and (radius.delta == 0 or radius.combine == "mixture"):

        def within(reach: Tensor) -> Affinity:
            return windowed_affinity(
                query,
                references,
                radius=reach,
                top_k=top_k,
                temperature=temperature,
                window=window,
                bias=bias,
                dtype=dtype,
            )

        if radius.delta == 0:
            return within(radius.first)
        return mixture(within(radius.near), within(radius.far), radius.far_share.flatten())

    cells = height * width
    k = min(top_k, count * cells)
    dtype = dtype or (torch.bfloat16 if bf16_is_fast(query.device) else torch.float32)
    kernel = kernel_on(query.device)
    if kernel is not None and kernel.fits(references, k):
        fused: Affinity = kernel.fused_affinity(
            query,
            references,
            radius=radius,
            top_k=k,
            temperature=temperature,
            window=window,
            zero=zero,
            bias=bias,
            shift=shift,
            dtype=dtype,
        )
        return fused
    keys = references.permute(0, 2, 3, 1).reshape(count, cells, channels)
    queries = query.permute(1, 2, 0).reshape(cells, channels)
    limits = _limits(radius, count, zero, query.device)
    radii = [math.isqrt(int(limits.far.max()))] * count if isinstance(limits, _Rings) else limits
    shift = shift or [None] * count
    tilings = [
        tiling(height, width, r, window, query.device, moved=moved is not None)
        for r, moved in zip(radii, shift, strict=True)
    ]
    places = tilings[0].places

    ahead = torch.tensor([0.0] * count if bias is None else list(bias), device=query.device)
    touched = [tiles.keys_moved(moved) for tiles, moved in zip(tilings, shift, strict=True)]
    index, logits = _search(queries, keys, ahead, tilings, touched, limits, min(k + SPARE, count * cells), dtype)
    best = largest(logits, k)
    weight = logits.gather(1, best).div_(temperature).softmax(1)
    return Affinity(weight[places], index.gather(1, best)[places], (height, width), count)


class _Rings(NamedTuple):
    """What counts for each of some query cells: a product in full up to `near`, share * (product - zero) + zero beyond.

    near, far: int32 r²; nothing is seen beyond far. share, zero: float32. All [h*w], or what was selected of it.
    """

    near: Tensor
    far: Tensor
    share: Tensor
    zero: Tensor

    def select(self, cells: Tensor) -> _Rings:
        """Of cells [n, Q]: all [n, 1, Q]."""
        return _Rings(*(each[cells][:, None] for each in self))

    def bend(self, products: Tensor, reach: Tensor, common: Tensor, hidden: float) -> None:
        """Turn products [n, any, Q] less a common part [n, 1, Q] into what counts less the same, in place."""
        inner = reach <= self.near
        scale = torch.where(inner, 1.0, self.share).to(products.dtype)
        shift = torch.where(inner, 0.0, (1 - self.share) * (self.zero - common))
        shift = torch.where(reach <= self.far, shift, hidden).to(products.dtype)
        torch.addcmul(shift, products, scale, out=products)

    def weigh(self, products: Tensor, reach: Tensor) -> Tensor:
        """The same of products [n, any, Q] in full, for the r² [n, any, Q] at which each is seen."""
        return torch.where(reach <= self.near, products, torch.lerp(self.zero, products, self.share))


def _limits(radius: Radius | WindowPair, count: int, zero: Tensor | None, device: torch.device) -> list[int] | _Rings:
    """The radius in each reference, or the rings around each query cell."""
    if isinstance(radius, WindowPair):
        share = radius.far_share.flatten()
        zero = torch.zeros_like(share) if zero is None else zero.float().flatten()
        return _Rings(radius.near.flatten().int() ** 2, radius.far.flatten().int() ** 2, share, zero)
    if isinstance(radius, int):
        radius = [radius] * count
    if not isinstance(radius, Tensor):
        assert len(radius) == count, f"{len(radius)} radii for {count} references"
        assert min(radius) >= 0, "a window radius is 0 or more"
        return list(radius)
    assert radius.min() >= 0, "a window radius is 0 or more"
    square = radius.to(device).int().flatten() ** 2
    whole = torch.ones_like(square, dtype=torch.float32)
    return _Rings(square, square, whole, torch.zeros_like(whole))


def _search(
    queries: Tensor,
    keys: Tensor,
    ahead: Tensor,
    tilings: Sequence[Tiling],
    touched: Sequence[Tensor],
    limits: Sequence[int] | _Rings,
    candidates: int,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """The best candidates of every query: indices into R*h*w cells and what counts in fp32, both [N*Q, candidates].

    tilings: one for each reference, which differ in how far its windows reach; touched: their keys, as they are moved.
    """
    count, cells, channels = keys.shape
    hidden = torch.finfo(dtype).min / 4  # two may add up; infinities would not survive packing
    # One more channel, 1 in every query, carries the references' bias, and hides the cell that stands for everything
    # outside the grid. Taking one vector off all keys leaves each query's ranking as it is, and what features share
    # would cost bf16 its digits.
    common = keys[:, ::16].mean((0, 1))
    query_table = pad(queries.to(dtype), (0, 1), value=1.0)
    key_table = torch.zeros(count, cells + 1, channels + 1, dtype=dtype, device=keys.device)
    for table, key in zip(key_table, keys, strict=True):
        table[:cells, :channels] = key - common  # in two steps: subtracting into another dtype is slow
    key_table[:, :cells, channels] = ahead[:, None]
    key_table[:, cells, channels] = hidden
    key_table, key_rows = key_table.flatten(0, 1), keys.flatten(0, 1)

    if isinstance(limits, _Rings):
        shared = queries.float() @ common.float()
    among = tilings[0].queries
    everything = _Columns.of(range(count), tilings, limits, candidates, hidden, dtype)
    step = _tiles_at_once(everything.number, dtype, keys.device)
    buffer = torch.empty(min(step, len(among)) * everything.number * TILE**2, dtype=dtype, device=keys.device)
    arranged = {tuple(range(count)): everything}
    used = _looked_at(touched, cells, step)
    found, products = [], []
    for start in range(0, len(among), step):
        chosen = among[start : start + step]
        n, looked_at = len(chosen), used[start // step]
        if looked_at not in arranged:
            arranged[looked_at] = _Columns.of(looked_at, tilings, limits, candidates, hidden, dtype)
        reach, bias, columns, levels, spare = arranged[looked_at]
        halos = [touched[r][start : start + step] + r * (cells + 1) for r in looked_at]
        outside = torch.full((n, spare), cells, dtype=torch.int32, device=keys.device)
        places = torch.cat([*halos, outside], dim=1)
        space = buffer[: n * columns * TILE**2].view(n, columns, TILE**2)
        q = query_table.index_select(0, chosen.flatten()).view(n, TILE**2, -1)
        k = key_table.index_select(0, places.flatten()).view(n, columns, -1)
        if isinstance(limits, _Rings):
            rings = limits.select(chosen)
            rough = torch.bmm(k, q.transpose(1, 2), out=space)
            rings.bend(rough, reach, shared[chosen][:, None], hidden)
        else:
            rough = torch.baddbmm(bias.expand(n, -1, -1), k, q.transpose(1, 2), out=space)

        best = largest_of_many(rough, candidates, levels)
        seen = rough.gather(1, best) > hidden / 2
        index = places.gather(1, best.flatten(1)).view(best.shape).long()
        seen &= index % (cells + 1) != cells
        index = (index - index // (cells + 1)).clamp_(max=count * cells - 1).mT.reshape(-1, candidates)
        exact = key_rows.index_select(0, index.flatten()).view(-1, candidates, channels).float()
        exact = exact.mul_(queries.index_select(0, chosen.flatten()).float()[:, None]).sum(-1)
        exact += ahead[index // cells]
        if isinstance(limits, _Rings):
            met = reach.expand(n, -1, -1).gather(1, best)
            exact = rings.weigh(exact.view(n, -1, candidates).mT, met).mT.reshape(-1, candidates)
        found.append(index)
        hide = ~seen.mT.reshape(-1, candidates)
        products.append(exact.masked_fill_(hide, torch.finfo(torch.float32).min))
    return torch.cat(found), torch.cat(products)


class _Columns(NamedTuple):
    """What the queries of some tiles are compared with: the halos of some references, one after the other.

    reach: int32 [number, Q] the r² at which each query sees each. bias: [number, Q] in the type of the search, which
    hides what lies beyond the limits; empty for rings. number: of columns, the last `spare` of which only fill up.
    """

    reach: Tensor
    bias: Tensor
    number: int
    levels: int
    spare: int

    @classmethod
    def of(
        cls,
        looked_at: Sequence[int],
        tilings: Sequence[Tiling],
        limits: Sequence[int] | _Rings,
        candidates: int,
        hidden: float,
        dtype: torch.dtype,
    ) -> _Columns:
        """Those of the references in `looked_at`; levels as of `largest_of_many`."""
        halos = [tilings[r].reach.T for r in looked_at]
        reach = torch.cat(halos)
        reached = len(reach)
        number = max(reached, candidates)
        levels = group_levels(number, candidates)
        number = -(-number // GROUP**levels) * GROUP**levels
        fill = (0, 0, 0, number - reached)
        if isinstance(limits, _Rings):
            return cls(pad(reach, fill, value=_FAR), reach.new_empty(0), number, levels, number - reached)
        seen = torch.cat([halo <= limits[r] ** 2 for r, halo in zip(looked_at, halos, strict=True)])
        bias = torch.where(seen, 0.0, hidden).to(dtype)
        # What fills up lies outside the grid and hides itself.
        return cls(reach, pad(bias, fill), number, levels, number - reached)


def _looked_at(touched: Sequence[Tensor], cells: int, step: int) -> list[tuple[int, ...]]:
    """The references that any of the next `step` tiles sees anything of, for all tiles in turn."""
    tiles = len(touched[0])
    starts = range(0, tiles, step)
    if touched[0].device.type != "cpu":  # to ask would make the host wait
        return [tuple(range(len(touched)))] * len(starts)
    seen = torch.stack([(keys != cells).any(1) for keys in touched], dim=1)
    return [tuple(seen[start : start + step].any(0).nonzero().flatten().tolist()) or (0,) for start in starts]


def _tiles_at_once(columns: int, dtype: torch.dtype, device: torch.device) -> int:
    """As many tiles as keep the logits in a processor's cache, or a GPU busy."""
    budget = 2**22 * torch.get_num_threads() if device.type == "cpu" else 2**28
    return max(1, budget // (TILE**2 * columns * dtype.itemsize))
