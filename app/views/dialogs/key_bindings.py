"""The page of the settings where keys are chosen."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import (
    QHeaderView,
    QKeySequenceEdit,
    QLabel,
    QLineEdit,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from app.core.actions import BY_ID, SUBMENUS, Category, grouped
from app.core.keymap import KeyMap
from app.views import wording
from app.views.action_set import words
from app.views.theme import UNIT, mark
from app.views.widgets import push_button, row

ID = Qt.ItemDataRole.UserRole


class KeyBindings(QWidget):
    """changed: the `KeyMap` that the user has made."""

    changed = Signal(object)

    def __init__(self, keymap: KeyMap) -> None:
        super().__init__()
        self._keymap = keymap
        self._search = QLineEdit()
        self._search.setPlaceholderText(self.tr("Search for an action or a key"))
        self._search.setClearButtonEnabled(True)
        self._search.textChanged.connect(self._filter)
        self._rows: dict[str, QTreeWidgetItem] = {}
        self._headings: list[tuple[QTreeWidgetItem, list[str]]] = []
        self._tree = self._make_tree()
        self._key = QKeySequenceEdit()
        self._key.setMaximumSequenceLength(1)
        self._key.setAccessibleName(self.tr("The new key"))
        self._key.setToolTip(self.tr("Click here, then press the new key"))
        self._key.keySequenceChanged.connect(self._show_state)
        self._says = QLabel(wordWrap=True)
        self._set = push_button(self.tr("Use"))
        self._add = push_button(self.tr("Use as well"))
        self._none = push_button(self.tr("No key"))
        self._default = push_button(self.tr("Default"))
        self._set.setToolTip(self.tr("This key instead of those that the action has"))
        self._add.setToolTip(self.tr("This key beside those that the action has"))
        self._none.setToolTip(self.tr("Take the action's keys away"))
        self._default.setToolTip(self.tr("The keys that the action had at first"))
        self._set.clicked.connect(lambda: self._bind([self._pressed()]))
        self._add.clicked.connect(lambda: self._bind([*self._keymap.keys(self._chosen()), self._pressed()]))
        self._none.clicked.connect(lambda: self._bind([]))
        self._default.clicked.connect(lambda: self._bind(BY_ID[self._chosen()].keys))
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(self._search)
        layout.addWidget(self._tree, 1)
        layout.addWidget(self._says)
        layout.addLayout(row(self._key, self._set, self._add, None, self._none, self._default))
        self.set_keymap(keymap)

    def _make_tree(self) -> QTreeWidget:
        tree = QTreeWidget()
        tree.setColumnCount(2)
        tree.setHeaderLabels([self.tr("Action"), self.tr("Keys")])
        tree.setRootIsDecorated(False)
        tree.setIndentation(2 * UNIT)
        tree.setUniformRowHeights(True)
        tree.setAccessibleName(self.tr("Actions and their keys"))
        tree.header().setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        tree.header().setSectionResizeMode(1, QHeaderView.ResizeMode.ResizeToContents)
        tree.header().setStretchLastSection(False)
        for category in Category:
            groups = grouped(category)
            if not groups:
                continue
            heading = QTreeWidgetItem(tree, [words(category.value)])
            heading.setFlags(Qt.ItemFlag.ItemIsEnabled)
            font = heading.font(0)
            font.setBold(True)
            heading.setFont(0, font)
            for action in (action for _, actions in groups for action in actions):
                title = words(action.text).rstrip("…")
                if action.group in SUBMENUS:
                    title = f"{words(SUBMENUS[action.group])} – {title}"
                item = QTreeWidgetItem(heading, [title, ""])
                item.setData(0, ID, action.id)
                item.setToolTip(0, words(action.tooltip))
                self._rows[action.id] = item
            self._headings.append((heading, [action.id for _, actions in groups for action in actions]))
            heading.setExpanded(True)
        tree.currentItemChanged.connect(self._chose)
        return tree

    def set_keymap(self, keymap: KeyMap) -> None:
        """Show these keys."""
        self._keymap = keymap
        for name, item in self._rows.items():
            item.setText(1, ", ".join(wording.key(key) for key in keymap.keys(name)))
        self._show_state()

    def choose(self, name: str) -> None:
        """Choose an action in the list."""
        self._tree.setCurrentItem(self._rows[name])

    def press(self, key: str) -> None:
        """As if the user had pressed a key in the field."""
        self._key.setKeySequence(QKeySequence(key))

    def says(self) -> str:
        """What the page says about the key that was pressed."""
        return self._says.text()

    def _chosen(self) -> str:
        item = self._tree.currentItem()
        return str(item.data(0, ID) or "") if item else ""

    def _pressed(self) -> str:
        return self._key.keySequence().toString(QKeySequence.SequenceFormat.PortableText)

    def _chose(self) -> None:
        self._key.clear()
        self._show_state()

    def _bind(self, keys: list[str] | tuple[str, ...]) -> None:
        try:
            keymap = self._keymap.bind(self._chosen(), keys, take=True)
        except ValueError as error:
            self._say(str(error), "error")
            return
        self._key.clear()
        self.set_keymap(keymap)
        self.changed.emit(keymap)

    def _show_state(self) -> None:
        """What can be done now, and what it would cost."""
        name, pressed = self._chosen(), self._pressed()
        for button in (self._set, self._add):
            button.setEnabled(bool(name and pressed))
        self._key.setEnabled(bool(name))
        self._none.setEnabled(bool(name and self._keymap.keys(name)))
        self._default.setEnabled(bool(name and self._keymap.keys(name) != BY_ID[name].keys))
        if not name:
            self._say(self.tr("Choose an action to change its keys"), "quiet")
            return
        title = words(BY_ID[name].text).rstrip("…")
        if not pressed:
            self._say(self.tr("New key for “{0}”: click into the field below, and press it").format(title), "quiet")
            return
        try:
            holder = self._keymap.holder(pressed, name)
        except ValueError as error:
            self._say(str(error), "error")
            for button in (self._set, self._add):
                button.setEnabled(False)
            return
        shown = wording.key(pressed)
        if holder:
            text = self.tr("{0} is the key of “{1}”, which would lose it")
            self._say(text.format(shown, words(holder.text).rstrip("…")), "warning")
        else:
            self._say(self.tr("{0} is free").format(shown), "quiet")

    def _say(self, text: str, tone: str) -> None:
        self._says.setText(text)
        mark(self._says, tone=tone)

    def _filter(self, text: str) -> None:
        wanted = text.casefold().strip()
        for item in self._rows.values():
            found = wanted in item.text(0).casefold() or wanted in item.text(1).casefold().split(", ")
            item.setHidden(not found)
        for heading, names in self._headings:
            heading.setHidden(all(self._rows[name].isHidden() for name in names))
