"""The project lies on a share that goes away while it is saved, or in between. See `test_media` for the video's."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from app.io.open_project import OpenProject
from tests.faults.test_media import said
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]


@contextmanager
def dead(share: Path, code: int, after: int) -> Iterator[None]:
    """In the block, whatever is done to the share fails with that code from the `after`-th step on; reading as well."""
    steps, lock, mine = [0], threading.Lock(), set[int]()
    real = {name: getattr(os, name) for name in ("open", "write", "fsync", "replace", "unlink", "mkdir", "stat")}

    def concerns(first: Any) -> bool:
        return first in mine if isinstance(first, int) else Path(os.fsdecode(first)).is_relative_to(share)

    def failing(name: str) -> Any:
        def call(*given: Any, **more: Any) -> Any:
            if not concerns(given[0]):
                return real[name](*given, **more)
            with lock:
                steps[0] += 1
                if steps[0] > after:
                    raise OSError(code, os.strerror(code), *(() if isinstance(given[0], int) else given[:1]))
            made = real[name](*given, **more)
            if name == "open":
                mine.add(made)
            return made

        return call

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(os, name, failing(name))
        yield


def save(desk: Desk) -> None:
    desk.does("file.save")
    desk.wait(lambda: not desk.studio.saving._busy)


def is_whole(project: Path, frames: list[int]) -> None:
    again = OpenProject.open(project, take_over=True)  # of one that went away, this process never let go
    assert sorted(again.document.store) == frames and not again.recovered and not again.notes
    again.close()


@pytest.mark.parametrize("code, after", [(errno.EIO, 0), (errno.ESTALE, 2), (errno.EIO, 5), (errno.ESTALE, 8)])
def test_what_was_painted_outlives_a_share_that_dies_in_a_save(
    desk: Desk, tmp_path: Path, code: int, after: int
) -> None:
    share = tmp_path / "share"
    share.mkdir()
    desk.open()
    desk.label(0)
    assert desk.studio.saving.save_to(share / "swan.mer")
    desk.label(1)
    project, painted = desk.session.project, desk.stored
    assert project is not None
    with dead(share, code, after):
        save(desk)
        assert any("swan.mer" in text and os.strerror(code) in text for text in said(desk)), said(desk)
        assert project.is_dirty
        desk.label(2)  # and one goes on painting
    assert sorted(desk.stored) == [0, 1, 2] and all((desk.stored[n] == painted[n]).all() for n in painted)
    save(desk)  # the share is back
    assert not project.is_dirty
    desk.session.close()
    is_whole(share / "swan.mer", [0, 1, 2])


@pytest.mark.parametrize("returns", [True, False])
def test_a_share_that_is_gone_between_two_saves(desk: Desk, tmp_path: Path, returns: bool) -> None:
    share, away = tmp_path / "share", tmp_path / "away"
    share.mkdir()
    desk.open()
    desk.label(0)
    assert desk.studio.saving.save_to(share / "swan.mer")
    share.rename(away)
    desk.label(1)
    save(desk)
    assert f"{share / 'swan.mer'}: is gone: bring its disk or share back, or save elsewhere" in said(desk)
    assert any(text.startswith(f"Changes cannot be kept safe: {share}") for text in said(desk)), "the journal as well"
    assert not share.exists(), "nothing is written where it was: it would hide what is there"
    if returns:
        away.rename(share)
        save(desk)
    else:
        assert desk.studio.saving.save_to(tmp_path / "mine.mer")
    project = desk.session.project
    assert project is not None and not project.is_dirty
    desk.session.close()
    is_whole((share if returns else tmp_path) / ("swan.mer" if returns else "mine.mer"), [0, 1])
    if not returns:
        is_whole(away / "swan.mer", [0])
