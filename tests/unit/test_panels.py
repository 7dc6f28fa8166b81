from __future__ import annotations

import time

import numpy as np
import pytest
from PySide6.QtCore import QPoint, QRect, Qt
from PySide6.QtGui import QAction, QColor
from PySide6.QtWidgets import QAbstractItemView, QApplication, QLineEdit, QListView, QPushButton, QTableView
from pytestqt.qtbot import QtBot

from app.core.keymap import KeyMap
from app.core.objects import ObjectInfo
from app.views.action_set import ActionSet
from app.views.panels.objects import ObjectsPanel
from app.views.panels.objects_model import Column
from app.views.panels.references import ReferencesPanel
from app.views.panels.view import MODES, ViewPanel
from app.views.theme import colours
from model.palette import PALETTE

SWAN, SHADOW, REEDS = ObjectInfo(1, "swan"), ObjectInfo(2, "shadow", locked=True), ObjectInfo(9, "reeds", visible=False)
OBJECTS = (SWAN, SHADOW, REEDS)


@pytest.fixture
def actions(qapp: QApplication) -> dict[str, QAction]:
    made = ActionSet(qapp, KeyMap())
    made.set_editing(True)
    return made.by_id


@pytest.fixture
def objects(qtbot: QtBot, actions: dict[str, QAction]) -> ObjectsPanel:
    panel = ObjectsPanel(actions["labels.new_object"])
    qtbot.addWidget(panel)
    panel.resize(280, 240)
    panel.set_objects(OBJECTS, 1, None)
    panel.show()
    return panel


def cell(panel: ObjectsPanel, row: int, column: Column) -> tuple[QTableView, QPoint]:
    view = panel.findChild(QTableView)
    return view, view.visualRect(view.model().index(row, column)).center()


def click(qtbot: QtBot, view: QAbstractItemView, place: QPoint) -> None:
    qtbot.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=place)


@pytest.mark.parametrize(
    ("row", "column", "signal", "said"),
    [
        (0, Column.VISIBLE, "visibility_changed", [1, False]),
        (2, Column.VISIBLE, "visibility_changed", [9, True]),
        (0, Column.LOCK, "lock_changed", [1, True]),
        (1, Column.LOCK, "lock_changed", [2, False]),
        (2, Column.SOLO, "solo_changed", [9]),
        (2, Column.NAME, "object_selected", [9]),
        (1, Column.SWATCH, "object_selected", [2]),
    ],
)
def test_a_click_on_a_cell(
    objects: ObjectsPanel, qtbot: QtBot, row: int, column: Column, signal: str, said: list[object]
) -> None:
    names = ("visibility_changed", "lock_changed", "solo_changed", "object_selected")
    others = [getattr(objects, name) for name in names if name != signal]
    heard: list[object] = []
    for other in others:
        other.connect(lambda *args: heard.append(args))
    with qtbot.waitSignal(getattr(objects, signal), timeout=500) as told:
        click(qtbot, *cell(objects, row, column))
    assert told.args == said
    assert heard == [], "a switch does not choose its row"


def test_solo_again_shows_all(objects: ObjectsPanel, qtbot: QtBot) -> None:
    objects.set_objects(OBJECTS, 1, 9)
    with qtbot.waitSignal(objects.solo_changed) as told:
        click(qtbot, *cell(objects, 2, Column.SOLO))
    assert told.args == [0]


