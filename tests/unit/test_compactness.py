"""The compactness prior against a plain transcription of LIIR's eqs (7) and (8), and constructed rows."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.affinity import Affinity, dense_affinity, windowed_affinity
from model.compactness import CompactnessOptions, compact, compact_votes, compactness_loss

H, W, R = 4, 5, 2
CELLS = torch.arange(R * H * W)
SIGMA = 1 / (2 * math.sqrt(2 * math.log(2)))  # of a Gaussian whose full width at half its height is 1


def slow_compact(row: list[float], height: int, width: int) -> list[float]:
    """A′ of one row over all cells of all references."""
    places = [(k // (height * width), k // width % height, k % width) for k in range(len(row))]
    peaks = sorted(range(len(row)), key=lambda k: -row[k])[:2]
    prior = []
    for (reference, y, x), share in zip(places, row, strict=True):
        value = 0.0
        for peak in peaks:
            peak_reference, peak_y, peak_x = places[peak]
            if reference == peak_reference:
                distance = (y - peak_y) ** 2 + (x - peak_x) ** 2
                value += row[peak] * math.exp(-distance / (2 * SIGMA**2))
        prior.append(value if share > 0 else 0.0)
    return [v * sum(row) / sum(prior) for v in prior]


def slow_loss(rows: Tensor, above: float) -> float:
    losses = []
    for row in rows.tolist():
        if max(row) > above:
            errors = [abs(20 * a - 20 * b) for a, b in zip(row, slow_compact(row, H, W), strict=True)]
            losses.append(sum(0.5 * e * e if e < 1 else e - 0.5 for e in errors) / len(errors))
    return sum(losses) / len(losses) if losses else 0.0


def one_row(shares: dict[tuple[int, int, int], float]) -> Tensor:
    """[1, R*h*w] from shares by (reference, y, x)."""
    row = torch.zeros(R, H, W)
    for place, share in shares.items():
        row[place] = share
    return row.view(1, -1)


def random_rows(count: int, contrast: float) -> Tensor:
    logits = contrast * torch.randn(count, R * H * W)
    return logits.masked_fill(torch.rand(logits.shape) < 0.2, -torch.inf).softmax(1)


@pytest.mark.parametrize("contrast", [0.1, 1.0, 5.0])
def test_eq_7_equals_its_transcription(contrast: float) -> None:
    rows = random_rows(30, contrast)
    prior = compact(rows, CELLS[None], (H, W))
    expected = torch.tensor([slow_compact(row, H, W) for row in rows.tolist()])
    torch.testing.assert_close(prior, expected, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(prior.sum(1), torch.ones(30))


def test_a_lone_peak_becomes_one_spot_a_sixteenth_as_high_next_door() -> None:
    row = one_row({(0, y, x): 1e-6 for y in range(H) for x in range(W)})
    row[0, 1 * W + 2] = 1
    spot = compact(row, CELLS[None], (H, W)).view(R, H, W)
    assert float(spot[0, 1, 3] / spot[0, 1, 2]) == pytest.approx(1 / 16, rel=1e-3)
    assert float(spot[0, 2, 2] / spot[0, 1, 2]) == pytest.approx(1 / 16, rel=1e-3)
    assert float(spot[0, 2, 3] / spot[0, 1, 2]) == pytest.approx(1 / 256, rel=1e-3)
    assert not spot[1].any()


def test_stray_cells_lose_their_share_to_the_two_peaks() -> None:
    row = one_row({(0, 0, 0): 0.4, (1, 3, 4): 0.3, (0, 3, 4): 0.2, (1, 0, 0): 0.1})
    prior = compact(row, CELLS[None], (H, W)).view(R, H, W)
    assert float(prior[0, 0, 0]) == pytest.approx(4 / 7, abs=1e-5)
    assert float(prior[1, 3, 4]) == pytest.approx(3 / 7, abs=1e-5)
    assert float(prior[0, 3, 4]) < 1e-5 and float(prior[1, 0, 0]) < 1e-5


def test_the_end_of_a_row_of_cells_is_no_neighbour_of_the_next_start() -> None:
    row = one_row({(0, 0, W - 1): 0.7, (0, 3, 1): 0.2, (0, 1, 0): 0.1})
    assert float(compact(row, CELLS[None], (H, W)).view(R, H, W)[0, 1, 0]) < 1e-5
    row = one_row({(0, H - 1, 2): 0.7, (0, 0, 0): 0.2, (1, 0, 2): 0.1})
    assert float(compact(row, CELLS[None], (H, W)).view(R, H, W)[1, 0, 2]) == 0


def test_cells_outside_the_window_stay_empty() -> None:
    row = one_row({(0, 1, 1): 0.8, (0, 1, 3): 0.2})
    prior = compact(row, CELLS[None], (H, W))
    assert torch.equal(prior > 0, row > 0)
    assert float(prior.sum()) == pytest.approx(1)


def test_a_compact_row_costs_nothing_and_a_scattered_one_does() -> None:
    tight = compact(random_rows(1, 5.0), CELLS[None], (H, W))
    scattered = one_row({(0, 0, 0): 0.6, (0, 2, 3): 0.2, (1, 2, 2): 0.2})
    assert float(compactness_loss(tight[None], (H, W), 0.0)) < 1e-6
    assert float(compactness_loss(scattered[None], (H, W), 0.5)) > 0.01


@pytest.mark.parametrize("above", [0.0, 0.3, 0.5])
def test_eq_8_equals_its_transcription(above: float) -> None:
    rows = torch.stack([random_rows(12, contrast) for contrast in (3.0, 0.1, 6.0)])
    loss = compactness_loss(rows, (H, W), above)
    assert loss.tolist() == pytest.approx([slow_loss(r, above) for r in rows], rel=1e-3, abs=1e-7)
    if above == 0.5:  # the case has all kinds of rows
        highest = rows.amax(-1)
        assert (highest[0] > above).any() and (highest[0] <= above).any() and not (highest[1] > above).any()


def test_gradient_reaches_sure_rows_alone_and_not_through_the_prior() -> None:
    rows = torch.stack([random_rows(8, 3.0)]).requires_grad_()
    (gradient,) = torch.autograd.grad(compactness_loss(rows, (H, W), 0.5).sum(), rows)
    sure = rows[0].amax(-1) > 0.5
    assert gradient[0, sure].any() and not gradient[0, ~sure].any()
    target = compact(rows[0], CELLS[None], (H, W))
    assert not target.requires_grad
    error = 20 * (rows[0, sure] - target[sure])
    by_hand = 20 * error.clamp(-1, 1) / (rows.shape[-1] * sure.sum())
    torch.testing.assert_close(gradient[0, sure], by_hand.detach())


def test_without_a_sure_row_the_loss_is_nothing_and_still_has_a_gradient() -> None:
    rows = torch.full((2, 3, R * H * W), 1 / (R * H * W), requires_grad=True)
    loss = compactness_loss(rows, (H, W), 0.5)
    (gradient,) = torch.autograd.grad(loss.sum(), rows)
    assert loss.tolist() == [0, 0] and not gradient.any()


@settings(max_examples=30)
@given(
    height=st.integers(1, 7), width=st.integers(1, 7), count=st.integers(1, 3), radius=st.integers(0, 4),
    above=st.floats(0, 1), seed=st.integers(0, 2**31),
)  # fmt: skip
def test_votes_and_dense_rows_agree_when_every_cell_votes(
    height: int, width: int, count: int, radius: int, above: float, seed: int
) -> None:
    features = torch.randn(count + 1, 8, height, width, generator=torch.manual_seed(seed))
    options = {"radius": radius, "temperature": 1.5, "window": "square"}
    every = count * height * width
    votes = windowed_affinity(features[0], features[1:], top_k=every, dtype=torch.float32, **options)
    votes = compact_votes(votes, above)
    dense = dense_affinity(features[:1], features[None, 1:], **options)[0]
    sure = dense.amax(1, keepdim=True) > above
    expected = torch.where(sure, compact(dense, torch.arange(every)[None], (height, width)), dense)
    found = torch.zeros_like(dense).scatter_add(1, votes.index, votes.weight)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-3)
    assert (votes.weight.diff(dim=1) <= 0).all()


def test_votes_by_hand() -> None:
    weight = torch.tensor([[0.5, 0.3, 0.2, 0.0], [0.3, 0.3, 0.2, 0.2]])
    index = torch.tensor([[7, 12, 8, 13], [0, 1, 2, 3]])  # 8 stands beside the first peak, 12 below it; 13 is hidden
    votes = compact_votes(Affinity(weight, index, grid=(H, W), references=R), above=0.4)
    first, second = 0.5 + 0.3 / 16, 0.3 + 0.5 / 16
    third = 0.5 / 16 + 0.3 / 256
    total = first + second + third
    assert votes.weight[0].tolist() == pytest.approx([first / total, second / total, third / total, 0])
    assert votes.index[0].tolist() == [7, 12, 8, 13]
    assert torch.equal(votes.weight[1], weight[1]) and torch.equal(votes.index[1], index[1])
    assert votes.grid == (H, W) and votes.references == R


def test_votes_change_places_when_the_prior_lifts_one() -> None:
    # The third vote stands beside both peaks, the second peak is lower than the two bumps together there.
    weight = torch.tensor([[0.8, 0.02, 0.019, 0.161]]).sort(descending=True).values
    index = torch.tensor([[6, 14, 7, 0]])
    votes = compact_votes(Affinity(weight, index, grid=(H, W), references=R), above=0.1)
    assert (votes.weight.diff(dim=1) <= 0).all()
    assert votes.index[0].tolist() == [6, 14, 7, 0]
    weight = torch.tensor([[0.9, 0.05, 0.03, 0.02]])
    index = torch.tensor([[6, 14, 19, 7]])
    votes = compact_votes(Affinity(weight, index, grid=(H, W), references=R), above=0.1)
    assert votes.index[0].tolist() == [6, 7, 14, 19]


def test_where_it_is_used() -> None:
    uses = {"train": (True, False), "infer": (False, True), "both": (True, True), "off": (False, False)}
    for where, (training, propagation) in uses.items():
        options = CompactnessOptions(where)
        assert (options.in_training, options.in_propagation) == (training, propagation)


@pytest.mark.parametrize("change", [{"where": "always"}, {"train_above": 1.5}, {"infer_above": -0.1}])
def test_options_that_cannot_be_are_named(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(next(iter(change.values())))):
        CompactnessOptions(**change)
