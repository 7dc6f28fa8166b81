"""The sparse affinity: for every query cell, the k reference cells that vote for it and their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import embedding_bag


class Vote(NamedTuple):
    """One reference cell's say: which reference (from 0), its place in cells, its weight in 0..1."""

    reference: int
    y: int
    x: int
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Affinity:
    """The k heaviest votes of every query cell over all references together; weights sum to 1 (eqs 1 and 3).

    weight:     float32 [h*w, k], heaviest first; 0 fills up where the windows hold fewer than k cells.
    index:      int64 [h*w, k] into the concatenated cells of all references, R*h*w of them; a valid cell
                even where the weight is 0.
    grid:       (h, w).
    references: R.
    """

    weight: Tensor
    index: Tensor
    grid: tuple[int, int]
    references: int

    def apply(self, values: Tensor) -> Tensor:
        """Carry values along the votes (eq 2): [R, L, h, w] -> float32 [L, h, w]."""
        assert (values.shape[0], *values.shape[2:]) == (self.references, *self.grid), values.shape
        rows = values.float().permute(0, 2, 3, 1).reshape(-1, values.shape[1])
        return self.apply_to_rows(rows).T.reshape(-1, *self.grid).contiguous()

    def apply_to_rows(self, rows: Tensor) -> Tensor:
        """The same of rows float32 [R*h*w, D], one for every cell of every reference: [h*w, D]."""
        return embedding_bag(self.index, rows, mode="sum", per_sample_weights=self.weight)

    def entropy(self) -> Tensor:
        """Entropy of each cell's votes over log k: float32 [h, w], 0 = one vote decides, 1 = all weigh the same."""
        most = math.log(self.weight.shape[1]) or 1.0  # a single vote has entropy 0
        entropy: Tensor = torch.special.entr(self.weight).sum(1) / most
        return entropy.clamp(0, 1).view(self.grid)

    def sharpened(self, power: float) -> Affinity:
        """The same votes with their weights raised to a power: as a temperature so many times lower would have them."""
        weight = self.weight**power
        return Affinity(weight / weight.sum(1, keepdim=True), self.index, self.grid, self.references)

    def united(self, stands_for: Sequence[int], k: int) -> Affinity:
        """The k heaviest votes where some references are others once more, rescaled: nobody votes twice.

        stands_for: [R] the reference that each of them is; the first ones are themselves. It takes 2 k votes to be sure
        of k, if a reference may come twice.
        """
        height, width = self.grid
        cells, count = height * width, len(set(stands_for))
        number = torch.tensor(stands_for, device=self.index.device)
        index = number[self.index // cells] * cells + self.index % cells
        earlier = torch.ones(index.shape[1:] * 2, dtype=torch.bool, device=index.device).tril(-1)
        again = ((index[:, :, None] == index[:, None]) & earlier).any(2)
        weight, best = self.weight.masked_fill(again, 0).topk(min(k, index.shape[1]), dim=1)
        return Affinity(weight / weight.sum(1, keepdim=True), index.gather(1, best), self.grid, count)

    def votes(self, y: int, x: int) -> list[Vote]:
        """Who voted for the query cell (y, x), heaviest first; cells without weight are left out."""
        height, width = self.grid
        if not (0 <= y < height and 0 <= x < width):
            raise ValueError(f"cell ({y}, {x}) lies outside the {height}×{width} feature grid")
        row = y * width + x
        votes = []
        for cell, weight in zip(self.index[row].tolist(), self.weight[row].tolist(), strict=True):
            if weight > 0:
                reference, place = divmod(cell, height * width)
                votes.append(Vote(reference, place // width, place % width, weight))
        return votes


def mixture(one: Affinity, other: Affinity, share: Tensor) -> Affinity:
    """The mean of two affinities to the same references, `other` by its share [h*w]: its k heaviest votes, rescaled."""
    ours, theirs = one.weight * (1 - share[:, None]), other.weight * share[:, None]
    real = one.weight[:, :, None] > 0  # votes without weight only fill up, with the same cell again and again
    both = real & (one.index[:, :, None] == other.index[:, None])
    ours = ours + (both * theirs[:, None]).sum(2)
    weight = torch.cat([ours, theirs * ~both.any(1)], dim=1)
    weight, best = weight.topk(one.weight.shape[1], dim=1)
    index = torch.cat([one.index, other.index], dim=1).gather(1, best)
    return Affinity(weight / weight.sum(1, keepdim=True), index, one.grid, one.references)
