"""The F1 page: every key, as it is now."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt
from PySide6.QtWidgets import QDialog, QGridLayout, QHBoxLayout, QLabel, QLineEdit, QScrollArea, QVBoxLayout, QWidget

from app.core.actions import GESTURES, SUBMENUS, Action, Category, grouped
from app.core.keymap import KeyMap
from app.views import wording
from app.views.action_set import words
from app.views.theme import UNIT
from app.views.widgets import KeyCap, fitted, row

COLUMNS = 3
HEADING_ROWS = 2  # what a heading takes of a column's height, in rows

Entry = tuple[str, list[str]]  # words, keys


def sections(keymap: KeyMap) -> list[tuple[str, list[Entry]]]:
    """Headings, and below each the actions that have keys, in the user's language."""
    found: dict[str, list[Entry]] = {
        wording.tr("Mouse on the canvas"): [(words(does), [words(what)]) for what, does in GESTURES]
    }
    for category in Category:
        for group, actions in grouped(category):
            heading = words(category.value)
            if group in SUBMENUS:
                heading = f"{heading} – {words(SUBMENUS[group])}"
            rows = [_entry(action, keymap) for action in actions if keymap.keys(action.id)]
            if group == "number" and not any(action.id in keymap.overrides for action in actions):
                first, last = rows[0], rows[-1]  # nine lines would say no more
                rows = [(f"{first[0]} … {last[0]}", [*first[1], "…", *last[1]])]
            if rows:
                found.setdefault(heading, []).extend(rows)
    return list(found.items())


def _entry(action: Action, keymap: KeyMap) -> Entry:
    return words(action.text).rstrip("…"), [wording.key(key) for key in keymap.keys(action.id)]


class KeysPage(QDialog):
    """Stays open beside the work. Typing narrows it down."""

    def __init__(self, keymap: KeyMap, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Keys"))
        self.setModal(False)
        self.resize(fitted(QSize(120 * UNIT, 94 * UNIT), self.screen().availableGeometry().size()))
        self._keymap = keymap
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search for an action or a key"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._fill)
        self._nothing = QLabel(self.tr("Nothing goes by that name"), alignment=Qt.AlignmentFlag.AlignCenter)
        self._nothing.setProperty("tone", "quiet")
        self._body = QScrollArea(widgetResizable=True)
        self._body.setFrameShape(QScrollArea.Shape.NoFrame)
        hint = QLabel(self.tr("Change keys in Edit → Settings → Keys"))
        hint.setProperty("tone", "quiet")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, 2 * UNIT, 2 * UNIT, UNIT + UNIT // 2)
        layout.setSpacing(UNIT)
        layout.addLayout(row(self._search))
        layout.addWidget(self._nothing)
        layout.addWidget(self._body, 1)
        layout.addWidget(hint)
        self._fill()

    def set_keymap(self, keymap: KeyMap) -> None:
        self._keymap = keymap
        self._fill()

    def shown(self) -> list[tuple[str, list[Entry]]]:
        """What is on the page: all of it, or what the search finds."""
        wanted = self._search.text().casefold().strip()
        found = []
        for heading, rows in sections(self._keymap):
            rows = [r for r in rows if wanted in r[0].casefold() or wanted in [k.casefold() for k in r[1]]]
            if rows:
                found.append((heading, rows))
        return found

    def _fill(self) -> None:
        shown = self.shown()
        self._nothing.setVisible(not shown)
        holder = QWidget()
        across = QHBoxLayout(holder)
        across.setContentsMargins(0, 0, UNIT, 0)
        across.setSpacing(4 * UNIT)
        for column in balanced([len(rows) + HEADING_ROWS for _, rows in shown], COLUMNS):
            made = QVBoxLayout()
            made.setSpacing(2 * UNIT)
            for position in column:
                made.addLayout(self._section(*shown[position]))
            made.addStretch()
            across.addLayout(made, 1)
        self._body.setWidget(holder)

    def _section(self, heading: str, rows: list[Entry]) -> QGridLayout:
        grid = QGridLayout()
        grid.setHorizontalSpacing(UNIT)
        grid.setVerticalSpacing(UNIT // 2)
        title = QLabel(heading)
        title.setProperty("tone", "accent")
        grid.addWidget(title, 0, 0, 1, 2)
        for line, (text, keys) in enumerate(rows, start=1):
            grid.addWidget(QLabel(text, wordWrap=True), line, 0)
            grid.addLayout(row(None, *(KeyCap(key) for key in keys)), line, 1)
        grid.setColumnStretch(0, 1)
        return grid


def balanced(heights: list[int], columns: int) -> list[list[int]]:
    """Positions of things, in order, in so many columns that the highest is as low as it can be."""
    limit = max([*heights, -(-sum(heights) // columns)], default=0)
    while len(filled := _fill_columns(heights, limit)) > columns:
        limit += 1
    return filled + [[] for _ in range(columns - len(filled))]


def _fill_columns(heights: list[int], limit: int) -> list[list[int]]:
    filled: list[list[int]] = []
    room = 0
    for position, height in enumerate(heights):
        if height > room or not filled:
            filled.append([])
            room = limit
        filled[-1].append(position)
        room -= height
    return filled
