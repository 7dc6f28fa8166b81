"""What the main window offers and says."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import QMimeData, QPoint, QSettings, Qt, QUrl
from PySide6.QtGui import QDragEnterEvent, QDropEvent, QImage
from PySide6.QtWidgets import QApplication, QLabel, QLineEdit, QMenu, QPushButton, QTableView, QWidget
from pytestqt.qtbot import QtBot

from app.core.actions import ACTIONS, Category
from app.core.hints import Situation, hint
from app.core.keymap import KeyMap
from app.core.objects import ObjectInfo
from app.views import notice_bar
from app.views.main_window import MainWindow
from tests.bare_windows import build, settings, window

__all__ = ["settings", "window"]


def fired(window: MainWindow) -> list[str]:
    """A list that grows with the ids of triggered actions."""
    seen: list[str] = []
    for name, action in window.actions.items():
        action.triggered.connect(lambda *_, name=name: seen.append(name))
    return seen


def entries(menu: QMenu) -> list[str]:
    found = []
    for action in menu.actions():
        found += entries(action.menu()) if action.menu() else [action.objectName()] if action.objectName() else []
    return found


def button(window: QWidget, words: str) -> QPushButton:
    return next(b for b in window.findChildren(QPushButton) if b.text().strip() == words)


# Actions


def test_every_action_is_in_exactly_one_menu_and_no_menu_is_empty(window: MainWindow) -> None:
    menus = [action.menu() for action in window.menuBar().actions()]
    assert [menu.title() for menu in menus] == [f"&{c.value}" for c in Category]
    assert len({menu.title()[:2] for menu in menus}) == len(menus), "Alt and this letter opens it"
    assert sorted(name for menu in menus for name in entries(menu)) == sorted(a.id for a in ACTIONS)


def test_tooltips_name_the_key_and_the_reason_why_not(window: MainWindow) -> None:
    action = window.actions["tool.brush"]
    assert "Brush" in action.toolTip() and "(P)" in action.toolTip()
    window.set_enabled("propagate.forward", False, "Label a frame first <of all>")
    action = window.actions["propagate.forward"]
    assert not action.isEnabled()
    assert "Label a frame first &lt;of all&gt;" in action.toolTip() and "(F)" in action.toolTip()
    shown = next(b for b in window.transport.findChildren(QPushButton) if b.toolTip() == action.toolTip())
    assert not shown.isEnabled(), "the button knows as well"
    window.set_enabled("propagate.forward", True)
    assert shown.isEnabled() and "Label a frame" not in shown.toolTip()


def test_without_a_video_there_is_little_to_do_and_that_is_said(qtbot: QtBot, settings: QSettings) -> None:
    window = build(qtbot, settings, "welcome")
    usable = {name for name, action in window.actions.items() if action.isEnabled()}
    assert usable == {
        "file.open", "file.folder", "file.sample", "file.quit", "edit.settings",
        "view.full_screen", "train.retrain", "train.runs", "train.restore", "train.shipped",
        "help.keys", "help.about", "help.diagnostics",
    }  # fmt: skip
    assert "Open a video first" in window.actions["tool.brush"].toolTip()
    window.set_enabled("edit.undo", False, "There is nothing to undo")
    window.show_page("editor")
    assert window.actions["tool.brush"].isEnabled()
    assert not window.actions["edit.undo"].isEnabled(), "what was forbidden stays so on another page"


def test_keys_do_what_they_say(window: MainWindow, qtbot: QtBot) -> None:
    seen = fired(window)
    window.canvas.setFocus()
    for key, modifier in (
        (Qt.Key.Key_E, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier),
        (Qt.Key.Key_Y, Qt.KeyboardModifier.ControlModifier),
        (Qt.Key.Key_3, Qt.KeyboardModifier.NoModifier),
        (Qt.Key.Key_BracketLeft, Qt.KeyboardModifier.ControlModifier),
    ):
        qtbot.keyClick(window.canvas, key, modifier)
    assert seen == ["tool.eraser", "go.next_human", "edit.redo", "object.3", "labels.brush_smaller"]
    assert window.actions["tool.eraser"].isChecked() and not window.actions["tool.brush"].isChecked()


def test_letters_typed_into_a_text_field_are_text(window: MainWindow, qtbot: QtBot) -> None:
    window.objects_panel.set_objects((ObjectInfo(1, "swan"),), 1, None)
    seen = fired(window)
    window.objects_panel.rename(1)
    editor = QApplication.focusWidget()
    assert isinstance(editor, QLineEdit)
    editor.selectAll()
    for letter in "pen 3":
        qtbot.keyClick(editor, letter)
    for key in (Qt.Key.Key_Home, Qt.Key.Key_Delete, Qt.Key.Key_Right):
        qtbot.keyClick(editor, key)
    assert editor.text() == "en 3"
    assert seen == []
    with qtbot.waitSignal(window.objects_panel.object_renamed) as renamed:
        qtbot.keyClick(editor, Qt.Key.Key_Return)
    assert renamed.args == [1, "en 3"]


def test_space_plays_until_something_runs_that_it_can_stop(window: MainWindow, qtbot: QtBot) -> None:
    seen = fired(window)
    window.canvas.setFocus()
    qtbot.keyClick(window.canvas, Qt.Key.Key_Space)
    window.set_running(True)
    qtbot.keyClick(window.canvas, Qt.Key.Key_Space)
    window.set_running(False)
    qtbot.keyClick(window.canvas, Qt.Key.Key_Space)
    assert seen == ["view.play", "propagate.stop", "view.play"]


def test_other_keys_reach_menus_tooltips_hints_and_the_keys_page(window: MainWindow, qtbot: QtBot) -> None:
    window.set_hint(hint(Situation()))
    assert "(W)" in window.hints.text() and "(P)" in window.hints.text()
    window.show_keys()
    window.activateWindow()
    window.set_keymap(KeyMap().bind("tool.brush", ["X"]))
    assert "(X)" in window.hints.text()
    assert "(X)" in window.actions["tool.brush"].toolTip()
    assert any(entry == ("Brush", ["X"]) for _, rows in window._keys.shown() for entry in rows)
    seen = fired(window)
    window.canvas.setFocus()
    qtbot.waitActive(window)
    qtbot.keyClick(window.canvas, Qt.Key.Key_P)
    qtbot.keyClick(window.canvas, Qt.Key.Key_X)
    assert seen == ["tool.brush"]


def test_f1_opens_the_keys(window: MainWindow, qtbot: QtBot) -> None:
    window.actions["help.keys"].trigger()
    assert window._keys is not None and window._keys.isVisible() and not window._keys.isModal()


# Moving about


def test_a_typed_frame_number_goes_there_and_not_past_the_end(window: MainWindow, qtbot: QtBot) -> None:
    window.transport.set_video(50)
    window.transport.set_frame(7, 0.25)
    seen = fired(window)
    window.actions["go.frame"].trigger()
    field = QApplication.focusWidget()
    assert isinstance(field, QLineEdit) and field.selectedText() == "7"
    window.transport.set_frame(8, 0.3)
    assert field.text() == "7", "frames that arrive do not disturb typing"
    with qtbot.waitSignal(window.transport.frame_requested) as asked:
        qtbot.keyClicks(field, "123")
        qtbot.keyClick(field, Qt.Key.Key_Return)
    assert asked.args == [49]
    assert seen == ["go.frame"]


def test_escape_leaves_the_frame_number_as_it_was(window: MainWindow, qtbot: QtBot) -> None:
    window.transport.set_video(50)
    window.transport.set_frame(7, 0.25)
    window.actions["go.frame"].trigger()
    seen = fired(window)
    field = QApplication.focusWidget()
    assert isinstance(field, QLineEdit)
    qtbot.keyClicks(field, "12")
    with qtbot.assertNotEmitted(window.transport.frame_requested):
        qtbot.keyClick(field, Qt.Key.Key_Escape)
    assert field.text() == "7" and not field.hasFocus() and seen == []


def test_the_accent_is_on_the_next_thing_to_do(window: MainWindow) -> None:
    def accented() -> list[str]:
        return [b.text().strip() for b in window.transport.findChildren(QPushButton) if b.property("primary")]

    window.set_hint(hint(Situation(human=1)))
    assert accented() == ["Propagate"]
    window.set_hint(hint(Situation(human=1, earlier=7)))
    assert accented() == ["Both"]
    window.set_stale(12)
    window.set_hint(hint(Situation(human=2, propagated=20, stale=12)))
    assert accented() == ["Update 12 stale frames"]
    window.set_stale(1)
    assert accented() == ["Update one stale frame"]
    window.set_stale(0)
    assert accented() == [], "what cannot be done is not lit"
    window.set_doubtful(3)
    window.set_hint(hint(Situation(human=2, propagated=20, doubtful=3)))
    assert accented() == ["Next doubt (3)"]
    window.set_hint(None)
    assert accented() == []


def test_escape_reaches_what_was_begun_on_the_canvas_from_anywhere(window: MainWindow, qtbot: QtBot) -> None:
    heard: list[int] = []
    window.canvas.keyPressEvent = lambda event: heard.append(event.key())
    window.objects_panel.set_objects((ObjectInfo(1, "swan"),), 1, None)
    objects = window.objects_panel.findChild(QTableView)
    objects.setFocus()
    qtbot.keyClick(objects, Qt.Key.Key_Escape)
    assert heard == [Qt.Key.Key_Escape] and window.canvas.hasFocus()


def test_undo_says_what_it_would_undo(window: MainWindow) -> None:
    window.set_history("Paint", None)
    assert window.actions["edit.undo"].text() == "Undo “Paint”" and window.actions["edit.undo"].isEnabled()
    assert not window.actions["edit.redo"].isEnabled()
    assert "nothing to redo" in window.actions["edit.redo"].toolTip()


# Telling


def test_the_status_line_shows_progress_only_while_there_is_some(window: MainWindow) -> None:
    window.set_running(True)
    window.set_status("Propagating 23 → 49", 0.4, 6.2)
    assert window.status.text() == "Propagating 23 → 49"
    stop = button(window.status, "Stop")
    said = [label.text() for label in window.status.findChildren(QLabel) if label.isVisible()]
    assert stop.isVisible() and stop.isEnabled() and "6 s left" in said
    window.set_running(False)
    window.set_status("Done")
    assert not stop.isVisible()


def test_gauges_come_change_and_go(window: MainWindow) -> None:
    def said() -> set[str]:
        QApplication.processEvents()
        return {label.text() for label in window.status.findChildren(QLabel) if label.isVisible()}

    window.set_gauges({"RAM": "1.2 GB", "Cache": 0.31, "GPU": ("2.0 GB", 0.5)})
    assert {"RAM 1.2 GB", "Cache 31 %", "GPU 2.0 GB"} <= said()
    window.set_gauges({"RAM": "1.4 GB", "Cache": 0.32})
    assert {"RAM 1.4 GB", "Cache 32 %"} <= said() and "GPU 2.0 GB" not in said()
    window.set_gauges({"RAM": "1.4 GB", "Disk": "2 GB", "Cache": 0.32})
    said()
    words = [label for label in window.status.findChildren(QLabel) if label.text().startswith(("RAM", "Disk", "Cache"))]
    placed = sorted(words, key=lambda label: label.mapTo(window, label.rect().topLeft()).x())
    assert [label.text().split()[0] for label in placed] == ["RAM", "Disk", "Cache"]


def test_a_notice_can_be_acted_on_and_is_gone_then(window: MainWindow, qtbot: QtBot) -> None:
    done: list[str] = []
    notice = window.notify("The video has moved.", "warning", "Relink…", lambda: done.append("relink"))
    assert window.notices.isVisible() and notice.button is not None
    qtbot.mouseClick(notice.button, Qt.MouseButton.LeftButton)
    assert done == ["relink"]
    assert window.notices.notices == () and not window.notices.isVisible()


def test_notices_do_not_pile_up(window: MainWindow) -> None:
    for number in range(6):
        window.notify(f"Error {number}", "error")
    window.notify("Error 4", "error")
    assert [n.text for n in window.notices.notices] == ["Error 3", "Error 5", "Error 4"]


def test_good_news_goes_by_itself_and_bad_news_stays(
    window: MainWindow, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notice_bar, "SHORT_MS", 20)
    window.notify("Saved.")
    window.notify("Not saved: the disk is full.", "error")
    window.notify("49 frames.", button="Show the first", action=lambda: None)
    qtbot.waitUntil(lambda: len(window.notices.notices) < 3, timeout=2000)
    qtbot.wait(60)
    assert [n.text for n in window.notices.notices] == ["Not saved: the disk is full.", "49 frames."]


def test_notices_cover_nothing_of_the_welcome_page(qtbot: QtBot, settings: QSettings) -> None:
    window = build(qtbot, settings, page="welcome")

    def title() -> int:
        QApplication.processEvents()
        label = next(label for label in window.welcome.findChildren(QLabel) if label.text() == "MER Studio")
        return label.mapTo(window, QPoint()).y()

    before = title()
    for name in ("swan", "goat"):
        window.notify(f"{name} was not saved.", "warning", "Bring it back", lambda: None)
    assert title() > window.notices.mapTo(window, window.notices.rect().bottomLeft()).y()
    window.notices.clear()
    assert title() == before


def test_hints_can_be_put_away_and_brought_back(window: MainWindow, qtbot: QtBot) -> None:
    window.set_hint(hint(Situation(human=2, propagated=5, stale=1)))
    assert window.hints.isVisible() and "One frame" in window.hints.text()
    window.hints.closed.emit()
    assert not window.hints.isVisible() and not window.actions["panels.hints"].isChecked()
    window.actions["panels.hints"].trigger()
    assert window.hints.isVisible()
    window.set_hint(None)
    assert not window.hints.isVisible()


def test_nothing_moves_while_words_change(window: MainWindow) -> None:
    def places() -> list[QPoint]:
        QApplication.processEvents()
        middle = button(window, "Both")
        return [part.mapTo(window, QPoint()) for part in (window.canvas, middle)]

    window.set_hint(hint(Situation()))
    before = places()
    window.set_stale(12)
    window.set_doubtful(7)
    for now in (Situation(human=1, propagated=9), Situation(human=1, propagated=9, exported=True)):
        window.set_hint(hint(now))
    assert places() == before


def test_recent_projects_are_on_the_page_and_in_the_menu(window: MainWindow, qtbot: QtBot, tmp_path: Path) -> None:
    picture = QImage(32, 18, QImage.Format.Format_RGB888)
    window.set_recent(
        [("swan & co", tmp_path / "swan.mer", picture, "today"), ("goat", tmp_path / "goat.mer", None, "")]
    )
    menu = next(m for m in window.findChildren(QMenu) if m.title() == "Open recent")
    assert [a.text() for a in menu.actions()] == ["swan && co", "goat"]
    with qtbot.waitSignal(window.welcome.recent_opened) as opened:
        menu.actions()[1].trigger()
    assert opened.args == [tmp_path / "goat.mer"]
    window.show_page("welcome")
    window.grab()  # both kinds of cards are drawn
    with qtbot.waitSignal(window.welcome.open_requested):
        button(window.welcome, "Open video…").click()
    window.set_recent([])
    assert not menu.menuAction().isVisible()


# Opening and closing


def event(kind: type, files: list[Path] | None, text: str = "") -> QDropEvent:
    mime = QMimeData()
    if files is None:
        mime.setText(text)
    else:
        mime.setUrls([QUrl.fromLocalFile(str(f)) for f in files])
    event.mime = mime  # Qt does not keep it alive
    buttons, modifiers = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    return kind(QPoint(5, 5), Qt.DropAction.CopyAction, mime, buttons, modifiers)


def test_files_that_are_dropped_are_told_and_other_things_refused(
    window: MainWindow, qtbot: QtBot, tmp_path: Path
) -> None:
    files = [tmp_path / "a film.mp4", tmp_path / "frames"]
    enter = event(QDragEnterEvent, files)
    QApplication.sendEvent(window, enter)
    assert enter.isAccepted() and window._veil.isVisible()
    with qtbot.waitSignal(window.dropped) as dropped:
        QApplication.sendEvent(window, event(QDropEvent, files))
    assert dropped.args == [files] and not window._veil.isVisible()
    text = event(QDragEnterEvent, None, "some words")
    text.ignore()
    QApplication.sendEvent(window, text)
    assert not text.isAccepted()


def test_closing_is_told_first_and_can_be_refused(window: MainWindow) -> None:
    told: list[bool] = []

    def refuse(event: object) -> None:
        told.append(window.isVisible())
        event.ignore()

    window.closing.connect(refuse)
    assert not window.close() and window.isVisible() and told == [True]
    window.closing.disconnect(refuse)
    assert window.close() and not window.isVisible()


def test_quit_closes(window: MainWindow) -> None:
    window.actions["file.quit"].trigger()
    assert not window.isVisible()
