"""The losses against plain transcriptions of their formulas."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model.losses import (
    correspondence_loss,
    drop_colour,
    known_places,
    pair_losses,
    reconstruction_loss,
    similarity,
    true_cells,
    window_mask,
)
from model.recipes import Recipe

GRID = 6
SIZE = 4 * GRID
MAST = Recipe("mast", radius=2)
DENSE = Recipe("dense", radius=2, similarity="cosine", correspondence=0.2, jitter=True)
IDENTITY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
HOME = true_cells(IDENTITY[None], IDENTITY[None], 6)
QUARTER_TURN = torch.tensor([[0.0, -1.0, SIZE - 4.0], [1.0, 0.0, 0.0]])  # exact, so places on the edge stay there


def affine(angle: float = 0, zoom: float = 1, mirror: bool = False, shift: tuple[float, float] = (0, 0)) -> Tensor:
    """View pixels -> source pixels: mirrored in x, turned by `angle` degrees about the middle, then shifted."""
    turn = math.radians(angle)
    linear = zoom * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    linear = linear @ np.diag([-1.0 if mirror else 1.0, 1.0])
    middle = np.full(2, (SIZE - 4) / 2)
    return torch.tensor(np.column_stack([linear, middle - linear @ middle + shift]), dtype=torch.float32)


def slow_softmax(logits: list[float]) -> list[float]:
    top = max(logits)
    powers = [math.exp(v - top) for v in logits]
    return [p / sum(powers) for p in powers]


def slow_reconstruction(query: Tensor, key: Tensor, reference: Tensor, target: Tensor, radius: int) -> float:
    """Eqs (1), (2), (18), (19) for one sample: features [C, h, w], colours [H, W]."""
    channels, h, w = query.shape
    copied = np.zeros((h, w))
    for i in range(h):
        for j in range(w):
            window = [
                (y, x)
                for y in range(max(0, i - radius), min(h, i + radius + 1))
                for x in range(max(0, j - radius), min(w, j + radius + 1))
            ]
            logits = [float(query[:, i, j] @ key[:, y, x]) / math.sqrt(channels) for y, x in window]
            for (y, x), share in zip(window, slow_softmax(logits), strict=True):
                copied[i, j] += share * float(reference[4 * y, 4 * x])
    total = 0.0
    for py in range(target.shape[0]):
        for px in range(target.shape[1]):
            y, x = min(py / 4, h - 1), min(px / 4, w - 1)
            top, left = min(int(y), h - 2), min(int(x), w - 2)
            dy, dx = y - top, x - left
            value = (1 - dy) * ((1 - dx) * copied[top, left] + dx * copied[top, left + 1])
            value += dy * ((1 - dx) * copied[top + 1, left] + dx * copied[top + 1, left + 1])
            error = abs(20 * (value - float(target[py, px])))
            total += 0.5 * error**2 if error < 1 else error - 0.5
    return total / target.numel()


def slow_places(query_map: Tensor, reference_map: Tensor) -> list[tuple[float, float]]:
    """Where each query cell lies in the reference view, cell by cell, as (x, y) in cells."""
    to_source, from_source = query_map.double().numpy(), reference_map.double().numpy()
    places = []
    for i in range(GRID):
        for j in range(GRID):
            source = to_source[:, :2] @ np.array([4.0 * j, 4.0 * i]) + to_source[:, 2]
            x, y = np.linalg.solve(from_source[:, :2], source - from_source[:, 2]) / 4
            places.append((x, y))
    return places


def slow_correspondence(logits: Tensor, others: Tensor, places: list[tuple[float, float]]) -> float:
    """The mean cross-entropy of one sample over the query cells that the other view shows."""
    losses = []
    for q, (x, y) in enumerate(places):
        if not (0 <= x <= GRID - 1 and 0 <= y <= GRID - 1):
            continue
        p = slow_softmax(logits[q].tolist() + others[q].tolist())
        loss = 0.0
        for row in range(GRID):
            for column in range(GRID):
                share = max(0, 1 - abs(x - column)) * max(0, 1 - abs(y - row))
                loss -= share * math.log(p[row * GRID + column])
        losses.append(loss)
    return sum(losses) / len(losses) if losses else 0.0


def one_hot_features() -> Tensor:
    """Every cell like itself alone, [1, g*g, g, g]."""
    return torch.eye(GRID * GRID).view(1, GRID * GRID, GRID, GRID)


@pytest.mark.parametrize("channel", [1, 2])
def test_one_colour_is_dropped_and_the_others_make_up_for_it(channel: int) -> None:
    lab = torch.rand(2, 3, 4, 5)
    dropped = drop_colour(lab, channel)
    assert not dropped[:, channel].any()
    for other in {0, 1, 2} - {channel}:
        torch.testing.assert_close(dropped[:, other], lab[:, other] * 3 / 2)


def test_similarity_is_the_scaled_dot_product_or_the_cosine() -> None:
    q, k = torch.randn(2, 5, 3, 4), torch.randn(2, 5, 3, 4)
    dot, cosine = similarity(q, k, MAST), similarity(q, k, DENSE)
    for b in range(2):
        for i in range(12):
            for j in range(12):
                a, c = q[b].flatten(1)[:, i], k[b].flatten(1)[:, j]
                assert float(dot[b, i, j]) == pytest.approx(float(a @ c) / math.sqrt(5), abs=1e-5)
                expected = float(a @ c / a.norm() / c.norm()) / DENSE.temperature
                assert float(cosine[b, i, j]) == pytest.approx(expected, abs=1e-4)


def test_the_window_is_a_square_of_cells() -> None:
    mask = window_mask(3, 4, 1, torch.device("cpu")).view(3, 4, 3, 4)
    for i, j, y, x in np.ndindex(3, 4, 3, 4):
        assert bool(mask[i, j, y, x]) == (abs(i - y) <= 1 and abs(j - x) <= 1)


@pytest.mark.parametrize("radius", [1, 2, 9])
def test_reconstruction_equals_its_transcription(radius: int) -> None:
    q, k = 2 * torch.randn(2, 3, GRID, GRID), 2 * torch.randn(2, 3, GRID, GRID)
    # Errors on both sides of 1/20, where the loss changes its form.
    reference = 0.1 * torch.randn(2, 1, SIZE, SIZE)
    target = 0.1 * torch.randn(2, 1, SIZE, SIZE)
    loss = reconstruction_loss(similarity(q, k, MAST), reference, target, radius)
    expected = [slow_reconstruction(q[b], k[b], reference[b, 0], target[b, 0], radius) for b in range(2)]
    assert loss.tolist() == pytest.approx(expected, rel=1e-4)


def test_reconstruction_of_the_frame_itself_is_perfect_where_cells_are_distinct() -> None:
    y, x = torch.meshgrid(torch.arange(SIZE), torch.arange(SIZE), indexing="ij")
    ramp = (0.02 * x - 0.01 * y)[None, None].clamp(max=1)
    logits = similarity(100 * one_hot_features(), one_hot_features(), MAST)
    inner = ramp.clone()
    inner[..., SIZE - 3 :, :], inner[..., SIZE - 3 :] = inner[..., SIZE - 4, None, :], inner[..., SIZE - 4, None]
    assert float(reconstruction_loss(logits, inner, inner, 2)) < 1e-3
    assert float(reconstruction_loss(logits.roll(1, dims=-1), inner, inner, 2)) > 1e-2


@pytest.mark.parametrize(
    "query_map, reference_map",
    [
        (IDENTITY, IDENTITY),
        (affine(shift=(8, -4)), IDENTITY),
        (affine(shift=(3, 5)), affine(shift=(-2, 1))),
        (affine(mirror=True), IDENTITY),
        (QUARTER_TURN, affine(mirror=True)),
        (affine(angle=31), affine(mirror=True)),
        (affine(angle=17, zoom=0.8), affine(angle=-8, zoom=1.3, mirror=True, shift=(2.5, -3))),
    ],
)
def test_correspondence_equals_its_transcription(query_map: Tensor, reference_map: Tensor) -> None:
    places = slow_places(query_map, reference_map)
    found = true_cells(query_map[None], reference_map[None], GRID)
    np.testing.assert_allclose(found[0].numpy(), places, atol=1e-4)
    logits, others = torch.randn(1, 36, 36), torch.randn(1, 36, 10)
    loss = correspondence_loss(logits, others, found, GRID)
    assert float(loss) == pytest.approx(slow_correspondence(logits[0], others[0], places), rel=1e-4)


def test_correspondence_is_learned_when_every_cell_finds_itself() -> None:
    logits = similarity(one_hot_features(), one_hot_features(), DENSE)
    nothing = torch.zeros(1, 36, 0)
    assert float(correspondence_loss(logits, nothing, HOME, GRID)) < 1e-4
    shifted = affine(shift=(8, 0))[None]  # two cells to the right
    assert float(correspondence_loss(logits, nothing, true_cells(shifted, IDENTITY[None], GRID), GRID)) > 10
    moved = similarity(one_hot_features().roll(-2, dims=-1), one_hot_features(), DENSE)
    assert float(correspondence_loss(moved, nothing, true_cells(shifted, IDENTITY[None], GRID), GRID)) < 1e-4


def test_cells_of_another_clip_compete() -> None:
    logits = torch.zeros(1, 36, 36)
    alone = correspondence_loss(logits, torch.zeros(1, 36, 0), HOME, GRID)
    rivals = correspondence_loss(logits, torch.zeros(1, 36, 36), HOME, GRID)
    assert float(alone) == pytest.approx(math.log(36), rel=1e-5)
    assert float(rivals) == pytest.approx(math.log(72), rel=1e-5)


def test_views_that_share_nothing_cost_nothing() -> None:
    away = true_cells(affine(shift=(500, 0))[None], IDENTITY[None], GRID)
    assert float(correspondence_loss(torch.randn(1, 36, 36), torch.zeros(1, 36, 0), away, GRID)) == 0


class Batch:
    """Random features of four pairs, the second and the fourth of them photos."""

    def __init__(self) -> None:
        self.features = torch.randn(4, 2, 8, GRID, GRID)
        self.lab = 0.3 * torch.randn(4, 2, 3, SIZE, SIZE)
        self.maps = torch.stack([torch.stack([affine(5 * n), affine(-3 * n, shift=(n, 1))]) for n in range(4)])
        self.photo = torch.tensor([False, True, False, True])

    def losses(self, recipe: Recipe, channel: int = 2, photo: Tensor | None = None) -> dict[str, Tensor]:
        previous = self.features.roll(1, dims=0)
        photo = self.photo if photo is None else photo
        place = known_places(self.maps, photo, torch.zeros(0), GRID)
        return pair_losses(self.features, previous, self.lab, channel, place, photo, recipe)


def test_every_pair_has_the_loss_it_would_have_alone_in_both_directions() -> None:
    batch = Batch()
    losses = batch.losses(DENSE)
    assert [len(losses[n]) for n in ("reconstruction", "correspondence")] == [2, 2]
    for place, n in enumerate((0, 2)):
        both = []
        for q, r in ((0, 1), (1, 0)):
            logits = similarity(batch.features[n, None, q], batch.features[n, None, r], DENSE)
            colours = batch.lab[n, :, 2, None, None]
            both.append(float(reconstruction_loss(logits, colours[r], colours[q], DENSE.radius)))
        assert float(losses["reconstruction"][place]) == pytest.approx(sum(both) / 2, rel=1e-4)
    for place, n in enumerate((1, 3)):
        both = []
        for q, r in ((0, 1), (1, 0)):
            logits = similarity(batch.features[n, None, q], batch.features[n, None, r], DENSE)
            others = similarity(batch.features[n, None, q], batch.features[n - 1, None, r], DENSE)
            maps = batch.maps[n]
            both.append(slow_correspondence(logits[0], others[0], slow_places(maps[q], maps[r])))
        assert float(losses["correspondence"][place]) == pytest.approx(sum(both) / 2, rel=1e-3)


def test_the_loss_looks_at_the_dropped_colour_alone() -> None:
    batch = Batch()
    before = batch.losses(DENSE, channel=1)["reconstruction"]
    batch.lab[:, :, (0, 2)] += 1
    assert torch.equal(batch.losses(DENSE, channel=1)["reconstruction"], before)
    batch.lab[:, :, 1] *= 2
    assert not torch.equal(batch.losses(DENSE, channel=1)["reconstruction"], before)


def test_photos_are_pairs_to_reconstruct_unless_they_are_recoloured() -> None:
    losses = Batch().losses(replace(DENSE, correspondence=0.0, jitter=False))
    assert set(losses) == {"reconstruction"} and len(losses["reconstruction"]) == 4
    losses = Batch().losses(replace(DENSE, jitter=False))
    assert [len(losses[n]) for n in ("reconstruction", "correspondence")] == [4, 2]


@pytest.mark.parametrize("photos", [True, False])
def test_a_batch_may_lack_one_kind_and_still_has_gradients(photos: bool) -> None:
    batch = Batch()
    batch.features.requires_grad_(True)
    losses = batch.losses(DENSE, photo=torch.full((4,), photos))
    assert [len(losses[n]) for n in ("reconstruction", "correspondence")] == ([0, 4] if photos else [4, 0])
    (gradient,) = torch.autograd.grad(sum(t.sum() for t in losses.values()), batch.features)
    assert gradient.isfinite().all() and gradient.any()
