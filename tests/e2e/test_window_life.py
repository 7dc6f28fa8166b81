"""The life of the window: it never stands still, survives errors and crashes, and starts and ends as it should."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.__main__ import run
from app.controllers.opening import is_project
from app.core import user_files
from app.desktop import TURN, check_display, free_from_opencv
from app.io.crash_report import crash_folder
from app.jobs.inference import InferenceThread
from app.views.dialogs import files
from tests.qt_helpers import longest_gap
from tests.videos import texture
from tests.windows import FRAMES, Desk, desk, film, home

__all__ = ["desk", "home"]
ROOT = Path(__file__).parents[2]


def large_film(folder: Path, frames: int = 12) -> Path:
    """480p: what people label."""
    folder.mkdir()
    ground = texture(5, 480, 854)
    for number in range(frames):
        image = np.roll(ground, 3 * number, axis=1)
        cv2.imwrite(str(folder / f"{number:03d}.jpg"), image)
    return folder


@pytest.mark.slow
def test_the_window_answers_while_labels_are_propagated(desk: Desk, tmp_path: Path) -> None:
    """Frames of 480p, decoded, worked out, taken in and shown: nothing holds the event loop up for 50 ms."""
    desk.open(large_film(tmp_path / "large"))
    ids = np.zeros((480, 854), np.uint8)
    ids[100:300, 200:500], ids[320:420, 600:700] = 1, 2
    desk.label(0, ids)
    desk.wait(lambda: desk.studio.overview._engine is not None)

    def propagate() -> None:
        desk.does("propagate.forward")
        desk.wait(lambda: not desk.studio.propagating.is_running, 120)

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    limit = 0.05 * max(1.0, load / (os.cpu_count() or 1))  # others' work makes everybody wait
    assert longest_gap(propagate, limit, attempts=4) < limit


@pytest.mark.slow
def test_the_window_answers_while_a_thread_works_in_python(desk: Desk) -> None:
    """Such a thread never gives the lock away of itself."""
    desk.open()
    usual, ended = sys.getswitchinterval(), threading.Event()

    def work() -> None:
        while not ended.is_set():
            sum(range(100))

    def paint() -> None:
        for y in range(20, 80, 10):
            desk.stroke((20, y), (60, y), (100, y))

    busy = threading.Thread(target=work)
    try:
        sys.setswitchinterval(TURN)
        busy.start()
        assert longest_gap(paint) < 0.05
    finally:
        ended.set()
        busy.join()
        sys.setswitchinterval(usual)


def test_the_first_frame_is_there_before_the_encoder(qtbot, tmp_path: Path, home: Path, monkeypatch) -> None:
    """The window does not wait for weights; what needs them waits, and is done then."""
    loaded, load = threading.Event(), InferenceThread._load
    monkeypatch.setattr(InferenceThread, "_load", lambda self: loaded.wait(30) and load(self))
    desk = Desk(qtbot, tmp_path)
    try:
        desk.open()
        assert "Loading the encoder" in desk.window.status.text()
        desk.label(0)
        desk.does("propagate.forward")
        qtbot.wait(100)
        assert desk.studio.propagating.is_running and sorted(desk.stored) == [0]
        loaded.set()
        desk.wait(lambda: not desk.studio.propagating.is_running)
        assert sorted(desk.stored) == list(range(FRAMES))
    finally:
        loaded.set()
        desk.close()


def test_an_error_of_the_program_is_written_down_and_told(desk: Desk, capsys, monkeypatch) -> None:
    desk.open()
    desk.does("view.fit")
    try:
        raise KeyError("a bug")
    except KeyError as error:
        desk.studio.crashes.report(type(error), error, error.__traceback__)
    desk.wait(lambda: bool(desk.window.notices.notices))
    (report,) = crash_folder().glob("crash *.txt")
    text = report.read_text()
    assert "a bug" in text and "test_window_life" in text and "view.fit" in text
    notice = desk.window.notices.notices[-1]
    assert str(report) in notice.text and notice.level == "error"
    desk.label(0)  # and the work goes on
    assert 0 in desk.stored


def test_an_error_in_the_inference_thread_ends_the_job_and_is_written_down(desk: Desk, monkeypatch) -> None:
    monkeypatch.setattr(sys, "excepthook", desk.studio.crashes.report)
    desk.open()
    desk.label(0)
    desk.wait(lambda: desk.studio.overview._engine is not None)
    from model.propagator import Propagator

    monkeypatch.setattr(Propagator, "count", lambda self, request: 1 / 0)
    desk.does("propagate.forward")
    desk.wait(lambda: not desk.studio.propagating.is_running and len(desk.window.notices.notices) >= 2)
    assert any("ZeroDivisionError" in notice.text for notice in desk.window.notices.notices)
    assert list(crash_folder().glob("crash *.txt"))


def test_the_sample_is_painted_once_and_then_opened(desk: Desk, home: Path) -> None:
    sample = desk.studio.sample
    sample._frames, sample._size = 4, 48
    desk.does("file.sample")
    desk.wait(lambda: desk.session.picture is not None, 60)
    film = desk.session.document.media.path
    assert film == (home / "sample" / "sample.mp4").resolve() and desk.session.count == 4
    when = film.stat().st_mtime_ns
    desk.does("file.close")
    desk.does("file.sample")
    desk.wait(lambda: desk.session.picture is not None)
    assert film.stat().st_mtime_ns == when


def test_what_is_made_of_the_sample_goes_where_the_user_finds_it(
    desk: Desk, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, suggested = tmp_path / "me" / "Documents", []
    own.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: own.parent)
    monkeypatch.setattr(user_files.platformdirs, "user_documents_path", lambda: own)
    monkeypatch.setattr(files, "save_project", lambda parent, path: suggested.append(path))
    desk.open(film(home / "sample" / "sample.mp4")[0])
    desk.does("file.save_as")
    desk.session.close()
    desk.open()
    desk.does("file.save_as")
    assert suggested == [own / "sample.mer", desk.video.parent / "clip.mer"], "beside the video, if it is the user's"
    own.rmdir()
    assert user_files.folder_for(home.resolve() / "sample" / "sample.mp4") == own.parent


def test_choices_are_remembered_and_keys_rebound(desk: Desk, home: Path) -> None:
    desk.open()
    desk.window.view_panel.set_opacity(0.8)
    desk.window.canvas.resize_brush(40)
    desk.does("edit.settings")
    dialog = desk.studio.preferences._dialog
    assert dialog.editor("overlay.opacity").value() == 0.8
    dialog.editor("overlay.contours").set(False)
    dialog.changed.emit("overlay.contours", False)
    assert not desk.window.actions["view.contours"].isChecked()
    from app.core.keymap import KeyMap

    dialog.keys_changed.emit(KeyMap().bind("propagate.forward", ["Shift+G"]))
    assert desk.window.actions["propagate.forward"].shortcut().toString() == "Shift+G"
    again = type(desk.studio.settings)()
    assert (again["overlay.opacity"], again["brush.size"], again["overlay.contours"]) == (0.8, 40, False)
    assert again["keys"] == {"propagate.forward": ["Shift+G"]}
    dialog.close()


def test_autosave_saves_what_has_a_place(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    desk.studio.saving._autosave()  # it has none yet
    assert desk.session.project.is_dirty
    assert desk.studio.saving.save_to(tmp_path / "a.mer")
    desk.label(3)
    assert desk.session.project.is_dirty
    desk.studio.saving._autosave()
    desk.wait(lambda: not desk.session.project.is_dirty)


def test_a_full_disk_is_told_and_nothing_is_lost(desk: Desk, tmp_path: Path, monkeypatch) -> None:
    desk.open()
    desk.label(0)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "a.mer")

    monkeypatch.setattr(type(desk.session.project), "saving_as", full)
    monkeypatch.setattr(files, "save_project", lambda parent, suggested: tmp_path / "a.mer")
    desk.does("file.save")
    notice = desk.window.notices.notices[-1]
    assert "No space left" in notice.text and notice.button.text() == "Save as…"
    assert 0 in desk.stored and desk.window.isWindowModified()


def test_save_as_does_not_hold_the_window_up(desk: Desk, tmp_path: Path, monkeypatch) -> None:
    desk.open()
    desk.label(0)
    monkeypatch.setattr(files, "save_project", lambda parent, suggested: tmp_path / "a.mer")
    desk.does("file.save_as")
    assert desk.session.project is not None and not desk.session.project.is_saved, "it is being written"
    desk.label(2)
    desk.wait(lambda: desk.session.project.is_saved)
    assert desk.session.project.folder == tmp_path / "a.mer" and desk.window.isWindowModified()
    desk.does("file.save_as")
    assert desk.studio.saving.may_leave(), "it waits for what is being written"
    assert not desk.session.project.is_dirty


def test_a_project_takes_the_place_of_another_only_if_the_user_says_so(desk: Desk, tmp_path: Path, monkeypatch) -> None:
    desk.open()
    desk.label(0)
    other = desk.video.with_suffix(".mer")
    assert desk.studio.saving.save_to(other)
    desk.session.close()
    desk.open(desk.video)
    desk.label(1)
    suggested, asked, answers = [], [], [False, True]

    def chosen(parent: object, title: str, path: str, kinds: str) -> tuple[str, str]:
        suggested.append(Path(path))
        return str(other / "clip.mer"), kinds  # in a folder that the dialog walked into

    monkeypatch.setattr(files.QFileDialog, "getSaveFileName", chosen)
    monkeypatch.setattr(files, "ask_replace", lambda parent, name: asked.append(name) or answers.pop(0))
    desk.does("file.save")
    assert suggested == [other.with_stem("clip 2")] and asked == [other.name], "a free name, and a question"
    assert not desk.session.project.is_saved
    desk.does("file.save")
    desk.wait(lambda: desk.session.project.is_saved)
    assert desk.session.project.folder == other and not list(other.glob("*.mer"))
    desk.session.close()
    desk.open(other)
    assert set(desk.stored) == {1}
    desk.does("file.save_as")
    desk.wait(lambda: not desk.studio.saving._busy)
    assert len(asked) == 2, "its own place is no other's"


def test_closing_the_window_asks_and_ends_its_threads(desk: Desk, monkeypatch) -> None:
    desk.open()
    desk.label(0)
    answers = [files.Answer.CANCEL, files.Answer.DISCARD]
    monkeypatch.setattr(files, "ask_save", lambda parent, name: answers.pop(0))
    assert not desk.window.close() and desk.session.is_open
    assert desk.window.close() and not desk.session.is_open
    assert not desk.studio.inference._thread.is_alive()


KILLED = """
import sys
from pathlib import Path
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication
from app.controllers.studio import Studio
from app.core.settings import Settings
from model.types import LabelMap
import numpy as np

