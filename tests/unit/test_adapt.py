"""Adapting an encoder to one video: what is held out, what is measured, and when it ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from model.features import load_extractor
from model.recipes import Recipe
from model.training import adapt as module
from model.training.adapt import FEWEST, Adapted, AdaptStep, adapt, cycle_error, plan
from model.training.checkpoint import load_file
from model.training.state import TrainingState, save_weights
from tests.corpora import TINY_DENSE, TINY_MER, moving_texture
from tests.videos import MemoryVideo


@pytest.fixture
def video() -> MemoryVideo:
    return MemoryVideo(moving_texture(3, frames=24, height=64, width=80, speed=2, coarseness=2))


def weights(path: Path, recipe: Recipe = TINY_DENSE) -> Path:
    torch.manual_seed(5)
    state = TrainingState.fresh(recipe, torch.device("cpu"))
    save_weights(path, state.model, recipe)
    return path


def run(video: MemoryVideo, start: Path, target: Path, **budget: float) -> tuple[list[AdaptStep], Adapted]:
    said: list[AdaptStep] = []
    work = adapt(video, start, target, minutes=None, batch=2, device="cpu", precision="fp32", **budget)  # type: ignore[arg-type]
    while True:
        try:
            said.append(next(work))
        except StopIteration as end:
            return said, end.value


@pytest.mark.parametrize(("frames", "fps"), [(FEWEST, 25.0), (50, 24.0), (50, 2.0), (5000, 30.0), (90, 120.0)])
def test_what_errors_are_measured_on_is_not_learned_from(frames: int, fps: float) -> None:
    learned, pairs = plan(frames, fps)
    taken = {frame for first, stop in learned for frame in range(first, stop)}
    assert taken and max(taken) < frames and len(taken) <= 1500
    assert not taken & {frame for pair in pairs for frame in pair}
    assert all(0 <= one < other < frames for one, other in pairs)
    if frames < 100:
        assert len(taken) >= frames / 2
    with pytest.raises(ValueError, match=f"{FEWEST - 1} frames are too few"):
        plan(FEWEST - 1, fps)


def test_the_cycle_error_is_small_where_matches_are_right(video: MemoryVideo) -> None:
    pairs = [(2, 4), (8, 10)]
    lab = load_extractor("lab", "cpu")
    good = cycle_error(video, lab, pairs)
    noise = np.random.default_rng(0)
    other = MemoryVideo([noise.integers(0, 256, image.shape).astype(np.uint8) for image in video.images])
    assert good < 2.0 and cycle_error(other, lab, pairs) > 8.0, "pixels; in noise nothing is found again"


@pytest.mark.parametrize("recipe", [TINY_DENSE, TINY_MER], ids=lambda recipe: recipe.name)
def test_it_learns_and_leaves_batch_statistics_alone(
    video: MemoryVideo, tmp_path: Path, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors = iter([3.0, 2.5, 2.0, 2.2, 2.1])
    monkeypatch.setattr(module, "cycle_error", lambda *_: next(errors))
    start, target = weights(tmp_path / "start.pt", recipe), tmp_path / "adapted.pt"
    said, came = run(video, start, target, steps=6)
    assert [step.error for step in said if step.error] == [3.0, 2.5, 2.0, 2.2, 2.1]
    assert came == Adapted(3.0, 2.0, 2) and came.helped, "it ends after two that are no better"
    old, new = (load_file(path)["state_dict"] for path in (start, target))
    assert load_file(target)["recipe"] == load_file(start)["recipe"]
    statistics = [name for name in old if "running" in name]
    assert statistics and all(torch.equal(old[name], new[name]) for name in statistics)
    assert any(not torch.equal(old[name], new[name]) for name in old if name.endswith("weight"))
    assert set(tmp_path.iterdir()) == {start, target}


def test_what_does_not_help_is_not_written(video: MemoryVideo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = iter([3.0, 3.0, 3.1])
    monkeypatch.setattr(module, "cycle_error", lambda *_: next(errors))
    start = weights(tmp_path / "start.pt")
    _, came = run(video, start, tmp_path / "adapted.pt", steps=6)
    assert not came.helped and came.steps == 0
    assert list(tmp_path.iterdir()) == [start]


def test_what_is_said_is_what_is_measured(video: MemoryVideo, tmp_path: Path) -> None:
    """For real, from random weights: kept or not, the errors told are those of the files."""
    start, target = weights(tmp_path / "start.pt"), tmp_path / "adapted.pt"
    said, came = run(video, start, target, steps=24)
    assert said[0].error == came.before
    assert came.helped == target.exists() == (came.after < came.before)
    pairs = plan(24, 25.0)[1]
    for path, told in ((start, came.before), (target if came.helped else start, came.after)):
        measured = cycle_error(video, load_extractor(path, "cpu", "fp32"), pairs)
        assert measured == pytest.approx(told, abs=1e-4)


def test_a_file_without_weights_is_named(video: MemoryVideo, tmp_path: Path) -> None:
    torch.save({"x": 1}, tmp_path / "x.pt")
    with pytest.raises(ValueError, match="weights of another program"):
        next(adapt(video, tmp_path / "x.pt", tmp_path / "y.pt", steps=1))
