"""Negatives from other videos: the bank that holds them, the joint affinity and the contrastive loss (eqs 16, 17).

The bank keeps vectors of recent training frames, made by the moving average of the encoder: they carry no gradient and
change slowly. A query cell has to tell its counterpart from them as well as from the rest of its own video. Until the
bank is full it gives nothing, and training goes on without it.

Negatives come from other videos only. A video's id is any whole number ≥ 0 that no other video has.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_SALT = 1  # keeps the draws here apart from those of the training samples, which have the same seed and number


@dataclass(frozen=True, slots=True)
class BankOptions:
    """The negatives and the loss on them.

    capacity:    frames in the bank; the oldest leave first.
    per_frame:   vectors of each frame.
    temperature: τ of eq (17).
    gamma:       γ, the weight of the contrastive loss L_q in the total of eq (21); 0 leaves it out.
    """

    capacity: int = 32 * 50
    per_frame: int = 4
    temperature: float = 0.07
    gamma: float = 0.1

    def __post_init__(self) -> None:
        for name in ("capacity", "per_frame"):
            if getattr(self, name) < 1:
                raise ValueError(f"bank {name} cannot be {getattr(self, name)}; it is 1 or more")
        if not self.temperature > 0:
            raise ValueError(f"bank temperature cannot be {self.temperature}; it is above 0")
        if not self.gamma >= 0:
            raise ValueError(f"bank gamma cannot be {self.gamma}; it is 0 or more")


class Negatives(NamedTuple):
    """What a batch is contrasted with: vectors [N, C] and bool hidden [B, N], True where both are of one video."""

    vectors: Tensor
    hidden: Tensor

    def unit(self) -> Negatives:
        """The same at length 1, for cosines."""
        return Negatives(F.normalize(self.vectors, dim=1), self.hidden)

    def logits(self, query_BCQ: Tensor, temperature: float) -> Tensor:
        """<q, n> / temperature, fp32 [B, Q, N]; what is hidden is so low that it has no share in a softmax."""
        products = torch.einsum("bcq,nc->bqn", query_BCQ, self.vectors.to(query_BCQ.dtype)).float() / temperature
        # Not -inf: of a row without any negative the logsumexp, or its gradient, would not be a number.
        return products.masked_fill(self.hidden[:, None], torch.finfo(torch.float32).min / 4)


class NegativeBank:
    """A ring of `capacity` frames with `per_frame` vectors of C channels each, first in, first out.

    With several processes each holds the same bank: all add the frames of the whole batch, in the same order.
    """

    def __init__(self, options: BankOptions, channels: int, device: torch.device | str = "cpu") -> None:
        self._vectors = torch.zeros(options.capacity, options.per_frame, channels, device=device)
        self._videos = torch.full((options.capacity,), -1, dtype=torch.int64, device=device)
        self._added = 0

    @property
    def full(self) -> bool:
        return self._added >= len(self._videos)

    @torch.no_grad()
    def add(self, vectors_FPC: Tensor, videos_F: Tensor) -> None:
        """Put in F frames, the first one first: vectors [F, per_frame, C] of the averaged encoder, video ids [F]."""
        capacity = len(self._videos)
        assert vectors_FPC.shape == (len(videos_F), *self._vectors.shape[1:]), vectors_FPC.shape
        assert (videos_F >= 0).all(), "a video's id is 0 or more"
        places = torch.arange(self._added, self._added + len(videos_F), device=self._videos.device) % capacity
        # Of more frames than there is room for, only the last stay; a place must not be written twice.
        self._vectors[places[-capacity:]] = vectors_FPC[-capacity:].to(self._vectors)
        self._videos[places[-capacity:]] = videos_F[-capacity:].to(self._videos)
        self._added += len(videos_F)

    def negatives(self, videos_B: Tensor) -> Negatives | None:
        """What samples of these videos are contrasted with; None until the bank is full."""
        if not self.full:
            return None
        same = self._videos == videos_B.to(self._videos)[:, None]
        # Copies: what a graph remembers must not change when the next frames come in.
        return Negatives(self._vectors.flatten(0, 1).clone(), same.repeat_interleave(self._vectors.shape[1], dim=1))

    def state_dict(self) -> dict[str, Tensor | int]:
        """All there is, for a checkpoint."""
        return {"vectors": self._vectors.clone(), "videos": self._videos.clone(), "added": self._added}

    def load_state_dict(self, state: dict[str, Tensor | int]) -> None:
        """Exactly as it was. KeyError or TypeError for what is no bank, ValueError for one of another shape."""
        vectors, videos, added = state["vectors"], state["videos"], state["added"]
        if not (isinstance(vectors, Tensor) and isinstance(videos, Tensor) and isinstance(added, int)):
            raise TypeError("not the state of a negative bank")
        if vectors.shape != self._vectors.shape:
            held, wanted = ("×".join(map(str, v.shape)) for v in (vectors, self._vectors))
            raise ValueError(
                f"the saved bank holds {held} numbers (frames × vectors × channels), not {wanted}: use the same recipe"
            )
        self._vectors.copy_(vectors)
        self._videos.copy_(videos)
        self._added = added


def sample_vectors(features_FChw: Tensor, per_frame: int, seed: int, numbers: Sequence[int]) -> Tensor:
    """The vectors of `per_frame` different cells of each frame, drawn at random: [F, C, h, w] -> [F, per_frame, C].

    numbers: one per frame, the number of its training sample. Which cells are drawn depends on it and the seed alone,
    and so not on how many processes share the batch. ValueError if a frame has fewer cells.
    """
    frames, _, h, w = features_FChw.shape
    assert len(numbers) == frames, f"{len(numbers)} numbers for {frames} frames"
    if per_frame > h * w:
        raise ValueError(f"a frame of {h}×{w} cells has no {per_frame} vectors; lower the bank's per_frame")
    draws = [np.random.default_rng((seed, n, _SALT)).choice(h * w, per_frame, replace=False) for n in numbers]
    cells = torch.from_numpy(np.stack(draws)).to(features_FChw.device)
    return features_FChw.flatten(2).transpose(1, 2).gather(1, cells[..., None].expand(-1, -1, features_FChw.shape[1]))


def joint_affinity(logits_BQK: Tensor, negatives_BQN: Tensor | None) -> Tensor:
    """The affinity inside and between videos (eq 16; LIIR 4, 5): [B, Q, K].

    The softmax runs over the cells of the references and the negatives; only the former have colours to copy and are
    returned. So a row adds up to less than 1, and what goes to other videos is missing from the copy.

    logits: -inf where the window hides a cell, at least one per row is not; negatives: as of `Negatives.logits`.
    """
    total = logits_BQK.logsumexp(dim=-1, keepdim=True)
    if negatives_BQN is not None:
        total = torch.logaddexp(total, negatives_BQN.logsumexp(dim=-1, keepdim=True))
    return torch.exp(logits_BQK - total)


def contrastive_loss(
    affinity_BQK: Tensor, keys_BCK: Tensor, target_BCQ: Tensor, negatives: Negatives, temperature: float
) -> Tensor:
    """L_q, eq (17): InfoNCE on the features that the affinity reconstructs; the mean over a sample's cells, [B].

    q is the query's feature copied from the references' by the affinity (eq 2 with features for values), k₊ the
    feature that the averaged encoder sees in that very cell, k_i those of the negatives. All are compared by their
    cosine, so it does not matter here whether a row of the affinity adds up to 1.

    keys: the references' features of the encoder in training; target: the query's of the averaged one, which gets no
    gradient, nor do the negatives.
    """
    copied = torch.einsum("bqk,bck->bcq", affinity_BQK, keys_BCK.to(affinity_BQK.dtype))
    copied = F.normalize(copied, dim=1)
    right = (copied * F.normalize(target_BCQ.detach(), dim=1)).sum(dim=1) / temperature
    wrong = negatives.unit().logits(copied, temperature).logsumexp(dim=-1)
    return F.softplus(wrong - right).mean(dim=1)
