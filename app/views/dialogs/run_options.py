"""How labels travel in this project, made from the table of `app.core.run_options`. What is chosen counts at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from app.core.preflight import Preflight
from app.core.run_options import RUN_OPTIONS
from app.views import wording
from app.views.dialogs.setting_line import SettingLine
from app.views.theme import UNIT, mark
from app.views.widgets import push_button, row


class RunOptionsDialog(QDialog):
    """Beside the work. changed: the values that the user chose, by key; `show_values` or `complain` answers."""

    changed = Signal(dict)

    def __init__(self, values: Mapping[str, Any], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Options of propagation"))
        self.setFixedWidth(88 * UNIT)
        head = QLabel(self.tr("They belong to this project and count from the next run on."), wordWrap=True)
        head.setProperty("tone", "quiet")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(UNIT + UNIT // 2)
        layout.addWidget(head)
        self._lines: dict[str, SettingLine] = {}
        for setting in RUN_OPTIONS:
            line = SettingLine(setting, values[setting.key], setting.choices)
            line.changed.connect(lambda value, key=setting.key: self.changed.emit({key: value}))
            self._lines[setting.key] = line
            layout.addWidget(line)
        self.says = QLabel(wordWrap=True)
        self.says.setMinimumHeight(2 * self.says.fontMetrics().height())
        layout.addWidget(self.says)
        defaults = push_button(self.tr("Restore defaults"))
        defaults.clicked.connect(lambda: self.changed.emit({setting.key: setting.default for setting in RUN_OPTIONS}))
        close = push_button(self.tr("Close"))
        close.clicked.connect(self.close)
        layout.addLayout(row(defaults, None, close))

    def show_values(self, values: Mapping[str, Any], preflight: Preflight | None) -> None:
        """What the options are now, and what a run with them would need, as far as that is known."""
        for key, line in self._lines.items():
            line.set(values[key])
        self._say("" if preflight is None else self._needs(preflight), "quiet")

    def complain(self, key: str, value: Any, why: str) -> None:
        """This cannot be: what was entered is shown again, in place of what it is, and why not."""
        self._lines[key].set(value)
        self._say(why, "error")

    def editor(self, key: str) -> Any:
        """What an option is changed with."""
        return self._lines[key].editor

    def showEvent(self, event: QShowEvent) -> None:
        """As high as its words need at this width, which is known only now that the style has been seen."""
        super().showEvent(event)
        layout = self.layout()
        assert layout is not None
        self.setFixedHeight(layout.totalHeightForWidth(self.width()))

    def _say(self, text: str, tone: str) -> None:
        mark(self.says, tone=tone)
        self.says.setText(text)

    def _needs(self, preflight: Preflight) -> str:
        parts = [self.tr("A run over %n frames", "", preflight.frames)]
        if preflight.seconds is not None:
            parts.append(self.tr("about {0}").format(wording.span(preflight.seconds)))
        for need in preflight.needs:
            amounts = self.tr("{0} of {1} free").format(wording.amount(need.needed), wording.amount(need.free))
            parts.append(f"{wording.resource(need.resource)} {amounts}")
        text = " · ".join(parts)
        return text if preflight.fits else self.tr("{0}. It does not fit.").format(text)
