"""Adapt to this video: what it is, how it goes, and what came of it, in one small dialog beside the work."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QDialog, QDoubleSpinBox, QLabel, QStackedWidget, QVBoxLayout, QWidget

from app.core.adaptation import Outcome
from app.views.theme import UNIT, mark
from app.views.widgets import Glyph, Meter, pad, push_button, row, turn_into

MINUTES = 2.0


class AdaptDialog(QDialog):
    """begun(minutes): the user wants it. stopped(): not any more; sent as well when the dialog is closed meanwhile."""

    begun = Signal(float)
    stopped = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("Adapt to this video"))
        self._busy = False
        self._error: tuple[float, float] | None = None  # at first, and now
        self.minutes = QDoubleSpinBox(minimum=0.5, maximum=120, value=MINUTES, singleStep=0.5, decimals=1)
        self.minutes.setSuffix(self.tr(" min"))
        self.minutes.setFixedWidth(14 * UNIT)
        pad(self.minutes)
        self.says, self.bar = QLabel(wordWrap=True), Meter(54 * UNIT, 6)
        self.verdict, self.figures = QLabel(), QLabel(wordWrap=True)
        for label in (self.says, self.figures):
            label.setProperty("tone", "quiet")
        font = self.verdict.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        self.verdict.setFont(font)
        self._glyph = QVBoxLayout()
        self.button, self._close = push_button(""), push_button(self.tr("Close"))
        self.button.clicked.connect(self._press)
        self._close.clicked.connect(self.close)
        for button in (self.button, self._close):
            button.setAutoDefault(False)
        self._pages = QStackedWidget()
        for page in (self._offer(), self._running(), self._result()):
            self._pages.addWidget(page)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        layout.addWidget(self._pages, 1)
        layout.addLayout(row(None, self._close, self.button))
        self.setFixedSize(60 * UNIT, 29 * UNIT)
        self._show(0, self.tr("Start"), "ph.play", primary=True)

    def set_progress(self, what: str, share: float, error: float | None) -> None:
        """what: "measure", "learn" or "compare"; share: of that, 0..1; error: the cycle error if it is new, pixels."""
        if error is not None:
            self._error = (error if self._error is None else self._error[0], error)
        words = {
            "measure": self.tr("Measuring the encoder in use on this video…"),
            "learn": self.tr("Learning what this video looks like…"),
            "compare": self.tr("Carrying your labels with both encoders…"),
        }[what]
        if self._error is not None:
            text = self.tr("Held-out points come back {0} pixels off; at first it was {1}.")
            words += "\n" + text.format(f"{self._error[1]:.2f}", f"{self._error[0]:.2f}")
        self.says.setText(words)
        self.bar.set_share({"measure": 0.0, "learn": 0.8 * share, "compare": 0.8 + 0.2 * share}[what])

    def show_outcome(self, outcome: Outcome) -> None:
        """It is over."""
        lines = [self.tr("Points there and back: {0} pixels off, {1} before.").format(*_two(outcome.cycle, 2))]
        if outcome.certainty is not None:
            lines.append(self.tr("Certainty of your labels: {0}, {1} before.").format(*_two(outcome.certainty, 3)))
        if outcome.kept:
            title = self.tr("Better: the adapted encoder is kept")
            lines.append(self.tr("This project uses it from the next propagation on; Undo takes it back."))
        else:
            title = self.tr("Not better: nothing has changed")
            lines.append(self.tr("More minutes may help. Or the encoder knows such pictures already."))
        self._finish("ph.check-circle" if outcome.kept else "ph.equals", title, "\n".join(lines), again=False)

    def fail(self, why: str) -> None:
        """It did not come to an end; why, in words."""
        self._finish("ph.warning-circle", self.tr("It could not be done"), why, again=True)

    # Inside

    def _offer(self) -> QWidget:
        text = self.tr(
            "The encoder in use learns from this video alone, without labels, for a short while. What it becomes is "
            "kept for this project if points that are followed there and back come home nearer, and your labels are "
            "carried with more certainty. Otherwise nothing changes."
        )
        page, column = _page()
        column.addWidget(QLabel(text, wordWrap=True))
        column.addStretch()
        column.addLayout(row(QLabel(self.tr("Learn for at most")), self.minutes, None))
        return page

    def _running(self) -> QWidget:
        page, column = _page()
        column.addStretch()
        column.addWidget(self.says)
        column.addWidget(self.bar)
        column.addStretch()
        return page

    def _result(self) -> QWidget:
        page, column = _page()
        head = row()
        head.addLayout(self._glyph)
        head.addWidget(self.verdict, 1)
        column.addLayout(head)
        column.addWidget(self.figures)
        column.addStretch()
        return page

    def _show(self, page: int, words: str, icon: str, primary: bool) -> None:
        """A page, and what the button does there; where that is not what comes next, closing is, unless it is busy."""
        self._pages.setCurrentIndex(page)
        turn_into(self.button, words, icon, primary)
        self.button.setDefault(primary)
        self._close.setHidden(self._busy)
        mark(self._close, primary=not primary and not self._busy)
        self._close.setDefault(not primary and not self._busy)

    def _press(self) -> None:
        if self._busy:
            self._busy = False
            self.stopped.emit()
            self.close()
        else:
            self._busy, self._error = True, None
            self.set_progress("measure", 0.0, None)
            self._show(1, self.tr("Stop"), "ph.stop", primary=False)
            self.begun.emit(self.minutes.value())

    def _finish(self, icon: str, title: str, text: str, again: bool) -> None:
        self._busy = False
        while (item := self._glyph.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        self._glyph.addWidget(Glyph(icon, 3 * UNIT, "accent_text"))
        self.verdict.setText(title)
        self.figures.setText(text)
        self._show(2, self.tr("Try again"), "ph.arrow-clockwise", primary=again)

    def done(self, result: int) -> None:
        """Closed, by whatever means."""
        if self._busy:
            self._busy = False
            self.stopped.emit()
        super().done(result)


def _page() -> tuple[QWidget, QVBoxLayout]:
    page = QWidget()
    column = QVBoxLayout(page)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(2 * UNIT)
    return page, column


def _two(pair: tuple[float, float], digits: int) -> tuple[str, str]:
    """After, then before."""
    return f"{pair[1]:.{digits}f}", f"{pair[0]:.{digits}f}"
