from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QLocale, Qt
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QSlider,
    QSpinBox,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.core.actions import ACTIONS
from app.core.keymap import KeyMap
from app.core.media import Media
from app.core.objects import Skeleton
from app.core.preflight import Need, Preflight, Resource
from app.core.settings import BY_KEY, SETTINGS, Setting, Topic
from app.core.skeletons import PRESETS
from app.views import wording
from app.views.dialogs.about import AboutDialog
from app.views.dialogs.key_bindings import KeyBindings
from app.views.dialogs.keys import KeysPage, balanced
from app.views.dialogs.preflight import PreflightDialog
from app.views.dialogs.relink import RelinkDialog
from app.views.dialogs.setting_editor import editor_for
from app.views.dialogs.settings import SettingsDialog
from app.views.dialogs.skeleton import SkeletonDialog
from app.views.dialogs.skeleton_sketch import spread

DEFAULTS: dict[str, Any] = {setting.key: setting.default for setting in SETTINGS}
SHOWN = [setting for setting in SETTINGS if setting.topic is not Topic.HIDDEN]


@pytest.fixture
def dialog(qtbot: QtBot) -> SettingsDialog:
    devices = {"device": (("auto", "Automatic"), ("cpu", "CPU"))}
    made = SettingsDialog(DEFAULTS, KeyMap(), devices)
    qtbot.addWidget(made)
    made.show()
    return made


def button(widget: QWidget, words: str) -> QPushButton:
    return next(b for b in widget.findChildren(QPushButton) if b.text().strip() == words)


def said(widget: QWidget) -> str:
    return "\n".join(label.text() for label in widget.findChildren(QLabel))


# Settings


def test_every_setting_has_an_editor_that_shows_and_takes_its_value(dialog: SettingsDialog) -> None:
    for setting in SHOWN:
        editor = dialog.editor(setting.key)
        assert editor.value() == setting.default, setting.key
        assert setting.check(editor.value()) == editor.value()
        assert editor.widget.accessibleName() == setting.label


def test_entering_a_value_is_told_with_its_type(dialog: SettingsDialog) -> None:
    heard: dict[str, Any] = {}
    dialog.changed.connect(lambda key, value: heard.update({key: value}))
    theme = dialog.editor("theme").widget
    assert isinstance(theme, QComboBox)
    theme.setCurrentIndex(1)
    slider = dialog.editor("overlay.opacity").widget.findChild(QSlider)
    slider.setValue(70)
    spin = dialog.editor("brush.size").widget
    assert isinstance(spin, QSpinBox)
    spin.setValue(99999)  # more than the table allows
    dialog.editor("overlay.contours").widget.click()
    assert heard == {"theme": "dark", "overlay.opacity": 0.7, "brush.size": 1000, "overlay.contours": False}
    for key, value in heard.items():
        BY_KEY[key].check(value)


