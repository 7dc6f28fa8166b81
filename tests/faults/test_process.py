"""Threads and processes that die, clocks that go backwards, two windows on one project, names at the limit."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from app.core.document import Document
from app.io.export import Done, export
from app.io.open_project import OpenProject, unsaved_projects
from app.io.project_lock import STALE, ProjectInUse, ProjectLock, in_use
from tests.faults.test_media import said
from tests.fuzz.seeds import FRAMES, SIZE, document
from tests.projects import document as small
from tests.projects import labels, state, video
from tests.unit.test_inference import Listener, request, thread
from tests.unit.test_inference import video as squares
from tests.videos import MemoryVideo, texture
from tests.windows import Desk, desk, home

__all__ = ["desk", "home", "squares", "thread", "video"]


def test_the_inference_thread_outlives_a_video_that_cannot_be_closed(qtbot, monkeypatch: pytest.MonkeyPatch) -> None:
    from app.jobs.inference import InferenceThread

    class Stubborn(MemoryVideo):
        def close(self) -> None:
            raise OSError("the share is gone")

    reported: list[object] = []
    monkeypatch.setattr("sys.excepthook", lambda *error: reported.append(error))
    frames = [texture(n, 64, 96) for n in range(10)]
    inference = InferenceThread("lab", "cpu")
    inference.open(Stubborn(frames))
    inference.submit(1, request())
    with qtbot.waitSignal(inference.finished, timeout=60_000):
        pass
    heard = Listener(inference)
    inference.open(MemoryVideo(frames))
    with qtbot.waitSignal(inference.finished, timeout=60_000):
        inference.submit(2, request())
    assert reported and len(heard.of("result")) == 9
    inference.close()


def test_two_windows_on_one_project(desk: Desk, qtbot, tmp_path: Path) -> None:
    """The second is told; it may take over, and then the first can do no harm and lose nothing."""
    desk.open()
    desk.label(0)
    place = tmp_path / "swan.mer"
    assert desk.studio.saving.save_to(place)
    other = Desk(qtbot, tmp_path / "second")
    try:
        other.studio.opening.open(place)
        other.wait(lambda: any("take it over" in text for text in said(other)))
        assert not other.session.is_open
        other.studio.opening.open(place, take_over=True)
        other.wait(lambda: other.session.picture is not None)
        desk.label(1)
        other.label(2)
        assert other.studio.saving.save_now()
        assert not desk.studio.saving.save_now()
        assert any("take it over" in text for text in said(desk))
        assert sorted(desk.stored) == [0, 1], "what the first painted is still there, to be saved elsewhere"
        assert desk.studio.saving.save_to(tmp_path / "mine.mer")
    finally:
        other.close()
    for folder, frames in ((place, [0, 2]), (tmp_path / "mine.mer", [0, 1])):
        if folder != desk.session.project.folder:
            project = OpenProject.open(folder)
            assert sorted(project.document.store) == frames
            project.close()


def test_a_clock_that_goes_backwards_neither_locks_nor_loses(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = OpenProject.begin(small(video(tmp_path)))
    project.document.add_object("swan")
    project.save_as(tmp_path / "swan.mer")
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 7 * 86400)
    for path in (tmp_path / "swan.mer").iterdir():
        os.utime(path, (now + 3600, now + 3600))  # all files come from the future
    project.document.set_labels(0, labels((1, 1)))
    project.save()
    project.document.set_labels(1, labels((2, 1)))
    wanted = state(project.document.values())
    with pytest.raises(ProjectInUse):
        ProjectLock(tmp_path / "swan.mer")
    project.close(keep=True)
    again = OpenProject.open(tmp_path / "swan.mer")
    assert again.recovered == 1 and state(again.document.values()) == wanted
    again.close()
    assert unsaved_projects() == ()


def test_a_foreign_lock_from_the_future_can_be_taken_over(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text('{"host": "elsewhere", "pid": 1, "born": 0.0, "token": "x"}')
    os.utime(tmp_path / "lock", (time.time() + 1e6, time.time() + 1e6))
    assert isinstance(in_use(tmp_path), ProjectInUse)
    ProjectLock(tmp_path, force=True).release()
    (tmp_path / "lock").write_text('{"host": "elsewhere", "pid": 1, "born": 0.0, "token": "x"}')
    os.utime(tmp_path / "lock", (time.time() - 2 * STALE,) * 2)
    ProjectLock(tmp_path).release()


NAMES = ("Schwäne im Frühling", "白鳥の湖", "лебедь 🦢", "a'b\"c $(x) & %s #1", "w" * 200, "長" * 70)


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_that_the_system_takes_will_do(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    made = document(folder)
    project = OpenProject.begin(Document(made.media))
    project.document.restore(made.values())
    project.save_as(folder / f"{name}.mer")
    wanted = state(project.document.values())
    project.close()
    again = OpenProject.open(folder / f"{name}.mer")
    assert state(again.document.values()) == wanted
    again.close()
    source = MemoryVideo([texture(n, *SIZE) for n in range(FRAMES)])
    for form, suffix in (("coco", ".json"), ("overlay", ".mp4"), ("davis", ""), ("keypoints-csv", ".csv")):
        target = folder / f"{name}{suffix}"
        assert isinstance(list(export(made, source, form, target))[-1], Done)
        assert target.exists()
    assert not [path for path in folder.rglob(".*") if not path.name.startswith(".git")]


def test_a_very_deep_folder_will_do(tmp_path: Path) -> None:
    folder = tmp_path
    while len(str(folder)) < 3000:
        folder = folder / ("d" * 100)
    folder.mkdir(parents=True)
    project = OpenProject.begin(small(video(folder)))
    project.document.add_object("swan")
    project.save_as(folder / "swan.mer")
    project.close()
    again = OpenProject.open(folder / "swan.mer")
    assert len(again.document.objects) == 1
    again.close()
