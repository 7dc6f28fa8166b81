"""The widget that a setting is changed with, by its type."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QCheckBox,
    QComboBox,
    QDoubleSpinBox,
    QLabel,
    QLineEdit,
    QSlider,
    QSpinBox,
    QWidget,
)

from app.core.settings import Setting
from app.views import wording
from app.views.theme import UNIT
from app.views.widgets import pad, row

WIDTH = 22 * UNIT
LIMIT = 2**31 - 1


class SettingEditor(QObject):
    """changed: the user entered another value, which is one that the setting can have."""

    changed = Signal(object)

    def __init__(self, widget: QWidget) -> None:
        super().__init__(widget)
        self.widget = widget

    def value(self) -> Any:
        raise NotImplementedError

    def set(self, value: Any) -> None:
        """Show a value, silently."""
        blocked = self.blockSignals(True)
        self._put(value)
        self.blockSignals(blocked)

    def _put(self, value: Any) -> None:
        raise NotImplementedError


def _prepare(spin: QAbstractSpinBox) -> None:
    spin.setKeyboardTracking(False)  # not every digit is a choice
    spin.setFixedWidth(WIDTH)
    pad(spin)


class _Switch(SettingEditor):
    def __init__(self) -> None:
        self._box = QCheckBox()
        super().__init__(self._box)
        self._box.toggled.connect(lambda: self.changed.emit(self.value()))

    def value(self) -> bool:
        return self._box.isChecked()

    def _put(self, value: bool) -> None:
        self._box.setChecked(value)


class _Whole(SettingEditor):
    def __init__(self, setting: Setting, unit: str) -> None:
        self._spin = QSpinBox()
        self._spin.setRange(int(max(setting.low, -LIMIT)), int(min(setting.high, LIMIT)))
        self._spin.setSuffix(f" {unit}" if unit else "")
        _prepare(self._spin)
        super().__init__(self._spin)
        self._spin.valueChanged.connect(lambda: self.changed.emit(self.value()))

    def value(self) -> int:
        return self._spin.value()

    def _put(self, value: int) -> None:
        self._spin.setValue(value)


class _Number(SettingEditor):
    def __init__(self, setting: Setting, unit: str) -> None:
        self._spin = QDoubleSpinBox()
        self._spin.setRange(max(setting.low, -LIMIT), min(setting.high, LIMIT))
        self._spin.setSuffix(f" {unit}" if unit else "")
        _prepare(self._spin)
        super().__init__(self._spin)
        self._spin.valueChanged.connect(lambda: self.changed.emit(self.value()))

    def value(self) -> float:
        return self._spin.value()

    def _put(self, value: float) -> None:
        self._spin.setValue(value)


class _Share(SettingEditor):
    """A number of 0..1, in per cent."""

    def __init__(self) -> None:
        holder = QWidget()
        holder.setFixedWidth(WIDTH)
        self._slider, self._says = QSlider(Qt.Orientation.Horizontal), QLabel()
        self._slider.setRange(0, 100)
        self._says.setFixedWidth(self._says.fontMetrics().horizontalAdvance("100 %") + 4)
        self._says.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        holder.setLayout(row(self._slider, self._says))
        holder.setFocusProxy(self._slider)
        super().__init__(holder)
        self._slider.valueChanged.connect(self._moved)
        self._says.setText(wording.percent(0))

    def value(self) -> float:
        return self._slider.value() / 100

    def _put(self, value: float) -> None:
        self._slider.setValue(round(value * 100))

    def _moved(self) -> None:
        self._says.setText(wording.percent(self.value()))
        self.changed.emit(self.value())


class _Choice(SettingEditor):
    def __init__(self, choices: tuple[tuple[str, str], ...]) -> None:
        self._box = QComboBox()
        for value, words in choices:
            self._box.addItem(words, value)
        self._box.setFixedWidth(WIDTH)
        super().__init__(self._box)
        self._box.currentIndexChanged.connect(lambda: self.changed.emit(self.value()))

    def value(self) -> str:
        return str(self._box.currentData())

    def _put(self, value: str) -> None:
        if self._box.findData(value) < 0:  # chosen on another machine: keep it until the user chooses otherwise
            self._box.addItem(value, value)
        self._box.setCurrentIndex(self._box.findData(value))


class _Text(SettingEditor):
    def __init__(self) -> None:
        self._field = QLineEdit()
        self._field.setFixedWidth(WIDTH)
        self._before = ""
        super().__init__(self._field)
        self._field.editingFinished.connect(self._done)

    def value(self) -> str:
        return self._field.text().strip()

    def _put(self, value: str) -> None:
        self._before = value
        self._field.setText(value)

    def _done(self) -> None:
        if self.value() != self._before:
            self._before = self.value()
            self.changed.emit(self.value())


def editor_for(setting: Setting, choices: tuple[tuple[str, str], ...], unit: str) -> SettingEditor:
    """choices, unit: the setting's own in the user's language, or others that suit this machine."""
    match setting.default:
        case bool():
            return _Switch()
        case int():
            return _Whole(setting, unit)
        case float() if (setting.low, setting.high) == (0.0, 1.0):
            return _Share()
        case float():
            return _Number(setting, unit)
        case str():
            return _Choice(choices) if choices else _Text()
    raise AssertionError(f"nothing can edit {setting.key}")
