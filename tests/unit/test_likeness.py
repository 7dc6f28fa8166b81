"""The linear model of what the objects look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from model.features import as_key, load_extractor
from model.grid import by_label
from model.likeness import Likeness, LikenessModel, Sample, scores
from model.likeness import fit as fit_samples
from model.matching import frame_affinity
from model.memory import Entry
from model.propagator import Propagator
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest
from tests.videos import MemoryVideo, moving_squares

GRID = (24, 32)


def picture(seed: int, *boxes: tuple[slice, slice]) -> tuple[Tensor, Tensor]:
    """Matching vectors of noise in which what lies in the boxes has something in common, and the labels of these."""
    features = torch.randn(8, *GRID, generator=torch.manual_seed(seed))
    labels = torch.zeros(len(boxes), *GRID)
    for number, box in enumerate(boxes):
        labels[number][box] = 1
        features[number][box] += 4
    return as_key(normalize(features, dim=0), torch.zeros(3, *GRID)), labels


def fit(keys: Tensor, values: Tensor, known: Tensor) -> Tensor:
    return fit_samples([Sample.of(*frame) for frame in zip(keys, values, strict=True)], known)


LEFT, RIGHT = (slice(4, 12), slice(3, 13)), (slice(10, 20), slice(20, 26))


def plainly(keys: Tensor, values: Tensor, ridge: float) -> Tensor:
    """Weighted least squares written down: all cells of the object, every fourth of the rest, half of the say each."""
    around = torch.nn.functional.avg_pool2d(keys, 5, 1, 2, count_include_pad=False)
    inputs = torch.cat([keys, around, torch.ones(len(keys), 1, *GRID)], dim=1).double()
    thin = torch.zeros(GRID).double()
    thin[1::2, 1::2] = 1
    inside, outside = values[:, 0].double(), (1 - values[:, 0].double()) * thin
    weight = (inside / inside.sum() + outside / outside.sum()) / 2
    x, w, y = inputs.movedim(1, -1).flatten(0, 2), weight.flatten(), values[:, 0].double().flatten()
    square = (x * w[:, None]).T @ x
    square.diagonal().add_(ridge * square.diagonal()[:-1].mean())
    return torch.linalg.solve(square, (x * w[:, None]).T @ y)


def test_the_fit_is_that_of_weighted_least_squares() -> None:
    frames = [picture(n, LEFT) for n in range(2)]
    keys, values = (torch.stack(parts) for parts in zip(*frames, strict=True))
    values[0, 0, 4] = 0.5  # a soft border
    found = fit(keys, values, torch.ones(2, 1, dtype=torch.bool))
    torch.testing.assert_close(found[0].double(), plainly(keys, values, 0.01), rtol=1e-3, atol=1e-4)


def test_scores_find_the_objects_in_another_frame() -> None:
    key, values = picture(0, LEFT, RIGHT)
    weights = fit(key[None], values[None], torch.ones(1, 2, dtype=torch.bool))
    moved = (slice(8, 16), slice(15, 25)), (slice(0, 10), slice(2, 8))
    found = scores(picture(1, *moved)[0], weights)
    assert found.shape == (2, *GRID) and torch.equal(found, found.clamp(0, 1))
    for score, box, other in zip(found, moved, moved[::-1], strict=True):
        assert score[box].mean() > 0.7 > 0.3 > score[other].mean()


def test_an_anchor_says_nothing_of_what_it_does_not_know() -> None:
    (one, labels), (other, _) = picture(0, LEFT), picture(1, RIGHT)
    alone = fit(one[None], labels[None], torch.ones(1, 1, dtype=torch.bool))
    known = torch.tensor([[True], [False]])
    both = fit(torch.stack([one, other]), torch.stack([labels, torch.zeros_like(labels)]), known)
    torch.testing.assert_close(both, alone)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_where_there_is_nothing_to_tell_apart_all_score_alike(share: float) -> None:
    key, values = picture(0, LEFT)
    weights = fit(key[None], torch.full_like(values, share)[None], torch.ones(1, 1, dtype=torch.bool))
    assert not weights.any() and not scores(key, weights).any()


def test_the_model_is_fitted_anew_for_other_anchors_and_not_before(monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []

    def counted(samples: Sequence[Sample], known: Tensor) -> Tensor:
        fits.append(len(samples))
        return fit_samples(samples, known)

    monkeypatch.setattr("model.likeness.fit", counted)
    frames = {n: picture(n, LEFT) for n in range(5)}
    entries = {n: Entry(by_label(labels), torch.tensor([True])) for n, (_, labels) in frames.items()}
    model = LikenessModel(1)

    def ask(frame: int, *references: int, anchors: tuple[int, ...]) -> Likeness | None:
        keys = torch.stack([frames[r][0] for r in references])
        return model(frame, frames[frame][0], {r: entries[r] for r in references}, keys, anchors)

    assert ask(1, 0, anchors=(0,)) is not None and fits == [1]
    found = ask(2, 0, 1, anchors=(0, 4))
    assert found is not None and fits == [1]
    assert found.query.shape == (1, *GRID) and found.keys.shape == (2, 1, *GRID)
    assert ask(3, 0, 2, 4, anchors=(0, 4)) is not None and fits == [1, 2]
    assert ask(3, 2, anchors=(0,)) is None and LikenessModel(0)(3, frames[3][0], entries, frames[3][0], (0,)) is None


def test_unlike_scores_count_against_a_vote_as_the_option_says() -> None:
    query, keys = picture(0, LEFT)[0], torch.stack([picture(n, LEFT)[0] for n in (1, 2)])
    generator = torch.manual_seed(0)
    likeness = Likeness(torch.rand(3, *GRID, generator=generator), torch.rand(2, 3, *GRID, generator=generator))
    options = PropagationOptions(radius=3, anchor_radius=3, top_k=4, colour=0, trust=0, compact=1.0, likeness=14.0)
    found = frame_affinity(query, keys, options, likeness=likeness)
    cells = keys.permute(0, 2, 3, 1).flatten(0, 2)[..., :8]
    asked = query.permute(1, 2, 0).flatten(0, 1)[:, None, :8]
    theirs = likeness.keys.permute(0, 2, 3, 1).flatten(0, 2)[found.index]
    ours = likeness.query.permute(1, 2, 0).flatten(0, 1)[:, None]
    logits = (asked * cells[found.index]).sum(-1) / 0.14 - 7 * (ours - theirs).square().sum(-1)
    torch.testing.assert_close(found.weight, logits.softmax(1), rtol=1e-3, atol=1e-4)
    without = frame_affinity(query, keys, replace(options, likeness=0.0), likeness=likeness)
    assert torch.equal(without.index, frame_affinity(query, keys, options).index)
    assert not torch.equal(without.index, found.index)


def test_propagation_asks_for_it() -> None:
    images, truth = moving_squares(6)
    anchor = Anchor(0, LabelMap(truth[0]))
    overlap = {}
    for weight in (0.0, 30.0):
        options = PropagationOptions(short_side=None, likeness=weight)
        request = PropagationRequest((anchor,), options=options)
        results = list(Propagator(MemoryVideo(images), load_extractor("lab")).run(request))
        masks = [(r.labels.ids == 7, truth[r.frame] == 7) for r in results[1:] if r.labels is not None]
        overlap[weight] = np.mean([(ours & theirs).sum() / (ours | theirs).sum() for ours, theirs in masks])
    assert overlap[30.0] > overlap[0.0]
