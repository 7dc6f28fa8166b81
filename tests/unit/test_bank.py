"""The bank as a queue; the joint affinity and the contrastive loss against transcriptions of eqs (16) and (17)."""

from __future__ import annotations

import io
import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from model.bank import BankOptions, NegativeBank, Negatives, contrastive_loss, joint_affinity, sample_vectors

SMALL = BankOptions(capacity=3, per_frame=2)


def frame(number: int) -> Tensor:
    """Two vectors of two channels that tell which frame they are from."""
    return torch.tensor([[number, 0.25], [number, 0.5]])


def fill(bank: NegativeBank, numbers: list[int], videos: list[int] | None = None) -> None:
    bank.add(torch.stack([frame(n) for n in numbers]), torch.tensor(numbers if videos is None else videos))


def held(bank: NegativeBank) -> list[int]:
    negatives = bank.negatives(torch.tensor([10_000]))
    assert negatives is not None and not negatives.hidden.any()
    return sorted(int(v) for v in negatives.vectors[::2, 0])


def slow_logits(query: Tensor, keys: Tensor, temperature: float) -> list[list[float]]:
    return [[float(q @ k) / temperature for k in keys.T] for q in query.T]


def test_the_bank_gives_nothing_until_it_is_full() -> None:
    bank = NegativeBank(SMALL, channels=2)
    fill(bank, [1, 2])
    assert not bank.full and bank.negatives(torch.tensor([7])) is None
    fill(bank, [3])
    assert bank.full and held(bank) == [1, 2, 3]


def test_the_oldest_frames_leave_first() -> None:
    bank = NegativeBank(SMALL, channels=2)
    fill(bank, [1, 2])
    fill(bank, [3, 4])
    assert held(bank) == [2, 3, 4]
    fill(bank, [5, 6, 7, 8, 9])
    assert held(bank) == [7, 8, 9]
    fill(bank, [10])
    assert held(bank) == [8, 9, 10]


@given(sizes=st.lists(st.integers(0, 7), max_size=6), capacity=st.integers(1, 5))
def test_it_holds_what_a_queue_of_that_length_holds(sizes: list[int], capacity: int) -> None:
    bank = NegativeBank(BankOptions(capacity, per_frame=2), channels=2)
    queue: list[int] = []
    for size in sizes:
        new = list(range(len(queue), len(queue) + size))
        fill(bank, new) if new else bank.add(torch.zeros(0, 2, 2), torch.zeros(0, dtype=torch.int64))
        queue += new
        assert bank.full == (len(queue) >= capacity)
        if bank.full:
            assert held(bank) == queue[-capacity:]


def test_negatives_never_come_from_the_same_video() -> None:
    bank = NegativeBank(SMALL, channels=2)
    fill(bank, [1, 2, 3], videos=[5, 8, 5])
    negatives = bank.negatives(torch.tensor([5, 8, 4]))
    assert negatives is not None
    own, other = [True, True], [False, False]
    assert negatives.hidden.tolist() == [own + other + own, other + own + other, 3 * other]
    query = torch.ones(3, 2, 1)
    shares = negatives.logits(query, 1.0).softmax(-1)
    assert (shares[negatives.hidden[:, None]] == 0).all() and (shares[~negatives.hidden[:, None]] > 0).all()


def test_what_was_given_out_does_not_change_when_new_frames_come() -> None:
    bank = NegativeBank(SMALL, channels=2)
    fill(bank, [1, 2, 3])
    before = bank.negatives(torch.tensor([0]))
    assert before is not None
    kept = before.vectors.clone()
    fill(bank, [4, 5])
    assert torch.equal(before.vectors, kept)


def test_a_restored_bank_goes_on_exactly_as_the_old_one() -> None:
    old = NegativeBank(SMALL, channels=2)
    fill(old, [1, 2, 3, 4])
    file = io.BytesIO()
    torch.save(old.state_dict(), file)
    file.seek(0)
    fill(old, [5])  # what was saved must not follow

    new = NegativeBank(SMALL, channels=2)
    new.load_state_dict(torch.load(file, weights_only=True))
    assert held(new) == [2, 3, 4]
    fill(new, [5])
    for bank in (old, new):
        fill(bank, [6])
    videos = torch.tensor([4, 5])
    ours, theirs = new.negatives(videos), old.negatives(videos)
    assert ours is not None and theirs is not None
    assert torch.equal(ours.vectors, theirs.vectors) and torch.equal(ours.hidden, theirs.hidden)


