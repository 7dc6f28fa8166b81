"""Retraining from the window: what becomes of a wish, of a run, and of the encoder that it made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from PySide6.QtCore import QObject, Signal
from pytestqt.qtbot import QtBot

import app.controllers.retraining as retraining_module
import app.controllers.training as training_module
from app.controllers.encoders import Encoders
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.controllers.training import Training
from app.core.proof import Measure, Proof
from app.core.runs import Run, RunList, State
from app.core.settings import Settings
from app.core.training import TUNING_RATE, Setup, Wish
from model.recipes import RECIPES
from tests.corpora import moving_texture, write_clip
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]


class FakeProcess(QObject):
    """Does nothing, and says what a test makes it say."""

    told = Signal(object)
    ended = Signal(str, str)
    made: ClassVar[list[FakeProcess]] = []
    broken = False

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.setup: Setup | None = None
        self.pid = 2**22 + 7
        self.made.append(self)

    def start(self, setup: Setup, resume: bool = False, estimate: bool = False) -> None:
        if self.broken:
            raise OSError(28, "No space left on device", str(setup.out))
        self.setup = setup
        self.calls.append("estimate" if estimate else "resume" if resume else "start")

    def pause(self) -> None:
        self.calls.append("pause")

    def stop(self) -> None:
        self.calls.append("stop")

    def leave(self) -> None:
        self.calls.append("leave")

    def kill(self) -> None:
        self.calls.append("kill")


class Bench:
    def __init__(self, qtbot: QtBot, tmp_path: Path) -> None:
        self.qtbot, self.window, self.settings = qtbot, Shell(), Settings()
        self.footage = tmp_path / "footage"
        self.footage.mkdir()
        for n in range(5):
            write_clip(self.footage / f"{n}.avi", moving_texture(n, frames=6, coarseness=4))
        self.training = Training(Session(), self.window, self.settings)
        self.wish = Wish((self.footage,), "mast", False, 5.0, None, None, "auto", tmp_path / "runs")

    @property
    def run(self) -> Run:
        return RunList(alive=lambda pid: True).read()[0]

    def wait(self, condition: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(condition()), timeout=60_000)

    def begin(self) -> FakeProcess:
        self.training.begin(self.wish)
        return FakeProcess.made[-1]


@pytest.fixture
def bench(qtbot: QtBot, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    for module in (training_module, retraining_module):
        monkeypatch.setattr(module, "TrainingProcess", FakeProcess)
    monkeypatch.setattr(FakeProcess, "made", [])
    made = Bench(qtbot, tmp_path)
    made.training.runs = RunList(alive=lambda pid: True)
    yield made
    made.training.close()
    made.window.deleteLater()


def said(window: Shell) -> list[str]:
    return [notice.text for notice in window.notices.notices]


def step(n: int, of: int = 10) -> dict[str, Any]:
    return {"event": "step", "step": n, "progress": n / of, "rate": 0.1, "total": 1.0 / n, "elapsed": float(n)}


def test_the_dialog_scans_and_holds_something_out(bench: Bench) -> None:
    dialog = bench.training.open()
    dialog.set_folders([bench.footage])
    bench.wait(lambda: "4 videos to learn from · 1 held out" in dialog.footage.says.text())
    dialog.home.setText(str(bench.wish.home))
    dialog.begin.click()
    measuring, process = FakeProcess.made
    assert measuring.calls == ["estimate", "kill"] and process.calls == ["start"] and process.setup is not None
    assert process.setup.sources == (bench.footage,) and process.setup.out.parent == bench.wish.home
    assert process.setup.weights is not None and process.setup.weights.name == "encoder.pt"
    assert process.setup.rate == TUNING_RATE
    held_out = bench.run.held_out
    assert len(held_out) == 1 and set(held_out) <= set(process.setup.without)
    assert (
        bench.training.retraining.dialog is None and bench.training.view is not None and bench.training.view.isVisible()
    )
    assert bench.settings["train.last"]["folders"] == [str(bench.footage)]


def test_every_recipe_is_offered(bench: Bench) -> None:
    assert {name for name, _ in bench.training.retraining._recipes()} == set(RECIPES)


def test_the_machine_is_measured_once_and_the_figure_kept(bench: Bench) -> None:
    dialog = bench.training.open()
    dialog.set_folders([bench.footage])
    bench.wait(lambda: bool(FakeProcess.made))  # by itself, when the footage is known
    (process,) = FakeProcess.made
    assert process.calls == ["estimate"] and "how quick" in dialog.says.text()
    process.told.emit({"event": "estimate", "steps_per_minute": 10.0})
    assert "600" in dialog.says.text()
    dialog.recipe.setCurrentIndex(1)  # another recipe has another pace
    assert len(FakeProcess.made) == 2 and dialog.says.text() != ""
    dialog.recipe.setCurrentIndex(0)  # this one is known
    assert FakeProcess.made[-1].calls == ["estimate", "kill"]
    FakeProcess.made[-1].ended.emit(State.STOPPED, "")
    assert not dialog.problem.isVisible()
    assert len(FakeProcess.made) == 2 and "600" in dialog.says.text()
    dialog.measure.click()
    assert len(FakeProcess.made) == 3
    dialog.reject()
    assert FakeProcess.made[-1].calls == ["estimate", "kill"]
    again = bench.training.open()
    again.set_folders([bench.footage])
    bench.wait(lambda: "600" in again.says.text())
    assert len(FakeProcess.made) == 3


def test_a_finished_run_tells_how_quick_the_machine_is(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.training.encoders, "prove", lambda run: None)
    process = bench.begin()
    for n in range(1, 11):
        process.told.emit(step(n))
    process.ended.emit(State.FINISHED, "")
    assert bench.settings["train.pace"] == {"mast auto auto": 60.0}


def test_a_run_is_followed_to_its_end(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[Run] = []
    monkeypatch.setattr(bench.training.encoders, "prove", proved.append)
    process = bench.begin()
    for n in range(1, 11):
        process.told.emit(step(n))
    view = bench.training.view
    assert view is not None
    bench.wait(lambda: view.page.figures["step"].text() == "10")
    assert bench.run.state is State.RUNNING and bench.run.pid == process.pid
    bench.run.folder.mkdir(parents=True)
    bench.run.weights.write_bytes(b"weights")
    process.ended.emit(State.FINISHED, "")
    assert bench.run.state is State.FINISHED
    assert [run.folder for run in proved] == [bench.run.folder]  # the proof follows by itself
    assert bench.settings["encoder"] == ""  # and changes nothing by itself


def test_one_run_at_a_time(bench: Bench) -> None:
    bench.begin()
    dialog = bench.training.open()
    bench.training.begin(bench.wish)
    assert len(FakeProcess.made) == 1 and "already" in dialog.problem.text()


def test_pause_and_resume(bench: Bench) -> None:
    process = bench.begin()
    folder = bench.run.folder
    bench.training.view.page.pause_button.click()  # type: ignore[union-attr]
    assert process.calls == ["start", "pause"]
    process.ended.emit(State.PAUSED, "")
    assert bench.run.state is State.PAUSED
    bench.training.view.page.resume_button.click()  # type: ignore[union-attr]
    assert FakeProcess.made[-1].calls == ["resume"] and bench.run.state is State.RUNNING
    assert bench.run.folder == folder and len(bench.training.runs.read()) == 1


def test_the_end_of_the_window_pauses_and_the_next_one_offers_to_go_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = bench.begin()
    bench.training.close()
    assert process.calls == ["start", "leave"] and bench.run.state is State.PAUSED
    other = Training(Session(), bench.window, bench.settings)
    other.offer()
    assert any("not finished" in text for text in said(bench.window))
    other.close()


def test_a_process_that_still_finishes_its_step_is_waited_for(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.begin()
    folder = bench.run.folder
    bench.training.close()
    other = Training(Session(), bench.window, bench.settings)
    other.runs = RunList(alive=lambda pid: True)
    view = other.show_runs(folder)
    monkeypatch.setattr(training_module, "trains", lambda pid: True)
    view.page.resume_button.click()
    assert len(FakeProcess.made) == 1 and "still finishing" in view.page.says.whole()
    assert not view.page.resume_button.isVisible()
    monkeypatch.setattr(training_module, "trains", lambda pid: False)
    bench.wait(lambda: len(FakeProcess.made) == 2)  # by itself
    assert FakeProcess.made[-1].calls == ["resume"] and view.page.pause_button.isVisible()
    other.close()


def test_a_run_of_a_window_that_was_killed_is_followed_until_it_ends(bench: Bench) -> None:
    bench.begin()
    living = [bench.run.pid]
    other = Training(Session(), bench.window, bench.settings)
    other.runs = RunList(alive=lambda pid: pid in living)
    other.offer()
    assert any("not finished" in text for text in said(bench.window))
    page = other.show_runs().page
    assert "last step" in page.says.whole() and not page.pause_button.isVisible()
    living.clear()
    bench.wait(lambda: page.resume_button.isVisible())
    other.close()


def test_a_process_that_has_ended_but_not_said_how_still_runs(bench: Bench) -> None:
    process = bench.begin()
    bench.training.runs = RunList(alive=bench.training._is_alive)
    assert bench.training.runs.read()[0].state is State.RUNNING
    process.ended.emit(State.PAUSED, "")
    assert bench.training.runs.read()[0].state is State.PAUSED


def test_a_full_disk_is_said_where_the_user_looks(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeProcess, "broken", True)
    dialog = bench.training.open()
    bench.training.begin(bench.wish)
    assert "No space left" in dialog.problem.text()
    assert bench.training.runs.read() == ()


def test_a_disk_that_is_nearly_full_is_said_before_anything_is_written(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda place: SimpleNamespace(free=training_module.ROOM - 1))
    dialog = bench.training.open()
    bench.training.begin(bench.wish)
    assert "only 300 MB are free" in dialog.problem.text() and str(bench.wish.home) in dialog.problem.text()
    assert bench.training.runs.read() == () and not bench.wish.home.exists()


def test_a_failure_is_kept_and_can_be_tried_again(bench: Bench) -> None:
    process = bench.begin()
    process.ended.emit(State.FAILED, "no room")
    assert (bench.run.state, bench.run.message) == (State.FAILED, "no room")
    bench.training.view.page.resume_button.click()  # type: ignore[union-attr]
    assert bench.run.state is State.RUNNING and bench.run.message == ""


# The encoder in use


@pytest.fixture
def trained(tmp_path: Path) -> Run:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "encoder.pt").write_bytes(b"weights")
    return Run(Setup((tmp_path,), folder), State.FINISHED, datetime.now(UTC))


def test_an_encoder_is_used_only_when_told_and_that_is_undone(bench: Bench, trained: Run) -> None:
    encoders: Encoders = bench.training.encoders
    changed: list[Path | None] = []
    encoders.changed.connect(lambda: changed.append(encoders.weights()))
    restore = bench.window.actions["train.restore"]
    assert encoders.weights() is None and not restore.isEnabled()
    encoders._run = trained
    encoders.use()
    kept = encoders.weights()
    assert kept is not None and kept.read_bytes() == b"weights" and kept != trained.weights
    trained.weights.unlink()  # the run may be thrown away
    assert encoders.weights() == kept
    assert restore.isEnabled()
    restore.trigger()
    assert encoders.weights() is None
    restore.trigger()
    assert encoders.weights() == kept and changed == [kept, None, kept]
    assert Settings()["encoder"] == str(kept)  # the next window knows
    assert sum("in use" in text for text in said(bench.window)) == 1  # only the last change can be undone
    shipped = bench.window.actions["train.shipped"]
    shipped.trigger()
    assert encoders.weights() is None and not shipped.isEnabled()


def test_weights_that_are_gone_are_said_and_replaced_by_the_shipped_ones(bench: Bench) -> None:
    bench.settings["encoder"] = str(bench.footage / "gone.pt")
    assert bench.training.encoders.weights() is None
    assert any("gone.pt" in text for text in said(bench.window))


def test_a_worse_encoder_is_not_in_use_after_its_proof(bench: Bench, trained: Run) -> None:
    view = bench.training.show_runs()
    encoders = bench.training.encoders
    encoders._run = trained
    (trained.folder / "card.json").write_text('{"recipe": {}}')
    encoders._proved(Proof("a", "b", (Measure("J&F", "", 0.8, 0.7, True, 3),)))
    assert bench.settings["encoder"] == "" and "worse" in view.proof.verdict.text()
    from model.training.run import read_card

    assert read_card(trained.folder / "card.json")["scores"]["own videos"]["J&F"]["after"] == 0.7
    view.proof.use_button.click()  # all the same: that is the user's own will
    assert bench.settings["encoder"] != "" and not view.proof.use_button.isEnabled()


@pytest.mark.slow
def test_a_real_proof_on_the_open_project(desk: Desk, qtbot: QtBot, tmp_path: Path) -> None:
    """Labels of the open project, two real encoders, and the one that is used then."""
    from model.resources import resource

    desk.open()
    desk.label(0)
    desk.label(5)
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "encoder.pt").write_bytes(resource("encoder.pt").read_bytes())
    (folder / "card.json").write_text('{"recipe": {}}')
    training = desk.studio.training
    run = Run(Setup((tmp_path,), folder), State.FINISHED, datetime.now(UTC))
    training.runs.put(run)
    training.prove(folder)
    view = training.view
    assert view is not None and view.shows_proof
    desk.wait(lambda: "as good as" in view.proof.verdict.text(), 120)  # one encoder against itself
    assert view.proof.wipe.isVisible()
    engines: list[str] = []
    desk.studio.inference.ready.connect(lambda engine: engines.append(engine.name))
    desk.studio._given = None  # the tests' window is started with weights of its own
    view.proof.use_button.click()
    desk.wait(lambda: bool(engines), 60)
    assert engines[-1].startswith("run ")
