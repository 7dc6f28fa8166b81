"""The journal: what was appended is replayed, up to the byte where a program or a disk gave up."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import threading
from pathlib import Path
from typing import Any

import pytest

from app.core.document import Document
from app.core.objects import Skeleton
from app.io import journal as journal_module
from app.io.journal import Journal, replay, segments, set_aside
from app.io.project_file import load, read_project, save
from model.types import Direction, KeypointSet, PropagationOptions
from tests.failing_disk import disk
from tests.projects import document, labels, propagated, state, video


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A saved project without labels, for journals to be laid into."""
    doc = document(video(tmp_path))
    save(doc, tmp_path / "swan.mer")
    return tmp_path / "swan.mer"


def work(doc: Document, running: Journal) -> list[dict[Any, Any]]:
    """Do something of every kind, listened to by the journal; the state after each record."""
    states = [state(doc.values())]

    def listen(values: Any, change: Any) -> None:
        running.append(values)
        states.append(state(doc.values()))

    doc.on_change = listen
    doc.add_object("swan")
    doc.add_object("shadow")
    doc.set_skeleton(Skeleton(("beak",)))
    doc.set_labels(0, labels((1, 1), (2, 2)))
    doc.set_keypoints(3, KeypointSet.of({"beak": (0.5, 1)}))
    job = doc.begin_job("Propagate", doc.request(Direction.FORWARD), "sha")
    for frame in (1, 2):
        doc.apply_result(job, frame, propagated((frame, 1)))
    doc.end_job(job)
    doc.set_options(PropagationOptions(radius=5))
    doc.set_span(1, 4)
    doc.drop_reference(3)
    doc.remove_object(2)
    doc.clear([3, 2])
    doc.undo()
    doc.undo()
    doc.on_change = lambda values, change: None
    return states


def replayed(folder: Path) -> dict[Any, Any]:
    return state(load(folder).document.values())


def test_what_was_appended_is_replayed(folder: Path) -> None:
    doc = load(folder).document
    journal = Journal(folder, 0)
    states = work(doc, journal)
    journal.close()
    loaded = load(folder)
    assert state(loaded.document.values()) == states[-1]
    assert loaded.recovered == len(states) - 1 and loaded.notes == ()
    assert loaded.document.revision >= doc.revision


def test_records_are_on_disk_as_soon_as_append_returns(folder: Path) -> None:
    """A program that is killed then has lost nothing: nobody had to close or sync anything."""
    journal = Journal(folder, 0)
    states = work(load(folder).document, journal)
    assert replayed(folder) == states[-1]
    journal.close()


def test_a_journal_that_is_cut_off_at_any_byte_gives_what_was_whole_without_a_word(folder: Path) -> None:
    journal = Journal(folder, 0)
    states = work(load(folder).document, journal)
    journal.close()
    (number,) = segments(folder)
    path = folder / f"journal-{number}"
    content = path.read_bytes()
    counts = []
    media = document().media
    for length in sorted({*range(0, len(content), 7), *range(len(content) - 100, len(content) + 1)}):
        path.write_bytes(content[:length])
        found = replay(folder, media, 0)
        assert found.damage is None and found.notes == ()
        counts.append(len(found.records))
    assert counts == sorted(counts) and counts[0] == 0 and counts[-1] == len(states) - 1
    assert counts[-2] == len(states) - 2
    path.write_bytes(content[:-1])
    assert replayed(folder) == states[-2]


def test_an_end_of_zeros_or_a_wrong_last_record_is_a_cut_off_end_as_well(folder: Path) -> None:
    journal = Journal(folder, 0)
    states = work(load(folder).document, journal)
    journal.close()
    path = folder / f"journal-{segments(folder)[0]}"
    content = path.read_bytes()
    for broken, expected in ((content + bytes(100), states[-1]), (content[:-1] + b"?", states[-2])):
        path.write_bytes(broken)
        loaded = load(folder)
        assert loaded.notes == () and state(loaded.document.values()) == expected


def damage(path: Path, share: float = 0.5) -> None:
    content = bytearray(path.read_bytes())
    content[int(len(content) * share)] ^= 255
    path.write_bytes(content)


def test_damage_in_the_middle_is_noted_and_what_came_before_it_is_kept(folder: Path) -> None:
    journal = Journal(folder, 0)
    states = work(load(folder).document, journal)
    journal.close()
    path = folder / f"journal-{segments(folder)[0]}"
    damage(path)
    loaded = load(folder)
    assert 0 < loaded.recovered < len(states) - 1
    assert state(loaded.document.values()) == states[loaded.recovered]
    assert len(loaded.notes) == 1 and f"{path}: is damaged" in loaded.notes[0]