def test_a_half_full_bank_is_half_full_when_restored() -> None:
    old, new = NegativeBank(SMALL, channels=2), NegativeBank(SMALL, channels=2)
    fill(old, [1, 2])
    new.load_state_dict(old.state_dict())
    assert not new.full
    fill(new, [3])
    assert held(new) == [1, 2, 3]


def test_the_state_of_another_bank_is_refused_and_changes_nothing() -> None:
    bank = NegativeBank(SMALL, channels=2)
    fill(bank, [1, 2, 3])
    other = NegativeBank(BankOptions(capacity=4, per_frame=2), channels=2)
    with pytest.raises(ValueError, match=r"4×2×2 numbers .* not 3×2×2"):
        bank.load_state_dict(other.state_dict())
    assert held(bank) == [1, 2, 3]


def test_vectors_in_the_bank_carry_no_gradient() -> None:
    bank = NegativeBank(SMALL, channels=2)
    bank.add(torch.ones(3, 2, 2, requires_grad=True), torch.arange(3))
    negatives = bank.negatives(torch.tensor([9]))
    assert negatives is not None and not negatives.vectors.requires_grad


def test_sampled_vectors_are_those_of_different_cells_of_their_frame() -> None:
    cells = torch.arange(3 * 20.0).view(3, 1, 4, 5)
    features = torch.cat([cells, -cells], dim=1)
    vectors = sample_vectors(features, 20, seed=3, numbers=range(3))
    for n in range(3):
        assert sorted(vectors[n, :, 0].tolist()) == list(range(20 * n, 20 * n + 20))
    assert torch.equal(vectors[..., 1], -vectors[..., 0])


def test_which_cells_are_drawn_depends_on_the_sample_and_not_on_who_draws() -> None:
    features = torch.randn(6, 8, 4, 5)
    whole = sample_vectors(features, 4, seed=1, numbers=range(30, 36))
    shares = [sample_vectors(features[n : n + 2], 4, seed=1, numbers=range(30 + n, 32 + n)) for n in (0, 2, 4)]
    assert torch.equal(torch.cat(shares), whole)
    assert not torch.equal(sample_vectors(features, 4, seed=2, numbers=range(30, 36)), whole)
    same = torch.arange(20.0).view(1, 1, 4, 5).expand(50, -1, -1, -1)
    drawn = sample_vectors(same, 4, seed=1, numbers=range(50))
    assert len(drawn.unique()) == 20 and len(drawn[:, 0].unique()) > 10  # every cell comes up, in every place


def test_a_frame_too_small_to_sample_is_named() -> None:
    with pytest.raises(ValueError, match="2×3 cells has no 7 vectors"):
        sample_vectors(torch.zeros(1, 2, 2, 3), 7, seed=0, numbers=[0])


def test_the_joint_affinity_equals_its_transcription() -> None:
    query, keys, bank = torch.randn(2, 4, 5), torch.randn(2, 4, 6), torch.randn(7, 4)
    hidden = torch.rand(2, 7) < 0.4
    window = torch.rand(2, 5, 6) < 0.3
    window[..., 0] = False
    logits = torch.stack([torch.tensor(slow_logits(query[b], keys[b], 0.5)) for b in range(2)])
    logits = logits.masked_fill(window, -torch.inf)
    affinity = joint_affinity(logits, Negatives(bank, hidden).logits(query, 0.5))
    for b in range(2):
        for i in range(5):
            own = [0.0 if window[b, i, k] else math.exp(float(logits[b, i, k])) for k in range(6)]
            others = [math.exp(float(query[b, :, i] @ bank[n]) / 0.5) for n in range(7) if not hidden[b, n]]
            expected = [o / (sum(own) + sum(others)) for o in own]
            assert affinity[b, i].tolist() == pytest.approx(expected, rel=1e-4)


def test_without_rivals_the_joint_affinity_is_the_plain_softmax() -> None:
    logits = torch.randn(2, 3, 5)
    torch.testing.assert_close(joint_affinity(logits, None), logits.softmax(-1))
    all_hidden = Negatives(torch.randn(4, 6), torch.ones(2, 4, dtype=torch.bool)).logits(torch.randn(2, 6, 3), 1.0)
    torch.testing.assert_close(joint_affinity(logits, all_hidden), logits.softmax(-1))


def test_a_cell_that_looks_like_another_video_copies_little() -> None:
    query = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])  # cell 0 points along x, cell 1 along y
    keys = torch.tensor([[[1.0], [1.0]]])
    negatives = Negatives(torch.tensor([[10.0, 0.0]]), torch.tensor([[False]]))
    affinity = joint_affinity(torch.einsum("bcq,bck->bqk", query, keys), negatives.logits(query, 1.0))
    assert affinity.flatten().tolist() == pytest.approx([1 / (1 + math.exp(9)), math.e / (math.e + 1)])


