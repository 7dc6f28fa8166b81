"""The differentiable affinity that training uses."""

from __future__ import annotations

import torch
from torch import Tensor

from model.affinity.window import hidden_cells


def dense_affinity(
    query: Tensor, references: Tensor, *, radius: int, temperature: float, window: str = "square"
) -> Tensor:
    """Softmax over the union of all references' windows, eq (1) with the joint reading of eq (3).

    query [B, C, h, w], references [B, R, C, h, w] -> [B, h*w, R*h*w], rows sum to 1, at least fp32. Logits are
    <q, k> / temperature: √C on plain features for eq (1). Cells outside the window get exactly 0.
    """
    batch, count, channels, height, width = references.shape
    keys = references.transpose(1, 2).reshape(batch, channels, count * height * width)
    logits = torch.matmul((query / temperature).flatten(2).transpose(1, 2), keys)
    hidden = hidden_cells(height, width, radius, window, query.device)
    logits = logits.view(batch, -1, count, height * width).masked_fill(hidden[:, None], -torch.inf).flatten(-2)
    return torch.softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32))
