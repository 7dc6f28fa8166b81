"""How the program starts itself again, from Python and from a bundle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QDesktopServices, QFileOpenEvent
from PySide6.QtWidgets import QPushButton
from pytestqt.qtbot import QtBot

from app import __version__, program
from app.controllers.file_events import FileEvents
from app.views.dialogs.about import AboutDialog


@pytest.fixture
def bundled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    monkeypatch.setattr(sys, "executable", "/opt/mer-studio/mer")


def test_the_command_runs_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        program.command("--version"), env=program.environment(), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.stdout.strip() == f"mer {__version__}", done.stderr


@pytest.mark.usefixtures("bundled")
def test_a_bundle_starts_its_own_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert program.is_bundled()
    assert program.command("train", "footage") == ["/opt/mer-studio/mer", "train", "footage"]
    assert "PYTHONPATH" not in program.environment()


@pytest.mark.skipif(sys.platform != "linux", reason="only there the loader is told of libraries by the environment")
@pytest.mark.parametrize("before", ["/opt/users/own", None])
@pytest.mark.usefixtures("bundled")
def test_other_programs_do_not_get_a_bundle_s_libraries(monkeypatch: pytest.MonkeyPatch, before: str | None) -> None:
    """PyInstaller's loader points LD_LIBRARY_PATH at them, and notes what it was."""
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/mer-studio/_internal")
    monkeypatch.delenv("LD_LIBRARY_PATH_ORIG", raising=False)
    if before is not None:
        monkeypatch.setenv("LD_LIBRARY_PATH_ORIG", before)
    program.begin()
    assert os.environ.get("LD_LIBRARY_PATH") == before


def test_without_a_bundle_the_environment_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/users/own")
    program.begin()
    assert os.environ["LD_LIBRARY_PATH"] == "/opt/users/own"


def test_what_finder_opens_is_opened(qtbot: QtBot) -> None:
    opened: list[Path] = []
    app = QCoreApplication.instance()
    assert app is not None
    events = FileEvents(opened.append, app)
    app.installEventFilter(events)
    try:
        app.sendEvent(app, QFileOpenEvent("/films/swan.mer"))
    finally:
        app.removeEventFilter(events)
        events.deleteLater()
    assert opened == [Path("/films/swan.mer")]


def test_a_bundle_shows_the_licences_of_others(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shown: list[str] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", lambda url: shown.append(url.toLocalFile()))
    for licences, count in ((tmp_path / "THIRD_PARTY.md", 1), (None, 0)):
        dialog = AboutDialog("1.0", {}, licences=licences)
        qtbot.addWidget(dialog)
        buttons = [button for button in dialog.findChildren(QPushButton) if "Licences" in button.text()]
        assert len(buttons) == count
        for button in buttons:
            button.click()
    assert shown == [str(tmp_path / "THIRD_PARTY.md")]
