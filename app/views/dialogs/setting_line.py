"""One line of a dialog that is made from a table of settings: what it is, its editor, and a way back."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QCoreApplication, Signal
from PySide6.QtWidgets import QLabel, QVBoxLayout, QWidget

from app.core.settings import Setting
from app.views.dialogs.setting_editor import editor_for
from app.views.theme import UNIT
from app.views.widgets import icon_button, row


def words(text: str) -> str:
    """A text of the settings table in the user's language."""
    return QCoreApplication.translate("Settings", text)


class SettingLine(QWidget):
    """One setting: what it is on the left, its editor on the right, and a way back to the default."""

    changed = Signal(object)

    def __init__(self, setting: Setting, value: Any, choices: tuple[tuple[str, str], ...]) -> None:
        super().__init__()
        self._setting = setting
        named = tuple((choice, words(text)) for choice, text in choices)
        self.editor = editor_for(setting, named, words(setting.unit))
        self.editor.changed.connect(self._changed)
        self.editor.widget.setAccessibleName(words(setting.label))
        self.editor.widget.setAccessibleDescription(words(setting.help))
        label, help_text = QLabel(words(setting.label)), QLabel(words(setting.help), wordWrap=True)
        help_text.setProperty("tone", "quiet")
        told = QVBoxLayout()
        told.setSpacing(UNIT // 4)
        told.addWidget(label)
        told.addWidget(help_text)
        self._default = icon_button("ph.arrow-counter-clockwise", self.tr("Restore the default"))
        self._default.clicked.connect(lambda: self.choose(setting.default))
        policy = self._default.sizePolicy()
        policy.setRetainSizeWhenHidden(True)
        self._default.setSizePolicy(policy)
        layout = row(self._default)
        layout.insertLayout(0, told, 1)
        layout.insertSpacing(1, 2 * UNIT)
        layout.insertWidget(2, self.editor.widget)
        self.setLayout(layout)
        self.set(value)

    def set(self, value: Any) -> None:
        self.editor.set(value)
        self._default.setVisible(value != self._setting.default)

    def choose(self, value: Any) -> None:
        """As if the user had entered it."""
        if value != self.editor.value():
            self.editor.set(value)
            self._changed(value)

    def _changed(self, value: Any) -> None:
        self._default.setVisible(value != self._setting.default)
        self.changed.emit(value)
