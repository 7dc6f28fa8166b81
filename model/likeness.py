"""What sets the objects apart from all else: a linear score of cells for each, fitted to what a person labelled.

Matching takes all differences of two cells for equally important. Labels know better: what looks like the object is no
match for what does not, however near it lies. So votes between cells of unlike scores count less. The scores decide
nothing by themselves, for what looks like the object in another place is not the object.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


class LikenessModel:
    """The scores of one walk through a video, fitted anew whenever other anchors are looked at."""

    def __init__(self, objects: int) -> None:
        """objects: so many of the first channels of labels are objects."""
        self._objects = objects
        self._entries: dict[int, Entry] = {}  # of the anchors that it was fitted to
        self._samples: dict[int, Sample] = {}
        self._weights = torch.empty(0)
        self._scores: dict[int, Tensor] = {}

    def __call__(
        self, frame: int, query: Tensor, references: Mapping[int, Entry], keys: Tensor, anchors: Collection[int]
    ) -> Likeness | None:
        """Of a frame [C, h, w] and its references [R, C, h, w], as `FeatureStore.match` gives them.

        references: their labels by frame, for an anchor the same object as long as they stay the same.
        anchors: which frames a person labelled. None if nothing is to be learned from any of them.
        """
        entries = {anchor: entry for anchor, entry in references.items() if anchor in anchors}
        if not entries or not self._objects:
            return None
        keys_of = {**dict(zip(references, keys, strict=True)), frame: query}
        if entries != self._entries:
            same = {a: self._samples[a] for a, entry in entries.items() if self._entries.get(a) is entry}
            new = {a: Sample.of(keys_of[a], entries[a].shares[: self._objects]) for a in entries if a not in same}
            known = torch.stack([entry.known[: self._objects] for entry in entries.values()])
            self._entries, self._samples = entries, {**same, **new}
            self._weights, self._scores = fit([self._samples[a] for a in entries], known), {}
        self._scores = {
            seen: self._scores[seen] if seen in self._scores else scores(key, self._weights)
            for seen, key in keys_of.items()
        }
        return Likeness(self._scores[frame], torch.stack([self._scores[reference] for reference in references]))


class Sample(NamedTuple):
    """Some of an anchor's cells, n of them: those of the objects, and of all of them every second in both directions.

    inputs: what is seen of each [n, 2C + 1]; shares: how much of it is each object [n, O]; thin: bool [n], those that
    stand for all; square: the sum of the outer products of their inputs [2C + 1, 2C + 1].
    """

    inputs: Tensor
    shares: Tensor
    thin: Tensor
    square: Tensor

    @classmethod
    def of(cls, key: Tensor, values: Tensor) -> Sample:
        """From a matching vector [C, h, w] and how much of each cell is each object's [O, h, w]."""
        thin = torch.zeros(key.shape[1:], dtype=torch.bool, device=key.device)
        thin[_THIN // 2 :: _THIN, _THIN // 2 :: _THIN] = True
        chosen = thin | (values > 0).any(0)
        seen = [part.permute(1, 2, 0)[chosen] for part in (key, _mean_around(key))]
        inputs, thin = torch.cat([*seen, torch.ones_like(seen[0][:, :1])], dim=1), thin[chosen]
        return cls(inputs, values[:, chosen].T, thin, inputs[thin].T @ inputs[thin])


def fit(samples: Sequence[Sample], known: Tensor) -> Tensor:
    """The weights [O, 2C + 1] with which `scores` tells each of O objects from all else, by ridge regression.

    known: bool [A, O], which objects each of A anchors knows of. An object and the rest have the same say, however
    large they are. Zeros for an object that no anchor shows, or nothing beside it.
    """
    size = len(samples[0].square)
    weights = samples[0].inputs.new_zeros(known.shape[1], size)
    for number, told in enumerate(known.T.tolist()):
        square = weights.new_zeros(2, size, size)  # of the object, and of the rest
        target, mass = weights.new_zeros(2, size), weights.new_zeros(2)
        for sample in (sample for sample, says in zip(samples, told, strict=True) if says):
            place = sample.shares[:, number].nonzero()[:, 0]
            x, share, counted = sample.inputs[place], sample.shares[place, number], sample.thin[place].float()
            square += torch.stack([_square(x, share), sample.square - _square(x, counted * share)])
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
    cells = key.permute(1, 2, 0).reshape(-1, channels)
    own, around = ((cells @ part.T).T.reshape(-1, height, width) for part in weights[:, :-1].chunk(2, dim=1))
    return (own + _mean_around(around) + weights[:, -1:, None]).clamp(0, 1)


def _square(rows: Tensor, weight: Tensor) -> Tensor:
    """The sum of the weighted outer products of rows [n, D]: [D, D]."""
    return rows.T @ (rows * weight[:, None])


def _mean_around(x: Tensor) -> Tensor:
    """The mean of each cell's surroundings, itself included: [C, h, w]."""
    return F.avg_pool2d(x[None], _AROUND, stride=1, padding=_AROUND // 2, count_include_pad=False)[0]
