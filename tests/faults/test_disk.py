"""The disk is full, or refuses, in the middle of whatever is written. See also `test_project_crash`, `test_journal`."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.document import Document
from app.io.export import EXPORTERS, export
from app.io.open_project import OpenProject
from app.runs.adaptation import adapt_to
from model.training import adapt
from model.training.checkpoint import load_file
from model.training.state import TrainingState
from model.training.trainer import train
from model.types import Anchor, LabelMap, PropagationOptions
from tests.corpora import moving_texture, options, register, write_corpus
from tests.failing_disk import disk
from tests.fuzz.seeds import FRAMES, SIZE, document
from tests.projects import state
from tests.unit.test_adapt import weights
from tests.videos import MemoryVideo
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]


@contextmanager
def no_file_longer_than(length: int) -> Iterator[None]:
    """In the block the system lets nobody write beyond that, libraries included."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (length, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_autosave_and_journal_on_a_full_disk_keep_all_that_was_painted(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    assert desk.studio.saving.save_to(tmp_path / "swan.mer")
    project = desk.session.project
    saved = (tmp_path / "swan.mer" / "project.json").read_bytes()
    with disk(limit=40, dies=False):
        desk.label(1)  # the journal notices
        desk.studio.saving._autosave()
        desk.wait(lambda: not desk.studio.saving._busy)
        assert (tmp_path / "swan.mer" / "project.json").read_bytes() == saved
    said = [notice.text for notice in desk.window.notices.notices]
    assert any("No space left" in text for text in said), said
    assert sorted(desk.stored) == [0, 1] and project is not None and project.is_dirty
    desk.studio.saving._autosave()  # there is room again
    desk.wait(lambda: not project.is_dirty)
    desk.session.close()
    again = OpenProject.open(tmp_path / "swan.mer")
    assert sorted(again.document.store) == [0, 1] and not again.recovered
    again.close()


@pytest.mark.parametrize("form", sorted(EXPORTERS))
@pytest.mark.parametrize("room", [0, 40])
def test_an_export_that_finds_no_room_leaves_nothing_and_says_where(tmp_path: Path, form: str, room: int) -> None:
    made = document(tmp_path)
    before = state(made.values())
    source = MemoryVideo([np.random.default_rng(n).integers(0, 255, (*SIZE, 3), np.uint8) for n in range(FRAMES)])
    target = tmp_path / "out" / f"labels{EXPORTERS[form].suffix}"
    with no_file_longer_than(room), pytest.raises((OSError, ValueError)) as refused:
        list(export(made, source, form, target))
    message = str(refused.value)
    assert str(target) in message and "\n" not in message, message
    assert not any((tmp_path / "out").iterdir())
    assert state(made.values()) == before
    assert list(export(made, source, form, target))


def test_a_checkpoint_that_finds_no_room_leaves_the_one_before_it(tmp_path: Path, monkeypatch: Any) -> None:
    register(monkeypatch)
    chosen = options(write_corpus(tmp_path / "corpus"), tmp_path / "run", checkpoint_every=2)
    saved, real = [], TrainingState.save

    def save(self: TrainingState, path: Path, *more: Any) -> None:
        saved.append(self.step)
        if len(saved) == 2:
            with no_file_longer_than(1000):
                real(self, path, *more)
        real(self, path, *more)

    with monkeypatch.context() as patch:
        patch.setattr(TrainingState, "save", save)
        with pytest.raises(OSError, match=r"checkpoint\.pt") as full:
            train(chosen)
    assert full.value.errno == errno.EFBIG and saved == [2, 4]
    assert load_file(chosen.out / "checkpoint.pt")["step"] == 2
    assert not list(chosen.out.glob(".*"))
    train(replace(chosen, resume=True))
    assert (chosen.out / "encoder.pt").exists()


def test_an_adaptation_that_finds_no_room_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even what had been better before."""
    start, saved, errors = weights(tmp_path / "start.pt"), [], iter([3.0, 2.0, 1.0])
    real = adapt.save_weights

    def save(path: Path, *more: Any) -> None:
        saved.append(path)
        with no_file_longer_than(1 << 30 if len(saved) == 1 else 1000):
            real(path, *more)

    monkeypatch.setattr(adapt, "save_weights", save)
    monkeypatch.setattr(adapt, "cycle_error", lambda *_: next(errors))
    source = MemoryVideo(moving_texture(3, frames=24, height=64, width=80, speed=2, coarseness=2))
    anchor = Anchor(0, LabelMap(np.ones((64, 80), np.uint8)))
    work = adapt_to(source, (anchor,), PropagationOptions(), start, tmp_path / "adapted.pt", minutes=None, steps=8)
    with pytest.raises(OSError, match=r"adapted\.pt") as full:
        list(work)
    assert full.value.errno == errno.EFBIG and len(saved) == 2
    assert list(tmp_path.iterdir()) == [start]


def test_the_disk_refuses_to_rename(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a quota counts names: everything was written, and the last step fails."""
    made = OpenProject.begin(Document(document(tmp_path).media))
    made.save_as(tmp_path / "swan.mer")
    made.document.add_object("swan")

    def refuse(*_: object) -> None:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match=r"project\.json"):
            made.save()
    made.close(keep=True)
    again = OpenProject.open(tmp_path / "swan.mer")
    assert again.recovered == 1 and [info.name for info in again.document.objects] == ["swan"]
    again.close()
