"""The differentiable affinity that training uses."""

from __future__ import annotations

import torch
from torch import Tensor

from model.affinity.window import WindowPair, hidden_cells, reach_between


def dense_affinity(
    query: Tensor, references: Tensor, *, radius: int | WindowPair, temperature: float, window: str = "square"
) -> Tensor:
    """Softmax over the union of all references' windows, eq (1) with the joint reading of eq (3).

    query [B, C, h, w], references [B, R, C, h, w] -> [B, h*w, R*h*w], rows sum to 1, at least fp32. Logits are
    <q, k> / temperature: √C on plain features for eq (1). Cells outside the window get exactly 0.
    radius: one for all, or the windows of the multi-cluster sampler for this batch (eq 15).
    """
    batch, count, channels, height, width = references.shape
    keys = references.transpose(1, 2).reshape(batch, channels, count * height * width)
    logits = torch.matmul((query / temperature).flatten(2).transpose(1, 2), keys)
    if isinstance(radius, WindowPair):
        logits = sampled_logits(logits, radius, window)
    else:
        hidden = hidden_cells(height, width, radius, window, query.device)
        logits = logits.view(batch, -1, count, height * width).masked_fill(hidden[:, None], -torch.inf).flatten(-2)
    return torch.softmax(logits, -1, dtype=torch.promote_types(logits.dtype, torch.float32))


def sampled_logits(logits: Tensor, windows: WindowPair, window: str = "square") -> Tensor:
    """SimA_total (15): logits [B, h*w, R*h*w] of all cells -> the logits whose softmax is the affinity, same shape.

    Differentiable in the logits. They must be similarities over a temperature, with 0 for cells that have nothing in
    common: with combine = "logits", a constant added to a row does not cancel. What lies outside both windows gets −∞.
    With combine = "mixture" these are log probabilities, at least fp32.
    """
    cells, (height, width) = logits.shape[1], windows.plus.shape[1:]
    assert len(windows.plus) == len(logits) and cells == height * width, (logits.shape, windows.plus.shape)
    reach = reach_between(height, width, window, logits.device)
    radii = (windows.near, windows.far) if windows.delta > 0 else (windows.first,) * 2
    near, far = ((reach > r.flatten(1)[..., None] ** 2)[:, :, None] for r in radii)  # batch, query, reference, cell
    share = windows.far_share.flatten(1)[..., None, None]
    logits = logits.view(len(logits), cells, -1, cells)
    if windows.combine == "logits":
        weighted = logits * torch.where(near, share, 1).to(logits.dtype)
        return weighted.masked_fill(far, -torch.inf).flatten(2)
    wide = torch.promote_types(logits.dtype, torch.float32)
    inner, outer = (logits.masked_fill(h, -torch.inf).flatten(2).softmax(-1, dtype=wide) for h in (near, far))
    mixed = torch.lerp(inner, outer, share[..., 0].to(wide))
    # Where a probability rounds to 0, its logarithm stays finite, and so does the gradient.
    return mixed.clamp_min(torch.finfo(wide).tiny).log().masked_fill(far.expand_as(logits).flatten(2), -torch.inf)
