"""The fast affinity is held to the slow, obvious one; the slow one to answers known by construction."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize

from model.affinity import (
    Affinity,
    WindowPair,
    dense_affinity,
    reference_affinity,
    sampled_logits,
    tiled,
    windowed_affinity,
)
from model.affinity.select import GROUP, largest, largest_of_many
from model.affinity.window import TILE

DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")),
]


def random_features(count: int, channels: int, height: int, width: int, seed: int = 0) -> Tensor:
    return normalize(torch.randn(count, channels, height, width, generator=torch.manual_seed(seed)), dim=1)


def smooth_features(count: int, height: int, width: int) -> Tensor:
    """Close in space and in value as an encoder's are, with a large part common to all cells."""
    noise = random_features(count, 32, height + 8, width + 8)
    return normalize(normalize(avg_pool2d(noise, 9, stride=1), dim=1) + 0.3, dim=1)


def smooth_labels(count: int, channels: int, height: int, width: int) -> Tensor:
    coarse = torch.rand(count, channels, height // 6 + 2, width // 6 + 2, generator=torch.manual_seed(1))
    return interpolate(4 * coarse, (height, width), mode="bicubic").softmax(1)


def random_pair(
    height: int,
    width: int,
    combine: str,
    delta: float = 0.5,
    origin: int = 5,
    seed: int = 0,
    batch: tuple[int, ...] = (),
) -> WindowPair:
    """A first window of one size, second ones from a single cell to wider than it."""
    plus = torch.randint(0, 14, (*batch, height, width), generator=torch.manual_seed(seed))
    return WindowPair(torch.full(batch, origin), plus, delta, combine)


def batched(pair: WindowPair) -> WindowPair:
    return WindowPair(pair.origin[None], pair.plus[None], pair.delta, pair.combine)


def random_moves(height: int, width: int, seed: int) -> Tensor:
    """Windows moved a little, or out of the picture."""
    tiles = -(-height // TILE), -(-width // TILE)
    return torch.randint(-12, 13, (*tiles, 2), generator=torch.manual_seed(seed))


@st.composite
def cases(draw: st.DrawFn) -> dict[str, object]:
    """Grids smaller than a tile and across several, windows of one cell and wider than the grid."""
    height, width = draw(st.integers(1, 19)), draw(st.integers(1, 19))
    count = draw(st.integers(1, 3))
    radii = st.integers(0, 24)
    cell_radii = st.integers(0, 2**31).map(
        lambda seed: torch.randint(0, 14, (height, width), generator=torch.manual_seed(seed))
    )
    radius = draw(st.one_of(radii, st.lists(radii, min_size=count, max_size=count), cell_radii))
    moves = st.one_of(st.none(), st.integers(0, 2**31).map(lambda seed: random_moves(height, width, seed)))
    shift = [None, *draw(st.lists(moves, min_size=count - 1, max_size=count - 1))]  # one holds a cell for everybody
    return {
        "features": random_features(count + 1, draw(st.integers(4, 24)), height, width, draw(st.integers(0, 2**31))),
        "radius": radius,
        "shift": None if isinstance(radius, Tensor) else shift,
        "top_k": draw(st.integers(1, 40)),
        "bias": draw(st.one_of(st.none(), st.lists(st.floats(-1, 1, width=32), min_size=count, max_size=count))),
        "window": draw(st.sampled_from(["circle", "square"])),
        "labels": draw(st.integers(1, 20)),
        "stored": draw(st.sampled_from([torch.float32, torch.float64, torch.bfloat16, torch.float16])),
        "channels_last": draw(st.booleans()),
    }


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=60, deadline=None, derandomize=True)
@given(case=cases())
def test_fast_equals_obvious(device: str, case: dict[str, object]) -> None:
    features = case["features"].to(device, case["stored"])
    if case["channels_last"]:
        features = features.contiguous(memory_format=torch.channels_last)
    query, references = features[0], features[1:]
    options = {name: case[name] for name in ("radius", "top_k", "bias", "window", "shift")} | {"temperature": 0.2}
    fast = windowed_affinity(query, references, dtype=torch.float32, **options)
    slow = reference_affinity(query, references, **options)

    values = torch.rand(len(references), case["labels"], *fast.grid, device=device)
    assert torch.allclose(fast.apply(values), slow.apply(values), rtol=0, atol=1e-5)
    assert torch.allclose(fast.weight, slow.weight, rtol=0, atol=1e-5)
    assert torch.allclose(fast.entropy(), slow.entropy(), rtol=0, atol=1e-4)
    assert torch.allclose(fast.weight.sum(1), torch.ones(1, device=device), atol=1e-5)
    assert (fast.weight.diff(dim=1) <= 0).all()
    assert ((fast.index >= 0) & (fast.index < len(references) * features[0, 0].numel())).all()
    assert fast.weight.dtype == torch.float32 and fast.index.dtype == torch.int64


@st.composite
def pairs(draw: st.DrawFn) -> dict[str, object]:
    case = draw(cases())
    height, width = case["features"].shape[-2:]
    combine = draw(st.sampled_from(["logits", "mixture"]))
    delta = draw(st.sampled_from([0.0, 0.2, 0.5, 0.9, 3.0]))  # with 1, a vote for each window may be a tie
    pair = random_pair(height, width, combine, delta, draw(st.integers(0, 12)), draw(st.integers(0, 2**31)))
    zero = torch.randn(height, width, generator=torch.manual_seed(draw(st.integers(0, 2**31))))
    return case | {"radius": pair, "zero": draw(st.sampled_from([None, zero, zero - 5]))}


def to(pair: WindowPair, device: str) -> WindowPair:
    return WindowPair(pair.origin.to(device), pair.plus.to(device), pair.delta, pair.combine)


@pytest.mark.parametrize("device", DEVICES)
@settings(max_examples=80, deadline=None, derandomize=True)
@given(case=pairs())
def test_fast_equals_obvious_with_two_windows(device: str, case: dict[str, object]) -> None:
    features = case["features"].to(device, case["stored"])
    if case["channels_last"]:
        features = features.contiguous(memory_format=torch.channels_last)
    query, references = features[0], features[1:]
    options = {name: case[name] for name in ("top_k", "bias", "window")} | {"temperature": 0.2}
    options |= {"radius": to(case["radius"], device), "zero": None if case["zero"] is None else case["zero"].to(device)}
    fast = windowed_affinity(query, references, dtype=torch.float32, **options)
    slow = reference_affinity(query, references, **options)

    values = torch.rand(len(references), case["labels"], *fast.grid, device=device)
    assert torch.allclose(fast.apply(values), slow.apply(values), rtol=0, atol=1e-5)
    assert torch.allclose(fast.weight, slow.weight, rtol=0, atol=1e-5)
    assert torch.allclose(fast.weight.sum(1), torch.ones(1, device=device), atol=1e-5)
    assert (fast.weight.diff(dim=1) <= 0).all()
    voters = (index[weight > 0].tolist() for index, weight in zip(fast.index, fast.weight, strict=True))
    assert all(len(set(row)) == len(row) for row in voters)  # nobody votes twice


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("window", ["circle", "square"])
@pytest.mark.parametrize("windows", ["one", "logits", "mixture"])
def test_bf16_search_finds_the_same_votes(device: str, window: str, windows: str) -> None:
    features = smooth_features(4, 45, 61).to(device)
    labels = smooth_labels(3, 5, 45, 61).to(device)
    radius = 12 if windows == "one" else to(random_pair(45, 61, windows, origin=8), device)
    options = {"radius": radius, "top_k": 10, "temperature": 0.07, "window": window}
    exact = windowed_affinity(features[0], features[1:], dtype=torch.float32, **options)
    quick = windowed_affinity(features[0], features[1:], dtype=torch.bfloat16, **options)

    same = exact.index.sort(1).values == quick.index.sort(1).values
    assert same.all(1).float().mean() > 0.9
    before, after = exact.apply(labels), quick.apply(labels)
    assert (before - after).abs().max() < 0.02
    before, after = (interpolate(a[None], scale_factor=4, mode="bilinear").argmax(1) for a in (before, after))
    for label in range(5):
        both, either = (before == label) & (after == label), (before == label) | (after == label)
        assert both.sum() / either.sum() >= 0.999


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shift", [(0, 0), (-5, 3), (7, 7), (12, -12)])
def test_a_shifted_picture_is_found(shift: tuple[int, int], dtype: torch.dtype) -> None:
    height, width, (dy, dx) = 26, 33, shift
    picture = random_features(1, 32, height, width)[0]
    query = picture.roll((-dy, -dx), dims=(1, 2))  # what is at (y, x) was at (y + dy, x + dx)
    found = windowed_affinity(
        query, picture[None], radius=12, top_k=1, temperature=0.07, window="square", dtype=dtype
    ).index.view(height, width)
    y, x = torch.arange(height)[:, None], torch.arange(width)
    inside = (y + dy >= 0) & (y + dy < height) & (x + dx >= 0) & (x + dx < width)
    assert torch.equal(found[inside], ((y + dy) * width + x + dx)[inside])


def test_a_circle_leaves_the_corners_out() -> None:
    features = torch.ones(2, 4, 11, 11)
    for window, cells in (("circle", 29), ("square", 49)):
        affinity = windowed_affinity(features[0], features[1:], radius=3, top_k=60, temperature=1.0, window=window)
        votes = affinity.votes(5, 5)
        assert len(votes) == cells
        assert all(vote.weight == pytest.approx(1 / cells) for vote in votes)
        reach = (max(abs(vote.y - 5), abs(vote.x - 5)) for vote in votes)
        assert max(reach) == 3


def test_each_reference_and_each_cell_keeps_its_own_radius() -> None:
    features = random_features(3, 8, 12, 12)
    options = {"top_k": 200, "temperature": 1.0, "window": "square"}
    votes = windowed_affinity(features[0], features[1:], radius=(1, 3), **options).votes(6, 6)
    assert [sum(vote.reference == r for vote in votes) for r in (0, 1)] == [9, 49]

    radius = torch.full((12, 12), 2)
    radius[6, 6] = 0
    affinity = windowed_affinity(features[0], features[1:], radius=radius, **options)
    assert {(vote.reference, vote.y, vote.x) for vote in affinity.votes(6, 6)} == {(0, 6, 6), (1, 6, 6)}
    assert len(affinity.votes(6, 7)) == 2 * 25


class TestTwoWindows:
    SIMILARITY = torch.tensor(
        [2.0, -1.0, 0.5, 1.0, -3.0]
    )  # of the cells beside each other with the query in the middle
    NEITHER = -torch.inf

    @pytest.mark.parametrize(
        ("origin", "plus", "logits"),
        [
            (1, 2, [2 / 3, -1.0, 0.5, 1.0, -1.0]),  # the outer cells in the second window alone: δ / (1 + δ)
            (2, 1, [4 / 3, -1.0, 0.5, 1.0, -2.0]),  # in the first alone: 1 / (1 + δ)
            (0, 1, [NEITHER, -1 / 3, 0.5, 1 / 3, NEITHER]),
            (1, 1, [NEITHER, -1.0, 0.5, 1.0, NEITHER]),
        ],
    )
    def test_similarities_add_up_with_nothing_outside_a_window(
        self, origin: int, plus: int, logits: list[float]
    ) -> None:
        pair = WindowPair(torch.tensor(origin), torch.full((1, 5), plus), 0.5, "logits")
        query, keys = torch.ones(1, 1, 5), self.SIMILARITY.view(1, 1, 1, 5)
        affinity = windowed_affinity(query, keys, radius=pair, top_k=5, temperature=1.0, dtype=torch.float32)
        expected = torch.tensor(logits).softmax(0)
        assert {v.x: v.weight for v in affinity.votes(0, 2)} == pytest.approx(
            {x: w for x, w in enumerate(expected.tolist()) if w}
        )
        dense = dense_affinity(query[None], keys[None], radius=batched(pair), temperature=1.0)
        assert torch.allclose(dense[0, 2], expected)

    def test_a_mixture_is_the_mean_of_two_softmaxes(self) -> None:
        pair = WindowPair(torch.tensor(2), torch.full((1, 5), 1), 0.5, "mixture")
        query, keys = torch.ones(1, 1, 5), self.SIMILARITY.view(1, 1, 1, 5)
        expected = self.SIMILARITY.softmax(0) / 1.5
        expected[1:4] += self.SIMILARITY[1:4].softmax(0) * 0.5 / 1.5
        dense = dense_affinity(query[None], keys[None], radius=batched(pair), temperature=1.0)
        assert torch.allclose(dense[0, 2], expected)
        affinity = windowed_affinity(query, keys, radius=pair, top_k=5, temperature=1.0, dtype=torch.float32)
        assert [v.weight for v in affinity.votes(0, 2)] == pytest.approx(sorted(expected.tolist(), reverse=True))
        affinity = windowed_affinity(query, keys, radius=pair, top_k=1, temperature=1.0, dtype=torch.float32)
        assert [(v.x, v.weight) for v in affinity.votes(0, 2)] == [(0, 1.0)]  # 2 of 3 for it, 1 of 3 for the cell at 3

    def test_what_is_called_zero_counts_for_nothing(self) -> None:
        features = random_features(3, 8, 11, 13)
        options = {"radius": random_pair(11, 13, "logits"), "top_k": 6, "temperature": 0.2}
        plain = windowed_affinity(features[0], features[1:], **options)
        one, three = torch.ones(1, 11, 13), torch.full((2, 1, 11, 13), 3.0)
        raised = (
            torch.cat([features[0], one]),
            torch.cat([features[1:], three], dim=1),
        )  # 3 more for every pair of cells
        again = windowed_affinity(*raised, zero=torch.full((11, 13), 3.0), **options)
        assert torch.allclose(plain.weight, again.weight, atol=1e-5)
        assert not torch.allclose(plain.weight, windowed_affinity(*raised, **options).weight, atol=1e-2)

    @pytest.mark.parametrize("combine", ["logits", "mixture"])
    def test_alike_or_weightless_second_windows_change_nothing(self, combine: str) -> None:
        features = random_features(4, 8, 17, 21)
        options = {"top_k": 7, "temperature": 0.2, "dtype": torch.float32}
        plain = windowed_affinity(features[0], features[1:], radius=5, **options)
        for pair in (
            random_pair(17, 21, combine, delta=0.0),
            WindowPair(torch.tensor(5), torch.full((17, 21), 5), 0.5, combine),
        ):
            two = windowed_affinity(features[0], features[1:], radius=pair, **options)
            assert torch.allclose(plain.weight, two.weight, atol=1e-6)
            assert torch.equal(plain.index, two.index)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    features = random_features(4, 16, 30, 37)
    radius = torch.randint(2, 9, (30, 37), generator=torch.manual_seed(0))
    for r in (8, radius, random_pair(30, 37, "logits"), random_pair(30, 37, "mixture")):
        options = {"radius": r, "top_k": 5, "temperature": 0.1, "dtype": torch.float32}
        whole = windowed_affinity(features[0], features[1:], **options)
        with monkeypatch.context() as patch:
            patch.setattr(tiled, "_tiles_at_once", lambda *_: 3)
            parts = windowed_affinity(features[0], features[1:], **options)
        assert torch.equal(whole.index, parts.index)
        assert torch.allclose(whole.weight, parts.weight, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_very_large_logits_stay_finite(dtype: torch.dtype) -> None:
    features = 1e5 * torch.randn(3, 16, 13, 9, generator=torch.manual_seed(0))
    affinity = windowed_affinity(features[0], features[1:], radius=4, top_k=8, temperature=1e-3, dtype=dtype)
    exact = reference_affinity(features[0], features[1:], radius=4, top_k=8, temperature=1e-3)
    assert torch.equal(affinity.weight, exact.weight)  # one vote takes all
    assert torch.equal(affinity.index[:, 0], exact.index[:, 0])
    assert torch.isfinite(affinity.entropy()).all()


def test_features_without_contrast_share_the_votes_evenly() -> None:
    affinity = windowed_affinity(torch.zeros(8, 9, 9), torch.zeros(2, 8, 9, 9), radius=3, top_k=6, temperature=0.07)
    assert torch.allclose(affinity.weight, torch.full((81, 6), 1 / 6))
    assert torch.allclose(affinity.entropy(), torch.ones(9, 9))


def test_autocast_does_not_coarsen_the_weights() -> None:
    features = random_features(3, 16, 20, 20)
    options = {"radius": 6, "top_k": 5, "temperature": 0.1, "dtype": torch.float32}
    plain = windowed_affinity(features[0], features[1:], **options)
    with torch.autocast("cpu", torch.bfloat16):
        inside = windowed_affinity(features[0], features[1:], **options)
    assert torch.equal(plain.weight, inside.weight) and torch.equal(plain.index, inside.index)


def test_apply_entropy_and_votes_by_hand() -> None:
    weight = torch.tensor([[0.75, 0.25], [1.0, 0.0], [0.5, 0.5]])
    index = torch.tensor([[1, 5], [3, 0], [0, 4]])
    affinity = Affinity(weight, index, grid=(1, 3), references=2)
    values = torch.arange(12.0).view(2, 2, 1, 3)  # reference 0: 0 1 2 and 3 4 5; reference 1: 6 7 8 and 9 10 11
    assert torch.equal(affinity.apply(values), torch.tensor([[[2.75, 6.0, 3.5]], [[5.75, 9.0, 6.5]]]))
    assert torch.allclose(affinity.entropy(), torch.tensor([[0.8113, 0.0, 1.0]]), atol=1e-4)
    assert affinity.votes(0, 0) == [(0, 0, 1, 0.75), (1, 0, 2, 0.25)]
    assert affinity.votes(0, 1) == [(1, 0, 0, 1.0)]
    with pytest.raises(ValueError, match=r"cell \(1, 0\) lies outside the 1×3"):
        affinity.votes(1, 0)
    alone = Affinity(torch.ones(3, 1), index[:, :1], grid=(1, 3), references=2)
    assert torch.equal(alone.entropy(), torch.zeros(1, 3))


def test_an_unknown_window_is_named() -> None:
    with pytest.raises(ValueError, match="'hexagon'"):
        windowed_affinity(
            torch.ones(2, 3, 3), torch.ones(1, 2, 3, 3), radius=1, top_k=1, temperature=1, window="hexagon"
        )


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    rows=st.integers(1, 5),
    k=st.integers(1, 20),
    levels=st.integers(0, 2),
    dtype=st.sampled_from([torch.float32, torch.bfloat16]),
    coarse=st.booleans(),
    seed=st.integers(0, 2**31),
)
def test_selection_equals_topk(rows: int, k: int, levels: int, dtype: torch.dtype, coarse: bool, seed: int) -> None:
    n = (k + 3) * GROUP**levels
    values = 3 * torch.randn(rows, 2, n, generator=torch.manual_seed(seed)) - 2
    values = (values.round() if coarse else values).to(dtype)  # coarse: many ties
    positions = largest_of_many(values.mT.contiguous(), k, levels).mT
    assert torch.equal(values.gather(-1, positions), values.topk(k).values)
    assert all(row.unique().numel() == k for row in positions.flatten(0, 1))


def test_selection_over_more_places_than_16_bits_count() -> None:
    values = torch.zeros(2, 70_000, dtype=torch.bfloat16)
    values[:, 69_999], values[:, 65_600] = 2, 1
    assert largest(values, 2).tolist() == [[69_999, 65_600]] * 2


class TestDense:
    def test_equals_the_sparse_form_with_every_vote(self) -> None:
        features = random_features(6, 8, 7, 9).view(2, 3, 8, 7, 9)
        dense = dense_affinity(features[:, 0], features[:, 1:], radius=2, temperature=0.3, window="circle")
        assert torch.allclose(dense.sum(-1), torch.ones(2, 63), atol=1e-5)
        for batch in range(2):
            sparse = reference_affinity(
                features[batch, 0], features[batch, 1:], radius=2, top_k=126, temperature=0.3, window="circle"
            )
            scattered = torch.zeros(63, 126).scatter_add(1, sparse.index, sparse.weight)
            assert torch.allclose(dense[batch], scattered, atol=1e-6)
            assert torch.equal(dense[batch] == 0, scattered == 0)

    @pytest.mark.parametrize("window", ["circle", "square"])
    def test_gradient(self, window: str) -> None:
        features = torch.randn(1, 3, 2, 4, 3, dtype=torch.float64, generator=torch.manual_seed(0))
        query, references = features[:, 0].requires_grad_(), features[:, 1:].clone().requires_grad_()
        assert torch.autograd.gradcheck(
            lambda q, k: dense_affinity(q, k, radius=1, temperature=1.4, window=window), (query, references)
        )

    @pytest.mark.parametrize("window", ["circle", "square"])
    @pytest.mark.parametrize("combine", ["logits", "mixture"])
    @pytest.mark.parametrize("delta", [0.0, 0.5])
    def test_two_windows_equal_the_sparse_form(self, window: str, combine: str, delta: float) -> None:
        features = random_features(6, 8, 7, 9).view(2, 3, 8, 7, 9)
        pair = WindowPair(torch.tensor([2, 4]), random_pair(7, 9, combine, batch=(2,)).plus, delta, combine)
        dense = dense_affinity(features[:, 0], features[:, 1:], radius=pair, temperature=0.3, window=window)
        for batch in range(2):
            alone = WindowPair(pair.origin[batch], pair.plus[batch], delta, combine)
            sparse = reference_affinity(
                features[batch, 0], features[batch, 1:], radius=alone, top_k=126, temperature=0.3, window=window
            )
            scattered = torch.zeros(63, 126).scatter_add(1, sparse.index, sparse.weight)
            assert torch.allclose(dense[batch], scattered, atol=1e-6)
            assert torch.equal(dense[batch] == 0, scattered == 0)

    @pytest.mark.parametrize("combine", ["logits", "mixture"])
    def test_gradient_with_two_windows(self, combine: str) -> None:
        features = torch.randn(2, 3, 2, 4, 3, dtype=torch.float64, generator=torch.manual_seed(0))
        query, references = features[:, 0].requires_grad_(), features[:, 1:].clone().requires_grad_()
        pair = WindowPair(torch.tensor([1, 2]), random_pair(4, 3, combine, batch=(2,)).plus % 4, 0.5, combine)
        assert torch.autograd.gradcheck(
            lambda q, k: dense_affinity(q, k, radius=pair, temperature=1.4), (query, references)
        )

    @pytest.mark.parametrize("combine", ["logits", "mixture"])
    def test_gradients_stay_finite_where_probabilities_vanish(self, combine: str) -> None:
        logits = (1e3 * torch.randn(1, 48, 96, generator=torch.manual_seed(0))).requires_grad_()
        total = sampled_logits(logits, random_pair(6, 8, combine, batch=(1,)))
        seen = torch.isfinite(total)
        assert 0 < seen.sum() < seen.numel() and torch.equal(seen[..., :48], seen[..., 48:])
        total.log_softmax(2)[seen].sum().backward()
        assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0

    def test_the_cached_mask_serves_inference_and_then_training(self) -> None:
        features = random_features(2, 4, 3, 11)
        with torch.inference_mode():
            dense_affinity(features[:1], features[None, 1:], radius=2, temperature=1.0)
        query = features[:1].clone().requires_grad_()
        dense_affinity(query, features[None, 1:], radius=2, temperature=1.0).square().sum().backward()
        assert query.grad is not None and query.grad.abs().sum() > 0

    def test_softmax_is_fp32_under_autocast(self) -> None:
        features = random_features(2, 4, 8, 8)
        with torch.autocast("cpu", torch.bfloat16):
            dense = dense_affinity(features[:1], features[None, 1:], radius=5, temperature=0.1)
        assert dense.dtype == torch.float32
        assert torch.allclose(dense.sum(-1), torch.ones(64), atol=1e-5)


def test_votes_of_a_reference_that_comes_twice_are_counted_once() -> None:
    """Cells 1 and 5 are one, in references 0 and 2, which are the same; 3 is of another."""
    affinity = Affinity(torch.tensor([[0.4, 0.3, 0.2, 0.1]]), torch.tensor([[5, 1, 2, 4]]), (1, 2), 3)
    united = affinity.united([0, 1, 0], 2)
    assert united.index.tolist() == [[1, 2]] and united.references == 2
    torch.testing.assert_close(united.weight, torch.tensor([[2 / 3, 1 / 3]]))
