"""Undo and redo. An item remembers the old and the new value of everything that one action changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Key = str | int
"""A part of the document: a frame by its number, anything else by its name."""


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One action: its name for the menu, and (old, new) of every part that it changed."""

    name: str
    changes: Mapping[Key, tuple[Any, Any]]

    @property
    def nbytes(self) -> int:
        values = [value for pair in self.changes.values() for value in pair]
        return sum(getattr(value, "nbytes", 100) for value in values if value is not None)


class History:
    """A linear history within a byte budget; the oldest items go first, the latest is always kept."""

    def __init__(self, budget: int = 256 << 20) -> None:
        self.budget = budget
        self._done: list[Item] = []
        self._undone: list[Item] = []
        self._bytes = 0

    @property
    def undo_name(self) -> str | None:
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        return self._undone[-1].name if self._undone else None

    @property
    def nbytes(self) -> int:
        return self._bytes

    def push(self, item: Item) -> None:
        """Note an action that has just been done; what was undone before it cannot be redone any more."""
        self._bytes -= sum(i.nbytes for i in self._undone)
        self._undone.clear()
        self._done.append(item)
        self._bytes += item.nbytes
        while self._bytes > self.budget and len(self._done) > 1:
            self._bytes -= self._done.pop(0).nbytes

    def undo(self, put: Callable[[Key, Any], None]) -> Item | None:
        """Put the old values of the latest action back."""
        if not self._done:
            return None
        item = self._done.pop()
        self._undone.append(item)
        for key, (old, _) in item.changes.items():
            put(key, old)
        return item

    def redo(self, put: Callable[[Key, Any], None]) -> Item | None:
        """Put the new values of the latest undone action back."""
        if not self._undone:
            return None
        item = self._undone.pop()
        self._done.append(item)
        for key, (_, new) in item.changes.items():
            put(key, new)
        return item
