"""Labels sent through prepared clips as propagation sends them, with the mask decoder in the loop.

The decoder sees its own mistakes: what it made of a frame is in what later frames vote with.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.mask_decoder import DecoderConfig, MaskDecoder, others_of, share_out
from model.mask_views import FrameLooks, Looks, joint_vectors, likeness, views
from model.training.mask_clips import MaskClip

_KEPT = 512  # clips of which what does not depend on labels is kept in memory


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Some objects of a clip to carry from its first frame to its last.

    objects: L of them, each the masks of the clip that it is made of.
    forget: let the first frame vote only where nothing else does, as if it were long ago.
    spoilt: a frame whose labels are damaged before others vote with them; None = none.
    """

    clip: MaskClip
    objects: tuple[tuple[int, ...], ...]
    forget: bool = False
    spoilt: int | None = None

    @property
    def masks(self) -> Tensor:
        """The truth, float32 [L, T, h, w], as shares of cells."""
        each = [self.clip.masks[list(numbers)].float().sum(dim=0) for numbers in self.objects]
        return (torch.stack(each) / 255).clamp(max=1)


class Step(NamedTuple):
    """One frame of a task. decoded, carried: shares behind and before the decoder; truth: shares; all [L, h, w].

    views: [L, VIEWS, h, w] what the decoder saw.
    """

    decoded: Tensor
    carried: Tensor
    truth: Tensor
    views: Tensor


@torch.no_grad()
def rollout(decoder: MaskDecoder | None, task: Task, rng: np.random.Generator | None = None) -> Iterator[Step]:
    """Frame by frame what the decoder makes of matching; None in its place is matching alone.

    rng: draws the damage, if there is some to do.
    """
    clip, truth = task.clip, task.masks
    labels = [truth[:, 0]]
    weight = (DecoderConfig() if decoder is None else decoder.config).colour
    like = _likenesses(clip, task.objects, weight)
    for frame in range(1, len(clip.references)):
        votes, looks = clip.votes(frame), _frame_looks(clip, frame, weight)
        stacked = torch.stack([labels[r] for r in clip.references[frame]])
        if task.forget and len(stacked) > 1:
            height, width = clip.grid
            left = votes.weight * (votes.index >= height * width)
            total = left.sum(dim=1, keepdim=True)
            votes = replace(votes, weight=torch.where(total > 0, left / total.clamp_min(1e-6), votes.weight))
            looks = replace(looks, given=torch.zeros_like(looks.given))
        carried = votes.apply(stacked)
        seen = views(carried, others_of(carried), looks.votes.apply(stacked), like[frame].float(), looks)
        decoded = carried if decoder is None else decoder.correct(carried, seen)
        kept = decoded if decoder is None else decoder.remembered(carried, decoded)
        labels.append(_spoil(kept, rng) if rng is not None and task.spoilt == frame else kept)
        yield Step(decoded, carried, truth[:, frame], seen)


@lru_cache(maxsize=_KEPT)
def _vectors(clip: MaskClip, weight: float) -> Tensor:
    return joint_vectors(clip.features.float(), clip.colours.float(), weight)


@lru_cache(maxsize=8 * _KEPT)
def _frame_looks(clip: MaskClip, frame: int, weight: float) -> FrameLooks:
    """Of the references the first is the first frame, and the only one that is given."""
    vectors, references = _vectors(clip, weight), clip.references[frame]
    given = torch.arange(len(references)) == 0
    return FrameLooks.of(vectors[frame], vectors[list(references)], clip.votes(frame), given)


@lru_cache(maxsize=2 * _KEPT)
def _likenesses(clip: MaskClip, objects: tuple[tuple[int, ...], ...], weight: float) -> Tensor:
    """What `likeness` says of every frame, by the first: float16 [T, L, 3, h, w]."""
    vectors = _vectors(clip, weight)
    looks = [Looks.of([vectors[0]], [mask]) for mask in Task(clip, objects).masks[:, 0]]
    return torch.stack([torch.stack([likeness(v, one) for one in looks]) for v in vectors]).half()


def _spoil(values: Tensor, rng: np.random.Generator) -> Tensor:
    """Labels as they are after a long way: with a spot too many, a piece missing, fatter or thinner, or molten."""
    _, height, width = values.shape
    kind = int(rng.integers(4))
    if kind >= 2:
        wide = 2 * int(rng.integers(1, 3)) + 1
        grown = F.max_pool2d(values[None], wide, 1, wide // 2)[0]
        if kind == 3:
            return F.avg_pool2d(grown[None], wide, 1, wide // 2, count_include_pad=False)[0]
        return grown if rng.random() < 0.5 else -F.max_pool2d(-values[None], wide, 1, wide // 2)[0]
    y, x = torch.meshgrid(torch.arange(height).float(), torch.arange(width).float(), indexing="ij")
    spots = values.clone()
    for n in range(len(values)):
        inside = (values[n] > 0.5).nonzero()
        if len(inside) == 0:
            continue
        centre = inside[int(rng.integers(len(inside)))].float() + torch.from_numpy(rng.normal(0, 4 + 6 * (1 - kind), 2))
        size = rng.uniform(1.5, 5, 2)
        spot = (((y - centre[0]) / size[0]) ** 2 + ((x - centre[1]) / size[1]) ** 2 < 1).float() * rng.uniform(0.4, 1)
        spots[n] = torch.maximum(spots[n], spot) if kind == 0 else torch.minimum(spots[n], 1 - spot)
    return share_out(spots)
