"""Retrain on my videos: which folders, for how long; everything else has a default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QGridLayout,
    QLabel,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from app.core.training import Footage, Wish
from app.views import wording
from app.views.theme import UNIT
from app.views.training.footage import FolderList, FootageView
from app.views.widgets import icon_button, pad, push_button, row

Option = tuple[str, str]  # what it is kept as, and what is shown


class TrainDialog(QDialog):
    """requested(Wish): begin. folders_changed(list): look at these.

    pace_wanted(again): how quick would that be, as things are chosen now? again: measure it, even if it is known.

    recipes, devices: id and words. last: what `state` told the last time.
    """

    requested = Signal(object)
    folders_changed = Signal(list)
    pace_wanted = Signal(bool)

    def __init__(
        self,
        recipes: Sequence[Option],
        devices: Sequence[Option],
        home: Path,
        last: Mapping[str, Any] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Retrain on my videos"))
        self.setAcceptDrops(True)
        last = last or {}
        self._pace: float | None = None
        self._asked = False  # for the pace of what is chosen now
        self.folders = FolderList()
        self.folders.setFixedHeight(9 * UNIT)
        self.footage = FootageView()
        self.budget = QDoubleSpinBox(decimals=0, minimum=1, maximum=10_000_000)
        self.unit = _combo((("minutes", self.tr("minutes")), ("steps", self.tr("steps"))), last.get("unit"))
        self.budget.setValue(float(last.get("budget", 60)))
        pad(self.budget)
        self.says = QLabel()
        self.says.setProperty("tone", "quiet")
        self.measure = icon_button("ph.gauge", self.tr("Measure how quick this machine is, with a few steps"))
        self.recipe = _combo(recipes, last.get("recipe"))
        self.start_from = _combo(
            (("shipped", self.tr("the encoder of MER Studio")), ("scratch", self.tr("scratch"))), last.get("start")
        )
        self.device = _combo((("", self.tr("the quickest")), *devices), last.get("device"))
        self.precision = _combo(
            (("auto", self.tr("automatic")), ("fp32", self.tr("32 bit")), ("bf16", self.tr("16 bit (bf16)"))),
            last.get("precision"),
        )
        self.home = QLineEdit(str(last.get("home") or home))
        self.problem = QLabel(wordWrap=True)
        self.problem.setProperty("tone", "error")
        self.problem.hide()
        self.begin = push_button(self.tr("Start training"), "ph.graduation-cap", primary=True)
        self.begin.setDefault(True)
        self._lay_out(bool(last.get("more", False)))
        self.budget.valueChanged.connect(lambda: self._show_budget())
        for choice in (self.recipe, self.device, self.precision):
            choice.currentIndexChanged.connect(lambda: self._change_pace())
        self.unit.currentIndexChanged.connect(lambda: self._change_unit())
        self.measure.clicked.connect(lambda: self._ask_pace(again=True))
        self.begin.clicked.connect(lambda: self._request())
        self.set_footage(None)
        self._show_budget()

    # What the controller tells and asks

    def set_folders(self, folders: Sequence[Path]) -> None:
        """Learn from these; the footage in them is not known yet."""
        self.folders.clear()
        self.folders.addItems([str(folder) for folder in folders])
        self._folders_changed()

    def set_footage(self, footage: Footage | None) -> None:
        """What a scan has found so far; None: there is nothing to look at."""
        self._less.setVisible(footage is not None)
        self.footage.setVisible(footage is not None)
        self.footage.set_footage(footage)
        usable = footage is not None and footage.usable
        self._fit()
        self.begin.setEnabled(usable)
        if usable:
            self.begin.setToolTip(self.tr("A process of its own; the window stays free for work"))
        elif footage is None:
            self.begin.setToolTip(self.tr("Choose a folder with videos first"))
        elif footage.looked < footage.total:
            self.begin.setToolTip(self.tr("No video has been found yet"))
        else:
            self.begin.setToolTip(self.tr("There is no video or photo in these folders that can be read"))
        if footage is not None and usable and footage.looked == footage.total and not self._asked:
            self._ask_pace()

    def set_pace(self, pace: float | None) -> None:
        """Steps per minute on this machine, as far as that is known."""
        self._pace = pace
        self.measure.setEnabled(True)
        self._show_budget()

    def fail(self, why: str) -> None:
        """Say why not; everything can be changed and tried again."""
        self.problem.setText(why)
        self.problem.show()
        self._fit()
        self.set_pace(self._pace)

    def chosen(self) -> tuple[Path, ...]:
        """The folders."""
        return tuple(Path(self.folders.item(n).text()) for n in range(self.folders.count()))

    def wish(self) -> Wish:
        """Everything, as it is chosen now."""
        minutes = self.unit.currentData() == "minutes"
        return Wish(
            self.chosen(),
            str(self.recipe.currentData()),
            self.start_from.currentData() == "scratch",
            self.budget.value() if minutes else None,
            None if minutes else int(self.budget.value()),
            str(self.device.currentData()) or None,
            str(self.precision.currentData()),
            Path(self.home.text().strip()),
        )

    def state(self) -> dict[str, Any]:
        """What to remember for the next time."""
        return {
            "folders": [str(folder) for folder in self.chosen()],
            "unit": self.unit.currentData(),
            "budget": self.budget.value(),
            "recipe": self.recipe.currentData(),
            "start": self.start_from.currentData(),
            "device": self.device.currentData(),
            "precision": self.precision.currentData(),
            "home": self.home.text().strip(),
            "more": self._form.isVisibleTo(self),
        }

    # Inside

    def _lay_out(self, more: bool) -> None:
        add = push_button(self.tr("Add folder…"), "ph.plus")
        add.setAutoDefault(False)
        add.setToolTip(self.tr("A folder with videos; those in folders below it count as well"))
        add.clicked.connect(lambda: self._add())
        self._less = icon_button("ph.minus", self.tr("Take the chosen folder off the list"))
        self._less.clicked.connect(lambda: self._remove())
        heading = QLabel(self.tr("Learn from the videos in"))
        heading.setProperty("tone", "quiet")
        self.hint = QLabel(self.tr("Raw video is enough: nothing needs a label, and nothing leaves this machine."))
        self.hint.setProperty("tone", "faint")
        browse = push_button(self.tr("Choose…"))
        browse.setAutoDefault(False)
        browse.clicked.connect(lambda: self._browse())
        self._form = QWidget()
        form = QGridLayout(self._form)
        form.setContentsMargins(0, 0, 0, 0)
        form.setColumnStretch(1, 1)
        form.setHorizontalSpacing(2 * UNIT)
        form.setVerticalSpacing(UNIT)
        where = QWidget()
        where.setLayout(row(self.home, browse))
        editors: tuple[tuple[str, QWidget], ...] = (
            (self.tr("Recipe"), self.recipe),
            (self.tr("Start from"), self.start_from),
            (self.tr("Device"), self.device),
            (self.tr("Precision"), self.precision),
            (self.tr("Keep runs in"), where),
        )
        for line, (words, editor) in enumerate(editors):
            label = QLabel(words)
            label.setProperty("tone", "quiet")
            form.addWidget(label, line, 0)
            form.addWidget(editor, line, 1)
        self.more = push_button("")
        self.more.setProperty("kind", "flat")
        self.more.setAutoDefault(False)
        self.more.clicked.connect(lambda: self._show_more(not self._form.isVisibleTo(self)))
        cancel = push_button(self.tr("Cancel"))
        cancel.setAutoDefault(False)
        cancel.clicked.connect(self.reject)
        train_for = QLabel(self.tr("Train for"))
        train_for.setProperty("tone", "quiet")
        self.budget.setFixedWidth(12 * UNIT)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(UNIT)
        layout.addLayout(row(heading, None, add, self._less))
        layout.addWidget(self.folders)
        layout.addWidget(self.footage)
        layout.addWidget(self.hint)
        layout.addSpacing(UNIT)
        layout.addLayout(row(train_for, self.budget, self.unit, self.measure, self.says, None))
        layout.addLayout(row(self.more, None))
        layout.addWidget(self._form)
        layout.addWidget(self.problem)
        layout.addStretch()
        layout.addLayout(row(None, cancel, self.begin))
        self.setMinimumWidth(76 * UNIT)
        self._show_more(more)

    def _show_more(self, more: bool) -> None:
        self._form.setVisible(more)
        self.more.setText(self.tr("Fewer choices") if more else self.tr("More choices…"))
        self._fit()

    def _fit(self) -> None:
        """As high as what is shown; the user's width stays."""
        layout = self.layout()
        if layout is not None:
            layout.activate()
            wraps, hint = layout.hasHeightForWidth(), layout.totalSizeHint().height()
            self.resize(self.width(), layout.totalHeightForWidth(self.width()) if wraps else hint)

    def _folders_changed(self) -> None:
        self.problem.hide()
        self.set_footage(Footage(0, 0) if self.folders.count() else None)
        self.folders_changed.emit(list(self.chosen()))

    def _take(self, folders: Sequence[Path]) -> None:
        new = [folder for folder in folders if folder not in self.chosen()]
        if new:
            self.folders.addItems([str(folder) for folder in new])
            self._folders_changed()

    def _add(self) -> None:
        start = str(self.chosen()[-1].parent) if self.chosen() else ""
        chosen = QFileDialog.getExistingDirectory(self, self.tr("A folder with videos"), start)
        if chosen:
            self._take([Path(chosen)])

    def _remove(self) -> None:
        if self.folders.count():
            self.folders.takeItem(max(0, self.folders.currentRow()))
            self._folders_changed()

    def _browse(self) -> None:
        chosen = QFileDialog.getExistingDirectory(self, self.tr("Keep runs in"), self.home.text())
        if chosen:
            self.home.setText(chosen)

    def _change_unit(self) -> None:
        """Another unit for about the same work, if that is known."""
        if self._pace:
            factor = self._pace if self.unit.currentData() == "steps" else 1 / self._pace
            self.budget.setValue(max(1.0, round(self.budget.value() * factor)))
        self._show_budget()

    def _change_pace(self) -> None:
        """What was known is of something else."""
        self._asked = False
        self.set_pace(None)
        if self.begin.isEnabled():
            self._ask_pace()

    def _show_budget(self) -> None:
        if self._pace is None:
            self.says.setText("" if self.measure.isEnabled() else self.tr("seeing how quick this machine is…"))
        elif self.unit.currentData() == "minutes":
            steps = int(float(f"{max(1.0, self.budget.value() * self._pace):.2g}"))
            self.says.setText(self.tr("about {0} steps here").format(f"{steps:,}".replace(",", "\u2009")))
        else:
            time = wording.span(60 * self.budget.value() / self._pace)
            self.says.setText(self.tr("about {0} here").format(time))

    def _ask_pace(self, again: bool = False) -> None:
        self._asked = True
        self.problem.hide()
        self._pace = None
        self.measure.setEnabled(False)
        self._show_budget()
        self.pace_wanted.emit(again)

    def _request(self) -> None:
        self.problem.hide()
        if not self.home.text().strip():
            self._show_more(True)
            return self.fail(self.tr("Say where runs are kept."))
        self.requested.emit(self.wish())

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if _dropped(event):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        event.acceptProposedAction()
        self._take(_dropped(event))


def _dropped(event: QDropEvent) -> list[Path]:
    paths = [Path(url.toLocalFile()) for url in event.mimeData().urls() if url.isLocalFile()]
    return list(dict.fromkeys(path if path.is_dir() else path.parent for path in paths))


def _combo(options: Sequence[Option], chosen: Any = None) -> QComboBox:
    combo = QComboBox()
    for name, words in options:
        combo.addItem(words, name)
    combo.setCurrentIndex(max(0, combo.findData(chosen)) if chosen is not None else 0)
    combo.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
    combo.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return combo