app = QApplication([])
studio = Studio(Settings(), "lab", "cpu")
studio.show(Path(sys.argv[1]))

def paint(picture):
    ids = np.zeros(picture.image.shape[:2], np.uint8)
    ids[10:30, 10:30] = 1
    studio.objects.add()
    studio.window.canvas.labels_edited.emit(LabelMap(ids), "Paint")
    print("painted", flush=True)

studio.session.pictured.connect(paint)
app.exec()
"""


def test_work_that_was_never_saved_comes_back_after_a_kill(desk: Desk, tmp_path: Path) -> None:
    video, _ = film(tmp_path / "other")
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(video)], cwd=ROOT, stdout=subprocess.PIPE, text=True, env=os.environ
    )
    assert child.stdout is not None and child.stdout.readline() == "painted\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    desk.studio.opening.offer_unsaved()
    notice = desk.window.notices.notices[-1]
    assert "was not saved when the program ended" in notice.text
    notice.button.click()
    desk.wait(lambda: desk.session.picture is not None)
    assert desk.stored[0][10:30, 10:30].all() and desk.stored[0].sum() == 400
    assert desk.window.isWindowModified()


# Start


@pytest.fixture
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
@pytest.mark.parametrize("arguments", [[], ["clip.mp4"], ["--weights", "lab"]])
def test_without_a_display_there_is_one_line_and_code_2(
    no_display: None, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    assert run(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert "there is no display here" in error and "mer --help" in error and "\n" not in error


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
@pytest.mark.parametrize(("name", "value"), [("DISPLAY", ":4711"), ("WAYLAND_DISPLAY", "nothing-0"), ("DISPLAY", "x")])
def test_a_display_that_does_not_answer_is_none(
    no_display: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match="does not answer"):
        check_display()


def test_opencv_s_plugins_are_not_qt_s(monkeypatch: pytest.MonkeyPatch) -> None:
    own = str(Path(cv2.__file__).parent / "qt" / "plugins")
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", own)
    monkeypatch.setenv("QT_QPA_FONTDIR", "/fonts/of/the/user")
    free_from_opencv()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in os.environ
    assert os.environ["QT_QPA_FONTDIR"] == "/fonts/of/the/user"


@pytest.mark.parametrize(("arguments", "code"), [(["propogate"], 2), (["--weights", "lab", "doctor"], 2)])
def test_what_is_no_path_is_still_a_mistake(arguments: list[str], code: int, capsys) -> None:
    assert run(arguments) == code
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


def test_mer_opens_a_path_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    """The command itself, with a SIGTERM for an end; nothing is left but what a crash would leave."""
    video, _ = film(tmp_path / "clip")
    env = {**os.environ, "MER_HOME": str(tmp_path / "home"), "QT_QPA_PLATFORM": "offscreen"}
    child = subprocess.Popen(
        [sys.executable, "-m", "app", "--weights", "lab", str(video)], cwd=ROOT, env=env, stderr=subprocess.PIPE
    )
    unsaved = tmp_path / "home" / "unsaved"
    deadline = time.monotonic() + 60
    while not (unsaved.is_dir() and any(unsaved.iterdir())) and time.monotonic() < deadline:
        time.sleep(0.05)
    (folder,) = unsaved.iterdir()
    assert is_project(folder)
    child.send_signal(signal.SIGTERM)
    _, error = child.communicate(timeout=30)
    assert child.returncode == 0, error.decode()


def test_keys_reach_the_canvas_and_the_timeline_has_all_frames(desk: Desk) -> None:
    desk.open()
    desk.key(Qt.Key.Key_E)
    assert desk.window.canvas.tool == "eraser"
    assert desk.window.timeline._axis.frames == FRAMES