def slow_contrast(affinity: Tensor, keys: Tensor, target: Tensor, wrong: Tensor, temperature: float) -> float:
    """Eq (17) for one sample: affinity [Q, K], keys [C, K], target [C, Q], negatives [N, C]."""
    losses = []
    for i in range(affinity.shape[0]):
        q = sum(affinity[i, k] * keys[:, k] for k in range(keys.shape[1]))
        q = q / q.norm()
        right = math.exp(float(q @ target[:, i] / target[:, i].norm()) / temperature)
        others = [math.exp(float(q @ n / n.norm()) / temperature) for n in wrong]
        losses.append(-math.log(right / (right + sum(others))))
    return sum(losses) / len(losses)


def test_the_contrastive_loss_equals_its_transcription() -> None:
    affinity = 0.7 * torch.randn(2, 5, 6).softmax(-1)
    keys, target, bank = torch.randn(2, 4, 6), torch.randn(2, 4, 5), torch.randn(9, 4)
    hidden = torch.rand(2, 9) < 0.4
    loss = contrastive_loss(affinity, keys, target, Negatives(bank, hidden), 0.2)
    expected = [slow_contrast(affinity[b], keys[b], target[b], bank[~hidden[b]], 0.2) for b in range(2)]
    assert loss.tolist() == pytest.approx(expected, rel=1e-4)


def test_the_contrastive_loss_of_known_cases() -> None:
    one = torch.eye(3)[None]  # three cells, each copied from its counterpart, each unlike the others
    elsewhere = torch.full((1, 3), -1.0)
    alike = one[0, :1]
    seen = torch.tensor([[False]])
    perfect = contrastive_loss(one, one, one, Negatives(elsewhere, seen), 0.07)
    assert float(perfect) < 1e-6
    # The first cell is exactly like the negative: even odds, log 2. The other two are not.
    confused = contrastive_loss(one, one, one, Negatives(alike, seen), 0.07)
    assert float(confused) == pytest.approx(math.log(2) / 3, rel=1e-3)
    nobody = contrastive_loss(one, one, one.roll(1, dims=2), Negatives(alike, ~seen), 0.07)
    assert float(nobody) == 0


def test_gradients_reach_the_encoder_in_training_and_not_the_averaged_one() -> None:
    query, keys, target = (torch.randn(2, 4, 5, requires_grad=True) for _ in range(3))
    negatives = Negatives(torch.randn(9, 4), torch.tensor([[False] * 9, [True] * 9]))
    logits = torch.einsum("bcq,bck->bqk", query, keys)
    hidden = torch.ones(5, 5).triu(1).bool()
    affinity = joint_affinity(logits.masked_fill(hidden, -torch.inf), negatives.logits(query, 2.0))
    copied = affinity.square().sum(dim=(1, 2))  # any use of the affinity
    loss = copied + contrastive_loss(affinity, keys, target, negatives, 0.07)
    by_query, by_keys, by_target = torch.autograd.grad(loss.sum(), (query, keys, target), allow_unused=True)
    assert by_target is None
    assert all(g.isfinite().all() and g.any() for g in (by_query, by_keys))


@settings(max_examples=20)
@given(scale=st.sampled_from([1e-3, 1.0, 1e3]), seed=st.integers(0, 2**31))
def test_large_and_small_features_stay_finite(scale: float, seed: int) -> None:
    torch.manual_seed(seed)
    query = (scale * torch.randn(1, 4, 6)).requires_grad_()
    negatives = Negatives(scale * torch.randn(9, 4), torch.zeros(1, 9, dtype=torch.bool))
    affinity = joint_affinity(torch.einsum("bcq,bck->bqk", query, query), negatives.logits(query, 1.0))
    loss = contrastive_loss(affinity, query, F.normalize(query, dim=1), negatives, 0.07)
    (gradient,) = torch.autograd.grad(loss.sum(), query)
    assert loss.isfinite().all() and gradient.isfinite().all()


@pytest.mark.parametrize("change", [{"capacity": 0}, {"per_frame": -1}, {"temperature": 0.0}, {"gamma": -0.5}])
def test_options_that_cannot_be_are_named(change: dict[str, float]) -> None:
    name, value = next(iter(change.items()))
    with pytest.raises(ValueError, match=f"bank {name} cannot be {value}"):
        BankOptions(**change)
