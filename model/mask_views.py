"""What the mask decoder sees of a frame and of the mask that matching carried there. All maps are on the feature grid.

Two cells are as far apart as their features and colours are: vectors here are [features, weighted colours], so that
-|a - b|²/2 is the similarity that the affinity uses, less that of a cell with itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import Affinity

VIEWS = 22

_REACH = 2  # cells to either side along which labels are smoothed
_ALIKE = 0.1  # difference at which a neighbour counts 1/e
_LIKE = 0.2  # the same where cells far apart are compared
_SAMPLES = (64, 128)  # cells inside and outside of the object that stand for its looks and the others'
_SURE = (0.8, 0.05)  # share above which a cell is inside, below which it is outside
_EDGE = 0.02  # shares are kept so far from 0 and 1 where log-odds are taken


def joint_vectors(features: Tensor, colours: Tensor, weight: float) -> Tensor:
    """Features [..., C, h, w] of unit length and Lab colours [..., 3, h, w] -> vectors [..., C + 3, h, w]."""
    return torch.cat([features, colours * weight**0.5], dim=-3)


@dataclass(frozen=True, slots=True, eq=False)
class FrameLooks:
    """What holds of a frame whatever its labels are.

    neighbours: [12, h, w] how alike each cell and its neighbour at each of `_STEPS` are, 0..1.
    sure:       [h, w] 1 - entropy of the votes; alike: how much cells look like what voted for them.
    given:      [h, w] the weight of the votes of frames that a person labelled; votes: these alone, rescaled.
    """

    neighbours: Tensor
    sure: Tensor
    alike: Tensor
    given: Tensor
    votes: Affinity

    @classmethod
    def of(cls, query: Tensor, references: Tensor, votes: Affinity, given: Tensor) -> FrameLooks:
        """From vectors [D, h, w] of the frame and [R, D, h, w] of its references; given: bool [R]."""
        height, width = votes.grid
        apart = (votes.apply(references) - query).square().sum(dim=0)
        by_person = votes.weight * given.to(votes.weight.device)[votes.index // (height * width)]
        total = by_person.sum(dim=1)
        alone = Affinity(by_person / total.clamp_min(1e-3)[:, None], votes.index, votes.grid, votes.references)
        neighbours = torch.stack([_likeness_at(query, *step) for step in _STEPS])
        sure, alike = 1 - votes.entropy(), torch.exp(-apart / (2 * _LIKE))
        return cls(neighbours, sure, alike, total.view(height, width), alone)


_STEPS = [(y, x) for y in range(_REACH + 1) for x in range(-_REACH, _REACH + 1) if (y, x) > (0, 0)]
"""Half of the neighbours, as (rows, columns) away; the others are the same the other way round."""


def _likeness_at(vectors: Tensor, rows: int, columns: int) -> Tensor:
    """[h, w] between each cell and the one at a step; 0 where that is outside."""
    height, width = vectors.shape[-2:]
    left, right = max(0, -columns), width - max(0, columns)
    here = vectors[:, : height - rows, left:right]
    there = vectors[:, rows:, left + columns : right + columns]
    alike = torch.exp(-(here - there).square().sum(dim=0) / (2 * _ALIKE))
    return F.pad(alike, (left, width - right, 0, rows))


def smooth(maps: Tensor, neighbours: Tensor, rounds: int) -> Tensor:
    """Maps [N, h, w], each cell's the mean of its own and its neighbours', by how alike they are; so many times."""
    height, width = maps.shape[-2:]
    total = torch.ones_like(neighbours[0])
    for (rows, columns), alike in zip(_STEPS, neighbours, strict=True):
        total = total + alike + _moved(alike, -rows, -columns, height, width)
    for _ in range(rounds):
        mixed = maps.clone()
        for (rows, columns), alike in zip(_STEPS, neighbours, strict=True):
            left, right = max(0, -columns), width - max(0, columns)
            here = (..., slice(0, height - rows), slice(left, right))
            there = (..., slice(rows, height), slice(left + columns, right + columns))
            weight = alike[here]
            mixed[here] += weight * maps[there]
            mixed[there] += weight * maps[here]
        maps = mixed / total
    return maps


def _moved(alike: Tensor, rows: int, columns: int, height: int, width: int) -> Tensor:
    """What `_likeness_at` says of a step, at the cells that the step leads to."""
    moved = torch.zeros_like(alike)
    left, right = max(0, columns), width - max(0, -columns)
    moved[-rows:, left - columns : right - columns] = alike[: height + rows, left:right]
    return moved


@dataclass(frozen=True, slots=True, eq=False)
class Looks:
    """Cells that stand for an object and for all else: vectors [n, D], inside and outside; n may be 0."""

    inside: Tensor
    outside: Tensor

    @classmethod
    def of(cls, vectors: Sequence[Tensor], shares: Sequence[Tensor]) -> Looks:
        """From labelled frames: vectors [D, h, w] of each, and the object's shares [h, w]."""
        if not vectors:
            return cls(torch.zeros(0, 1), torch.zeros(0, 1))
        rows = torch.cat([v.flatten(1).T for v in vectors])
        share = torch.cat([s.flatten() for s in shares])
        return cls(_spread(rows[share > _SURE[0]], _SAMPLES[0]), _spread(rows[share < _SURE[1]], _SAMPLES[1]))


