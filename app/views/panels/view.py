"""What is drawn: which picture, how strongly the labels, and both side by side."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QImage, QPixmap
from PySide6.QtWidgets import QGridLayout, QLabel, QScrollArea, QSizePolicy, QSlider, QVBoxLayout, QWidget

from app.views import wording
from app.views.panels.dock import Panel
from app.views.theme import UNIT
from app.views.widgets import ActionButton, row
from model.types import UInt8Array

MODES = ("labels", "image", "flow", "value", "doubt", "clusters", "pca", "votes")
COLUMNS = 2
STEPS = 100  # of sliders that stand for 0..1


class ViewPanel(Panel):
    """Shares its choices with the actions of the View menu: whichever is used, the signal is sent once."""

    mode_changed = Signal(str)
    opacity_changed = Signal(float)
    contours_changed = Signal(bool)
    wipe_changed = Signal(object)  # float 0..1, or None

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        """actions: those of the window; of each mode, `view.contours` and `view.wipe`."""
        super().__init__(26 * UNIT)
        self._modes = {mode: actions[f"view.{mode}"] for mode in MODES}
        self._contours, self._wipe = actions["view.contours"], actions["view.wipe"]
        grid = QGridLayout()
        grid.setSpacing(UNIT // 4)
        for place, (mode, action) in enumerate(self._modes.items()):
            button = ActionButton(action, kind="segment")
            button.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
            grid.addWidget(button, place // COLUMNS, place % COLUMNS)
            action.toggled.connect(lambda on, mode=mode: self.mode_changed.emit(mode) if on else None)
        for column in range(COLUMNS):
            grid.setColumnStretch(column, 1)
        self._opacity, self._percent = self._slider(self.tr("Opacity of the labels"), 50), QLabel()
        self._percent.setProperty("tone", "quiet")
        self._percent.setFixedWidth(self.fontMetrics().horizontalAdvance("100 %") + 4)
        self._percent.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._place = self._slider(self.tr("Where the line is"), 50)
        self._opacity.valueChanged.connect(self._say_opacity)
        self._place.valueChanged.connect(self._say_wipe)
        self._contours.toggled.connect(self.contours_changed)
        self._wipe.toggled.connect(self._say_wipe)
        self._legend = _Legend()
        self._legend.hide()
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(UNIT, UNIT // 2, UNIT, UNIT)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(grid)
        layout.addWidget(self._legend)
        layout.addSpacing(UNIT // 2)
        layout.addLayout(row(QLabel(self.tr("Opacity")), self._opacity, self._percent))
        outlines, wipe = (ActionButton(action, kind="segment") for action in (self._contours, self._wipe))
        layout.addLayout(row(outlines, wipe))
        layout.addWidget(self._place)
        layout.addStretch()
        scroll = QScrollArea(widgetResizable=True)  # where there is little room
        scroll.setFrameShape(QScrollArea.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setMinimumHeight(9 * UNIT)
        scroll.setWidget(inside)
        outer = QVBoxLayout(self)
        outer.setContentsMargins(0, 0, 0, 0)
        outer.addWidget(scroll)
        self._modes["labels"].setChecked(True)
        self._contours.setChecked(True)
        self._percent.setText(wording.percent(self.opacity))
        self._place.setVisible(False)

    def _slider(self, name: str, value: int) -> QSlider:
        slider = QSlider(Qt.Orientation.Horizontal)
        slider.setRange(0, STEPS)
        slider.setValue(value)
        slider.setToolTip(name)
        slider.setAccessibleName(name)
        return slider

    @property
    def mode(self) -> str:
        return next(mode for mode, action in self._modes.items() if action.isChecked())

    def set_mode(self, mode: str) -> None:
        """Choose a picture, as if the user had."""
        self._modes[mode].setChecked(True)

    @property
    def opacity(self) -> float:
        return self._opacity.value() / STEPS

    def set_opacity(self, opacity: float) -> None:
        """0..1."""
        self._opacity.setValue(round(opacity * STEPS))

    def set_contours(self, contours: bool) -> None:
        self._contours.setChecked(contours)

    @property
    def wipe(self) -> float | None:
        """Where the line between plain and drawn is, 0 = left edge; None: there is no line."""
        return self._place.value() / STEPS if self._wipe.isChecked() else None

    def set_legend(self, ramp: UInt8Array | None, low: str = "", high: str = "") -> None:
        """What the colours of the picture mean: uint8 [h, w, 3] RGB with words left and right of it, or nothing."""
        self._legend.set(ramp, low, high)
        self._legend.setVisible(ramp is not None)

    def _say_opacity(self) -> None:
        self._percent.setText(wording.percent(self.opacity))
        self.opacity_changed.emit(self.opacity)

    def _say_wipe(self) -> None:
        self._place.setVisible(self._wipe.isChecked())
        self.wipe_changed.emit(self.wipe)


class _Legend(QWidget):
    """A ramp or a wheel of colours between two words."""

    def __init__(self) -> None:
        super().__init__()
        self._low, self._picture, self._high = QLabel(), QLabel(), QLabel()
        for word in (self._low, self._high):
            word.setProperty("tone", "quiet")
        layout = row(self._low, self._picture, self._high, None)
        layout.setContentsMargins(UNIT, UNIT // 2, UNIT, 0)
        self.setLayout(layout)

    def set(self, ramp: UInt8Array | None, low: str, high: str) -> None:
        self._low.setText(low)
        self._high.setText(high)
        if ramp is None:
            self._picture.clear()
            return
        height, width = ramp.shape[:2]
        image = QImage(ramp.tobytes(), width, height, 3 * width, QImage.Format.Format_RGB888)
        self._picture.setPixmap(QPixmap.fromImage(image))
