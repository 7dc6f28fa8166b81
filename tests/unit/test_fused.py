from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import sampled_logits
from model.bank import BankOptions, Negatives, contrastive_loss
from model.compactness import CompactnessOptions, compactness_loss
from model.fused import Pairs, fused_losses
from model.grid import to_pixels
from model.losses import known_places, pair_losses, window_mask
from model.motion import ValueOptions
from model.network import Views
from model.recipes import Recipe
from model.sampler import SamplerOptions, sample_windows
from model.tracks import TrackOptions
from model.weight_map import WeightMapOptions, omega, pixel_weights

GRID, SIZE, CHANNELS = 6, 24, 8
PLAIN = Recipe("plain", radius=2)
COSINE = Recipe("cosine", radius=2, similarity="cosine", correspondence=0.2)
TRACKED = replace(COSINE, tracks=TrackOptions())
BANK = BankOptions(capacity=5, per_frame=2)


class Step:
    """Random views of four pairs, the second and the fourth of them photos; each direction has its own features."""

    def __init__(self, *, directed: bool = True) -> None:
        features = torch.randn(4, 2, 2, CHANNELS, GRID, GRID)
        if not directed:
            features = features[:, :1].expand_as(features)
        self.views = Views(features, torch.rand(4, 2, GRID, GRID))
        self.lab = 0.3 * torch.randn(4, 2, 3, SIZE, SIZE)
        turn = torch.tensor([[1.0, 0.1, 0.5], [-0.1, 1.0, 1.0]])
        identity = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
        maps = torch.stack([identity, turn]).expand(4, 2, 2, 3)
        self.photo = torch.tensor([False, True, False, True])
        tracked = torch.rand(4, 2, GRID * GRID, 2) * GRID
        self.place = known_places(maps, self.photo, tracked, GRID)
        self.negatives = Negatives(torch.randn(10, CHANNELS), torch.rand(4, 10) < 0.2)
        self.averaged = torch.randn(4, 2, CHANNELS, GRID, GRID)

    def pairs(self, progress: float = 0.5, negatives: bool = False) -> Pairs:
        previous = self.views.features.roll(1, dims=0)
        pairs = Pairs(previous, self.lab, 2, self.place, self.photo, progress)
        return replace(pairs, negatives=self.negatives, averaged=self.averaged) if negatives else pairs

    def losses(self, recipe: Recipe, **changes: Any) -> dict[str, Tensor]:
        return fused_losses(self.views, self.pairs(**changes), recipe)


@pytest.mark.parametrize("recipe", [PLAIN, COSINE, replace(COSINE, jitter=True), TRACKED])
def test_without_parts_it_is_the_plain_loss(recipe: Recipe) -> None:
    step = Step(directed=False)
    own = step.views.own
    expected = pair_losses(own, own.roll(1, dims=0), step.lab, 2, step.place, step.photo, recipe)
    found = step.losses(recipe)
    assert set(found) == set(expected)
    for name in expected:
        torch.testing.assert_close(found[name], expected[name], atol=1e-5, rtol=1e-5)


def logits_of(step: Step, query: int) -> Tensor:
    """Dot product over √C, each view with the features that it has when `query` is the target."""
    q, r = step.views.features[:, query, query], step.views.features[:, query, 1 - query]
    return torch.einsum("bcq,bck->bqk", q.flatten(2), r.flatten(2)) / math.sqrt(CHANNELS)


def copied(step: Step, affinity: Tensor, query: int) -> Tensor:
    values = step.lab[:, 1 - query, 2, ::4, ::4].flatten(1)
    cells = torch.einsum("bqk,bk->bq", affinity, values).view(-1, 1, GRID, GRID)
    return to_pixels(cells, SIZE, SIZE)


def colour_loss(step: Step, affinity: Tensor, query: int, weights: Tensor | None = None) -> Tensor:
    target = step.lab[:, query, 2, None]
    error = F.smooth_l1_loss(20 * copied(step, affinity, query), 20 * target, reduction="none")
    return (error if weights is None else error * weights).mean(dim=(1, 2, 3))


def windowed(logits: Tensor) -> Tensor:
    return logits.masked_fill(~window_mask(GRID, GRID, 2, logits.device), -torch.inf)


def test_each_direction_has_the_features_of_its_own_target() -> None:
    step = Step()
    expected = sum(colour_loss(step, windowed(logits_of(step, q)).softmax(-1), q) for q in (0, 1))
    torch.testing.assert_close(step.losses(PLAIN)["reconstruction"], expected / 2)


