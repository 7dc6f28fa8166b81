"""The training dialog, the window of runs and the proof page, as a person uses them."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QLabel
from pytestqt.qtbot import QtBot

from app.core.proof import Comparison, Measure, Proof
from app.core.runs import Run, State
from app.core.training import SAMPLES, Footage, Progress, Setup, Wish
from app.views.training.curves import NAMES, Curves, running_mean, scale, thinned
from app.views.training.dialog import TrainDialog
from app.views.training.pictures import Wipe, as_image
from app.views.training.proof import ProofPage
from app.views.training.window import TrainingWindow
from model.recipes import RECIPES

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
FOUND = Footage(5, 5, 3, 120.0, 7, ("a.mp4: damaged",), ("b.mp4",), (), 1, 1)


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> TrainDialog:
    made = TrainDialog((("dense", "Dense"), ("mer", "MER")), (("cpu", "CPU"),), tmp_path / "runs")
    qtbot.addWidget(made)
    made.show()
    return made


def run(folder: Path, state: State = State.RUNNING, message: str = "") -> Run:
    return Run(Setup((folder,), folder / state.value, weights=Path("w.pt")), state, NOW, None, message)


def texts(widget: object) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel) if label.isVisible())  # type: ignore[attr-defined]


def test_one_button_is_enough(dialog: TrainDialog, tmp_path: Path, qtbot: QtBot) -> None:
    assert not dialog.begin.isEnabled() and "folder" in dialog.begin.toolTip()
    with qtbot.waitSignal(dialog.folders_changed) as told:
        dialog.set_folders([tmp_path])
    assert told.args == [[tmp_path]]
    assert not dialog.begin.isEnabled()  # nothing is known of it yet
    dialog.set_footage(FOUND)
    with qtbot.waitSignal(dialog.requested) as asked:
        QTest.mouseClick(dialog.begin, Qt.MouseButton.LeftButton)
    assert asked.args == [Wish((tmp_path,), "dense", False, 60.0, None, None, "auto", tmp_path / "runs")]


def test_the_scan_is_told_in_figures(dialog: TrainDialog, tmp_path: Path) -> None:
    dialog.set_folders([tmp_path])
    dialog.set_footage(Footage(2, 5, 1, 20.0))
    assert dialog.footage.bar.isVisible() and "3 of 5" in dialog.footage.says.text()
    assert dialog.begin.isEnabled()
    dialog.set_footage(FOUND)
    assert not dialog.footage.bar.isVisible()
    assert {"3", "2 min", "7", "1"} <= set(texts(dialog.footage).split("\n"))
    assert (
        dialog.footage.says.text()
        == "1 video + 7 photos to learn from · 1 held out to measure the result on · 2 left out"
    )
    assert any("a.mp4: damaged" in label.toolTip() for label in dialog.footage.findChildren(QLabel))
    dialog.set_footage(Footage(1, 1, unreadable=("a.mp4: damaged",)))
    assert not dialog.begin.isEnabled() and "no video" in dialog.begin.toolTip()


def test_that_footage_is_little_can_be_read_to_its_end(dialog: TrainDialog, tmp_path: Path) -> None:
    dialog.set_folders([tmp_path])
    dialog.set_footage(Footage(8, 8, videos=8, seconds=57.0, learned=6, held_out=2))
    says, layout = dialog.footage.says, dialog.footage.layout()
    assert layout is not None and layout.activate()
    assert says.text().endswith("this is little: some minutes make a difference")
    assert says.height() >= says.heightForWidth(says.width()) > says.fontMetrics().height()


def test_what_goes_wrong_takes_no_room_from_the_choices(dialog: TrainDialog, tmp_path: Path) -> None:
    dialog.set_folders([tmp_path])
    dialog.set_footage(FOUND)
    dialog._show_more(True)
    dialog.fail("/somewhere: only 52 MB are free, and a run needs about 300 MB; make room or choose another. " * 2)
    layout = dialog.layout()
    assert layout is not None
    layout.activate()
    assert dialog._form.height() >= dialog._form.sizeHint().height()
    assert dialog.problem.height() >= dialog.problem.heightForWidth(dialog.problem.width())


def test_the_budget_is_minutes_or_steps(dialog: TrainDialog, tmp_path: Path, qtbot: QtBot) -> None:
    dialog.set_folders([tmp_path])
    with qtbot.waitSignal(dialog.pace_wanted) as asked:
        dialog.set_footage(FOUND)
    assert asked.args == [False] and not dialog.measure.isEnabled() and "how quick" in dialog.says.text()
    dialog.set_pace(50.0)
    assert dialog.measure.isEnabled() and "3\u2009000" in dialog.says.text()
    dialog.unit.setCurrentIndex(1)
    assert dialog.budget.value() == 3000 and "1 h" in dialog.says.text()
    assert (dialog.wish().steps, dialog.wish().minutes) == (3000, None)
    with qtbot.waitSignal(dialog.pace_wanted) as asked:
        dialog.recipe.setCurrentIndex(1)  # another recipe has another pace
    assert asked.args == [False] and "1 h" not in dialog.says.text()
    dialog.fail("there is no room")
    assert dialog.measure.isEnabled() and dialog.says.text() == ""
    with qtbot.waitSignal(dialog.pace_wanted) as asked:
        dialog.measure.click()
    assert asked.args == [True]


def test_what_was_chosen_comes_back(dialog: TrainDialog, qtbot: QtBot, tmp_path: Path) -> None:
    dialog.set_folders([tmp_path])
    dialog.unit.setCurrentIndex(1)
    dialog.budget.setValue(77)
    dialog.recipe.setCurrentIndex(1)
    dialog.start_from.setCurrentIndex(1)
    again = TrainDialog((("dense", "Dense"), ("mer", "MER")), (("cpu", "CPU"),), tmp_path, dialog.state())
    qtbot.addWidget(again)
    wish = again.wish()
    assert (wish.steps, wish.recipe, wish.scratch, wish.home) == (77, "mer", True, tmp_path / "runs")


def test_a_failure_is_said_and_can_be_mended(dialog: TrainDialog, tmp_path: Path) -> None:
    dialog.set_folders([tmp_path])
    dialog.set_footage(FOUND)
    dialog.fail("there is no room")
    assert dialog.problem.isVisible() and dialog.problem.text() == "there is no room"
    dialog.home.clear()
    dialog.begin.click()
    assert "where runs are kept" in dialog.problem.text()


def test_runs_are_listed_and_the_page_offers_what_can_be_done(qtbot: QtBot, tmp_path: Path) -> None:
    window = TrainingWindow()
    qtbot.addWidget(window)
    window.set_runs(())
    window.show()
    assert "No run yet" in texts(window)
    runs = [run(tmp_path, state) for state in State]
    with qtbot.waitSignal(window.chosen) as told:
        window.set_runs(runs)
    assert told.args == [runs[0].folder] and window.list.count() == len(State)
    page, progress = window.page, Progress()
    for each in runs:
        page.set_run(each, progress, has_weights=each.state is not State.FAILED)
        running = each.state is State.RUNNING
        assert page.pause_button.isVisible() is page.stop_button.isVisible() is running
        assert page.resume_button.isVisible() is each.state.can_resume
        assert page.prove_button.isVisible() is not running
        assert page.prove_button.isEnabled() is (each.state is not State.FAILED)
    window.choose(runs[3].folder)
    window.set_runs(runs[1:])
    assert window.current == runs[3].folder  # the same one, though it moved up


def test_what_comes_next_is_the_one_button_in_colour(qtbot: QtBot, tmp_path: Path) -> None:
    window = TrainingWindow()
    qtbot.addWidget(window)
    page = window.page
    for state, resumes in ((State.PAUSED, True), (State.INTERRUPTED, True), (State.STOPPED, False)):
        page.set_run(run(tmp_path, state), Progress(), True)
        assert page.resume_button.property("primary") is resumes
        assert page.prove_button.property("primary") is not resumes
    page.set_run(run(tmp_path), Progress(), False, "finishing its last step")
    window.set_runs([run(tmp_path)])
    window.show()
    assert "finishing its last step" in page.says.whole() and not page.pause_button.isVisible()


def test_pictures_are_shown_as_far_as_the_recipe_has_them(qtbot: QtBot, tmp_path: Path) -> None:
    window = TrainingWindow()
    qtbot.addWidget(window)
    window.set_runs([run(tmp_path)])
    window.show()
    folder = run(tmp_path).folder / "samples"
    folder.mkdir(parents=True)
    for names in (SAMPLES[:2], SAMPLES):
        for name in names:
            as_image(picture(90)).save(str(folder / f"{name}.png"))
        progress = Progress()
        progress.take({"event": "sample", "step": len(names), **{name: f"samples/{name}.png" for name in names}})
        window.page.set_run(run(tmp_path), progress, False)
        assert [name for name in SAMPLES if window.page.pictures[name].isVisible()] == list(names)
        assert all(window.page.pictures[name].image() is not None for name in names)


def test_a_pause_is_asked_for_once(qtbot: QtBot, tmp_path: Path) -> None:
    window = TrainingWindow()
    qtbot.addWidget(window)
    window.set_runs([run(tmp_path)])
    window.page.set_run(run(tmp_path), Progress(), False)
    window.show()
    asked: list[bool] = []
    window.page.pause.connect(lambda: asked.append(True))
    window.page.pause_button.click()
    window.page.set_run(run(tmp_path), Progress(), False)  # it is still finishing a step
    window.page.pause_button.click()
    assert asked == [True] and "finishing the step" in window.page.says.whole()
    window.page.set_run(run(tmp_path, State.PAUSED), Progress(), True)
    assert window.page.resume_button.isVisible() and "finishing" not in window.page.says.whole()


def test_figures_of_a_run(qtbot: QtBot, tmp_path: Path) -> None:
    window = TrainingWindow()
    qtbot.addWidget(window)
    progress = Progress()
    for n in range(1, 11):
        progress.take({"event": "step", "step": n, "progress": n / 20, "elapsed": 6.0 * n, "total": 1.0, "memory": 2e9})
    window.page.set_run(run(tmp_path), progress, False)
    shown = {name: label.text() for name, label in window.page.figures.items()}
    assert shown == {"step": "10", "pace": "10", "elapsed": "1 min", "left": "1 min", "memory": "2.0 GB"}
    window.page.set_run(run(tmp_path, State.FAILED, "no room on the disk"), progress, False)
    assert window.page.message.text() == "no room on the disk"


def test_the_curve_shows_what_was_measured(qtbot: QtBot) -> None:
    curves = Curves()
    qtbot.addWidget(curves)
    curves.resize(300, 200)
    empty = curves.grab().toImage()
    steps = list(range(1, 200))
    curves.set_curves({"total": (steps, [5 / n for n in steps])})
    falling = curves.grab().toImage()
    curves.set_curves({"total": (steps, [n / 5 for n in steps])})
    rising = curves.grab().toImage()
    assert empty != falling and falling != rising
    curves.set_curves({"total": (steps, [5 / n for n in steps]), "reconstruction": (steps, [n / 5 for n in steps])})
    assert "Total" not in curves.accessibleDescription()  # of one term it would be the same again
    curves.set_curves({"total": ([1], [2.0])})
    assert curves.grab().toImage() != empty  # a dot


def test_points_are_thinned_to_means_and_smoothed_without_shift() -> None:
    x, y = thinned(np.arange(1000.0), np.arange(1000.0) * 2, 100)
    assert len(x) == 100 and np.allclose(y, 2 * x)
    assert np.allclose(running_mean(np.arange(500.0))[50:-50], np.arange(500.0)[50:-50])
    assert np.array_equal(running_mean(np.array([3.0])), [3.0])


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (2.0, 2.0), (1e-4, 3e-4), (0.0, 4321.0)])
def test_the_scale_holds_the_curve_and_has_round_marks(low: float, high: float) -> None:
    y = np.linspace(low, high, 100)
    bottom, top, marks = scale(y, y)
    assert bottom < low and top > high and 1 <= len(marks) <= 6
    assert all(bottom <= mark <= top for mark in marks)


def table(page: ProofPage) -> list[str]:
    return [page.grid.itemAt(n).widget().text() for n in range(page.grid.count())]  # type: ignore[union-attr]


def picture(value: int) -> np.ndarray:
    return np.full((40, 60, 3), value, np.uint8)


def test_the_wipe_shows_before_on_the_left_and_follows_the_pointer(qtbot: QtBot) -> None:
    wipe = Wipe("old", "new")
    qtbot.addWidget(wipe)
    wipe.resize(600, 400)
    wipe.set_pictures(picture(60), picture(200))
    wipe.show()
    QTest.mousePress(wipe, Qt.MouseButton.LeftButton, pos=QPoint(150, 200))
    assert wipe.share() == pytest.approx(0.25, abs=0.02)
    image = wipe.grab().toImage()
    assert image.pixelColor(100, 200).red() == 60 and image.pixelColor(400, 200).red() == 200
    QTest.mouseMove(wipe, QPoint(5000, 200))
    assert 0 <= wipe.share() <= 1


def test_every_term_of_every_recipe_has_a_name() -> None:
    terms = ("reconstruction", "correspondence", "tracks", "contrast", "compactness")
    assert all(RECIPES["tracked"].weight_of(term) >= 0 for term in terms)
    assert {"total", *terms} <= set(NAMES), "it would be shown as the program calls it"


def test_the_proof_page_says_what_to_do(qtbot: QtBot) -> None:
    page = ProofPage()
    qtbot.addWidget(page)
    page.show()
    page.set_progress("film.mp4", 0.3)
    assert not page.use_button.isEnabled()
    better = Proof("a", "b", (Measure("J&F", "", 0.7, 0.75, True, 4),), (Comparison("film", picture(1), picture(2)),))
    page.set_proof(better)
    assert "better" in page.verdict.text() and "+5.0" in table(page) and page.wipe.isVisible()
    assert page.use_button.isEnabled() and page.use_button.property("primary")
    worse = Proof("a", "b", (Measure("reconstruction", "", 0.02, 0.03, False, 9),), (), ("a.mp4 is gone",))
    page.set_proof(worse)
    assert "worse" in page.verdict.text() and "+50 %" in table(page) and "a.mp4 is gone" in texts(page)
    assert not page.use_button.property("primary") and "all the same" in page.use_button.text()
    assert not page.wipe.isVisible()
    page.resize(760, 680)
    page.grab()
    assert page.notes.mapTo(page, page.notes.rect().bottomLeft()).y() < 240, "lines stay together without a picture"
    page.set_in_use(True, True)
    assert not page.use_button.isEnabled() and page.undo_button.isVisible()
    page.set_in_use(False, True)  # what there was before is this one: going back would bring it back
    assert page.use_button.isEnabled() and not page.undo_button.isVisible()
    page.set_progress("film.mp4", 0.5, 90.0)
    assert page.says.whole() == "film.mp4 · 2 min left" and "all the same" not in page.use_button.text()
