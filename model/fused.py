"""The losses of a recipe with parts: all that adds up to eq (21), and what LIIR has beside it.

`model.losses.pair_losses` is the same for a recipe without any of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from model.affinity import sampled_logits
from model.affinity.window import hidden_cells
from model.bank import Negatives, contrastive_loss, joint_affinity
from model.compactness import compactness_loss
from model.grid import sample_cells, to_pixels
from model.losses import correspondence_loss, places_learned_from, similarity
from model.network import Views
from model.recipes import Recipe
from model.sampler import sample_windows
from model.weight_map import WeightMapOptions, weight_map_loss


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What a step knows of its B samples besides the network's views of them.

    previous:  the features of the sample before each in the batch, [B, 2, 2, C, h, w]: cells of another clip.
    lab:       [B, 2, 3, H, W] undropped; channel: the colour channel that was dropped.
    place:     [B, 2, h*w, 2] as of `model.losses.known_places`; photo: [B] as in `model.training.dataset.Sample`.
    progress:  0 at the start of the training, 1 at its end.
    negatives: of other videos, or None; averaged: the views as the averaged network sees them, [B, 2, C, h, w],
               needed with negatives only.
    """

    previous: Tensor
    lab: Tensor
    channel: int
    place: Tensor
    photo: Tensor
    progress: float
    negatives: Negatives | None = None
    averaged: Tensor | None = None


def fused_losses(views: Views, pairs: Pairs, recipe: Recipe) -> dict[str, Tensor]:
    """Every term of one step by name, each as the losses of the samples it applies to, [n] with n from 0 to B.

    Each view of a pair is the query once, and then the target of value extraction.
    """
    forth, back = (_directed_losses(views, pairs, recipe, query) for query in (0, 1))
    return {name: (forth[name] + back[name]) / 2 for name in forth}


def _directed_losses(views: Views, pairs: Pairs, recipe: Recipe, query: int) -> dict[str, Tensor]:
    """The terms with view `query` as the query and the other one as the reference."""
    reference = 1 - query
    q, r = views.features[:, query, query], views.features[:, query, reference]
    grid = (q.shape[-2], q.shape[-1])
    everywhere = similarity(q, r, recipe)
    logits = _within_windows(everywhere, q, r, recipe)
    affinity = joint_affinity(logits, _against_negatives(q, pairs.negatives, recipe))

    same = ~pairs.photo if recipe.jitter else torch.ones_like(pairs.photo)
    colours = pairs.lab[same, :, pairs.channel]
    target = colours[:, query, None]
    values = sample_cells(colours[:, reference]).flatten(1)
    cells = torch.einsum("bqk,bk->bq", affinity[same], values).view(-1, 1, *grid)
    copied = to_pixels(cells, *target.shape[-2:])
    weight = recipe.weight or WeightMapOptions("off")
    value = torch.zeros_like(cells) if views.value is None else views.value[same, query, None]
    losses = {"reconstruction": weight_map_loss(copied, target, value, pairs.progress, weight)}

    for term, known in places_learned_from(pairs.photo, recipe).items():
        others = similarity(q[known], pairs.previous[known, query, reference], recipe)
        losses[term] = correspondence_loss(everywhere[known], others, pairs.place[known, query], grid[1])
    if pairs.negatives is not None and recipe.bank is not None and recipe.bank.gamma > 0:
        assert pairs.averaged is not None
        truth = pairs.averaged[:, query].flatten(2)
        losses["contrast"] = contrastive_loss(affinity, r.flatten(2), truth, pairs.negatives, recipe.bank.temperature)
    if recipe.compactness is not None and recipe.compactness.in_training and recipe.in_second_phase(pairs.progress):
        own = logits.softmax(dim=-1)  # other videos have no part in it
        losses["compactness"] = compactness_loss(own, grid, recipe.compactness.train_above)
    return losses


def _within_windows(logits: Tensor, query: Tensor, reference: Tensor, recipe: Recipe) -> Tensor:
    """Logits of all cells [B, h*w, h*w] -> those of the cells in the windows (eq 15 with a sampler), elsewhere -inf."""
    if recipe.sampler is not None:
        sampling = sample_windows(query.detach(), reference.detach()[:, None], recipe.sampler)
        return sampled_logits(logits, sampling.windows)
    hidden = hidden_cells(query.shape[-2], query.shape[-1], recipe.radius, "square", query.device)
    return logits.masked_fill(hidden, -torch.inf)


def _against_negatives(query: Tensor, negatives: Negatives | None, recipe: Recipe) -> Tensor | None:
    """What `similarity` says of the query [B, C, h, w] and each negative, [B, h*w, N]."""
    if negatives is None:
        return None
    cells = query.flatten(2)
    if recipe.similarity == "cosine":
        cells = torch.nn.functional.normalize(cells, dim=1)
        return negatives.unit().logits(cells, recipe.temperature)
    return negatives.logits(cells, math.sqrt(cells.shape[1]))
