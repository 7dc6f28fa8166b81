"""The main window with placeholders where canvas and timeline will be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import QSettings, Qt
from PySide6.QtWidgets import QWidget
from pytestqt.qtbot import QtBot

from app.core.keymap import KeyMap
from app.views.main_window import MainWindow


def build(qtbot: QtBot, settings: QSettings, page: str = "editor", keymap: KeyMap | None = None) -> MainWindow:
    canvas = QWidget()
    canvas.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    window = MainWindow(canvas, QWidget(), keymap, settings)
    qtbot.addWidget(window)
    window.show_page(page)
    window.show()
    window.activateWindow()
    qtbot.waitActive(window)
    return window


@pytest.fixture
def settings(tmp_path: Path) -> QSettings:
    return QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)


@pytest.fixture
def window(qtbot: QtBot, settings: QSettings) -> Iterator[MainWindow]:
    yield build(qtbot, settings)
