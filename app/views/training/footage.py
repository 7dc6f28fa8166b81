"""The folders of footage, and what a scan found in them: figures, with the names behind them as tooltips."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from textwrap import wrap

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QListWidget, QVBoxLayout, QWidget

from app.core.training import Footage
from app.views import wording
from app.views.theme import UNIT, colours, mark
from app.views.widgets import Meter

_NAMED = 12  # files that a tooltip lists
_BREADTH = 90  # characters of its lines
_LITTLE = 60.0  # seconds of video


class FolderList(QListWidget):
    """While it is empty it says what belongs there."""

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if not self.count():
            painter = QPainter(self.viewport())
            painter.setPen(QColor(colours().quiet))
            text = self.tr("Add a folder, or drop one here")
            painter.drawText(self.viewport().rect(), Qt.AlignmentFlag.AlignCenter, text)
            painter.end()


class FootageView(QWidget):
    """Figures side by side, and what follows from them."""

    def __init__(self) -> None:
        super().__init__()
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(3 * UNIT)
        grid.setVerticalSpacing(0)
        self._figures: list[tuple[QLabel, QLabel]] = []
        for column, words in enumerate(
            (
                self.tr("videos"),
                self.tr("length"),
                self.tr("photos"),
                self.tr("unreadable"),
                self.tr("near-duplicates"),
                self.tr("still"),
            )
        ):
            figure, name = QLabel("–"), QLabel(words)
            font = figure.font()
            font.setPointSizeF(font.pointSizeF() * 1.4)
            figure.setFont(font)
            name.setProperty("tone", "quiet")
            grid.addWidget(figure, 0, column)
            grid.addWidget(name, 1, column)
            self._figures.append((figure, name))
        grid.setColumnStretch(6, 1)
        self.bar, self.says = Meter(20 * UNIT), QLabel(wordWrap=True)
        self.says.setProperty("tone", "quiet")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, UNIT // 2, 0, 0)
        layout.setSpacing(UNIT)
        layout.addLayout(grid)
        layout.addWidget(self.says)
        layout.addWidget(self.bar)
        layout.addStretch()
        self.setFixedHeight(11 * UNIT)  # with or without the bar

    def set_footage(self, footage: Footage | None) -> None:
        if footage is None:
            return
        values = (
            str(footage.videos),
            wording.span(footage.seconds) if footage.seconds else "–",
            str(footage.photos),
            str(len(footage.unreadable)),
            str(len(footage.duplicates)),
            str(len(footage.still)),
        )
        lists = ((), (), (), footage.unreadable, footage.duplicates, footage.still)
        for (figure, name), value, files in zip(self._figures, values, lists, strict=True):
            figure.setText(value)
            tip = _listed(files)
            figure.setToolTip(tip)
            name.setToolTip(tip)
        mark(self._figures[3][0], tone="warning" if footage.unreadable else "")
        looking = footage.looked < footage.total or not footage.total
        self.bar.setVisible(looking)
        self.bar.set_share(footage.looked / max(1, footage.total))
        self.says.setText(self._words(footage, looking))

    def _words(self, footage: Footage, looking: bool) -> str:
        if looking and not footage.total:
            return self.tr("Looking…")
        if looking:
            return self.tr("Looking at {0} of {1}…").format(footage.looked + 1, footage.total)
        if not footage.usable:
            return self.tr("There is no video or photo here that can be read.")
        return " · ".join(self._shares(footage))

    def _shares(self, footage: Footage) -> list[str]:
        """What becomes of all that was found."""
        learned = []
        if footage.learned:
            videos = footage.learned
            learned.append(self.tr("%n videos", "", videos) if videos != 1 else self.tr("1 video"))
        if footage.photos:
            learned.append(self.tr("%n photos", "", footage.photos) if footage.photos != 1 else self.tr("1 photo"))
        parts = [self.tr("{0} to learn from").format(" + ".join(learned))]
        if footage.held_out:
            parts.append(self.tr("{0} held out to measure the result on").format(footage.held_out))
        if left_out := len(footage.unreadable) + footage.videos - footage.learned - footage.held_out:
            parts.append(self.tr("{0} left out").format(left_out))
        if footage.seconds < _LITTLE and not footage.photos:
            parts.append(self.tr("this is little: some minutes make a difference"))
        return parts


def _listed(files: Sequence[str]) -> str:
    """For a tooltip, which breaks no lines by itself."""
    more = len(files) - _NAMED
    lines = [wrap(file, _BREADTH, subsequent_indent="    ", break_on_hyphens=False) for file in files[:_NAMED]]
    return "\n".join([*chain.from_iterable(lines), *([f"… {more}"] if more > 0 else [])])