def test_showing_objects_asks_for_nothing(objects: ObjectsPanel, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(objects.object_selected):
        objects.set_objects(OBJECTS, 9, None)
        objects.set_objects(OBJECTS[1:], 2, None)
        objects.set_objects((), None, None)
        objects.set_objects(OBJECTS, None, None)


def test_a_name_is_asked_for_and_an_empty_one_is_not_taken(objects: ObjectsPanel, qtbot: QtBot) -> None:
    def type_name(text: str) -> None:
        objects.rename(2)
        editor = objects.findChild(QLineEdit)
        editor.selectAll()
        qtbot.keyClicks(editor, text)
        qtbot.keyClick(editor, Qt.Key.Key_Return)

    with qtbot.waitSignal(objects.object_renamed) as told:
        type_name("  black   swan ")
    assert told.args == [2, "black swan"]
    with qtbot.assertNotEmitted(objects.object_renamed):
        objects.rename(2)
        editor = [e for e in objects.findChildren(QLineEdit) if e.isVisible()][-1]
        editor.clear()
        qtbot.keyClick(editor, Qt.Key.Key_Return)


def test_a_name_that_is_being_typed_survives_news(objects: ObjectsPanel, qtbot: QtBot) -> None:
    objects.rename(1)
    editor = objects.findChild(QLineEdit)
    editor.selectAll()
    qtbot.keyClicks(editor, "gre")
    objects.set_objects((SWAN, ObjectInfo(2, "shadow"), REEDS), 1, None)
    qtbot.keyClicks(editor, "be")
    assert editor.isVisible() and editor.text() == "grebe"


def test_the_button_says_its_key_and_only_asks(
    objects: ObjectsPanel, qtbot: QtBot, actions: dict[str, QAction]
) -> None:
    button = objects.findChild(QPushButton)
    assert "Ctrl+N" in button.toolTip()
    with qtbot.waitSignal(objects.object_added), qtbot.assertNotEmitted(actions["labels.new_object"].triggered):
        button.click()


def test_the_menu_of_an_object_offers_what_would_change(objects: ObjectsPanel, qtbot: QtBot) -> None:
    menu = {a.text(): a for a in objects.menu(2).actions()}
    assert {"Rename", "Hide", "Unlock", "Show only this", "Remove from all frames"} <= menu.keys()
    with qtbot.waitSignal(objects.object_removed) as told:
        menu["Remove from all frames"].trigger()
    assert told.args == [2]
    assert {"Show", "Lock"} <= {a.text() for a in objects.menu(9).actions()}


def test_no_objects_is_a_state_of_its_own(objects: ObjectsPanel) -> None:
    objects.set_objects((), None, None)
    assert not objects.findChild(QTableView).isVisible()
    objects.set_objects(OBJECTS, 1, None)
    assert objects.findChild(QTableView).isVisible()


def test_rows_show_the_colour_of_the_palette_unless_hidden(objects: ObjectsPanel) -> None:
    def colour(row: int) -> tuple[int, int, int]:
        view = objects.findChild(QTableView)
        rect: QRect = view.visualRect(view.model().index(row, Column.SWATCH))
        shade = view.viewport().grab().toImage().pixelColor(rect.left() + 18, rect.center().y())
        return shade.red(), shade.green(), shade.blue()

    assert colour(1) == tuple(PALETTE[2])
    assert colour(2) != tuple(PALETTE[9])
    objects.set_objects(OBJECTS, 1, 1)
    assert colour(1) != tuple(PALETTE[2]), "not shown while another one is alone"


def test_254_objects_stay_quick(objects: ObjectsPanel) -> None:
    many = tuple(ObjectInfo(n, f"object {n}") for n in range(1, 255))
    objects.set_objects(many, 254, None)
    objects.grab()
    begun = time.perf_counter()
    for n in range(1, 21):
        objects.set_objects((*many[:-1], ObjectInfo(254, f"renamed {n}")), n, None)
        objects.grab()
    assert (time.perf_counter() - begun) / 20 < 0.1


@pytest.fixture
def references(qtbot: QtBot, actions: dict[str, QAction]) -> ReferencesPanel:
    panel = ReferencesPanel(actions["labels.reference"])
    qtbot.addWidget(panel)
    panel.resize(280, 160)
    panel.set_references([(0, False, "human"), (23, False, "corrected"), (41, True, "human")], 23)
    panel.show()
    return panel


def chip(panel: ReferencesPanel, row: int) -> tuple[QListView, QRect]:
    view = panel.findChild(QListView)
    return view, view.visualRect(view.model().index(row, 0))


def test_a_chip_jumps_and_its_cross_drops(references: ReferencesPanel, qtbot: QtBot) -> None:
    view, rect = chip(references, 1)
    with qtbot.waitSignal(references.jumped) as told, qtbot.assertNotEmitted(references.dropped):
        click(qtbot, view, rect.center() - QPoint(12, 0))
    assert told.args == [23]
    with qtbot.waitSignal(references.dropped) as told, qtbot.assertNotEmitted(references.jumped):
        click(qtbot, view, QPoint(rect.right() - 8, rect.center().y()))
    assert told.args == [23, True]


def test_a_dropped_reference_can_be_taken_back(references: ReferencesPanel, qtbot: QtBot) -> None:
    view, rect = chip(references, 2)
    with qtbot.waitSignal(references.dropped) as told:
        click(qtbot, view, QPoint(rect.right() - 8, rect.center().y()))
    assert told.args == [41, False]


def test_another_frame_lights_another_chip(references: ReferencesPanel) -> None:
    def lit() -> list[int]:
        view, tint = references.findChild(QListView), QColor(colours().tint)
        picture = view.viewport().grab().toImage()
        places = [view.visualRect(view.model().index(row, 0)) for row in range(view.model().rowCount())]
        return [
            row for row, rect in enumerate(places) if picture.pixelColor(rect.right() - 4, rect.center().y()) == tint
        ]

    assert lit() == [1]
    references.set_current(41)
    assert lit() == [2]
    references.set_current(40)
    assert lit() == []
    references.set_references([(40, False, "human")], 40)
    assert lit() == [0]


def test_thousands_of_references_stay_quick(references: ReferencesPanel) -> None:
    many = [(frame, False, "human") for frame in range(0, 20000, 10)]
    begun = time.perf_counter()
    references.set_references(many, 10000)
    references.grab()
    assert time.perf_counter() - begun < 0.5
    begun = time.perf_counter()
    for frame in range(1000, 1020):
        references.set_current(frame)
        references.grab()
    assert (time.perf_counter() - begun) / 20 < 0.05, "moving on to another frame"


@pytest.fixture
def view(qtbot: QtBot, actions: dict[str, QAction]) -> ViewPanel:
    panel = ViewPanel(actions)
    qtbot.addWidget(panel)
    panel.show()
    return panel


def test_a_picture_is_chosen_once_by_button_key_or_call(
    view: ViewPanel, qtbot: QtBot, actions: dict[str, QAction]
) -> None:
    heard: list[str] = []
    view.mode_changed.connect(heard.append)
    assert view.mode == "labels"
    buttons = {b.text().strip(): b for b in view.findChildren(QPushButton)}
    buttons["Flow"].click()
    buttons["Flow"].click()
    assert buttons["Flow"].isChecked(), "one picture is always chosen"
    actions["view.doubt"].trigger()
    view.set_mode("pca")
    assert heard == ["flow", "doubt", "pca"]
    assert buttons["Features"].isChecked() and not buttons["Flow"].isChecked()
    assert len(MODES) == sum(action.isCheckable() for name, action in actions.items() if name[5:] in MODES)


def test_opacity_and_outlines(view: ViewPanel, qtbot: QtBot, actions: dict[str, QAction]) -> None:
    with qtbot.waitSignal(view.opacity_changed) as told:
        view.set_opacity(0.3)
    assert told.args == [pytest.approx(0.3)] and view.opacity == pytest.approx(0.3)
    with qtbot.waitSignal(view.contours_changed) as told:
        actions["view.contours"].trigger()
    assert told.args == [False]


def test_the_wipe_has_a_place_only_while_it_is_on(view: ViewPanel, qtbot: QtBot, actions: dict[str, QAction]) -> None:
    heard: list[float | None] = []
    view.wipe_changed.connect(heard.append)
    actions["view.wipe"].trigger()
    view._place.setValue(25)
    actions["view.wipe"].trigger()
    assert heard == [0.5, 0.25, None] and view.wipe is None


def test_a_legend_shows_the_colours_it_was_given(view: ViewPanel) -> None:
    ramp = np.zeros((8, 40, 3), np.uint8)
    ramp[:, 20:] = (10, 200, 30)
    view.set_legend(ramp, "0", "1")
    picture = view._legend._picture.pixmap().toImage()
    assert (picture.width(), picture.height()) == (40, 8)
    assert picture.pixelColor(30, 4).getRgb()[:3] == (10, 200, 30)
    assert view._legend.isVisible()
    view.set_legend(None)
    assert not view._legend.isVisible()
