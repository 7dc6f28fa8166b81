"""The k largest of very many, quickly: `torch.topk` over a thousand columns costs more than computing them."""

from __future__ import annotations

import torch
from torch import Tensor

GROUP = 8
_SHORT_ROW = 256
_INDEX_BITS = {torch.float32: 16, torch.float64: 29}  # mantissa bits that a widened bf16, a widened fp32 leaves zero


def largest(values: Tensor, k: int) -> Tensor:
    """Positions of the k largest along the last dimension, largest first: [..., n] -> int64 [..., k]. No infinities."""
    if values.device.type != "cpu":
        return values.topk(k, dim=-1).indices
    # Widen each value and write its position into the mantissa bits that this leaves free: positions then travel
    # with their values through numpy's vectorised sort, about five times as fast as topk on rows this short.
    n = values.shape[-1]
    assert k <= n, f"{k} of {n} columns"
    narrow = values.dtype == torch.bfloat16 and n <= 1 << _INDEX_BITS[torch.float32]
    wide, integer = (torch.float32, torch.int32) if narrow else (torch.float64, torch.int64)
    packed = values.to(wide, copy=True, memory_format=torch.contiguous_format)
    packed.view(integer).bitwise_or_(torch.arange(n, dtype=integer))
    packed.numpy().sort(axis=-1)
    best = packed[..., n - k :].flip(-1).view(integer)
    return best.bitwise_and_((1 << _INDEX_BITS[wide]) - 1).long()


def group_levels(n: int, k: int) -> int:
    """How often `largest_of_many` should group n columns; it then wants a multiple of GROUP ** levels of them."""
    levels = 0
    while n > _SHORT_ROW and n // GROUP >= 2 * k:
        n = -(-n // GROUP)
        levels += 1
    return levels


def largest_of_many(values: Tensor, k: int, levels: int) -> Tensor:
    """`largest` for long columns, with the same result up to ties: [..., n, q] -> int64 [..., k, q].

    The k groups with the largest maxima hold the k largest values, whatever the grouping; so only those are
    looked into. At least k groups must be left at the last level. Groups are strided (every n/8-th row), which
    lets the maximum run vectorised over whole rows.
    """
    pyramid = [values]
    for _ in range(levels):
        pyramid.append(pyramid[-1].view(*values.shape[:-2], GROUP, -1, values.shape[-1]).amax(-3))
    positions = largest(pyramid.pop().mT, k).mT
    while pyramid:
        below = pyramid.pop()
        stride = below.shape[-2] // GROUP
        members = torch.arange(0, below.shape[-2], stride, device=values.device)
        candidates = (positions[..., None, :, :] + members[:, None, None]).flatten(-3, -2)
        positions = candidates.gather(-2, largest(below.gather(-2, candidates).mT, k).mT)
    return positions
