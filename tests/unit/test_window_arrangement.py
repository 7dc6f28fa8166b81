"""How the main window is arranged, and that it stays so."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QRect, QSettings, QSize, Qt
from PySide6.QtGui import QScreen
from PySide6.QtWidgets import QApplication, QPushButton, QSplitter
from pytestqt.qtbot import QtBot

from app.core.keymap import KeyMap
from app.views.dialogs.keys import KeysPage
from app.views.main_window import SMALLEST, USUAL, MainWindow, first_size, remembered
from app.views.training.window import TrainingWindow
from tests.bare_windows import build, settings, window

__all__ = ["settings", "window"]


def test_the_timeline_keeps_its_share_until_the_user_chooses_another(qtbot: QtBot, settings: QSettings) -> None:
    def share(window: MainWindow) -> float:
        QApplication.processEvents()
        return split.sizes()[1] / sum(split.sizes())

    window = build(qtbot, settings)
    split = next(iter(window.findChildren(QSplitter)))
    window.resize(1280, 1400)
    share(window)
    window.resize(1280, 720)
    assert share(window) < 0.32
    split.moveSplitter(300, 1)
    chosen = share(window)
    assert chosen > 0.4
    window.close()
    again = build(qtbot, settings)
    split = next(iter(again.findChildren(QSplitter)))
    assert share(again) == pytest.approx(chosen, abs=0.05)


def test_the_next_window_is_as_the_last_one_was(qtbot: QtBot, settings: QSettings) -> None:
    first = build(qtbot, settings)
    assert first.size().width() >= 1024 and first.minimumSize().height() == 640
    first.resize(1100, 700)
    first.actions["panels.references"].trigger()
    first._editor.docks["panels.view"].set_folded(True)
    assert first.close()
    second = build(qtbot, settings)
    assert second.height() == 700, "the screenless screen is too narrow for the width"
    assert not second.actions["panels.references"].isChecked()
    assert not second._editor.docks["panels.references"].isVisible()
    assert second._editor.docks["panels.view"].folded and not second.view_panel.isVisible()
    assert not second._editor.docks["panels.objects"].folded and second.objects_panel.isVisible()


def test_a_broken_memory_of_the_last_window_does_no_harm(qtbot: QtBot, settings: QSettings) -> None:
    for key in ("window/geometry", "editor/panels", "editor/split", "editor/folded"):
        settings.setValue(key, "nonsense")
    window = build(qtbot, settings)
    assert window.objects_panel.isVisible() and window.width() >= 1024


def test_where_windows_are_is_kept_beside_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    assert Path(remembered().fileName()) == tmp_path / "home" / "window.ini"


def test_panels_fold_close_and_come_back(window: MainWindow, qtbot: QtBot) -> None:
    dock = window._editor.docks["panels.objects"]
    height = dock.height()
    qtbot.mouseClick(dock.titleBarWidget(), Qt.MouseButton.LeftButton)
    qtbot.waitUntil(lambda: dock.height() < height)
    assert dock.folded and not window.objects_panel.isVisible()
    qtbot.mouseClick(dock.titleBarWidget(), Qt.MouseButton.LeftButton)
    assert not dock.folded and window.objects_panel.isVisible()
    dock.close()
    assert not window.actions["panels.objects"].isChecked()
    window.actions["panels.objects"].trigger()
    assert dock.isVisible()


def test_a_low_window_still_shows_all_tools(window: MainWindow, qtbot: QtBot) -> None:
    window.resize(1024, 640)
    for number in range(3):
        window.notify(f"Error {number}", "error")
    qtbot.wait(20)
    bar = window._editor._tools
    tools = bar.findChildren(QPushButton)
    assert len(tools) == 10
    assert all(tool.isVisible() and bar.rect().contains(tool.geometry()) for tool in tools)


def test_a_first_window_is_no_larger_than_its_screen() -> None:
    """Its last line, which says what is going on, would lie beyond the edge."""
    assert first_size(QSize(1920, 1080)) == USUAL
    small = first_size(QSize(1280, 720))
    assert small.width() < 1280 and small.height() < 700
    assert first_size(QSize(800, 480)) == SMALLEST


def test_nor_are_the_windows_beside_it(qtbot: QtBot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(QScreen, "availableGeometry", lambda screen: QRect(0, 0, 1000, 600))
    for beside in (KeysPage(KeyMap()), TrainingWindow()):
        qtbot.addWidget(beside)
        assert beside.width() < 1000 and beside.height() < 580
