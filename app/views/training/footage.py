"""What a scan found, in figures, with the names behind them as tooltips."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from app.core.training import Footage
from app.views import wording
from app.views.theme import UNIT, mark
from app.views.widgets import Elided, Meter

_NAMED = 12  # files that a tooltip lists


class FootageView(QStackedWidget):
    """Empty, or figures side by side."""

    def __init__(self) -> None:
        super().__init__()
        empty = QLabel(self.tr("Add a folder, or drop one here."))
        empty.setProperty("tone", "quiet")
        empty.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.addWidget(empty)
        page = QWidget()
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
        self.bar, self.says = Meter(20 * UNIT), Elided(tone="quiet")
        layout = QVBoxLayout(page)
        layout.setContentsMargins(0, UNIT // 2, 0, 0)
        layout.setSpacing(UNIT // 2)
        layout.addLayout(grid)
        layout.addWidget(self.says)
        layout.addWidget(self.bar)
        self.addWidget(page)
        self.setFixedHeight(11 * UNIT)

    def set_footage(self, footage: Footage | None) -> None:
        self.setCurrentIndex(0 if footage is None else 1)
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
        self.says.set_text(self._words(footage, looking))

    def _words(self, footage: Footage, looking: bool) -> str:
        if looking and not footage.total:
            return self.tr("Looking…")
        if looking:
            return self.tr("Looking at {0} of {1}…").format(footage.looked + 1, footage.total)
        if not footage.usable:
            return self.tr("There is no video or photo here that can be read.")
        if footage.unreadable or footage.duplicates or footage.still:
            return self.tr("What cannot be read, near-duplicates and still videos are left out.")
        if footage.seconds < 60 and not footage.photos:
            return self.tr("This is little: some minutes of video and more make a difference.")
        return self.tr("All of it can be used.")


def _listed(files: Sequence[str]) -> str:
    more = len(files) - _NAMED
    return "\n".join([*files[:_NAMED], *([f"… {more}"] if more > 0 else [])])
