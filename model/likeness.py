"""What sets the objects apart from all else: a linear score of cells for each, fitted to what a person labelled.

Matching takes all differences of two cells for equally important. Labels know better: what looks like the object is no
match for what does not, however near it lies. So votes between cells of unlike scores count less. The scores decide
nothing by themselves, for what looks like the object in another place is not the object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from model.memory import Entry

_AROUND = 5  # cells along each side of what is seen of a cell's surroundings
_THIN = 2  # of what is no object, every such row and column is enough
_RIDGE = 0.01  # of the mean square of an input


class Likeness(NamedTuple):
    """How much cells look like each of O objects, 0..1: those of a frame [O, h, w], of its references [R, O, h, w]."""

    query: Tensor
    keys: Tensor


class TargetModel:
    """The scores of one walk through a video, fitted anew whenever other anchors are looked at."""

    def __init__(self, objects: int) -> None:
        """objects: so many of the first channels of labels are objects."""
        self._objects = objects
        self._anchors: tuple[int, ...] = ()
        self._weights = torch.empty(0)
        self._scores: dict[int, Tensor] = {}

    def __call__(
        self, frame: int, query: Tensor, references: Mapping[int, Entry], keys: Tensor, anchors: Collection[int]
    ) -> Likeness | None:
        """Of a frame [C, h, w] and its references [R, C, h, w], as `FeatureStore.match` gives them.

        references: their labels, by frame; anchors: which frames a person labelled. None if nothing is to be learned.
        """
        rows = [row for row, reference in enumerate(references) if reference in anchors]
        if not rows or not self._objects:
            return None
        entries = list(references.items())
        looked_at = tuple(entries[row][0] for row in rows)
        if looked_at != self._anchors:
            values = torch.stack([entries[row][1].values[: self._objects] for row in rows])
            known = torch.stack([entries[row][1].known[: self._objects] for row in rows])
            self._anchors, self._weights, self._scores = looked_at, fit(keys[rows], values, known), {}
        keys_of = {**dict(zip(references, keys, strict=True)), frame: query}
        self._scores = {
            f: self._scores[f] if f in self._scores else scores(key, self._weights) for f, key in keys_of.items()
        }
        return Likeness(self._scores[frame], torch.stack([self._scores[reference] for reference in references]))


def fit(keys: Tensor, values: Tensor, known: Tensor) -> Tensor:
    """The weights [O, 2C + 1] with which `scores` tells each of O objects from all else, by ridge regression.

    keys [A, C, h, w], values [A, O, h, w] and known bool [A, O]: matching vectors and labels of A anchors. An object
    and the rest have the same say, however large they are. Zeros for an object that no anchor shows, or nothing beside.
    """
    samples = [_samples(key, shares) for key, shares in zip(keys, values, strict=True)]
    spread = [sample.inputs[sample.thin].T @ sample.inputs[sample.thin] for sample in samples]
    size = spread[0].shape[0]
    weights = keys.new_zeros(values.shape[1], size)
    for number, told in enumerate(known.T.tolist()):
        square = keys.new_zeros(2, size, size)  # of the object, and of the rest
        target, mass = keys.new_zeros(2, size), keys.new_zeros(2)
        for sample, around, says in zip(samples, spread, told, strict=True):
            if not says:
                continue
            place = sample.shares[:, number].nonzero()[:, 0]
            x, share = sample.inputs[place], sample.shares[place, number]
            counted = sample.thin[place].float()
            square += torch.stack([_square(x, share), around - _square(x, counted * share)])
            target += torch.stack([share * share, counted * (1 - share) * share]) @ x
            mass += torch.stack([share.sum(), sample.thin.sum() - (counted * share).sum()])
        if bool((mass < 1).any()):
            continue
        matrix = (square / mass[:, None, None]).mean(0).cpu().double()
        wanted = (target / mass[:, None]).mean(0).cpu().double()
        matrix.diagonal().add_(_RIDGE * matrix.diagonal()[:-1].mean())
        weights[number] = torch.linalg.solve(matrix, wanted).to(weights)
    return weights


def scores(key: Tensor, weights: Tensor) -> Tensor:
    """How much each cell of a matching vector [C, h, w] looks like each object of `fit`: [O, h, w] in 0..1."""
    channels, height, width = key.shape
    own, around, constant = weights.split([channels, channels, 1], dim=1)
    cells = key.permute(1, 2, 0).reshape(-1, channels)
    here, there = (cells @ torch.cat([own, around]).T).T.reshape(2, -1, height, width)
    return (here + _mean_around(there) + constant[:, :, None]).clamp(0, 1)


class _Sample(NamedTuple):
    """Some of a frame's n cells: what is seen of them [n, 2C + 1], the objects' shares of them [n, O], and which of
    them stand for all cells, bool [n]; the others are the objects' own."""

    inputs: Tensor
    shares: Tensor
    thin: Tensor


def _samples(key: Tensor, values: Tensor) -> _Sample:
    """key [C, h, w], values [O, h, w]."""
    thin = torch.zeros(key.shape[1:], dtype=torch.bool, device=key.device)
    thin[_THIN // 2 :: _THIN, _THIN // 2 :: _THIN] = True
    chosen = thin | (values > 0).any(0)
    seen = [part[:, chosen].T for part in (key, _mean_around(key))]
    inputs = torch.cat([*seen, torch.ones_like(seen[0][:, :1])], dim=1)
    return _Sample(inputs, values[:, chosen].T, thin[chosen])


def _square(rows: Tensor, weight: Tensor) -> Tensor:
    """The sum of the weighted outer products of rows [n, D]: [D, D]."""
    return rows.T @ (rows * weight[:, None])


def _mean_around(x: Tensor) -> Tensor:
    """The mean of each cell's surroundings, itself included: [C, h, w]."""
    return F.avg_pool2d(x[None], _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False)[0]
