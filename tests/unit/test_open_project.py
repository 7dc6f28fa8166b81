"""The project that is open: its lock, what counts as unsaved, and what a crash leaves."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.core.document import Document
from app.io import project_lock
from app.io.journal import segments
from app.io.open_project import OpenProject, throw_away, unsaved_projects
from app.io.project_file import load
from app.io.project_lock import Holder, ProjectInUse, ProjectLock
from tests.failing_disk import disk
from tests.projects import document, labels, state, video
from tests.videos import texture


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def doc(tmp_path: Path) -> Document:
    made = document(video(tmp_path))
    made.add_object("swan")
    return made


@pytest.fixture
def opened(tmp_path: Path, doc: Document) -> Iterator[OpenProject]:
    """A project that was saved to swan.mer."""
    project = OpenProject.begin(doc)
    project.save_as(tmp_path / "swan.mer")
    yield project
    project.close()


def die(project: OpenProject) -> None:
    """End as a killed program does: nothing is tidied up, and its lock tells of a process that is gone."""
    project.document.on_change = lambda values, change: None
    project._journal.close()
    project._lock._stopped.set()
    lock = project.folder / "lock"
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "born": 0}))


# Saving


def test_what_is_not_saved_is_journalled_and_known_as_unsaved(opened: OpenProject, tmp_path: Path) -> None:
    assert opened.is_saved and not opened.is_dirty
    opened.document.set_labels(0, labels((1, 1)))
    assert opened.is_dirty
    assert load(tmp_path / "swan.mer").recovered == 1
    opened.save(texture(0, 20, 30))
    assert not opened.is_dirty and (tmp_path / "swan.mer/thumbnail.png").is_file()
    assert load(tmp_path / "swan.mer").recovered == 0
    opened.document.undo()
    assert opened.is_dirty


def test_the_document_may_change_while_it_is_saved(opened: OpenProject, tmp_path: Path) -> None:
    doc = opened.document
    doc.set_labels(0, labels((1, 1)))
    work = opened.saving()
    doc.set_labels(0, labels((2, 1)))
    doc.set_labels(3, labels((3, 1)))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert opened.is_dirty
    loaded = load(tmp_path / "swan.mer")
    assert loaded.recovered == 2 and state(loaded.document.values()) == state(doc.values())


def test_a_save_that_fails_loses_nothing_and_can_be_repeated(opened: OpenProject, tmp_path: Path) -> None:
    doc = opened.document
    doc.set_labels(0, labels((1, 1)))
    with pytest.raises(OSError, match=r"No space.*swan\.mer"), disk(20, dies=False):
        opened.save()
    doc.set_labels(1, labels((1, 1)))
    assert opened.is_dirty and state(load(tmp_path / "swan.mer").document.values()) == state(doc.values())
    opened.save()
    assert load(tmp_path / "swan.mer").recovered == 0
    assert state(load(tmp_path / "swan.mer").document.values()) == state(doc.values())


def test_save_as_leaves_the_old_project_as_it_was_saved(opened: OpenProject, tmp_path: Path) -> None:
    before = state(opened.document.values())
    opened.document.set_labels(0, labels((1, 1)))
    opened.save_as(tmp_path / "other.mer")
    opened.document.set_labels(1, labels((1, 1)))
    old = load(tmp_path / "swan.mer")
    assert old.recovered == 0 and state(old.document.values()) == before
    assert state(load(tmp_path / "other.mer").document.values()) == state(opened.document.values())
    OpenProject.open(tmp_path / "swan.mer").close()  # it was let go of
    with pytest.raises(ProjectInUse):
        OpenProject.open(tmp_path / "other.mer")


def test_save_as_that_fails_stays_where_it_was(opened: OpenProject, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"")
    with pytest.raises(ValueError, match="other files"):
        opened.save_as(tmp_path / "photos")
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]
    with pytest.raises(OSError, match="No space"), disk(200, dies=False):
        opened.save_as(tmp_path / "full.mer")
    opened.document.set_labels(1, labels((1, 1)))
    assert opened.folder == tmp_path / "swan.mer" and load(opened.folder).recovered == 1
    opened.save_as(tmp_path / "full.mer")


def test_closing_throws_away_what_was_not_saved_unless_told_to_keep_it(opened: OpenProject, tmp_path: Path) -> None:
    saved = state(opened.document.values())
    folder = tmp_path / "swan.mer"
    opened.document.set_labels(0, labels((1, 1)))
    opened.close(keep=True)
    kept = OpenProject.open(folder)
    assert kept.recovered == 1 and kept.is_dirty
    kept.document.set_labels(1, labels((1, 1)))
    kept.close()
    assert state(load(folder).document.values()) == saved
    assert {p.name.split("-")[0] for p in folder.iterdir()} == {"project.json", "labels"}


# After a crash


def test_a_saved_project_goes_on_after_a_crash_and_after_another(opened: OpenProject, tmp_path: Path) -> None:
    project = opened
    for frame in range(4):
        project.document.set_labels(frame, labels((1, 1)))
        expected = state(project.document.values())
        die(project)
        project = OpenProject.open(tmp_path / "swan.mer")
        assert project.recovered == frame + 1 and project.is_dirty
        assert state(project.document.values()) == expected
    project.save()
    project.close()
    assert load(tmp_path / "swan.mer").recovered == 0


def test_a_damaged_journal_does_not_swallow_what_comes_after_it(opened: OpenProject, tmp_path: Path) -> None:
    for frame in range(4):
        opened.document.set_labels(frame, labels((1, 1)))
    die(opened)
    path = opened.folder / f"journal-{segments(opened.folder)[-1]}"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.write_bytes(content)
    again = OpenProject.open(tmp_path / "swan.mer")
    assert len(again.notes) == 1 and "damaged" in again.notes[0]
    again.document.set_labels(8, labels((5, 1)))
    expected = state(again.document.values())
    die(again)
    third = OpenProject.open(tmp_path / "swan.mer")
    assert third.notes == () and state(third.document.values()) == expected
    third.close()


def test_a_project_that_was_never_saved_is_offered_after_a_crash(doc: Document, tmp_path: Path) -> None:
    project = OpenProject.begin(doc)
    assert not project.is_saved
    doc.set_labels(0, labels((1, 1)))
    assert project.is_dirty and unsaved_projects() == ()  # it is open
    die(project)
    (offered,) = unsaved_projects()
    assert offered.video == tmp_path / "swan.mp4"
    again = OpenProject.open(offered.folder)
    assert not again.is_saved and again.is_dirty and again.recovered == 1
    assert state(again.document.values()) == state(doc.values())
    again.save_as(tmp_path / "kept.mer")
    assert again.is_saved and not again.is_dirty
    again.close()
    assert unsaved_projects() == () and not offered.folder.exists()
    assert state(load(tmp_path / "kept.mer").document.values()) == state(doc.values())


def test_unsaved_projects_come_latest_first_and_empty_ones_go(tmp_path: Path, home: Path) -> None:
    with ExitStack() as stack:
        for name, number in (("a", 1), ("empty", 0), ("b", 2)):
            doc = document(video(tmp_path, f"{name}.mp4", name.encode()))
            project = OpenProject.begin(doc)
            stack.callback(project._lock.release)
            for _ in range(number):
                doc.add_object()
            die(project)
            for path in project.folder.iterdir():
                os.utime(path, (number * 1000, number * 1000))
        offered = unsaved_projects()
        assert [u.video.stem for u in offered] == ["b", "a"] and offered[0].when.timestamp() == 2000
        assert len(list((home / "unsaved").iterdir())) == 2
        throw_away(offered[0])
        assert [u.video.stem for u in unsaved_projects()] == ["a"]


def test_closing_an_unsaved_project_removes_it_or_keeps_it_for_next_time(doc: Document, home: Path) -> None:
    OpenProject.begin(doc).close()
    assert list((home / "unsaved").iterdir()) == []
    project = OpenProject.begin(doc)
    project.document.set_labels(0, labels((1, 1)))
    project.close(keep=True)
    (offered,) = unsaved_projects()
    again = OpenProject.open(offered.folder)
    assert state(again.document.values()) == state(doc.values())
    again.close()
    assert unsaved_projects() == ()


@pytest.mark.parametrize("keep", [True, False])
def test_a_closed_project_takes_no_memory_until_python_looks_for_garbage(tmp_path: Path, keep: bool) -> None:
    project = OpenProject.begin(document(video(tmp_path)))
    document_of = weakref.ref(project.document)
    gc.disable()
    try:
        project.close(keep)
        del project
        assert document_of() is None
    finally:
        gc.enable()


def test_a_video_of_any_name_can_be_begun(tmp_path: Path) -> None:
    for name in ("Ein Schwan: ½ & <x>.mp4", "x" * 200 + ".mp4", "白鳥" * 30 + ".mp4", "...mp4"):
        project = OpenProject.begin(document(video(tmp_path, name)))
        assert project.folder.is_dir()
        project.close()


def test_a_folder_that_cannot_be_written_is_opened_as_an_unsaved_project(
    opened: OpenProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.document.set_labels(0, labels((1, 1)))
    opened.save()
    opened.close()

    def refuse(folder: Path, force: bool = False) -> ProjectLock:
        if folder == tmp_path / "swan.mer":
            raise PermissionError(13, "Permission denied", str(folder / "lock"))
        return ProjectLock(folder, force)

    monkeypatch.setattr("app.io.open_project.ProjectLock", refuse)
    project = OpenProject.open(tmp_path / "swan.mer")
    assert not project.is_saved and "cannot be written" in project.why and not project.notes
    assert project.source == tmp_path / "swan.mer" and not project.is_dirty, "nothing was changed yet"
    assert state(project.document.values()) == state(opened.document.values())
    project.document.set_labels(1, labels((1, 1)))
    assert project.is_dirty
    project.save_as(tmp_path / "copy.mer")
    assert load(tmp_path / "copy.mer").document.labels(1) is not None
    assert project.is_saved and not project.why and not project.is_dirty
    project.close()


def test_labels_made_anew_in_the_place_of_damaged_ones_are_kept(opened: OpenProject, tmp_path: Path) -> None:
    """Although they are the same to the bit, as those of a propagation that is run again."""
    folder = tmp_path / "swan.mer"
    opened.document.set_labels(0, labels((1, 1)))
    opened.save()
    opened.close()
    (pack,) = folder.glob("*.pack")
    content = bytearray(pack.read_bytes())
    content[-1] ^= 1
    pack.write_bytes(content)
    again = OpenProject.open(folder)
    assert again.document.labels(0) is None and "frames (0) are damaged" in again.notes[0]
    again.document.set_labels(0, labels((1, 1)))
    again.save()
    again.close()
    assert load(folder).notes == () and load(folder).document.labels(0) is not None


def test_a_new_place_of_the_video_is_something_to_save(opened: OpenProject, tmp_path: Path) -> None:
    opened.close()
    (tmp_path / "swan.mp4").rename(tmp_path / "goose.mp4")
    again = OpenProject.open(tmp_path / "swan.mer", tmp_path / "goose.mp4")
    assert again.is_dirty
    again.save()
    again.close()
    assert load(tmp_path / "swan.mer").document.media.path == tmp_path / "goose.mp4"


# The lock


def test_a_project_is_open_once_and_free_after_that(tmp_path: Path) -> None:
    with ProjectLock(tmp_path) as lock:
        lock.check()
        with pytest.raises(ProjectInUse, match=f"process {os.getpid()} on") as refused:
            ProjectLock(tmp_path)
        assert refused.value.holder is not None and refused.value.holder.pid == os.getpid()
    assert not (tmp_path / "lock").exists()
    ProjectLock(tmp_path).release()


def test_another_process_is_respected_while_it_lives(tmp_path: Path) -> None:
    code = "import sys; from pathlib import Path; from app.io.project_lock import ProjectLock\n"
    code += "lock = ProjectLock(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    ) as other:
        assert other.stdout is not None and other.stdout.readline() == b"held\n"
        with pytest.raises(ProjectInUse, match=f"process {other.pid} on"):
            ProjectLock(tmp_path)
        other.kill()
        other.wait()
    with ProjectLock(tmp_path) as lock:
        assert lock.is_held


def lay(folder: Path, silent: float = 0, **fields: object) -> None:
    """A lock of this process, but for some fields, whose heart has been silent for so many seconds."""
    here = Holder.here()
    content = {"host": here.host, "pid": here.pid, "born": here.born, "token": "other", **fields}
    (folder / "lock").write_text(json.dumps(content))
    now = os.stat(folder / "lock").st_mtime
    os.utime(folder / "lock", (now - silent, now - silent))


def test_a_lock_that_a_crash_left_is_taken_over_and_one_that_holds_only_by_force(tmp_path: Path) -> None:
    late = project_lock.STALE + 5
    for silent, fields, holds in (
        (0, {"born": 0}, False),  # the number of the process was given to another one
        (0, {"pid": 2**22 + 7}, False),
        (late, {}, True),  # a process that is stopped in a debugger, or swapped out, still lives
        (0, {"host": "elsewhere"}, True),
        (late, {"host": "elsewhere"}, False),
        (0, {"pid": "x"}, True),  # being written at this moment
        (late, {"pid": "x"}, False),
    ):
        lay(tmp_path, silent, **fields)
        if holds:
            with pytest.raises(ProjectInUse):
                ProjectLock(tmp_path)
        with ProjectLock(tmp_path, force=holds) as lock:
            assert lock.is_held
        assert list(tmp_path.iterdir()) == []


def test_who_was_taken_over_notices_and_does_not_save(opened: OpenProject, tmp_path: Path) -> None:
    opened.document.set_labels(0, labels((1, 1)))
    other = OpenProject.open(tmp_path / "swan.mer", take_over=True)
    assert other.recovered == 1
    with pytest.raises(ProjectInUse, match="take it over"):
        opened.save()
    errors: list[Exception] = []
    opened.on_error = errors.append
    opened.document.set_labels(1, labels((1, 1)))
    assert isinstance(errors[0], ProjectInUse)
    opened.save_as(tmp_path / "mine.mer")
    with pytest.raises(ProjectInUse):  # the lock is the other's still
        OpenProject.open(tmp_path / "swan.mer")
    other.document.set_labels(2, labels((1, 1)))
    found = load(tmp_path / "swan.mer")
    assert found.recovered == 2 and state(found.document.values()) == state(other.document.values())
    other.close()


def test_the_heart_beats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_lock, "BEAT", 0.01)
    with ProjectLock(tmp_path):
        os.utime(tmp_path / "lock", (0, 0))
        beaten = threading.Event()
        for _ in range(500):
            if (tmp_path / "lock").stat().st_mtime > 0:
                beaten.set()
                break
            beaten.wait(0.01)
        assert beaten.is_set()


def test_a_project_whose_folder_is_gone_can_be_closed(opened: OpenProject, tmp_path: Path) -> None:
    errors: list[OSError] = []
    opened.on_error = errors.append
    shutil.rmtree(tmp_path / "swan.mer")
    opened.document.set_labels(0, labels((1, 1)))
    assert len(errors) == 1 and "swan.mer" in str(errors[0])
    opened.save_as(tmp_path / "again.mer")
    assert state(load(tmp_path / "again.mer").document.values()) == state(opened.document.values())


def test_what_is_done_while_a_copy_is_written_is_in_its_journal(tmp_path: Path, home: Path) -> None:
    doc = document(video(tmp_path))
    doc.add_object()
    project = OpenProject.begin(doc)
    work, move = project.saving_as(tmp_path / "a.mer")
    doc.set_labels(1, labels((1, 1)))
    work()
    doc.set_labels(2, labels((2, 1)))
    move()
    assert project.folder == tmp_path / "a.mer" and project.is_dirty
    project.close(keep=True)
    again = OpenProject.open(tmp_path / "a.mer")
    assert state(again.document.values()) == state(doc.values()) and again.recovered == 2
    again.close()


def test_a_copy_that_fails_or_comes_too_late_changes_nothing(tmp_path: Path, home: Path, monkeypatch) -> None:
    doc = document(video(tmp_path))
    project = OpenProject.begin(doc)
    before = project.folder
    with monkeypatch.context() as patch:
        patch.setattr("app.io.open_project.write", _no_room)
        work, _ = project.saving_as(tmp_path / "a.mer")
        with pytest.raises(OSError, match="No space"):
            work()
    assert project.folder == before
    work, move = project.saving_as(tmp_path / "b.mer")
    work()
    project.close()
    move()
    OpenProject.open(tmp_path / "b.mer").close()  # nobody has it open


def _no_room(*_: object) -> None:
    raise OSError(28, "No space left on device", "a.mer")