@pytest.mark.parametrize(("mode", "progress"), [("abs", 0.1), ("abs", 0.9), ("blend", 0.5), ("off", 0.5)])
def test_the_value_map_of_the_query_weighs_its_pixels(mode: str, progress: float) -> None:
    step = Step()
    options = WeightMapOptions(mode)
    expected = torch.zeros(4)
    for q in (0, 1):
        assert step.views.value is not None
        weights = pixel_weights(omega(step.views.value[:, q, None], SIZE, SIZE), progress, options)
        expected += colour_loss(step, windowed(logits_of(step, q)).softmax(-1), q, weights) / 2
    recipe = replace(PLAIN, value=ValueOptions(), weight=options)
    torch.testing.assert_close(step.losses(recipe, progress=progress)["reconstruction"], expected)


def test_the_sampler_chooses_the_windows() -> None:
    step, options = Step(), SamplerOptions(smallest=1, largest=3, downsample=1)
    expected = torch.zeros(4)
    for q in (0, 1):
        features = step.views.features[:, q]
        windows = sample_windows(features[:, q], features[:, 1 - q, None], options).windows
        expected += colour_loss(step, sampled_logits(logits_of(step, q), windows).softmax(-1), q) / 2
    found = step.losses(replace(PLAIN, sampler=options))["reconstruction"]
    torch.testing.assert_close(found, expected)
    assert not torch.allclose(found, step.losses(PLAIN)["reconstruction"])
    fixed = step.losses(replace(PLAIN, sampler=SamplerOptions(size="fixed", radius=2)))["reconstruction"]
    torch.testing.assert_close(fixed, step.losses(PLAIN)["reconstruction"])  # the control


@pytest.mark.parametrize("similarity", ["dot", "cosine"])
def test_negatives_take_their_share_of_the_affinity(similarity: str) -> None:
    """LIIR (4), (5): normalised over both, copied from the reference alone; and eq (17) beside it."""
    step = Step()
    recipe = replace(PLAIN, similarity=similarity, bank=BANK)
    recon, contrast = torch.zeros(4), torch.zeros(4)
    for q in (0, 1):
        query, key = step.views.features[:, q, q].flatten(2), step.views.features[:, q, 1 - q].flatten(2)
        others = step.negatives.vectors
        if similarity == "cosine":
            query, key, others = F.normalize(query, dim=1), F.normalize(key, dim=1), F.normalize(others, dim=1)
        scale = recipe.temperature if similarity == "cosine" else math.sqrt(CHANNELS)
        inside = windowed(torch.einsum("bcq,bck->bqk", query, key) / scale)
        across = torch.einsum("bcq,nc->bqn", query, others) / scale
        across = across.masked_fill(step.negatives.hidden[:, None], -torch.inf)
        affinity = torch.cat([inside, across], dim=-1).softmax(-1)[..., : GRID * GRID]
        assert affinity.sum(-1).max() < 1
        recon += colour_loss(step, affinity, q) / 2
        keys = step.views.features[:, q, 1 - q].flatten(2)
        truth = step.averaged[:, q].flatten(2)
        contrast += contrastive_loss(affinity, keys, truth, step.negatives, BANK.temperature) / 2
    found = step.losses(recipe, negatives=True)
    torch.testing.assert_close(found["reconstruction"], recon, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(found["contrast"], contrast, atol=1e-4, rtol=1e-4)
    assert set(step.losses(recipe)) == {"reconstruction"}  # as long as the bank is not full
    assert set(step.losses(replace(recipe, bank=replace(BANK, gamma=0.0)), negatives=True)) == {"reconstruction"}


def test_compactness_counts_in_the_second_phase_and_without_other_videos() -> None:
    step = Step()
    recipe = replace(PLAIN, compactness=CompactnessOptions(train_above=0.2), bank=BANK, second_phase=0.6)
    expected = torch.zeros(4)
    for q in (0, 1):
        own = windowed(logits_of(step, q)).softmax(-1)
        expected += compactness_loss(own, (GRID, GRID), 0.2) / 2
    assert "compactness" not in step.losses(recipe, progress=0.59)
    for negatives in (True, False):
        found = step.losses(recipe, progress=0.6, negatives=negatives)["compactness"]
        torch.testing.assert_close(found, expected)
    for where in ("infer", "off"):
        other = replace(recipe, compactness=CompactnessOptions(where))
        assert "compactness" not in step.losses(other, progress=0.9)


@pytest.mark.parametrize("photos", [True, False])
def test_a_batch_may_lack_one_kind_and_gradients_stay_finite(photos: bool) -> None:
    step = Step()
    step.photo = torch.full((4,), photos)
    step.views.features.requires_grad_(True)
    recipe = replace(COSINE, jitter=True, bank=BANK, compactness=CompactnessOptions(), sampler=SamplerOptions())
    losses = step.losses(recipe, progress=1.0, negatives=True)
    assert [len(losses[n]) for n in ("reconstruction", "correspondence")] == ([0, 4] if photos else [4, 0])
    (gradient,) = torch.autograd.grad(sum(t.sum() for t in losses.values()), step.views.features)
    assert gradient.isfinite().all() and gradient.any()
