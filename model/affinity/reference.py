"""The slow, obvious affinity: one query cell at a time. The tests hold the fast form to it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.affinity.votes import Affinity
from model.affinity.window import TILE, Radius, WindowPair


@torch.no_grad()
def reference_affinity(
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
) -> Affinity:
    """The same as `windowed_affinity`, in fp32 on the features' device."""
    count, _, height, width = references.shape
    query, references = query.float(), references.float()
    k = min(top_k, count * height * width)
    weights, indices = [], []
    for y in range(height):
        for x in range(width):
            logits = (references * query[:, y, x].view(1, -1, 1, 1)).sum(1)
            if bias is not None:
                logits += torch.tensor(bias, device=logits.device)[:, None, None]
            if isinstance(radius, WindowPair):
                if zero is not None:
                    logits -= zero[y, x]
                first = _window(logits, y, x, [int(radius.origin)] * count, window)
                second = _window(logits, y, x, [int(radius.plus[y, x])] * count, window)
                weight, index = _pair(logits / temperature, first, second, radius, k)
            else:
                if isinstance(radius, Tensor):
                    reach = [int(radius[y, x])] * count
                else:
                    reach = [radius] * count if isinstance(radius, int) else list(radius)
                seen = _window(logits, y, x, reach, window, shift)
                best, index = (logits / temperature).masked_fill(~seen, -torch.inf).flatten().topk(k)
                weight = best.softmax(0)
            weights.append(weight)
            indices.append(index)
    return Affinity(torch.stack(weights), torch.stack(indices), (height, width), count)


def _window(
    like: Tensor, y: int, x: int, radii: list[int], window: str, shift: Sequence[Tensor | None] | None = None
) -> Tensor:
    """bool [R, h, w]: what the cell (y, x) sees of references of this size, so far in each."""
    seen = []
    for radius, moved in zip(radii, shift or [None] * len(radii), strict=True):
        dy, dx = (0, 0) if moved is None else moved[y // TILE, x // TILE].tolist()
        down = torch.arange(like.shape[1], device=like.device)[:, None] - (y + dy)
        across = torch.arange(like.shape[2], device=like.device) - (x + dx)
        if window == "square":
            seen.append((down.abs() <= radius) & (across.abs() <= radius))
        else:
            seen.append(down**2 + across**2 <= radius**2)
    return torch.stack(seen)


def _pair(logits: Tensor, first: Tensor, second: Tensor, windows: WindowPair, k: int) -> tuple[Tensor, Tensor]:
    """Eq (15) for one cell: the weights and places of its votes."""
    delta = windows.delta
    if windows.combine == "logits":
        says = first * 1.0 + second * delta
        total = (logits * says / (1 + delta)).masked_fill(says == 0, -torch.inf)
        best, index = total.flatten().topk(k)
        return best.softmax(0), index
    mean = torch.zeros(logits.numel(), device=logits.device)
    for seen, share in ((first, 1 / (1 + delta)), (second, delta / (1 + delta))):
        best, index = logits.masked_fill(~seen, -torch.inf).flatten().topk(k)
        mean[index] += share * best.softmax(0)
    best, index = mean.topk(k)
    return best / best.sum(), index
