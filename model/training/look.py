"""What an encoder in training makes of one pair of views, as pictures."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from model.colour import rgb_to_lab
from model.flow import Motion
from model.grid import sample_cells, to_pixels
from model.losses import drop_colour, similarity, window_mask
from model.pictures import flow_colours, map_picture
from model.recipes import Recipe
from model.training.corpus import AnyCorpus
from model.training.dataset import PairDataset, Sample
from model.training.state import TrainingState
from model.types import UInt8Array

_LAB = np.array([50, 127, 127], np.float32)
_DROPPED = 1  # the colour that the encoder does not see here
_SIDE = 192  # pixels of the pictures
_SCALE = (0.6, 0.9)  # of the pair's crops: one can see what it is


class Looker:
    """Always looks at the same pair of the corpus, so that pictures of different steps can be compared."""

    def __init__(self, recipe: Recipe, corpus: AnyCorpus, flow_weights: Path | None = None) -> None:
        motion = None if recipe.flow is None else Motion(recipe.flow, flow_weights)
        big = replace(recipe, crop=_SIDE, crop_late=None, crop_scale=_SCALE, photo_share=0.0 if corpus.videos else 1.0)
        self._recipe = recipe
        self._sample = _liveliest(PairDataset(corpus, big, 0, motion))

    @torch.no_grad()
    def __call__(self, state: TrainingState) -> dict[str, UInt8Array]:
        """uint8 [S, S, 3] by name: "truth", "reconstruction", and "value" and "flow" where the recipe has them.

        The reconstruction has the truth's lightness, and the colours that the affinity copies from the other view.
        """
        device = next(state.average.parameters()).device
        sample = self._sample
        lab = rgb_to_lab(sample.views)
        frames = drop_colour(lab, _DROPPED).to(device)
        motion = None if self._recipe.flow is None else sample.motion.float().to(device)
        views = state.average.views(frames, motion, 2)
        features = views.own[0].float().cpu()
        pictures = {
            "truth": np.asarray(sample.views[0].permute(1, 2, 0).numpy(), np.uint8),
            "reconstruction": _painted(lab, features, self._recipe),
        }
        if views.value is not None:
            pictures["value"] = map_picture(views.value[0, 0].float().cpu().numpy(), (_SIDE, _SIDE))
        if motion is not None:
            pictures["flow"] = flow_colours(sample.motion[0].float().numpy())
        return pictures


def _liveliest(data: PairDataset) -> Sample:
    """Of the first few pairs the one with the largest change: where nothing moves, copying is no art."""
    pairs = list(islice((data[n] for n in range(8)), 8))
    return max(pairs, key=lambda pair: float((pair.views[0].float() - pair.views[1].float()).abs().mean()))


def _painted(lab: Tensor, features: Tensor, recipe: Recipe) -> UInt8Array:
    """The first view of lab [2, 3, S, S], its colours copied from the second by features [2, C, h, w] (eqs 1, 2)."""
    h, w = features.shape[-2:]
    logits = similarity(features[:1], features[1:], recipe)
    affinity = logits.masked_fill(~window_mask(h, w, recipe.radius, logits.device), float("-inf")).softmax(dim=-1)
    colours = sample_cells(lab[1:, 1:]).flatten(2)
    copied = torch.einsum("bqk,bck->bcq", affinity, colours).view(1, 2, h, w)
    copied = to_pixels(copied, *lab.shape[-2:])
    made = torch.cat([lab[0, :1], copied[0]]).permute(1, 2, 0).numpy() * _LAB + np.array([50, 0, 0], np.float32)
    rgb = cv2.cvtColor(np.ascontiguousarray(made, np.float32), cv2.COLOR_Lab2RGB)
    return np.asarray((rgb * 255).round().clip(0, 255), np.uint8)
