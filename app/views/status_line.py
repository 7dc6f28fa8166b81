"""The last line: what is going on, how far it is, and what it takes of the machine."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.views import wording
from app.views.theme import UNIT
from app.views.widgets import NEVER, ActionButton, Elided, Meter, row

ALARM = 0.9  # of what can run out: a gauge that is fuller asks for attention

Gauge = str | float | tuple[str, float]
"""Words; a share of a budget, which may well be used up; or words and a share of what can run out."""


class StatusLine(QWidget):
    def __init__(self, stop: QAction) -> None:
        """stop: the action of the button beside the progress bar."""
        super().__init__()
        self.setProperty("surface", "window")
        self.setProperty("edge", "top")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._text = Elided(tone="quiet")
        self._bar, self._left = Meter(20 * UNIT, 6), QLabel()
        self._left.setProperty("tone", "quiet")
        self._stop = ActionButton(stop)
        self._gauges: dict[str, _Gauge] = {}
        self._side = QHBoxLayout()
        self._side.setSpacing(2 * UNIT)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT + UNIT // 2, UNIT // 4, UNIT + UNIT // 2, UNIT // 4)
        layout.setSpacing(UNIT)
        layout.addWidget(self._text, 1)
        layout.addLayout(row(self._bar, self._left, self._stop))
        layout.addSpacing(UNIT)
        layout.addLayout(self._side)
        self.setMinimumHeight(4 * UNIT)
        self.set_status("", None, None)

    def set_status(self, text: str, progress: float | None, eta: float | None) -> None:
        """What is going on; its progress 0..1 and the seconds left, where these are known."""
        self._text.set_text(text)
        for part in (self._bar, self._stop):
            part.setVisible(progress is not None)
        self._bar.set_share(progress or 0.0)
        self._left.setVisible(progress is not None and eta is not None)
        self._left.setText("" if eta is None else self.tr("{0} left").format(wording.span(eta)))

    def text(self) -> str:
        return self._text.whole()

    def set_gauges(self, gauges: Mapping[str, Gauge]) -> None:
        """By name, from left to right: words ("1.2 GB"), a share of 0..1 ("31 %"), or words and a share."""
        for name in self._gauges.keys() - gauges.keys():
            gauge = self._gauges.pop(name)
            self._side.removeWidget(gauge)
            gauge.hide()
            gauge.deleteLater()
        for place, (name, value) in enumerate(gauges.items()):
            gauge = self._gauges.get(name) or _Gauge(name, ALARM if isinstance(value, tuple) else NEVER)
            self._gauges[name] = gauge
            if self._side.indexOf(gauge) != place:  # the order is that of the mapping, whichever came first
                self._side.insertWidget(place, gauge)
            gauge.set(value)


class _Gauge(QWidget):
    def __init__(self, name: str, alarm: float) -> None:
        super().__init__()
        self._name = name
        self._words, self._meter = QLabel(), Meter(5 * UNIT, alarm=alarm)
        self._words.setProperty("tone", "quiet")
        self.setLayout(row(self._words, self._meter))

    def set(self, value: Gauge) -> None:
        words, share = value if isinstance(value, tuple) else (value, value)
        if isinstance(words, float | int):
            words = wording.percent(words)
        self._words.setText(f"{self._name} {words}".strip())
        self._meter.setVisible(isinstance(share, float | int))
        if isinstance(share, float | int):
            self._meter.set_share(float(share))
