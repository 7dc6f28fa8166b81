"""The slow, obvious affinity: one query cell at a time. The tests hold the fast form to it."""

from __future__ import annotations

import torch
from torch import Tensor

from model.affinity.votes import Affinity
from model.affinity.window import Radius


@torch.no_grad()
def reference_affinity(
    query: Tensor, references: Tensor, *, radius: Radius, top_k: int, temperature: float, window: str = "circle"
) -> Affinity:
    """The same as `windowed_affinity`, in fp32 on the features' device."""
    count, _, height, width = references.shape
    query, references = query.float(), references.float()
    k = min(top_k, count * height * width)
    rows = torch.arange(height, device=query.device)[:, None]
    columns = torch.arange(width, device=query.device)
    weights, indices = [], []
    for y in range(height):
        for x in range(width):
            logits = (references * query[:, y, x].view(1, -1, 1, 1)).sum(1) / temperature
            for reference in range(count):
                if isinstance(radius, Tensor):
                    r = int(radius[y, x])
                else:
                    r = radius if isinstance(radius, int) else radius[reference]
                if window == "square":
                    seen = ((rows - y).abs() <= r) & ((columns - x).abs() <= r)
                else:
                    seen = (rows - y) ** 2 + (columns - x) ** 2 <= r * r
                logits[reference][~seen] = -torch.inf
            best, index = logits.flatten().topk(k)
            weights.append(best.softmax(0))
            indices.append(index)
    return Affinity(torch.stack(weights), torch.stack(indices), (height, width), count)
