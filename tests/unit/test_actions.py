from __future__ import annotations

import re

import pytest

from app.core.actions import ACTIONS, BY_ID, EXCLUSIVE, SUBMENUS, Category, When, grouped
from app.core.keymap import KeyMap, normal


def clashes(keymap: KeyMap) -> list[tuple[str, str]]:
    """Actions and keys that another action has at the same time."""
    return [(a.id, key) for a in ACTIONS for key in keymap.keys(a.id) if keymap.holder(key, a.id)]


# What hands already know, word for word from the plan of the product.
EXPECTED = {
    "Left A": "go.previous", "Right D": "go.next", "Shift+Left": "go.previous_10", "Shift+Right": "go.next_10",
    "Home": "go.first", "End": "go.last", "Alt+Left": "go.previous_human", "Alt+Right": "go.next_human",
    "Ctrl+J": "go.frame", "F": "propagate.forward", "B": "propagate.backward", "Shift+F": "propagate.both",
    "C": "labels.reference", "P": "tool.brush", "E": "tool.eraser", "L": "tool.pick", "G": "tool.fill",
    "K": "tool.keypoint", "V": "tool.pan", "W": "tool.click", "I": "tool.inspect", "[": "propagate.set_in",
    "]": "propagate.set_out", "Ctrl+[": "labels.brush_smaller", "Ctrl+]": "labels.brush_larger", "H": "view.overlay",
    "N": "go.doubtful", "Ctrl+Z": "edit.undo", "Ctrl+Shift+Z Ctrl+Y": "edit.redo", "Ctrl+O": "file.open",
    "Ctrl+S": "file.save", "Ctrl+Shift+S": "file.save_as", "Ctrl+E": "file.export", "Ctrl+0": "view.actual",
    "Ctrl+F": "view.fit", "Del": "edit.erase", "Esc": "edit.cancel", "F1": "help.keys",
    **{str(n): f"object.{n}" for n in range(1, 10)},
}  # fmt: skip


def test_ids_are_distinct_and_every_action_is_in_exactly_one_menu() -> None:
    shown = [action.id for category in Category for _, actions in grouped(category) for action in actions]
    assert sorted(shown) == sorted(a.id for a in ACTIONS)
    assert len(set(shown)) == len(shown)


def test_no_menu_has_an_entry_without_words() -> None:
    for action in ACTIONS:
        assert action.text and action.tooltip and not action.tooltip.endswith("."), action.id
        assert re.fullmatch(r"(ph\.[a-z0-9-]+)?", action.icon)
    assert set(SUBMENUS) | EXCLUSIVE <= {a.group for a in ACTIONS}


def test_the_usual_keys_are_there_and_reach_one_action_each() -> None:
    for keys, name in EXPECTED.items():
        assert BY_ID[name].keys == tuple(keys.split()), name
    assert clashes(KeyMap()) == []
    assert all(normal(key) == key for action in ACTIONS for key in action.keys)


def test_space_plays_or_stops_but_never_both() -> None:
    space = {a.when: a.id for a in ACTIONS if "Space" in a.keys}
    assert space == {When.IDLE: "view.play", When.RUNNING: "propagate.stop"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("shift+ctrl+z", "Ctrl+Shift+Z"),
        ("Ctrl++", "Ctrl++"),
        ("+", "+"),
        ("Shift++", "Shift++"),
        ("esc", "Esc"),
        ("Delete", "Del"),
        (" a ", "A"),
        ("f11", "F11"),
        ("Ctrl+-", "Ctrl+-"),
    ],
)
def test_keys_have_one_spelling(written: str, meant: str) -> None:
    assert normal(written) == meant


@pytest.mark.parametrize("written", ["", "Ctrl+", "Hyper+A", "AB", "Ctrl", "A+B", "F99"])
def test_what_is_no_key_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="is no key"):
        normal(written)


def test_a_taken_key_is_refused_by_name_or_taken_away() -> None:
    with pytest.raises(ValueError, match='E is the key of "Eraser"'):
        KeyMap().bind("tool.brush", ["E"])
    taken = KeyMap().bind("tool.brush", ["e"], take=True)
    assert taken.keys("tool.brush") == ("E",)
    assert taken.keys("tool.eraser") == ()
    assert clashes(taken) == []
    assert KeyMap().keys("tool.eraser") == ("E",), "the old map is untouched"


def test_taking_one_of_two_keys_leaves_the_other() -> None:
    taken = KeyMap().bind("tool.brush", ["D"], take=True)
    assert taken.keys("go.next") == ("Right",)


def test_a_key_that_reaches_another_only_while_a_propagation_runs_is_free() -> None:
    assert KeyMap().holder("Space", "view.play") is None
    assert KeyMap().holder("Space", "tool.brush") is not None
    once = KeyMap().bind("tool.brush", ["Space"], take=True)
    assert once.keys("view.play") == once.keys("propagate.stop") == ()


def test_an_override_equal_to_the_table_is_none() -> None:
    taken = KeyMap().bind("tool.brush", ["E"], take=True)
    back = taken.bind("tool.eraser", ["E"], take=True)
    assert back.overrides == {"tool.brush": ()}
    assert back.bind("tool.brush", ["P"]).overrides == {}


def test_bad_entries_of_a_settings_file_cost_only_themselves() -> None:
    stored = {"tool.gone": ["X"], "tool.brush": ["E"], "tool.fill": ["no key"], "tool.pan": ["x"], "view.fit": []}
    keymap, notes = KeyMap.read(stored)
    assert keymap.overrides == {"tool.pan": ("X",), "view.fit": ()}
    assert len(notes) == 3
    assert clashes(keymap) == []


def test_two_keys_may_be_swapped_in_a_settings_file() -> None:
    swapped = KeyMap().bind("tool.brush", ["E"], take=True).bind("tool.eraser", ["P"], take=True)
    keymap, notes = KeyMap.read(swapped.overrides)
    assert notes == ()
    assert keymap == swapped
