"""A project that may be read and not written, as on somebody else's share: it is said, with the way out."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from app.io.project_lock import ProjectLock
from app.views.dialogs import files
from tests.faults.test_media import said
from tests.faults.test_share import is_whole, save
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]


@pytest.fixture
def locked(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one labelled frame, open, in a folder that cannot be written."""
    project = tmp_path / "locked" / "swan.mer"
    desk.open()
    desk.label(0)
    assert desk.studio.saving.save_to(project)
    desk.session.close()

    def refuse(folder: Path, force: bool = False) -> ProjectLock:
        if folder == project:
            raise PermissionError(errno.EACCES, "Permission denied", str(folder / "lock"))
        return ProjectLock(folder, force)

    monkeypatch.setattr("app.io.open_project.ProjectLock", refuse)
    desk.open(project)
    return project


def test_it_is_told_with_a_button_until_it_is_saved_elsewhere(
    desk: Desk, locked: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []
    copy = tmp_path / "mine.mer"
    monkeypatch.setattr(files, "save_project", lambda parent, suggested: asked.append(suggested) or copy)
    (notice,) = desk.window.notices.notices
    assert str(locked) in notice.text and "cannot be written (Permission denied)" in notice.text
    desk.label(1)
    assert notice.button is not None
    notice.button.click()
    desk.wait(lambda: not desk.studio.saving._busy)
    assert asked == [desk.video.parent / "swan.mer"], "by the name that it has"
    assert not said(desk), "what is over is not told any longer"
    save(desk)
    assert len(asked) == 1
    desk.session.close()
    is_whole(copy, [0, 1])


def test_who_only_looked_at_it_is_not_asked_to_save_it(
    desk: Desk, locked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "ask_save", lambda parent, name: pytest.fail("there is nothing to save"))
    assert desk.window.windowTitle().startswith("swan") and not desk.window.isWindowModified()
    desk.does("file.close")
    assert not desk.session.is_open


@pytest.mark.parametrize("code, room", [(errno.EROFS, False), (errno.ENOSPC, True)])
def test_room_is_asked_for_where_room_is_missing(
    desk: Desk, tmp_path: Path, code: int, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.open()
    desk.label(0)
    assert desk.studio.saving.save_to(tmp_path / "swan.mer")
    project = desk.session.project
    assert project is not None
    project.on_error(OSError(code, "No", str(project.folder)))
    text = f"Changes cannot be kept safe: {project.folder}: No. "
    assert said(desk)[-1] == text + (
        "Make room, or save the project elsewhere." if room else "Save the project elsewhere."
    )
    save(desk)
    assert not said(desk)
