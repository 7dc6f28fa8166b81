from __future__ import annotations

import errno
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from model.recipes import get_recipe
from model.training.checkpoint import file_hash, load_file, save_file
from model.training.state import TrainingState, save_weights
from tests.corpora import TINY, TINY_DENSE

CPU = torch.device("cpu")


class Trap:
    """A pickle that runs code when it is opened carelessly."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self.victim,)


def trained_state() -> TrainingState:
    """After one made-up step, so that the optimiser has something to remember."""
    state = TrainingState.fresh(TINY, CPU)
    state.model(torch.rand(1, 3, 16, 16)).sum().backward()
    state.optimiser.step()
    state.step, state.elapsed = 7, 12.5
    return state


def test_what_is_saved_comes_back_and_equal_content_gives_equal_files(tmp_path: Path) -> None:
    content = {"tensor": torch.rand(3, 4), "numbers": (1, 2.5), "name": "x", "nested": {"a": [torch.arange(3)]}}
    for name in ("one.pt", "two.pt"):
        save_file(tmp_path / name, content)
    back = load_file(tmp_path / "one.pt")
    assert torch.equal(back["tensor"], content["tensor"])
    assert back["numbers"] == (1, 2.5) and torch.equal(back["nested"]["a"][0], torch.arange(3))
    assert file_hash(tmp_path / "one.pt") == file_hash(tmp_path / "two.pt")
    assert sorted(f.name for f in tmp_path.iterdir()) == ["one.pt", "two.pt"]


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "not a readable weights file"),
        (b"this is text", "not a readable weights file"),
        (bytes(range(256)) * 20, "not a readable weights file"),
        ({"state_dict": {}}, "weights of another program"),
        ([1, 2], "weights of another program"),
        ({"program": "mer-studio", "format": 99}, "weights format 99"),
    ],
)
def test_foreign_files_are_refused_in_one_line(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "weights.pt"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(ValueError, match=message) as caught:
        load_file(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such weights file"):
        load_file(tmp_path / "missing.pt")
    with pytest.raises(ValueError, match="cannot be read"):
        load_file(tmp_path)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_off_file_is_refused(tmp_path: Path, share: float) -> None:
    path = tmp_path / "weights.pt"
    save_file(path, {"tensor": torch.rand(500)})
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ValueError, match="not a readable weights file"):
        load_file(path)


def test_opening_a_file_runs_none_of_its_code(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    torch.save({"program": Trap(victim)}, tmp_path / "zip.pt")
    (tmp_path / "plain.pt").write_bytes(pickle.dumps(Trap(victim)))
    for name in ("zip.pt", "plain.pt"):
        with pytest.raises(ValueError, match="not a readable weights file"):
            load_file(tmp_path / name)
    assert not victim.exists()


def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "checkpoint.pt"
    save_file(path, {"tensor": torch.zeros(100)})
    old = path.read_bytes()

    def fill_the_disk(self: Path, data: bytes) -> int:
        with open(self, "wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", fill_the_disk)
    with pytest.raises(OSError, match="No space left on device") as caught:
        save_file(path, {"tensor": torch.ones(100)})
    assert caught.value.filename == str(path) and caught.value.errno == errno.ENOSPC
    monkeypatch.undo()
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="needs limits on the size of files")
def test_a_write_that_the_system_stops_leaves_the_old_file(tmp_path: Path) -> None:
    import resource

    path = tmp_path / "checkpoint.pt"
    save_file(path, {"tensor": torch.zeros(100)})
    old = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
    try:
        with pytest.raises(OSError) as caught:
            save_file(path, {"tensor": torch.ones(100_000)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.filename == str(path) and caught.value.errno == errno.EFBIG
    assert path.read_bytes() == old and list(tmp_path.iterdir()) == [path]


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    state = trained_state()
    state.save(tmp_path / "checkpoint.pt", TINY, 3)
    torch.manual_seed(99)
    back = TrainingState.fresh(TINY, CPU)
    back.load(tmp_path / "checkpoint.pt", TINY, 3)
    assert (back.step, back.elapsed) == (7, 12.5)
    for one, two in ((state.model, back.model), (state.average, back.average)):
        for a, b in zip(one.state_dict().values(), two.state_dict().values(), strict=True):
            assert torch.equal(a, b)
    old, new = state.optimiser.state_dict()["state"], back.optimiser.state_dict()["state"]
    assert old and all(torch.equal(old[n]["exp_avg_sq"], new[n]["exp_avg_sq"]) for n in old)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    state = trained_state()
    state.save(path, TINY, 3)
    fresh = TrainingState.fresh(TINY, CPU)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: the run was started with name tiny, not tiny-dense"):
        fresh.load(path, TINY_DENSE, 3)
    with pytest.raises(ValueError, match="started with seed 3, not 4"):
        fresh.load(path, TINY, 4)
    save_weights(path, state.average, TINY)
    with pytest.raises(ValueError, match="not a checkpoint of a training run"):
        fresh.load(path, TINY, 3)


def test_a_checkpoint_may_be_older_than_a_field_of_the_recipe(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    trained_state().save(path, TINY, 3)
    content = load_file(path)
    del content["recipe"]["jitter"]
    save_file(path, content)
    fresh = TrainingState.fresh(TINY, CPU)
    fresh.load(path, TINY, 3)
    assert fresh.step == 7
    with pytest.raises(ValueError, match="started with jitter False, not True"):
        fresh.load(path, replace(TINY, jitter=True), 3)


def test_training_may_start_from_an_encoder_of_the_same_shape(tmp_path: Path) -> None:
    state = trained_state()
    save_weights(tmp_path / "encoder.pt", state.average, TINY)
    state.save(tmp_path / "checkpoint.pt", TINY, 0)
    started = TrainingState.fresh(TINY, CPU, tmp_path / "encoder.pt")
    for a, b in zip(started.model.state_dict().values(), state.average.state_dict().values(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-3, rtol=1e-3)  # weights travel in half precision
    with pytest.raises(ValueError, match=r"checkpoint\.pt: not an encoder of recipe tiny"):
        TrainingState.fresh(TINY, CPU, tmp_path / "checkpoint.pt")
    with pytest.raises(ValueError, match=r"encoder\.pt: not an encoder of recipe mast"):
        TrainingState.fresh(get_recipe("mast"), CPU, tmp_path / "encoder.pt")