def _spread(rows: Tensor, count: int) -> Tensor:
    """At most `count` of the rows, evenly spread."""
    if len(rows) <= count:
        return rows
    return rows[torch.linspace(0, len(rows) - 1, count, device=rows.device).long()]


def likeness(vectors: Tensor, looks: Looks) -> Tensor:
    """How much each cell of vectors [D, h, w] looks like the object and like all else: [3, h, w] in -1..1.

    Channels: like the object, like the others (1 = the same, 0 = unlike), and the difference of the two.
    """
    rows = vectors.flatten(1).T
    near = [_nearest(rows, kind) for kind in (looks.inside, looks.outside)]
    alike = [torch.exp(n / _LIKE) for n in near]
    return torch.stack([*alike, torch.tanh((near[0] - near[1]) / _LIKE)]).view(3, *vectors.shape[1:])


def _nearest(rows: Tensor, samples: Tensor) -> Tensor:
    """-|a - b|²/2 to the nearest sample, [n]; far away if there is none."""
    if len(samples) == 0:
        return rows.new_full((len(rows),), -10.0)
    product = rows @ samples.T - samples.square().sum(dim=1) / 2
    return (product.amax(dim=1) - rows.square().sum(dim=1) / 2).clamp(-10, 0)


def odds_of(shares: Tensor) -> Tensor:
    """Log-odds of shares, finite also where these are 0 or 1."""
    return torch.logit(shares.clamp(_EDGE, 1 - _EDGE))


def views(own: Tensor, others: Tensor, told: Tensor, likeness: Tensor, frame: FrameLooks) -> Tensor:
    """What the decoder sees of every cell: [N, VIEWS, h, w], all about -1..1.

    own, others, told [N, h, w]: shares of the object, of all others, and of the object by `frame.votes`;
    likeness [N, 3, h, w].
    """
    near, far = (smooth(own, frame.neighbours, rounds) for rounds in (1, 4))
    means = [_mean(own, radius) for radius in (1, 3, 6)]
    difference = likeness[:, 2]
    looks = [*likeness[:, :2].unbind(1), difference, _mean(difference, 2), smooth(difference, frame.neighbours, 2)]
    around = [_mean(likeness[:, n], 2) for n in (0, 1)]
    given, alike, sure = (m.expand_as(own) for m in (frame.given, frame.alike, frame.sure))
    told = torch.where(given > 1e-3, told, own)
    return torch.stack(
        [
            *(odds_of(shares) / 4 for shares in (own, near, far, *means)),
            *(2 * own - 1, others, 2 * sure - 1),
            *looks,
            *around,
            *(2 * told - 1, odds_of(told) / 4 * given, given, 2 * alike - 1),
            *(2 * _mean(m, 2) - 1 for m in (alike, sure)),
        ],
        dim=1,
    )


def _mean(maps: Tensor, radius: int) -> Tensor:
    """The mean of the square of cells around each: [N, h, w]."""
    return F.avg_pool2d(maps[:, None], 2 * radius + 1, 1, radius, count_include_pad=False)[:, 0]
