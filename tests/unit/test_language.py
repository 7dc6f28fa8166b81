"""Every word of the window goes through translation: with a pretended language, none is left in English."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from PySide6.QtCore import (
    QAbstractItemModel,
    QAbstractListModel,
    QCoreApplication,
    QModelIndex,
    QSettings,
    Qt,
    QTranslator,
)
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QAbstractButton, QAbstractItemView, QApplication, QLabel, QLineEdit, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.core.hints import Situation, hint
from app.core.keymap import KeyMap
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from app.core.preflight import Need, Preflight, Resource
from app.core.run_options import RUN_OPTIONS
from app.core.settings import SETTINGS
from app.views import i18n
from app.views.dialogs.about import AboutDialog
from app.views.dialogs.keys import KeysPage
from app.views.dialogs.preflight import PreflightDialog
from app.views.dialogs.relink import RelinkDialog
from app.views.dialogs.run_options import RunOptionsDialog
from app.views.dialogs.settings import SettingsDialog
from app.views.dialogs.skeleton import SkeletonDialog
from app.views.main_window import MainWindow

# What is the same in every language: keys, names of units and of the program, what the user wrote, signs.
KEYS = "Ctrl|Shift|Alt|Esc|Del|Home|End|Space|Left|Right|F11?|[A-Z]"
SAME = re.compile(rf"^(({KEYS})(\+.)?\W*)+$|MB|GB|swan|shadow|film\.mp4|^[\W\d]*$")


class Pretended(QTranslator):
    """Says everything twice as loud."""

    def translate(self, context: str, text: str, disambiguation: str | None = None, n: int = -1) -> str:
        return f"«{text}»" if text else ""

    def isEmpty(self) -> bool:
        return False


@pytest.fixture
def pretended(qapp: QApplication) -> Iterator[None]:
    translator = Pretended()
    assert qapp.installTranslator(translator)
    yield
    qapp.removeTranslator(translator)


def texts(top: QWidget) -> Iterator[str]:
    """All that a window says: labels, buttons, menus, tooltips, titles, lists, names for screen readers."""
    for widget in [top, *top.findChildren(QWidget)]:
        yield from (widget.toolTip(), widget.accessibleName(), widget.accessibleDescription())
        if widget.isWindow() and not isinstance(widget, QMenu):
            yield widget.windowTitle()
        if isinstance(widget, QLabel | QAbstractButton):
            yield widget.text()
        if isinstance(widget, QLineEdit):
            yield widget.placeholderText()
        if isinstance(widget, QMenu):
            yield widget.title()
        if isinstance(widget, QAbstractItemView) and widget.model():
            yield from listed(widget.model())
    for action in top.findChildren(QAction):
        yield from (action.text(), action.iconText(), action.toolTip())


def listed(model: QAbstractItemModel, parent: QModelIndex | None = None) -> Iterator[str]:
    parent = parent or QModelIndex()
    columns = 1 if isinstance(model, QAbstractListModel) else model.columnCount(parent)
    for row in range(model.rowCount(parent)):
        for column in range(columns):
            index = model.index(row, column, parent)
            for role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.ToolTipRole):
                yield str(model.data(index, role) or "")
        yield from listed(model, model.index(row, 0, parent))
    if columns > 1 and not parent.isValid():
        for column in range(columns):
            yield str(model.headerData(column, Qt.Orientation.Horizontal) or "")


def english(top: QWidget) -> list[str]:
    """What was not translated. Translated texts are taken away, with what was put into them."""
    left = []
    for text in texts(top):
        plain = re.sub(r"<[^>]*>|&nbsp;", " ", text)
        while (less := re.sub(r"«[^«»]*»", "", plain)) != plain:
            plain = less
        if not all(SAME.search(word) for word in re.split(r"[\s,()&]+", plain) if word):
            left.append(text)
    return left


def fill(window: MainWindow) -> None:
    window.show_page("editor")
    window.set_project("swan", True)
    window.objects_panel.set_objects((ObjectInfo(1, "swan"), ObjectInfo(2, "shadow", False, True)), 1, None)
    window.references_panel.set_references([(0, False, "human"), (4, False, "corrected"), (8, True, "human")], 4)
    window.transport.set_video(50)
    window.transport.set_frame(4, 0.2)
    window.set_status("", 0.5, 100)
    window.set_gauges({"": 0.4})
    window.set_stale(12)
    window.set_doubtful(3)
    window.set_history("Paint", "Mark as reference")
    window.set_running(True)
    window.set_hint(hint(Situation(human=2, propagated=9, stale=3)))
    window.notify("«The video has moved.»", "error", "«Relink»", lambda: None)


def test_the_window_has_no_word_that_cannot_be_translated(pretended: None, qtbot: QtBot, tmp_path: Path) -> None:
    settings = QSettings(str(tmp_path / "window.ini"), QSettings.Format.IniFormat)
    window = MainWindow(QWidget(), QWidget(), settings=settings)
    qtbot.addWidget(window)
    assert english(window) == []
    fill(window)
    assert english(window) == []
    assert {a.text() for a in window.menuBar().actions()} == {
        "&«File»", "&«Edit»", "&«View»", "&«Labels»", "&«Propagate»", "&«Train»", "&«Help»",
    }  # fmt: skip


def test_the_dialogs_have_none_either(pretended: None, qtbot: QtBot, tmp_path: Path) -> None:
    defaults = {setting.key: setting.default for setting in SETTINGS}
    gb = 10**9
    needs = tuple(Need(resource, 9 * gb, 8 * gb) for resource in Resource)
    skeleton = SkeletonDialog(Skeleton(("swan",), ()))
    relink = RelinkDialog(Media(Path("/film.mp4"), (4, 4), 2, 1.0))
    dialogs = [
        SettingsDialog(defaults, KeyMap()),
        KeysPage(KeyMap()),
        PreflightDialog(Preflight(9, None, needs, chunk=3)),
        PreflightDialog(Preflight(9, 4.0, ())),
        AboutDialog("1.0", {}),
        RunOptionsDialog({option.key: option.default for option in RUN_OPTIONS}),
        skeleton,
        relink,
    ]
    for dialog in dialogs:
        qtbot.addWidget(dialog)
        assert english(dialog) == [], type(dialog).__name__


def test_this_test_would_notice(pretended: None, qtbot: QtBot) -> None:
    label = QLabel("Not translated")
    qtbot.addWidget(label)
    assert english(label) == ["Not translated"]
    label.setText(QCoreApplication.translate("Test", "Translated"))
    assert english(label) == []


def test_a_language_without_a_translation_is_english(qapp: QApplication) -> None:
    assert i18n.install(qapp, "tlh") == "en"
