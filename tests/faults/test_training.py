"""A training that was begun from the window dies, or finds no room: what the user reads, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch
from pytestqt.qtbot import QtBot

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.controllers.training import Training
from app.core.runs import Run, State
from app.core.settings import Settings
from app.core.training import Wish
from app.jobs import training as job
from app.runs import train_events
from model.training.checkpoint import load_file
from model.training.run import read_card
from tests.corpora import write_corpus
from tests.runs import metrics
from tests.windows import home

__all__ = ["home"]
STEPS, EVERY = 40, 5
WAIT = 240_000  # ms: the processes of a busy machine take their time to start

# `mer` with a recipe that learns in seconds and checkpoints often; and, if told so, a disk without room for weights.
PROGRAM = f"""
import os, resource
from app.runs import train_events
from model.training import options, trainer
from tests.corpora import register
register()
made, save = options.TrainingOptions, trainer.save_weights
def often(**given):
    return made(**given | dict(checkpoint_every={EVERY}, workers=0))
def full(*given):
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
    save(*given)
options.TrainingOptions = often
train_events._be_modest = lambda: None  # or a busy machine would let it starve
if "MER_NO_ROOM" in os.environ:
    trainer.save_weights = full
from app.__main__ import main
main()
"""


class Bench:
    """The controller of the window's trainings, with a footage to learn from."""

    def __init__(self, qtbot: QtBot, folder: Path) -> None:
        self.qtbot, self.window = qtbot, Shell()
        self.training = Training(Session(), self.window, Settings())
        self.proved: list[Path] = []
        self.training.encoders.prove = lambda run: self.proved.append(run.folder)  # type: ignore[method-assign]
        self.wish = Wish((write_corpus(folder / "corpus"),), "tiny", True, None, STEPS, "cpu", "fp32", folder / "runs")

    @property
    def run(self) -> Run:
        (run,) = self.training.runs.read()
        return run

    @property
    def checkpoint(self) -> int:
        """Its step; it is whole, or it could not be read."""
        return int(load_file(self.run.folder / "checkpoint.pt")["step"])

    def resume(self) -> None:
        """As the button in the list of runs does."""
        view = self.training.view
        assert view is not None and view.page.resume_button.isVisible()
        view.page.resume_button.click()

    def until_end(self) -> tuple[State, str]:
        self.qtbot.waitUntil(lambda: self.training._running is None, timeout=WAIT)
        return self.run.state, self.run.message


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setattr(job.program, "command", lambda *arguments: [sys.executable, "-c", PROGRAM, *arguments])
    made = Bench(qtbot, tmp_path)
    yield made
    made.training.close()
    made.window.deleteLater()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_killed_training_and_a_full_disk_at_its_end_cost_no_budget(
    bench: Bench, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.training.begin(bench.wish)
    process = psutil.Process(bench.run.pid)
    qtbot.waitUntil(lambda: bench.training._progress.step > EVERY + 2 or not process.is_running(), timeout=WAIT)
    os.kill(process.pid, signal.SIGKILL)
    state, why = bench.until_end()
    assert state is State.INTERRUPTED and "ended from outside (SIGKILL)" in why and "\n" not in why
    view = bench.training.view
    assert view is not None and view.page.message.text() == why and not view.page.prove_button.isEnabled()
    kept = bench.checkpoint
    assert kept >= EVERY and kept % EVERY == 0
    half = bench.run.folder / f".checkpoint.pt.{process.pid}.partial"
    half.write_bytes(b"what it was writing when it was killed")

    monkeypatch.setenv("MER_NO_ROOM", "1")
    bench.resume()
    state, why = bench.until_end()
    assert state is State.FAILED and "encoder.pt: File too large" in why and "\n" not in why
    assert view.page.message.text() == why
    assert bench.checkpoint == STEPS and not bench.run.weights.exists() and bench.proved == []
    assert not list(bench.run.folder.glob(".*")), "neither half an encoder nor half a checkpoint is left"

    monkeypatch.delenv("MER_NO_ROOM")
    bench.resume()
    assert bench.until_end() == (State.FINISHED, "")
    assert bench.proved == [bench.run.folder]
    assert [line["step"] for line in metrics(bench.run.folder)] == list(range(1, STEPS + 1)), "each step counts once"
    card = read_card(bench.run.folder / "card.json")
    assert card["complete"] and card["steps"] == STEPS and load_file(bench.run.weights)["recipe"]["name"] == "tiny"


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("DataLoader worker (pid 4711) is killed by signal: Killed. "),
        RuntimeError("DataLoader worker (pid(s) 4711) exited unexpectedly"),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory.\nTried to allocate 2.00 GiB"),
    ],
)
def test_a_training_or_a_helper_of_it_without_memory_says_what_to_do(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train_events, "_be_modest", lambda: None)
    with pytest.raises(type(error)), train_events.aloud(True):
        raise error
    said = json.loads(capsys.readouterr().out)
    assert said["event"] == "failed" and "smaller crop or batch" in said["message"]
