"""Undo and redo of plain values, and the byte budget."""

from __future__ import annotations

from typing import Any

import pytest

from app.core.history import History, Item


class Weight:
    def __init__(self, nbytes: int) -> None:
        self.nbytes = nbytes


def item(name: str, nbytes: int = 0) -> Item:
    return Item(name, {"x": (None, Weight(nbytes))})


def names(history: History) -> list[str]:
    """What undo would take back, the latest first."""
    found = []
    while step := history.undo(lambda key, value: None):
        found.append(step.name)
    return found


def test_undo_and_redo_put_old_and_new_values() -> None:
    values: dict[Any, Any] = {"a": 2, 7: "new"}
    history = History()
    assert history.undo(values.__setitem__) is None and history.redo(values.__setitem__) is None
    history.push(Item("Paint", {"a": (1, 2), 7: (None, "new")}))
    assert (history.undo_name, history.redo_name) == ("Paint", None)
    undone = history.undo(values.__setitem__)
    assert undone is not None and undone.name == "Paint" and values == {"a": 1, 7: None}
    assert (history.undo_name, history.redo_name) == (None, "Paint")
    history.redo(values.__setitem__)
    assert values == {"a": 2, 7: "new"} and history.undo_name == "Paint"


def test_a_new_action_ends_what_could_be_redone() -> None:
    history = History()
    for name in "ABC":
        history.push(item(name))
    history.undo(lambda key, value: None)
    history.undo(lambda key, value: None)
    history.push(item("D"))
    assert history.redo(lambda key, value: None) is None
    assert names(history) == ["D", "A"]


def test_the_oldest_actions_go_when_the_budget_is_used_up() -> None:
    history = History(budget=100)
    for name in "ABCD":
        history.push(item(name, 40))
    assert history.nbytes == 80
    assert names(history) == ["D", "C"]


def test_the_latest_action_stays_however_large_it_is() -> None:
    history = History(budget=100)
    history.push(item("A", 40))
    history.push(item("whole propagation", 5000))
    assert names(history) == ["whole propagation"]


@pytest.mark.parametrize("undone", [0, 1, 2])
def test_bytes_are_counted_once_however_often_is_undone_and_redone(undone: int) -> None:
    history = History(budget=1000)
    for name in "AB":
        history.push(item(name, 40))
    for _ in range(undone):
        history.undo(lambda key, value: None)
    assert history.nbytes == 80
    history.push(item("C", 7))
    assert history.nbytes == 80 - 40 * undone + 7
