"""Adapting to the open video from the window, and `mer adapt`: what is kept, what is not, and how it is undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QPushButton
from typer.testing import CliRunner

from app.cli import app
from app.controllers import adapting as module
from app.core.adaptation import Outcome
from app.core.user_files import data_folder
from app.runs import adaptation
from app.views.training.adapt import AdaptDialog
from tests.unit.test_adapt import weights
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]
BETTER = Outcome.of((3.0, 2.5), (0.8, 0.85))


class FakeProcess(QObject):
    told = Signal(object)
    ended = Signal(str, str)
    made: list[FakeProcess]

    def __init__(self) -> None:
        super().__init__()
        self.killed = False
        FakeProcess.made.append(self)

    def launch(self, arguments: list[str], log: Path) -> None:
        self.arguments = arguments
        self.target = Path(arguments[arguments.index("--out") + 1])

    def kill(self) -> None:
        self.killed = True

    def finish(self, outcome: Outcome) -> None:
        if outcome.kept:
            weights(self.target)
        self.told.emit({"event": "adapted", **outcome.as_dict()})
        self.ended.emit("finished", "")


@pytest.fixture
def process(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> FakeProcess:
    """One that was begun from the dialog."""
    FakeProcess.made = []
    monkeypatch.setattr(module, "TrainingProcess", FakeProcess)
    desk.open()
    assert not desk.window.actions["train.adapt"].isEnabled(), "nothing tells if it would help"
    desk.label(0)
    desk.does("train.adapt")
    desk.studio.adapting.dialog.button.click()  # type: ignore[union-attr]
    (data_folder() / "encoders").mkdir(parents=True, exist_ok=True)
    return FakeProcess.made[0]


def test_it_is_kept_only_if_both_measures_are_better() -> None:
    assert BETTER.kept and Outcome.from_dict(json.loads(json.dumps(BETTER.as_dict()))) == BETTER
    assert BETTER.figures() == "cycle error 3.00 → 2.50 px, certainty 0.800 → 0.850"
    assert not Outcome.of((3.0, 2.5), (0.8, 0.803)).kept, "chance"
    assert not Outcome.of((3.0, 3.0), (0.8, 0.9)).kept


def test_a_better_encoder_belongs_to_the_project_and_is_undone_like_an_edit(desk: Desk, process: FakeProcess) -> None:
    project, document = desk.session.project, desk.session.document
    assert process.arguments[:2] == ["adapt", str(project.folder)] and "lab" in process.arguments  # type: ignore[union-attr]
    dialog = desk.studio.adapting.dialog
    assert dialog is not None
    process.told.emit({"event": "adapting", "what": "learn", "share": 0.5, "error": 3.0})
    process.told.emit({"event": "adapting", "what": "learn", "share": 0.6, "error": 2.5})
    assert "2.50 pixels off; at first it was 3.00" in dialog.says.text() and dialog.bar.share() == pytest.approx(0.48)
    loaded: list[str] = []
    desk.studio.inference.ready.connect(lambda engine: loaded.append(engine.name))
    process.finish(BETTER)
    assert "kept" in dialog.verdict.text() and "0.850, 0.800 before" in dialog.figures.text()
    assert document.encoder == process.target.name
    desk.wait(lambda: loaded[-1:] == [process.target.name])  # the first one may come late
    assert document.history.undo_name == "Use adapted encoder"
    desk.does("edit.undo")
    desk.wait(lambda: loaded[-1:] == ["lab"])
    desk.does("edit.redo")
    desk.does("train.usual")
    assert document.encoder == "" and not desk.window.actions["train.usual"].isEnabled()


def test_the_button_for_what_comes_next_is_the_blue_one(desk: Desk, process: FakeProcess) -> None:
    dialog = desk.studio.adapting.dialog
    assert dialog is not None

    def blue() -> list[str]:
        buttons = [button for button in dialog.findChildren(QPushButton) if not button.isHidden()]
        return [button.text().strip() for button in buttons if button.property("primary") and button.isDefault()]

    assert blue() == [], "Stop is not asked for"
    process.ended.emit("failed", "There is no room.")
    assert blue() == ["Try again"]
    dialog.button.click()
    FakeProcess.made[1].finish(BETTER)
    assert blue() == ["Close"]
    again = AdaptDialog()
    desk.qtbot.addWidget(again)
    assert again.button.property("primary") and again.button.isDefault() and "Start" in again.button.text()


def test_what_is_not_better_changes_nothing(desk: Desk, process: FakeProcess) -> None:
    process.finish(Outcome(False, (3.0, 3.0), None))
    dialog = desk.studio.adapting.dialog
    assert dialog is not None and "nothing has changed" in dialog.verdict.text()
    assert desk.session.document.encoder == ""
    dialog.button.click()
    FakeProcess.made[1].ended.emit("failed", "There is no room.")
    assert dialog.figures.text() == "There is no room."


@pytest.mark.parametrize("how", ["stop", "close", "project"])
def test_whoever_stops_it_keeps_nothing(desk: Desk, process: FakeProcess, how: str) -> None:
    weights(process.target)
    dialog = desk.studio.adapting.dialog
    assert dialog is not None
    {"stop": dialog.button.click, "close": dialog.close, "project": lambda: desk.session.close(keep=True)}[how]()
    assert process.killed and not process.target.exists()
    process.finish(BETTER)  # it was said before it was killed
    assert not desk.session.is_open or desk.session.document.encoder == ""


def test_a_missing_encoder_is_said_and_the_usual_one_used(desk: Desk, process: FakeProcess, tmp_path: Path) -> None:
    process.finish(BETTER)
    desk.studio.saving.save_to(tmp_path / "a.mer")
    desk.studio.session.close()
    process.target.unlink()
    desk.open(tmp_path / "a.mer")
    assert any("not on this machine" in notice.text for notice in desk.window.notices.notices)
    assert desk.studio.adapting.encoder() is None


@pytest.mark.parametrize("helps", [True, False])
def test_mer_adapt_writes_what_is_better_and_nothing_else(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helps: bool
) -> None:
    """On a film of 24 frames for real, but for the certainty, which decides."""
    values = iter([0.5, 0.6] if helps else [0.5, 0.4])
    real = adaptation._certainty

    def certainty(*given):
        value = yield from real(*given) if helps else iter([0.5])
        assert not helps or 0 < value <= 1
        return next(values)

    desk = Desk(desk.qtbot, tmp_path / "long", frames=24)
    desk.open()
    desk.label(0)
    desk.studio.saving.save_to(tmp_path / "a.mer")
    desk.close()
    monkeypatch.setattr(adaptation, "_certainty", certainty)
    monkeypatch.setattr(adaptation, "REACH", 2)
    monkeypatch.setattr("app.runs.train_events._be_modest", lambda: None)
    errors = iter([3.0, 2.0, 2.5, 2.5])
    monkeypatch.setattr("model.training.adapt.cycle_error", lambda *_: next(errors))
    out, start = tmp_path / "adapted.pt", weights(tmp_path / "start.pt")
    given = ["adapt", str(tmp_path / "a.mer"), "--out", str(out), "--weights", str(start), "--steps", "2"]
    said = CliRunner().invoke(app, [*given, "--device", "cpu", "--json"])
    assert said.exit_code == 0, said.output
    lines = [json.loads(line) for line in said.stdout.splitlines() if line.startswith("{")]
    assert [line["what"] for line in lines[:-1]][:2] == ["measure", "learn"] and lines[-1]["kept"] is helps
    assert out.exists() is helps
    assert {line["what"] for line in lines[:-1]} == {"measure", "learn", "compare"}
