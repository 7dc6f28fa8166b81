"""Training losses: colour reconstruction (eqs 1-4, 18-19) and exact dense correspondence between two views."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from model.encoder import STRIDE
from model.grid import sample_cells, to_pixels
from model.recipes import Recipe

_COLOUR_SCALE = 20.0  # Lab errors are small; smooth-L1 turns linear at an error of 1/20


def drop_colour(lab: Tensor, channel: int) -> Tensor:
    """The information bottleneck: Lab [B, 3, H, W] without channel a (1) or b (2), survivors scaled by 3/2."""
    keep = torch.full((3, 1, 1), 1.5, device=lab.device)
    keep[channel] = 0
    return lab * keep


def similarity(query: Tensor, reference: Tensor, recipe: Recipe) -> Tensor:
    """Logits of the affinity: features [B, C, h, w] twice -> fp32 [B, h*w, h*w] (query, reference)."""
    q, k = query.flatten(2), reference.flatten(2)
    if recipe.similarity == "cosine":
        q, k = F.normalize(q.float(), dim=1), F.normalize(k.float(), dim=1)
        scale = recipe.temperature
    else:
        scale = math.sqrt(q.shape[1])
    return torch.einsum("bcq,bck->bqk", q, k).float() / scale


def window_mask(height: int, width: int, radius: int, device: torch.device) -> Tensor:
    """bool [h*w, h*w]: may this query cell look at that reference cell (square window, |dx|, |dy| <= radius)."""
    y, x = torch.meshgrid(torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij")
    y, x = y.flatten(), x.flatten()
    return ((y[:, None] - y).abs() <= radius) & ((x[:, None] - x).abs() <= radius)


def reconstruction_loss(logits: Tensor, reference: Tensor, target: Tensor, radius: int) -> Tensor:
    """Copy the reference's colours by the affinity and compare with the target's (eqs 1, 2, 18, 19).

    logits [B, h*w, h*w]; reference and target: one colour channel [B, 1, H, W]. Returns the loss per sample [B].
    """
    values = sample_cells(reference)
    h, w = values.shape[-2:]
    outside = ~window_mask(h, w, radius, logits.device)
    affinity = logits.masked_fill(outside, float("-inf")).softmax(dim=-1)
    copied = torch.einsum("bqk,bk->bq", affinity, values.flatten(1)).view(-1, 1, h, w)
    copied = to_pixels(copied, *target.shape[-2:])
    error = F.smooth_l1_loss(copied * _COLOUR_SCALE, target * _COLOUR_SCALE, reduction="none")
    return error.mean(dim=(1, 2, 3))


def correspondence_loss(logits: Tensor, others: Tensor, place: Tensor, columns: int) -> Tensor:
    """Cross-entropy of the affinity against a correspondence that is known.

    logits [B, q, h*w]; others [B, q, N]: logits with cells of another clip, which compete but are never right;
    place [B, q, 2]: where each query is in the reference, as (x, y) in its cells, NaN where nobody knows; columns: w.
    The target of a query is spread bilinearly over the four cells around its place; queries whose place is not known,
    or outside, do not count. Returns the loss per sample [B].
    """
    rows = logits.shape[-1] // columns
    place = place.nan_to_num(nan=-1)
    last = place.new_tensor([columns - 1, rows - 1])
    inside = ((place >= 0) & (place <= last)).all(dim=-1)
    low = torch.minimum(place.floor().clamp_min(0), last - 1)
    right, down = (place - low).clamp(0, 1).unbind(-1)
    column, row = low.long().unbind(-1)
    corner = row * columns + column
    total = torch.logaddexp(logits.logsumexp(dim=-1), others.logsumexp(dim=-1))
    loss = torch.zeros_like(total)
    for offset, weight in (
        (0, (1 - right) * (1 - down)),
        (1, right * (1 - down)),
        (columns, (1 - right) * down),
        (columns + 1, right * down),
    ):
        loss = loss + weight * (total - logits.gather(-1, (corner + offset).unsqueeze(-1)).squeeze(-1))
    return (loss * inside).sum(dim=1) / inside.sum(dim=1).clamp_min(1)


def known_places(to_source: Tensor, photo: Tensor, tracked: Tensor, grid: int) -> Tensor:
    """Where each cell of one view of a pair is in the other: [B, 2, g*g, 2] as (x, y) in cells, NaN where unknown.

    Of photos all is known: to_source [B, 2, 2, 3] and photo [B] as in `model.training.dataset.Sample`. Of videos it is
    what was tracked, [B, 2, g*g, 2], or nothing where that is empty.
    """
    first, second = to_source.unbind(dim=1)
    place = torch.stack([true_cells(first, second, grid), true_cells(second, first, grid)], dim=1)
    other = tracked if tracked.numel() else torch.full_like(place, torch.nan)
    return torch.where(photo[:, None, None, None], place, other)


def true_cells(query_to_source: Tensor, reference_to_source: Tensor, grid: int) -> Tensor:
    """Where each query cell lies in the reference view: [B, g*g, 2] as (x, y) in reference cells."""
    steps = torch.arange(grid, device=query_to_source.device, dtype=torch.float32) * STRIDE
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    pixels = torch.stack([x.flatten(), y.flatten()], dim=-1)
    source = pixels @ query_to_source[:, :, :2].mT + query_to_source[:, None, :, 2]
    back = torch.linalg.inv(reference_to_source[:, :, :2])
    place: Tensor = (source - reference_to_source[:, None, :, 2]) @ back.mT / STRIDE
    return place


def pair_losses(
    features: Tensor,
    previous: Tensor,
    lab: Tensor,
    channel: int,
    place: Tensor,
    photo: Tensor,
    recipe: Recipe,
) -> dict[str, Tensor]:
    """Every term of one step by name, each as the losses of the samples it applies to, [n] with n from 0 to B.

    features [B, 2, C, h, w]; previous: for every sample the features of the one before it in the batch, which serve
    as cells of another clip; lab [B, 2, 3, H, W] undropped; channel: the colour channel that was dropped; place
    [B, 2, h*w, 2] as of `known_places`; photo [B] as in `model.training.dataset.Sample`. Each view of a pair is the
    query once.
    """
    logits = similarity(features[:, 0], features[:, 1], recipe)
    colours, matched = lab[:, :, channel], logits
    if recipe.jitter:
        colours, matched = colours[~photo], logits[~photo]
    forth = reconstruction_loss(matched, colours[:, 1:], colours[:, :1], recipe.radius)
    back = reconstruction_loss(matched.mT, colours[:, :1], colours[:, 1:], recipe.radius)
    losses = {"reconstruction": (forth + back) / 2}
    for term, known in places_learned_from(photo, recipe).items():
        matched, columns = logits[known], features.shape[-1]
        first, second = features[known].unbind(dim=1)
        other_first, other_second = previous[known].unbind(dim=1)
        there, home = place[known].unbind(dim=1)
        forth = correspondence_loss(matched, similarity(first, other_second, recipe), there, columns)
        back = correspondence_loss(matched.mT, similarity(second, other_first, recipe), home, columns)
        losses[term] = (forth + back) / 2
    return losses


def places_learned_from(photo: Tensor, recipe: Recipe) -> dict[str, Tensor]:
    """The terms of a recipe that learn from known places, each with the samples [B] that it applies to."""
    terms = {}
    if recipe.correspondence > 0:
        terms["correspondence"] = photo
    if recipe.tracks is not None:
        terms["tracks"] = ~photo
    return terms
