"""A training from the window's dialog to its proof, as a person goes about it: begun, left, gone on with, judged."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.controllers.retraining import Retraining
from app.core.runs import State
from app.jobs import training as job
from app.runs import proof
from model.training.checkpoint import load_file
from model.training.run import read_card
from tests.corpora import moving_texture, write_clip
from tests.runs import metrics
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]
STEPS = 12
SLOW = 200.0  # seconds: the processes of a busy machine take their time to start

# `mer` with a recipe that has every part and learns in seconds.
PROGRAM = """
from model.training import options
from tests.corpora import register
register()
made = options.TrainingOptions
options.TrainingOptions = lambda **given: made(**given | dict(workers=0))
from app.__main__ import main
main()
"""


@pytest.fixture
def footage(tmp_path: Path) -> Path:
    """Six videos, of which one cannot be read and one repeats another."""
    folder = tmp_path / "footage"
    (folder / "deep").mkdir(parents=True)
    for n in range(4):
        write_clip(folder / "deep" / f"{n}.avi", moving_texture(n, frames=20, height=96, width=128, coarseness=8))
    write_clip(folder / "copy.avi", moving_texture(0, frames=20, height=96, width=128, coarseness=8))
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_from_the_dialog_to_the_encoder_in_use(
    desk: Desk, qtbot: QtBot, tmp_path: Path, footage: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job.program, "command", lambda *arguments: [sys.executable, "-c", PROGRAM, *arguments])
    monkeypatch.setattr(proof, "PLACES", 1)
    monkeypatch.setattr(Retraining, "_recipes", lambda self: (("tiny-mer", "tiny"),))
    desk.studio.settings["train.pace"] = {"tiny-mer auto auto": 600.0}
    desk.open()
    desk.label(0)
    desk.label(5)
    assert desk.studio.saving.save_to(tmp_path / "squares.mer")

    # The dialog says what it found, and one button is enough.
    desk.does("train.retrain")
    dialog = desk.studio.training.retraining.dialog
    assert dialog is not None
    dialog.set_folders([footage])
    desk.wait(lambda: "left out" in dialog.footage.says.text())
    assert dialog.footage.says.text().startswith("3 videos to learn from · 1 held out")
    assert "broken.mp4" in dialog.footage._figures[3][0].toolTip()
    assert "36\u2009000 steps" in dialog.says.text()  # in an hour, at what was measured before
    dialog.unit.setCurrentIndex(1)
    dialog.budget.setValue(STEPS)
    dialog.start_from.setCurrentIndex(1)
    QTest.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)

    # It runs beside the work, and shows what it does.
    view = desk.studio.training.view
    assert view is not None
    desk.wait(lambda: view.page.figures["step"].text() != "–" and view.page.pictures["flow"].isVisible(), SLOW)
    assert view.page.pictures["value"].image() is not None
    (run,) = desk.studio.training.runs.read()
    desk.go_to(3)

    # The window is closed; the next one goes on from the checkpoint that this leaves.
    desk.studio.close()
    other = Desk(qtbot, tmp_path / "second")
    try:
        other.open(tmp_path / "squares.mer")
        training = other.studio.training
        other.does("train.runs")
        view = training.view
        assert view is not None and training.runs.read()[0].state is not State.RUNNING
        view.page.resume_button.click()  # even before the process has ended
        other.wait(lambda: view.shows_proof and view.proof.verdict.text() != "", SLOW)
        assert [line["step"] for line in metrics(run.folder)] == list(range(1, STEPS + 1))
        assert training.runs.read()[0].state is State.FINISHED
        assert "0.avi" in read_card(run.folder / "card.json")["options"]["without"]  # copy.avi shows the same

        # What it is worth, on a person's labels and on what was held out; nothing is taken by itself.
        rows = [view.proof.grid.itemAt(n).widget().text() for n in range(view.proof.grid.count())]
        assert {"J&F", "Reconstruction error", "Cycle error, pixels"} <= set(rows)
        assert view.proof.wipe.isVisible() and other.studio.settings["encoder"] == ""
        view.proof.use_button.click()
        kept = Path(other.studio.settings["encoder"])
        assert load_file(kept)["recipe"]["name"] == "tiny-mer" and view.proof.undo_button.isVisible()
        view.proof.undo_button.click()
        assert other.studio.settings["encoder"] == "" and not view.proof.undo_button.isVisible()
        assert view.proof.use_button.isEnabled()
    finally:
        other.close()
