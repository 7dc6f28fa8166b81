"""The compactness prior (LIIR 7, 8): what a query cell matches are few places, and each of them is one spot.

A row A of the affinity says how much every reference cell has of one query cell. Its compact form A′ is a mixture of
Gaussians about the two highest peaks of A, weighted by the height of these peaks, with a full width of one cell at half
the height. Our reading: a row runs over all references together, as the softmax of eq (3) does, and a Gaussian stays in
the reference of its peak; cells that A gives nothing, being outside the window, get nothing; A′ adds up to what A does.

In training A is drawn towards A′ where it is sure already; in propagation A′ stands in for A, which drops stray votes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity.votes import Affinity

_PEAKS = 2
_APART = 8  # rows of cells: 2^(-4·8²) is 0 in fp32
_SCALE = 20.0  # shares are small; smooth-L1 turns linear at a difference of 1/20


@dataclass(frozen=True, slots=True)
class CompactnessOptions:
    """Where the prior is used, and on which rows.

    where:       "train", "infer", "both" or "off".
    train_above: in training, on rows whose highest peak is above this.
    infer_above: in propagation, the same.
    """

    where: str = "both"
    train_above: float = 0.5
    infer_above: float = 0.1

    def __post_init__(self) -> None:
        if self.where not in ("train", "infer", "both", "off"):
            raise ValueError(f"compactness is train, infer, both or off, not {self.where!r}")
        for name in ("train_above", "infer_above"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"compactness {name} is between 0 and 1, not {getattr(self, name)}")

    @property
    def in_training(self) -> bool:
        return self.where in ("train", "both")

    @property
    def in_propagation(self) -> bool:
        return self.where in ("infer", "both")


@torch.no_grad()
def compact(weight: Tensor, index: Tensor, grid: tuple[int, int]) -> Tensor:
    """A′ of eq (7) for n rows with m cells each: shares [n, m] of the cells index [n or 1, m] -> [n, m].

    index: into the concatenated cells of all references, grid (h, w) each. There is no gradient: A′ is a target.
    """
    height, width = grid
    # The references stand one below the other, too far apart for a Gaussian to reach from one into the next.
    y = (index // width + index // (height * width) * _APART).to(weight.dtype).expand_as(weight)
    x = (index % width).to(weight.dtype).expand_as(weight)
    peaks = weight.topk(min(_PEAKS, weight.shape[1]), dim=1)
    prior = torch.zeros_like(weight)
    for n in range(peaks.values.shape[1]):
        share, place = peaks.values[:, n, None], peaks.indices[:, n, None]
        squared = (y - y.gather(1, place)).square() + (x - x.gather(1, place)).square()
        prior += share * torch.exp2(-4 * squared)  # half the height at half a cell
    prior = torch.where(weight > 0, prior, 0.0)
    return prior * (weight.sum(dim=1, keepdim=True) / prior.sum(dim=1, keepdim=True))


def compactness_loss(affinity_BQK: Tensor, grid: tuple[int, int], above: float) -> Tensor:
    """Eq (8): smooth-L1 of 20·A against 20·A′, over all cells of the rows with a peak above `above`; per sample [B].

    affinity: [B, Q, K] over the K = R·h·w cells of the references, of the query's own video alone. A sample without
    any such row costs nothing.
    """
    sure_BQ = affinity_BQK.detach().amax(dim=-1) > above
    rows = affinity_BQK[sure_BQ]
    cells = torch.arange(affinity_BQK.shape[-1], device=affinity_BQK.device)
    target = compact(rows, cells[None], grid)
    error = F.smooth_l1_loss(rows * _SCALE, target * _SCALE, reduction="none").mean(dim=1)
    total = torch.zeros_like(sure_BQ, dtype=error.dtype).masked_scatter(sure_BQ, error).sum(dim=1)
    return total / sure_BQ.sum(dim=1).clamp_min(1)


def compact_votes(affinity: Affinity, above: float) -> Affinity:
    """The votes of a propagation under the prior: weights become A′ in the cells with a vote above `above`.

    The same votes, heaviest first again; the order of the rows and what they add up to stay.
    """
    prior = compact(affinity.weight, affinity.index, affinity.grid)
    sure = affinity.weight[:, :1] > above
    weight, order = torch.where(sure, prior, affinity.weight).sort(dim=1, descending=True, stable=True)
    return replace(affinity, weight=weight, index=affinity.index.gather(1, order))
