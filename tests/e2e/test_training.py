"""Whole training runs, on a corpus that is made here."""

from __future__ import annotations

import errno
import json
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.features import load_extractor
from model.recipes import RECIPES
from model.training import trainer
from model.training.checkpoint import load_file, save_file
from model.training.trainer import dropped_channel, sample_numbers, train
from tests.corpora import TINY, moving_texture, options, register, undisturbed, write_clip, write_corpus
from tests.runs import ENVIRONMENT, ROOT, curve, in_two_processes, metrics, same_weights, stop_at

KILLED = """
import os, signal, sys
from pathlib import Path
from model.training.trainer import train
from tests.corpora import options, register
register()
def report(line):
    if line["step"] == 5:
        os.kill(os.getpid(), signal.SIGKILL)
train(options(Path(sys.argv[1]), Path(sys.argv[2]), checkpoint_every=2), report)
"""


@pytest.fixture(autouse=True)
def _recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("training") / "corpus")


@pytest.fixture(scope="module")
def straight(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(corpus, tmp_path_factory.mktemp("runs"))


def test_a_run_leaves_weights_metrics_and_a_card(straight: Path) -> None:
    assert sorted(f.name for f in straight.iterdir()) == ["card.json", "checkpoint.pt", "encoder.pt", "metrics.jsonl"]
    lines = metrics(straight)
    assert [line["step"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert all(line["total"] > 0 and line["gradient"] > 0 for line in lines)
    assert [line["progress"] for line in lines] == pytest.approx([0, 1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6], abs=1e-4)
    card = json.loads((straight / "card.json").read_text())
    assert card["steps"] == 6 and card["corpus"]["videos"] == 2 and card["recipe"]["name"] == "tiny"
    extractor = load_extractor(straight / "encoder.pt", "cpu")
    assert extractor.recipe == "tiny" and extractor.sha256 == card["weights_sha256"]
    assert extractor(torch.zeros(1, 3, 16, 24, dtype=torch.uint8)).shape == (1, 16, 4, 6)


def test_one_seed_gives_one_run_and_another_gives_another(corpus: Path, straight: Path, tmp_path: Path) -> None:
    train(options(corpus, tmp_path / "same"))
    same_weights(straight, tmp_path / "same", 1e-6)
    train(options(corpus, tmp_path / "other", seed=1, steps=1))
    assert curve(tmp_path / "other")[0] != curve(straight)[0]


@pytest.mark.parametrize("workers", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_a_stopped_and_resumed_run_ends_like_an_undisturbed_one(
    corpus: Path, straight: Path, tmp_path: Path, workers: int
) -> None:
    run = tmp_path / "run"
    train(options(corpus, run, workers=workers), stop_at(3))
    assert load_file(run / "checkpoint.pt")["step"] == 3 and (run / "encoder.pt").exists()
    train(options(corpus, run, workers=workers, resume=True))
    assert [step for step, _ in curve(run)] == [1, 2, 3, 4, 5, 6]
    assert [t for _, t in curve(run)] == pytest.approx([t for _, t in curve(straight)], rel=1e-4)
    same_weights(straight, run)


def test_a_killed_run_loses_only_what_came_after_its_checkpoint(corpus: Path, straight: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    killed = subprocess.run([sys.executable, "-c", KILLED, corpus, run], cwd=ROOT, env=ENVIRONMENT)
    assert killed.returncode == -signal.SIGKILL
    assert load_file(run / "checkpoint.pt")["step"] == 4 and len(metrics(run)) == 5
    train(options(corpus, run, resume=True))
    assert [step for step, _ in curve(run)] == [1, 2, 3, 4, 5, 6]
    same_weights(straight, run)


def test_resuming_a_finished_run_changes_no_weights(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(options(corpus, run, steps=2))
    names = ("encoder.pt", "checkpoint.pt", "metrics.jsonl")
    before = [(run / name).read_bytes() for name in names]
    times = [(run / name).stat().st_mtime_ns for name in names[:2]]
    assert train(options(corpus, run, steps=2, resume=True)) == run / "encoder.pt"
    assert [(run / name).read_bytes() for name in names] == before
    assert [(run / name).stat().st_mtime_ns for name in names[:2]] == times
    train(options(corpus, run, steps=3, resume=True))  # a larger budget goes on
    assert len(metrics(run)) == 3


def test_a_run_killed_between_its_last_two_files_is_completed(corpus: Path, straight: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(options(corpus, run), stop_at(3))
    old = (run / "encoder.pt").read_bytes()
    (run / "checkpoint.pt").write_bytes((straight / "checkpoint.pt").read_bytes())
    train(options(corpus, run, resume=True))
    assert (run / "encoder.pt").read_bytes() == (straight / "encoder.pt").read_bytes() != old
    assert json.loads((run / "card.json").read_text())["steps"] == 6


def test_a_run_may_end_by_the_clock(corpus: Path, tmp_path: Path) -> None:
    train(options(corpus, tmp_path / "run", steps=None, minutes=1e-3))
    assert metrics(tmp_path / "run")[-1]["elapsed"] > 0
    assert json.loads((tmp_path / "run/card.json").read_text())["seconds"] >= 0.06


def test_resuming_with_other_options_is_refused(corpus: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(options(corpus, run, steps=1))
    with pytest.raises(ValueError, match=r"checkpoint\.pt: the run was started with batch 4, not 2"):
        train(options(corpus, run, steps=2, batch=2, resume=True))
    with pytest.raises(ValueError, match="holds a run already"):
        train(options(corpus, run, steps=2))
    other = write_clip(tmp_path / "other.avi", moving_texture(5))
    with pytest.raises(ValueError, match="learned from other files"):
        train(options(other, run, steps=2, cache=tmp_path / "cache", resume=True))
    torch.save({"weights": 1}, run / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"checkpoint\.pt: weights of another program"):
        train(options(corpus, run, steps=2, resume=True))


@pytest.mark.parametrize("broken", ["loss", "gradient"])
def test_a_loss_that_is_no_number_ends_the_run_and_spares_the_checkpoint(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    real, steps = trainer.pair_losses, 0

    def spoiled(features: Tensor, *rest: Any) -> dict[str, Tensor]:
        nonlocal steps
        steps += 1
        losses = real(features, *rest)
        if steps == 4:
            # The root of zero is zero, but its slope is not finite.
            extra = torch.tensor(float("nan")) if broken == "loss" else (0 * features.sum()).sqrt()
            losses["reconstruction"] = losses["reconstruction"] + extra
        return losses

    monkeypatch.setattr(trainer, "pair_losses", spoiled)
    run = tmp_path / "run"
    with pytest.raises(ValueError, match="run: the loss is no longer a number at step 4") as caught:
        train(options(corpus, run, checkpoint_every=2))
    assert "\n" not in str(caught.value)
    content = load_file(run / "checkpoint.pt")
    assert content["step"] == 2 and all(t.isfinite().all() for t in content["model"].values())
    assert not (run / "encoder.pt").exists() and len(metrics(run)) == 3
    monkeypatch.undo()
    register(monkeypatch)
    train(options(corpus, run, resume=True))
    assert len(metrics(run)) == 6


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(
    corpus: Path, straight: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, run = Path.write_bytes, tmp_path / "run"

    def write(self: Path, data: bytes) -> int:
        if (run / "checkpoint.pt").exists():
            real(self, bytes(data[: len(data) // 2]))
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, data)

    monkeypatch.setattr(Path, "write_bytes", write)
    with pytest.raises(OSError, match="No space left on device") as caught:
        train(options(corpus, run, checkpoint_every=2))
    assert caught.value.filename == str(run / "checkpoint.pt")
    assert load_file(run / "checkpoint.pt")["step"] == 2
    assert sorted(f.name for f in run.iterdir()) == ["card.json", "checkpoint.pt", "metrics.jsonl"]
    monkeypatch.undo()
    register(monkeypatch)
    train(options(corpus, run, resume=True))
    same_weights(straight, run)


def test_a_folder_that_cannot_be_written_is_refused_at_once(corpus: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="file/run: cannot be written in"):
        train(options(corpus, tmp_path / "file" / "run"))


def test_unusable_sources_are_skipped_and_named(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "corpus")
    (folder / "broken.mp4").write_text("this is no video")
    train(options(folder, tmp_path / "run", steps=1))
    (reason,) = json.loads((tmp_path / "run/card.json").read_text())["corpus"]["skipped"]
    assert "broken.mp4" in reason
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="no usable video or photo"):
        train(options(tmp_path / "nothing", tmp_path / "other"))
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"steps": None}, "needs a budget"),
        ({"steps": 0}, "steps cannot be 0"),
        ({"minutes": -1.0}, "minutes cannot be -1"),
        ({"workers": -1}, "workers cannot be -1"),
        ({"seed": -1}, "seed cannot be -1"),
        ({"checkpoint_every": 0}, "checkpoint_every cannot be 0"),
        ({"precision": "fp8"}, "precision is auto, fp32 or bf16"),
        ({"recipe": "none"}, "unknown recipe 'none'"),
        ({"crop": 30}, "crop 30 is not a multiple of 8"),
        ({"recipe": "tiny-dense", "batch": 1}, "batch 1 is too small"),
        ({"device": "abacus"}, "there is no device 'abacus'"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    corpus: Path, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        train(options(corpus, tmp_path / "run", **changes))
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_reconstruction_is_learned_from_one_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "quick", replace(TINY, name="quick", learning_rate=3e-3))
    clip = write_clip(tmp_path / "clip.avi", moving_texture(3, frames=8, speed=8, coarseness=3))
    run = train(options(clip, tmp_path / "run", recipe="quick", steps=60, batch=8, cache=tmp_path / "cache")).parent
    losses = [line["reconstruction"] for line in metrics(run)]
    assert sum(losses[-10:]) < 0.65 * sum(losses[:10])


@pytest.mark.parametrize("size", [1, 2, 4])
def test_the_samples_of_a_step_are_shared_out_without_loss(size: int) -> None:
    shares = [sample_numbers(5, 8, rank, size) for rank in range(size)]
    for step in (5, 6, 7):
        numbers = [n for share in shares for n in next(share)]
        assert numbers == list(range(8 * step, 8 * step + 8))


def test_both_colours_are_dropped_about_equally_often() -> None:
    drawn = [dropped_channel(0, step) for step in range(200)]
    assert set(drawn) == {1, 2} and 70 < drawn.count(1) < 130
    assert drawn != [dropped_channel(1, step) for step in range(200)]


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo")
def test_two_processes_learn_what_one_does(corpus: Path, tmp_path: Path) -> None:
    """Photos are not shared out evenly here: one process has one of three, the other has two."""
    train(options(corpus, tmp_path / "one" / "run", recipe="tiny-dense"))
    run = in_two_processes(corpus, tmp_path / "two", "tiny-dense")
    single, double = metrics(tmp_path / "one" / "run"), metrics(run)
    assert [line["step"] for line in double] == [1, 2, 3, 4, 5, 6]
    for term in ("total", "reconstruction", "correspondence", "gradient"):
        assert [line[term] for line in double] == pytest.approx([line[term] for line in single], rel=1e-4)
    same_weights(tmp_path / "one" / "run", run, 1e-4)
    assert sorted(f.name for f in run.iterdir()) == ["card.json", "checkpoint.pt", "encoder.pt", "metrics.jsonl"]
    assert json.loads((run / "card.json").read_text())["processes"] == 2


def test_a_small_recipe_can_be_saved_and_read(tmp_path: Path) -> None:
    """Recipes survive the trip through a weights file unchanged, tuples included."""
    save_file(tmp_path / "a.pt", {"recipe": TINY.as_dict()})
    assert load_file(tmp_path / "a.pt")["recipe"] == TINY.as_dict()