def test_being_told_a_value_is_not_entering_it(dialog: SettingsDialog, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(dialog.changed):
        dialog.set_value("brush.size", 40)
        dialog.set_value("keys", {})
    assert dialog.editor("brush.size").value() == 40


def test_defaults_come_back_for_the_page_that_is_shown(dialog: SettingsDialog) -> None:
    dialog.set_value("theme", "light")
    dialog.set_value("brush.size", 40)
    heard: list[tuple[str, Any]] = []
    dialog.changed.connect(lambda key, value: heard.append((key, value)))
    dialog.show_topic(Topic.LOOK)
    button(dialog, "Restore defaults").click()
    assert heard == [("theme", "system")]
    assert dialog.editor("brush.size").value() == 40


def test_choices_of_this_machine_and_one_of_another(dialog: SettingsDialog) -> None:
    device = dialog.editor("device").widget
    assert isinstance(device, QComboBox) and device.count() == 2
    dialog.set_value("device", "cuda:1")
    assert dialog.editor("device").value() == "cuda:1", "it is kept, though this machine has none"


def test_texts_and_numbers_are_edited_by_type(qtbot: QtBot) -> None:
    text = editor_for(Setting("a", "x"), (), "")
    number = editor_for(Setting("b", 2.5, low=0.0, high=9.0), (), "s")
    qtbot.addWidget(text.widget)
    qtbot.addWidget(number.widget)
    assert isinstance(text.widget, QLineEdit) and isinstance(number.widget, QDoubleSpinBox)
    heard: list[object] = []
    text.changed.connect(heard.append)
    text.set("x")
    text.widget.setText(" y ")
    text.widget.editingFinished.emit()
    text.widget.editingFinished.emit()
    assert heard == ["y"], "told once, though the field is left twice"
    number.widget.setValue(20)
    assert number.value() == 9.0


# Keys


@pytest.fixture
def keys(qtbot: QtBot) -> KeyBindings:
    made = KeyBindings(KeyMap())
    qtbot.addWidget(made)
    made.show()
    return made


def test_a_taken_key_is_named_before_it_is_taken_away(keys: KeyBindings, qtbot: QtBot) -> None:
    keys.choose("tool.brush")
    keys.press("E")
    assert keys.says() == "E is the key of “Eraser”, which would lose it"
    with qtbot.waitSignal(keys.changed) as told:
        button(keys, "Use").click()
    assert told.args[0].keys("tool.brush") == ("E",)
    assert told.args[0].keys("tool.eraser") == ()
    keys.choose("tool.eraser")
    with qtbot.waitSignal(keys.changed) as told:
        button(keys, "Default").click()
    assert told.args[0].keys("tool.eraser") == ("E",)
    assert told.args[0].keys("tool.brush") == ()


def test_a_free_key_may_be_used_as_well(keys: KeyBindings, qtbot: QtBot) -> None:
    assert not button(keys, "Use").isEnabled()
    keys.choose("go.next")
    assert not button(keys, "Use as well").isEnabled() and not button(keys, "Default").isEnabled()
    keys.press("Ctrl+Right")
    assert keys.says() == "Ctrl+Right is free"
    with qtbot.waitSignal(keys.changed) as told:
        button(keys, "Use as well").click()
    assert told.args[0].keys("go.next") == ("Right", "D", "Ctrl+Right")
    with qtbot.waitSignal(keys.changed) as told:
        button(keys, "No key").click()
    assert told.args[0].keys("go.next") == ()


def test_restoring_keys_is_told(dialog: SettingsDialog, qtbot: QtBot) -> None:
    dialog.keys.set_keymap(KeyMap().bind("tool.brush", ["X"]))
    dialog.show_topic(None)
    with qtbot.waitSignal(dialog.keys_changed) as told:
        button(dialog, "Restore defaults").click()
    assert told.args[0] == KeyMap()


def test_the_keys_page_shows_all_keys_there_are(qtbot: QtBot) -> None:
    page = KeysPage(KeyMap())
    qtbot.addWidget(page)
    shown = [key for _, rows in page.shown() for _, keys in rows for key in keys]
    for action in ACTIONS:
        if action.group != "number":
            assert all(key in shown for key in action.keys), action.id
    assert ("Object 1 … Object 9", ["1", "…", "9"]) in [entry for _, rows in page.shown() for entry in rows]
    page.set_keymap(KeyMap().bind("object.4", ["Ctrl+4"], take=True))
    assert ("Object 4", ["Ctrl+4"]) in [entry for _, rows in page.shown() for entry in rows]


def test_the_keys_page_finds_actions_and_keys(qtbot: QtBot) -> None:
    page = KeysPage(KeyMap())
    qtbot.addWidget(page)
    qtbot.keyClicks(page.findChild(QLineEdit), "brus")
    assert [row[0] for _, rows in page.shown() for row in rows] == [
        "Brush size while painting", "Brush", "Smaller brush", "Larger brush",
    ]  # fmt: skip
    page.findChild(QLineEdit).setText("ctrl+e")
    assert [row[0] for _, rows in page.shown() for row in rows] == ["Export"]
    page.findChild(QLineEdit).setText("no such thing")
    assert page.shown() == [] and "Nothing goes by that name" in said(page)


def test_columns_are_as_even_as_their_order_allows() -> None:
    assert balanced([5, 5, 5], 3) == [[0], [1], [2]]
    assert balanced([9, 1, 1, 1, 8], 2) == [[0, 1], [2, 3, 4]]
    assert balanced([], 3) == [[], [], []]


# Before a run


@pytest.mark.parametrize(
    ("needed", "verdict", "start", "advice"),
    [
        (1, "This run fits", "Start", ""),
        (9, "This run fits, but only just", "Start", "Make room on the disk"),
        (11, "This run does not fit", "Start all the same", "Make room on the disk"),
    ],
)
def test_preflight_gives_a_verdict_and_a_remedy(
    qtbot: QtBot, needed: int, verdict: str, start: str, advice: str
) -> None:
    gb = 10**9
    needs = (Need(Resource.MEMORY, gb, 100 * gb), Need(Resource.DISK, needed * gb, 10 * gb))
    dialog = PreflightDialog(Preflight(120, 90.0, needs))
    qtbot.addWidget(dialog)
    assert dialog.verdict.text() == verdict and dialog.start.text().strip() == start
    assert advice in dialog.advice.text() and bool(dialog.advice.text()) == bool(advice)
    assert "Close other programs" not in dialog.advice.text(), "memory is plenty"
    assert "120" in said(dialog) and "about 2 min" in said(dialog)
    with qtbot.waitSignal(dialog.accepted):
        dialog.start.click()


def test_preflight_says_when_time_is_unknown_and_work_is_in_parts(qtbot: QtBot) -> None:
    dialog = PreflightDialog(Preflight(9000, None, (), chunk=600))
    qtbot.addWidget(dialog)
    assert "not known yet" in said(dialog) and "600 frames at a time are kept" in dialog.advice.text()


# Skeleton


def test_a_skeleton_is_named_and_joined(qtbot: QtBot) -> None:
    dialog = SkeletonDialog(Skeleton(("hip", "knee"), ()))
    qtbot.addWidget(dialog)
    dialog.show()
    dialog.add_point()
    editor = dialog.findChild(QListWidget).findChild(QLineEdit)
    assert editor is not None, "its name can be typed at once"
    editor.selectAll()
    qtbot.keyClicks(editor, "foot")
    qtbot.keyClick(editor, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: dialog.skeleton.names[2] == "foot")
    sketch = dialog._sketch
    for position in (1, 2, 0, 1):
        qtbot.mouseClick(sketch, Qt.MouseButton.LeftButton, pos=sketch.place(position).toPoint())
    assert dialog.skeleton == Skeleton(("hip", "knee", "foot"), ((1, 2), (0, 1)))
    dialog.findChild(QListWidget).item(0).setText("knee")
    assert 'there is a keypoint "knee" already' in said(dialog)
    assert dialog.skeleton.names[0] == "hip" == dialog.findChild(QListWidget).item(0).text()
    dialog.findChild(QListWidget).item(0).setText("left hip")
    assert dialog.renamed == {"hip": "left hip"}


def test_points_are_removed_and_joined_in_the_list(qtbot: QtBot) -> None:
    dialog = SkeletonDialog(Skeleton(("a", "b", "c"), ((0, 1),)))
    qtbot.addWidget(dialog)
    points = dialog.findChild(QListWidget)
    join, remove = button(dialog, "Join"), button(dialog, "Remove")
    assert not join.isEnabled() and not remove.isEnabled()
    points.item(0).setSelected(True)
    points.item(1).setSelected(True)
    assert join.isEnabled() and join.text() == "Part"
    join.click()
    assert dialog.skeleton.bones == ()
    remove.click()
    assert dialog.skeleton.names == ("c",)
    dialog.take(PRESETS["Hand, 21 points"])
    assert len(dialog.skeleton.names) == points.count() == 21
    dialog.grab()


def test_a_drawing_keeps_joined_points_together() -> None:
    for skeleton in PRESETS.values():
        place = spread(len(skeleton.names), skeleton.bones)
        assert place.shape == (len(skeleton.names), 2) and place.min() >= 0 and place.max() <= 1
        apart = np.linalg.norm(place[:, None] - place[None], axis=2)
        bones = [apart[a, b] for a, b in skeleton.bones]
        others = apart[np.triu_indices(len(place), 1)]
        assert np.mean(bones) < 0.6 * others.mean(), "nearer than other points"
        assert others.min() > 0.02, "no point hides another"
        assert place[0, 1] <= place[:, 1].mean() + 1e-6, "the first one is above the middle"
    assert spread(0, ()).shape == (0, 2) and spread(1, ()).tolist() == [[0.5, 0.5]]
    assert np.isfinite(spread(4, ((0, 1),))).all(), "points without bones"


# The rest


def test_only_the_right_video_is_taken(qtbot: QtBot, tmp_path: Path) -> None:
    dialog = RelinkDialog(Media(tmp_path / "lake" / "swan.mp4", (480, 854), 50, 24.0))
    qtbot.addWidget(dialog)
    assert "swan.mp4" in said(dialog) and "50 frames of 854 × 480 pixels" in said(dialog)
    dialog.choose(None)
    assert dialog.path is None
    with qtbot.waitSignal(dialog.chosen) as told:
        dialog.choose(tmp_path / "other.mp4")
    assert told.args == [tmp_path / "other.mp4"] and not dialog.use.isEnabled()
    dialog.show_check(False, "It has 90 frames.")
    assert not dialog.use.isEnabled() and "It has 90 frames." in said(dialog)
    dialog.choose(tmp_path / "swan.mp4")
    dialog.show_check(True, "That is it.")
    with qtbot.waitSignal(dialog.accepted):
        dialog.use.click()
    assert dialog.path == tmp_path / "swan.mp4"


def test_about_offers_the_diagnostics(qtbot: QtBot) -> None:
    dialog = AboutDialog("1.2.3", {"Encoder": "resnet18", "Device": "CPU"})
    qtbot.addWidget(dialog)
    with qtbot.waitSignal(dialog.diagnostics_wanted):
        button(dialog, "Copy diagnostics").click()


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00.00"), (0.767, "0:00.77"), (59.999, "1:00.00"), (754.5, "12:34.50"), (3661.25, "1:01:01.25")],
)
def test_times(seconds: float, shown: str) -> None:
    assert wording.clock(seconds) == shown


@pytest.fixture
def plain_numbers() -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale.c())
    yield
    QLocale.setDefault(before)


def test_lengths_and_amounts_in_words(plain_numbers: None) -> None:
    assert [wording.span(s) for s in (0.2, 6, 59.7, 200, 4800)] == ["1 s", "6 s", "1 min", "3 min", "1 h 20 min"]
    assert [wording.amount(n) for n in (640 * 10**6, 1_240_000_000, 12 * 10**9)] == ["640 MB", "1.2 GB", "12 GB"]
