"""All runs, beside the work: a list, and how the chosen one goes, or what it was worth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QStackedWidget, QVBoxLayout, QWidget

from app.core.runs import Run, State
from app.views import icons, wording
from app.views.theme import UNIT
from app.views.training.proof import ProofPage
from app.views.training.run_page import RunPage
from app.views.widgets import EmptyState, fitted, push_button, row

_ICONS = {
    State.RUNNING: ("ph.play-circle", "accent_text"),
    State.PAUSED: ("ph.pause-circle", "quiet"),
    State.STOPPED: ("ph.stop-circle", "quiet"),
    State.INTERRUPTED: ("ph.warning-circle", "warning"),
    State.FINISHED: ("ph.check-circle", "quiet"),
    State.FAILED: ("ph.x-circle", "error"),
}


class TrainingWindow(QWidget):
    """chosen(Path): the user looks at the run in this folder. new_wanted(): another run."""

    chosen = Signal(object)
    new_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Window)
        self.setWindowTitle(self.tr("Training – MER Studio"))
        self.setProperty("surface", "window")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.list = QListWidget()
        self.list.setFixedWidth(28 * UNIT)
        self.list.setAccessibleName(self.tr("Runs"))
        self.list.currentItemChanged.connect(lambda: self._choose())
        self.page, self.proof = RunPage(), ProofPage()
        text = self.tr("Retrain on your own videos: the encoder learns what they look like, without any label.")
        self._empty = EmptyState("ph.graduation-cap", self.tr("No run yet"), text)
        self._pages = QStackedWidget()
        for page in (self._empty, self.page, self.proof):
            self._pages.addWidget(page)
        new = push_button(self.tr("New run…"), "ph.plus")
        new.clicked.connect(self.new_wanted)
        side = QVBoxLayout()
        side.setContentsMargins(0, 0, 0, UNIT)
        side.setSpacing(UNIT)
        side.addWidget(self.list, 1)
        side.addLayout(row(new, margins=(UNIT, 0, UNIT, 0)))
        layout = row()
        layout.setSpacing(0)
        layout.addLayout(side)
        layout.addWidget(self._pages, 1)
        self.setLayout(layout)
        self.proof.left.connect(lambda: self.show_proof(False))
        self.resize(fitted(QSize(132 * UNIT, 88 * UNIT), self.screen().availableGeometry().size()))

    @property
    def current(self) -> Path | None:
        """The folder of the run that is looked at."""
        item = self.list.currentItem()
        return None if item is None else Path(item.data(Qt.ItemDataRole.UserRole))

    @property
    def shows_proof(self) -> bool:
        return self._pages.currentWidget() is self.proof

    def set_runs(self, runs: Sequence[Run]) -> None:
        """The list anew; the same run stays chosen, if it is still there."""
        current = self.current
        self.list.blockSignals(True)
        self.list.clear()
        for run in runs:
            item = QListWidgetItem(icons.icon(*_ICONS[run.state]), f"{run.folder.name}\n{state_words(run.state)}")
            item.setData(Qt.ItemDataRole.UserRole, str(run.folder))
            item.setToolTip(str(run.folder))
            item.setSizeHint(QSize(0, 6 * UNIT))
            self.list.addItem(item)
        self.list.blockSignals(False)
        folders = [run.folder for run in runs]
        if not folders:
            self._pages.setCurrentWidget(self._empty)
        elif current in folders:
            self.list.blockSignals(True)
            self.list.setCurrentRow(folders.index(current))
            self.list.blockSignals(False)
        else:
            self.list.setCurrentRow(0)

    def choose(self, folder: Path) -> None:
        for number in range(self.list.count()):
            if self.list.item(number).data(Qt.ItemDataRole.UserRole) == str(folder):
                self.list.setCurrentRow(number)

    def show_proof(self, on: bool) -> None:
        """What the run is worth, or how it goes."""
        self._pages.setCurrentWidget(self.proof if on else self.page)

    def _choose(self) -> None:
        if self.current is not None:
            self.show_proof(False)
            self.chosen.emit(self.current)


def state_words(state: State) -> str:
    return {
        State.RUNNING: wording.tr("Running"),
        State.PAUSED: wording.tr("Paused"),
        State.STOPPED: wording.tr("Stopped"),
        State.INTERRUPTED: wording.tr("Interrupted"),
        State.FINISHED: wording.tr("Finished"),
        State.FAILED: wording.tr("Failed"),
    }[state]