def test_what_follows_a_damage_that_was_set_aside_counts_again(folder: Path) -> None:
    for _ in range(2):
        journal = Journal(folder, 0)
        work(load(folder).document, journal)
        journal.close()
    first, second = (folder / f"journal-{number}" for number in segments(folder))
    damage(first)
    whole, later = first.read_bytes(), second.read_bytes()
    loaded = load(folder)
    assert loaded.damage is not None
    set_aside(loaded.damage)
    assert (folder / f"{first.name}.damaged").read_bytes() == whole
    assert (folder / f"{second.name}.damaged").read_bytes() == later and not second.exists()
    assert load(folder).notes == () and replayed(folder) == state(loaded.document.values())
    journal = Journal(folder, 0)
    journal.append({7: None})
    journal.close()
    assert load(folder).recovered == loaded.recovered + 1


def test_a_save_ends_the_journal_and_a_new_one_goes_on(folder: Path) -> None:
    doc = load(folder).document
    journal = Journal(folder, 0)
    states = work(doc, journal)
    journal.close()
    save(doc, folder)
    assert segments(folder) == [] and load(folder).recovered == 0 and replayed(folder) == states[-1]
    journal = Journal(folder, read_project(folder).journal)
    doc.on_change = lambda values, change: journal.append(values)
    doc.set_labels(5, labels((5, 1)))
    journal.close()
    assert load(folder).recovered == 1 and replayed(folder) == state(doc.values())


def test_a_journal_that_outlives_its_save_changes_nothing(folder: Path) -> None:
    """The program died after the save and before it removed the journal; or an old file was not to be removed."""
    doc = load(folder).document
    journal = Journal(folder, 0)
    work(doc, journal)
    journal.close()
    copies = [shutil.copy(folder / f"journal-{number}", folder.parent) for number in segments(folder)]
    doc.set_labels(9, labels((1, 1)))
    save(doc, folder)
    for copy in copies:
        shutil.copy(copy, folder)
    assert load(folder).recovered == 0 and replayed(folder) == state(doc.values())


def test_replaying_twice_is_replaying_once(folder: Path) -> None:
    journal = Journal(folder, 0)
    states = work(load(folder).document, journal)
    journal.close()
    doc = load(folder).document
    for record in replay(folder, doc.media, 0).records:
        doc.restore(record)
    assert state(doc.values()) == states[-1]


def test_a_full_disk_is_told_once_and_nothing_is_lost_when_there_is_room_again(folder: Path) -> None:
    doc = load(folder).document
    errors: list[OSError] = []
    journal = Journal(folder, 0, errors.append)
    doc.on_change = lambda values, change: journal.append(values)
    doc.add_object()
    doc.set_labels(0, labels((1, 1)))
    for row, room in enumerate((0, 30, 200)):
        with disk(room, dies=False):
            for frame in (1, 2, 3, 4):
                assert doc.set_labels(frame, labels((row, 1)))
    assert [error.errno for error in errors] == [errno.ENOSPC] and str(folder) in str(errors[0])
    doc.set_labels(5, labels((5, 1)))
    assert replayed(folder) == state(doc.values())
    with disk(0, dies=False):
        doc.set_labels(6, labels((5, 1)))
    assert len(errors) == 2
    journal.close()


def test_a_journal_that_somebody_removes_begins_again(folder: Path) -> None:
    doc = load(folder).document
    journal = Journal(folder, 0)
    doc.on_change = lambda values, change: journal.append(values)
    doc.add_object()
    save(doc, folder)  # by somebody who does not know of the running journal
    doc.set_labels(0, labels((1, 1)))
    assert replayed(folder) == state(doc.values())
    journal.close()


def test_a_folder_that_vanishes_is_told(folder: Path) -> None:
    errors: list[OSError] = []
    journal = Journal(folder, 0, errors.append)
    journal.append({0: None})
    shutil.rmtree(folder)
    journal.append({1: None})
    assert [error.errno for error in errors] == [errno.ENOENT]
    journal.clear()
    journal.close()


def test_syncing_happens_elsewhere_and_is_not_waited_for(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slow, synced = threading.Event(), []

    def fsync(file: int) -> None:
        assert threading.current_thread() is not threading.main_thread(), "the window waits for it"
        slow.wait(20)
        if stat.S_ISREG(os.fstat(file).st_mode):  # else the folder, once per segment
            synced.append(os.fstat(file).st_size)

    monkeypatch.setattr(journal_module.os, "fsync", fsync)
    journal = Journal(folder, 0)
    for frame in range(10):
        journal.append({frame: None})
    assert synced == []
    slow.set()
    journal.sync()
    path = folder / f"journal-{segments(folder)[0]}"
    assert synced[-1] == path.stat().st_size and len(synced) <= 2  # one that had begun, and one for all the rest
    journal.close()


def test_a_disk_that_refuses_to_sync_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    errors: list[OSError] = []
    journal = Journal(folder, 0, errors.append)

    def fsync(file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(journal_module.os, "fsync", fsync)
    journal.append({0: None})
    journal.sync()
    journal.close()
    assert [error.errno for error in errors] == [errno.EIO]
