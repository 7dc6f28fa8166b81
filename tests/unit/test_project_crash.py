"""Whatever happens while a project is saved, it is the old one or the new one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.document import Document
from app.io import project_file
from app.io.journal import Journal
from app.io.project_file import create, load, save
from model.types import LabelMap
from tests.failing_disk import Crash, Disk, disk
from tests.projects import document, labels, state, video
from tests.videos import texture

State = dict[Any, Any]


def painted(path: Path, seed: int) -> LabelMap:
    return LabelMap(np.random.default_rng(seed).integers(0, 2, (16, 16), np.uint8))


@pytest.fixture(params=["add to the pack", "begin a new pack"])
def project(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Document]:
    """A saved project with a journal, and a document that is further than both."""
    path = video(tmp_path)
    doc = document(path, size=(16, 16))
    doc.add_object()
    folder = tmp_path / "swan.mer"
    for seed in range(6):
        doc.set_labels(0, painted(path, seed))
        save(doc, folder, texture(0, 9, 16))
    if request.param == "begin a new pack":
        monkeypatch.setattr(project_file, "WASTE", 0)
    journal = Journal(folder, 0)
    doc.on_change = lambda values, change: journal.append(values)
    doc.set_labels(3, painted(path, 10))
    journal.close()
    doc.on_change = lambda values, change: None
    doc.set_labels(0, painted(path, 11))
    doc.set_labels(4, painted(path, 12))
    return folder, doc


def points_of_failure(run: Disk) -> list[int]:
    """Every change of operation from both sides, and places in the middle of what is written."""
    near = {step + off for step in run.boundaries for off in (-1, 0, 1)} | {run.steps}
    return sorted(step for step in near | set(range(0, run.steps, 53)) if 0 <= step <= run.steps)


def test_a_crash_at_any_byte_leaves_the_old_project_or_the_new_one(
    project: tuple[Path, Document], tmp_path: Path
) -> None:
    folder, doc = project
    old, new = state(load(folder).document.values()), state(doc.values())
    assert old != new
    trial = tmp_path / "trial.mer"
    shutil.copytree(folder, trial)
    with disk() as run:
        save(doc, trial, texture(1, 9, 16))
    seen = []
    for step in points_of_failure(run):
        shutil.rmtree(trial)
        shutil.copytree(folder, trial)
        if step < run.steps:
            with pytest.raises(Crash), disk(step):
                save(doc, trial, texture(1, 9, 16))
        found = load(trial) if step < run.steps else load(folder)
        assert found.notes == ()
        seen.append(state(found.document.values()) == new)
        assert seen[-1] or state(found.document.values()) == old
        if step % 5 == 0:  # and it goes on from there
            save(doc, trial)
            assert state(load(trial).document.values()) == new
            assert {path.name.split("-")[0] for path in trial.iterdir()} == {"project.json", "labels", "thumbnail.png"}
    assert True in seen and seen[:-1] == sorted(seen[:-1])


def test_a_full_disk_is_named_and_leaves_everything_as_it_was(project: tuple[Path, Document], tmp_path: Path) -> None:
    folder, doc = project
    old = {path.name: path.read_bytes() for path in folder.iterdir()}
    before, after = state(load(folder).document.values()), state(doc.values())
    trial = tmp_path / "trial.mer"
    shutil.copytree(folder, trial)
    with disk(dies=False) as run:
        save(doc, trial)
    shutil.rmtree(trial)
    shutil.copytree(folder, trial)
    for step in points_of_failure(run)[:-2]:
        with pytest.raises(OSError, match=r"No space left on device.*trial\.mer"), disk(step, dies=False):
            save(doc, trial)
        assert {path.name: path.read_bytes() for path in trial.iterdir()} == old
        assert state(load(trial).document.values()) == before
    save(doc, trial)
    assert state(load(trial).document.values()) == after


def test_a_first_save_that_failed_can_be_tried_again_in_the_same_place(tmp_path: Path) -> None:
    doc = document(video(tmp_path))
    doc.add_object()
    doc.set_labels(0, labels((1, 1)))
    with pytest.raises(OSError, match="No space"), disk(40, dies=False):
        create(tmp_path / "a.mer", doc)
    with pytest.raises(ValueError, match="not a project"):
        load(tmp_path / "a.mer")
    with pytest.raises(Crash), disk(100):
        create(tmp_path / "a.mer", doc)
    create(tmp_path / "a.mer", doc)
    assert state(load(tmp_path / "a.mer").document.values()) == state(doc.values())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Nothing in the folder can be changed in the block, not even by a superuser."""
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(0)
        folder.chmod(0o755)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions work otherwise here")
def test_a_folder_that_cannot_be_written_can_be_read_and_says_so_when_saved() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to others
        parent = Path(name).resolve()
        parent.chmod(0o755)
        doc = document(video(parent))
        doc.add_object()
        folder = parent / "swan.mer"
        save(doc, folder)
        doc.set_labels(0, labels((1, 1)))
        with locked(folder):
            before = load(folder).document
            with pytest.raises(PermissionError, match=r"swan\.mer"):
                save(doc, folder)
            assert state(load(folder).document.values()) == state(before.values())
        with locked(parent), pytest.raises(PermissionError, match=r"new\.mer"):
            create(parent / "new.mer", doc)


def test_a_crash_that_loses_what_was_not_synced_leaves_the_old_project_or_the_new_one(
    project: tuple[Path, Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a power cut a file holds what was synced. So the pack is synced before project.json names what is in it,
    and project.json before it takes its name."""
    folder, doc = project
    events: list[str] = []
    names: dict[int, str] = {}
    real_open, real_sync, real_replace = os.open, os.fsync, os.replace

    def opened(path: Any, *arguments: Any, **keywords: Any) -> int:
        descriptor = real_open(path, *arguments, **keywords)
        names[descriptor] = "pack" if "labels" in str(path) else "json" if "project.json" in str(path) else "folder"
        return descriptor

    def synced(descriptor: int) -> None:
        events.append(names[descriptor])
        real_sync(descriptor)

    def replaced(source: Any, target: Any) -> None:
        events.append("replace")
        real_replace(source, target)

    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    save(doc, folder)
    assert [e for e in events if e != "folder"] == ["pack", "json", "replace"]
    assert events[-1] == "folder"
