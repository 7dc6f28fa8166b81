"""The settings dialog, made from the table of `app.core.settings`. What is chosen counts at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QFrame, QListWidget, QScrollArea, QStackedWidget, QVBoxLayout, QWidget

from app.core.keymap import KeyMap
from app.core.settings import BY_KEY, SETTINGS, Topic
from app.views.dialogs.key_bindings import KeyBindings
from app.views.dialogs.setting_editor import SettingEditor
from app.views.dialogs.setting_line import SettingLine, words
from app.views.theme import UNIT
from app.views.widgets import push_button, row

TOPICS: tuple[Topic, ...] = tuple(topic for topic in Topic if topic is not Topic.HIDDEN)
Choices = Mapping[str, tuple[tuple[str, str], ...]]


class SettingsDialog(QDialog):
    """Beside the work. changed: a setting's key and its new value. keys_changed: the new `KeyMap`."""

    changed = Signal(str, object)
    keys_changed = Signal(object)

    def __init__(
        self, values: Mapping[str, Any], keymap: KeyMap, choices: Choices | None = None, parent: QWidget | None = None
    ) -> None:
        """values: of every setting that is shown. choices: of texts that depend on the machine, such as devices."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("Settings"))
        self.resize(100 * UNIT, 72 * UNIT)
        self._topics = QListWidget()
        self._topics.setFixedWidth(20 * UNIT)
        self._topics.setAccessibleName(self.tr("Topics"))
        self._topics.ensurePolished()  # before its first layout, which would not know how high a line is
        self._pages = QStackedWidget()
        self._lines: dict[str, SettingLine] = {}
        for topic in TOPICS:
            self._add_page(words(topic.value), self._page(topic, values, choices or {}))
        self.keys = KeyBindings(keymap)
        self.keys.changed.connect(self.keys_changed)
        self._add_page(self.tr("Keys"), self.keys)
        self._topics.currentRowChanged.connect(self._pages.setCurrentIndex)
        self._topics.setCurrentRow(0)
        close = push_button(self.tr("Close"))
        close.clicked.connect(self.close)
        defaults = push_button(self.tr("Restore defaults"))
        defaults.setToolTip(self.tr("Of all that is on this page"))
        defaults.clicked.connect(self._restore)
        across = row(self._topics, self._pages)
        across.setSpacing(0)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(across, 1)
        foot = QWidget()
        foot.setProperty("edge", "top")
        foot.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        foot.setLayout(row(defaults, None, close, margins=(2 * UNIT, UNIT, 2 * UNIT, UNIT)))
        layout.addWidget(foot)

    def show_topic(self, topic: Topic | None) -> None:
        """Turn to a page; None: the keys."""
        self._topics.setCurrentRow(len(TOPICS) if topic is None else TOPICS.index(topic))

    def set_value(self, key: str, value: Any) -> None:
        """A setting was changed elsewhere, or could not be changed: show what it is."""
        if key in self._lines:
            self._lines[key].set(value)

    def editor(self, key: str) -> SettingEditor:
        """What a setting is changed with."""
        return self._lines[key].editor

    def _add_page(self, title: str, page: QWidget) -> None:
        self._topics.addItem(title)
        self._pages.addWidget(page)

    def _page(self, topic: Topic, values: Mapping[str, Any], choices: Choices) -> QScrollArea:
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        for setting in (s for s in SETTINGS if s.topic is topic):
            line = SettingLine(setting, values[setting.key], choices.get(setting.key, setting.choices))
            line.changed.connect(lambda value, key=setting.key: self.changed.emit(key, value))
            self._lines[setting.key] = line
            layout.addWidget(line)
        layout.addStretch()
        scroll = QScrollArea(widgetResizable=True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setWidget(inside)
        return scroll

    def _restore(self) -> None:
        page = self._pages.currentWidget()
        if page is self.keys:
            self.keys.set_keymap(KeyMap())
            self.keys_changed.emit(KeyMap())
        for key, line in self._lines.items():
            if page and page.isAncestorOf(line):
                line.choose(BY_KEY[key].default)
