"""Training from shards, in parts, and both in several processes: whole runs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from model.recipes import RECIPES
from model.training.checkpoint import load_file
from model.training.corpus import load_corpus
from model.training.pack import pack
from model.training.trainer import sample_numbers, train
from tests.corpora import TINY, TINY_DENSE, TINY_FROZEN, options, register
from tests.runs import curve, in_two_processes, metrics, same_weights, stop_at
from tests.shards import CLIPS, SHARD_BYTES, as_files, write_long_corpus


@pytest.fixture(autouse=True)
def _recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_long_corpus(tmp_path_factory.mktemp("scale") / "footage")


@pytest.fixture(scope="module")
def shards(footage: Path) -> Path:
    pack([footage], footage.parent / "shards", shard_bytes=SHARD_BYTES)
    return footage.parent / "shards"


@pytest.fixture(scope="module")
def frozen(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run from shards, in one process and in one part."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        return train(options(shards, tmp_path_factory.mktemp("runs") / "frozen", recipe="tiny-frozen")).parent


def same_run(one: Path, two: Path, tolerance: float) -> None:
    """The same terms in every step, and the same weights and bank in the end."""
    for a, b in zip(metrics(one), metrics(two), strict=True):
        assert a.keys() == b.keys()
        for term in a.keys() - {"seconds", "elapsed"}:
            assert b[term] == pytest.approx(a[term], rel=tolerance), (term, a["step"])
    same_weights(one, two, 1e-4)
    banks = [load_file(run / "checkpoint.pt")["bank"] for run in (one, two)]
    assert banks[0]["added"] == banks[1]["added"] and torch.equal(banks[0]["videos"], banks[1]["videos"])
    torch.testing.assert_close(banks[0]["vectors"], banks[1]["vectors"], atol=1e-4, rtol=1e-3)


# Shards


def test_a_run_from_shards_is_bit_by_bit_that_from_files(
    footage: Path, shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same walk over the frames of the cache: one batch after the other, the losses and weights are the same."""
    streamed = train(options(shards, tmp_path / "streamed", recipe="tiny-dense", steps=3)).parent
    as_files(monkeypatch, shards, load_corpus([footage], tmp_path / "cache"))
    filed = train(options(shards, tmp_path / "filed", recipe="tiny-dense", steps=3)).parent
    assert curve(streamed) == curve(filed)
    weights = [load_file(run / "checkpoint.pt")["model"] for run in (streamed, filed)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    card = json.loads((streamed / "card.json").read_text())
    assert card["corpus"]["videos"] == CLIPS and card["corpus"]["shards"] > 6


def test_a_run_from_shards_resumes_in_the_middle_of_a_lap(shards: Path, frozen: Path, tmp_path: Path) -> None:
    """A lap of the photos takes one step, one of the videos three; the run is stopped after the second."""
    train(options(shards, tmp_path / "run", recipe="tiny-frozen"), stop_at(2))
    assert len(metrics(tmp_path / "run")) == 2
    train(options(shards, tmp_path / "run", recipe="tiny-frozen", resume=True))
    same_run(frozen, tmp_path / "run", 1e-6)


def test_a_run_does_not_go_on_with_other_shards(shards: Path, tmp_path: Path) -> None:
    train(options(shards, tmp_path / "run", steps=1))
    with pytest.raises(ValueError, match="learned from other files"):
        train(options(shards / "shard-{00000..00005}.tar", tmp_path / "run", steps=2, resume=True))


# Parts


@pytest.mark.parametrize("parts", [2, 4])
def test_gradients_of_parts_add_up_to_those_of_the_batch(
    shards: Path, frozen: Path, tmp_path: Path, parts: int
) -> None:
    """With frozen batch statistics, and without counter-examples from the same batch, nothing tells them apart."""
    run = train(options(shards, tmp_path / "run", recipe="tiny-frozen", accumulate=parts)).parent
    same_run(frozen, run, 1e-4)
    assert json.loads((run / "card.json").read_text())["options"]["accumulate"] == parts


def test_batch_statistics_are_those_of_a_part(shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So there it is another run, though not very."""
    monkeypatch.setitem(RECIPES, "wide", replace(TINY, name="wide", batch=12))
    whole, parts = (
        train(options(shards, tmp_path / str(n), recipe="wide", steps=2, accumulate=n)).parent for n in (1, 2)
    )
    losses = [[total for _, total in curve(run)] for run in (whole, parts)]
    assert losses[0] != losses[1] and losses[0] == pytest.approx(losses[1], rel=0.1)


def test_samples_of_a_step_are_shared_out_in_parts() -> None:
    shares = [sample_numbers(5, 12, rank, 2, 3) for rank in range(2)]
    for step in (5, 6):
        numbers = [[next(share) for _ in range(3)] for share in shares]
        assert [n for share in numbers for part in share for n in part] == list(range(12 * step, 12 * step + 12))


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"accumulate": 0}, "accumulate cannot be 0"),
        ({"accumulate": 3}, "a batch of 8 does not divide over 1 processes in 3 parts each"),
        ({"recipe": TINY_DENSE.name, "accumulate": 6}, "batch 6 in 6 parts is too small"),
    ],
)
def test_parts_that_cannot_be_are_refused(shards: Path, tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train(options(shards, tmp_path / "run", **({"recipe": TINY_FROZEN.name} | changes)))
    assert not (tmp_path / "run").exists()


# Processes


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo")
def test_two_processes_in_parts_learn_from_shards_what_one_does(shards: Path, frozen: Path, tmp_path: Path) -> None:
    """Losses agree to 1e-4 of their value, weights to 1e-4."""
    run = in_two_processes(shards, tmp_path / "two", "tiny-frozen", parts=2, stopped=False)
    same_run(frozen, run, 1e-4)
    assert json.loads((run / "card.json").read_text())["processes"] == 2
