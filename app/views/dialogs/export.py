"""Choose a format and a place, watch the export, and see that it was checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from PySide6.QtCore import QSize, Qt, QUrl, Signal
from PySide6.QtGui import QCloseEvent, QColor, QDesktopServices
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QDialog,
    QDoubleSpinBox,
    QFileDialog,
    QFormLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from app.views.theme import UNIT, colours
from app.views.widgets import Elided, Glyph, push_button, row

ROW = 4 * UNIT


@dataclass(frozen=True, slots=True)
class Choice:
    """A format. suffix: of its file, "" for a folder. options: (name, label, default, choices).

    reason: why it cannot be used now; "" if it can.
    """

    id: str
    title: str
    suffix: str
    options: tuple[tuple[str, str, Any, tuple[str, ...]], ...] = ()
    reason: str = ""


class _Stage(StrEnum):
    CHOOSE, RUN, DONE = "choose", "run", "done"


class ExportDialog(QDialog):
    """requested(id, target, options, human_only, overwrite): the user wants it. stopped(): and not any more.

    folder: where it goes by default; name: what it is called there. last: what `state` told last time.
    """

    requested = Signal(str, object, object, bool, bool)
    stopped = Signal()

    def __init__(
        self,
        choices: Sequence[Choice],
        folder: Path,
        name: str,
        last: Mapping[str, Any] | None = None,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Export"))
        self._choices = {choice.id: choice for choice in choices}
        self._folder, self._name, self._last = folder, name, dict(last or {})
        self._stage = _Stage.CHOOSE
        self._result: Path | None = None
        self.formats = self._list()
        self._form_holder = QWidget()
        self._form = QFormLayout(self._form_holder)
        self._form.setContentsMargins(0, 0, 0, 0)
        self._form.setHorizontalSpacing(2 * UNIT)
        self._form.setVerticalSpacing(UNIT)
        self.path = QLineEdit()
        self._editors: dict[str, QWidget] = {}
        self.human_only = QCheckBox(self.tr("Only frames that a person made or corrected"))
        self.human_only.setChecked(bool(self._last.get("human_only", False)))
        self.overwrite = QCheckBox(self.tr("Replace what is there already"))
        self.problem = QLabel(wordWrap=True)
        self.problem.setProperty("tone", "error")
        self.says = Elided()
        self.bar = QProgressBar(textVisible=False)
        self.button = push_button(self.tr("Export"), primary=True)
        self.button.setDefault(True)
        self.button.clicked.connect(self._press)
        self.cancel = push_button(self.tr("Close"))
        self.cancel.clicked.connect(self.close)
        self._lay_out()
        self.formats.currentItemChanged.connect(lambda: self._show_format())
        self.formats.itemClicked.connect(lambda: self._once_more())
        wanted = str(self._last.get("format", ""))
        usable = [c.id for c in choices if not c.reason]
        self.choose(wanted if wanted in usable else (usable[0] if usable else choices[0].id))

    @property
    def format(self) -> str:
        item = self.formats.currentItem()
        return str(item.data(Qt.ItemDataRole.UserRole)) if item is not None else ""

    def choose(self, format_id: str) -> None:
        for number in range(self.formats.count()):
            if self.formats.item(number).data(Qt.ItemDataRole.UserRole) == format_id:
                self.formats.setCurrentRow(number)

    def options(self) -> dict[str, Any]:
        """The choices made for the present format."""
        values: dict[str, Any] = {}
        for name, editor in self._editors.items():
            match editor:
                case QCheckBox():
                    values[name] = editor.isChecked()
                case QComboBox():
                    values[name] = editor.currentText()
                case QDoubleSpinBox():
                    values[name] = editor.value()
                case QLineEdit():
                    values[name] = editor.text().strip()
        return values

    def state(self) -> dict[str, Any]:
        """What to remember for the next time."""
        options = dict(self._last.get("options", {})) | {self.format: self.options()}
        folder = str(Path(self.path.text()).parent)
        human_only = self.human_only.isChecked()
        return {"format": self.format, "options": options, "folder": folder, "human_only": human_only}

    # What the controller tells

    def set_progress(self, done: int, total: int, checking: bool) -> None:
        self._enter(_Stage.RUN)
        self.bar.setRange(0, 0 if checking else total)
        self.bar.setValue(done)
        words = self.tr("Reading it back…") if checking else self.tr("Frame {0} of {1}").format(done, total)
        self.says.set_text(words)

    def finish(self, target: Path, files: int) -> None:
        self._result = target
        self._enter(_Stage.DONE)
        self.says.set_text(self.tr("%n files, checked.", "", files) if files != 1 else self.tr("1 file, checked."))

    def fail(self, why: str) -> None:
        """Say why not; everything can be changed and tried again."""
        self._enter(_Stage.CHOOSE)
        self.problem.setText(why)
        self.problem.show()

    def abort(self) -> None:
        """It was stopped, and left nothing."""
        self._enter(_Stage.CHOOSE)

    # Inside

    def _list(self) -> QListWidget:
        formats = QListWidget()
        formats.setFixedWidth(33 * UNIT)
        for choice in self._choices.values():
            item = QListWidgetItem(choice.title)
            item.setData(Qt.ItemDataRole.UserRole, choice.id)
            item.setSizeHint(QSize(0, ROW))
            if choice.reason:
                item.setFlags(item.flags() & ~Qt.ItemFlag.ItemIsEnabled)
                item.setForeground(QColor(colours().faint))
                item.setToolTip(choice.reason)
            formats.addItem(item)
        formats.setMinimumHeight(formats.count() * ROW + 2 * UNIT)  # all of them are seen at once
        return formats

    def _lay_out(self) -> None:
        browse = push_button(self.tr("Choose…"))
        browse.setAutoDefault(False)
        browse.clicked.connect(self._browse)
        right = QWidget()
        column = QVBoxLayout(right)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(UNIT)
        label = QLabel(self.tr("Write to"))
        label.setProperty("tone", "quiet")
        column.addWidget(label)
        column.addLayout(row(self.path, browse))
        column.addWidget(self.overwrite)
        column.addSpacing(UNIT)
        column.addWidget(self._form_holder)
        column.addWidget(self.human_only)
        column.addStretch()
        column.addWidget(self.problem)
        self.problem.hide()
        self._pages = QStackedWidget()
        self._pages.addWidget(right)
        self._pages.addWidget(self._run_page())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, 2 * UNIT, 2 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        body = row(self.formats, self._pages)
        body.setSpacing(3 * UNIT)
        layout.addLayout(body, 1)
        layout.addLayout(row(None, self.cancel, self.button))
        self.resize(92 * UNIT, 56 * UNIT)

    def _run_page(self) -> QWidget:
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(0, 0, 0, 0)
        column.addStretch()
        self._mark = Glyph("ph.check-circle", 4 * UNIT, "accent_text")
        column.addWidget(self._mark, alignment=Qt.AlignmentFlag.AlignCenter)
        self.says.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self.says)
        self._where = Elided(tone="quiet")
        self._where.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column.addWidget(self._where)
        column.addWidget(self.bar)
        column.addStretch()
        return page

    def _once_more(self) -> None:
        """One export is done, and another is wanted."""
        if self._stage is _Stage.DONE:
            self._enter(_Stage.CHOOSE)

    def _show_format(self) -> None:
        self._once_more()
        choice = self._choices[self.format]
        while self._form.rowCount():
            self._form.removeRow(0)
        kept = self._last.get("options", {}).get(choice.id, {})
        self._editors = {}
        for name, label, default, choices in choice.options:
            editor = _editor(label, kept.get(name, default), choices)
            self._editors[name] = editor
            if isinstance(editor, QCheckBox):
                self._form.addRow(editor)
            else:
                self._form.addRow(label, editor)
        folder = Path(str(self._last.get("folder") or self._folder))
        self.path.setText(str((folder if folder.is_dir() else self._folder) / self._suggested(choice)))
        self.problem.hide()
        self.button.setEnabled(not choice.reason)

    def _suggested(self, choice: Choice) -> str:
        return f"{self._name}{choice.suffix}" if choice.suffix else f"{self._name} {choice.id}"

    def _browse(self) -> None:
        choice = self._choices[self.format]
        if choice.suffix:
            kinds = f"{choice.title} (*{choice.suffix})"
            chosen, _ = QFileDialog.getSaveFileName(self, self.tr("Export to"), self.path.text(), kinds)
        else:
            chosen = QFileDialog.getExistingDirectory(self, self.tr("Export to"), str(Path(self.path.text()).parent))
        if chosen:
            self.path.setText(chosen)

    def _press(self) -> None:
        match self._stage:
            case _Stage.CHOOSE:
                target = Path(self.path.text().strip())
                if not self.path.text().strip():
                    return self.fail(self.tr("Say where to write it."))
                choice = self._choices[self.format]
                if choice.suffix and target.suffix.lower() != choice.suffix:
                    target = target.with_name(target.name + choice.suffix)
                self._where.set_text(str(target))
                self._last = self.state()  # the next one goes there as well
                self.set_progress(0, 1, False)
                self.says.set_text(self.tr("Preparing…"))
                self.requested.emit(
                    choice.id, target, self.options(), self.human_only.isChecked(), self.overwrite.isChecked()
                )
            case _Stage.RUN:
                self.says.set_text(self.tr("Stopping…"))
                self.stopped.emit()
            case _Stage.DONE:
                assert self._result is not None
                folder = self._result if self._result.is_dir() else self._result.parent
                QDesktopServices.openUrl(QUrl.fromLocalFile(str(folder)))

    def _enter(self, stage: _Stage) -> None:
        self._stage = stage
        self.problem.hide()
        self.formats.setEnabled(stage is not _Stage.RUN)
        self._pages.setCurrentIndex(0 if stage is _Stage.CHOOSE else 1)
        self.bar.setVisible(stage is _Stage.RUN)
        self._mark.setVisible(stage is _Stage.DONE)
        words = {
            _Stage.CHOOSE: self.tr("Export"),
            _Stage.RUN: self.tr("Stop"),
            _Stage.DONE: self.tr("Show folder"),
        }
        self.button.setText(words[stage])
        self.cancel.setVisible(stage is not _Stage.RUN)

    def closeEvent(self, event: QCloseEvent) -> None:
        """Closing the dialog stops what runs."""
        if self._stage is _Stage.RUN:
            self.stopped.emit()
        super().closeEvent(event)


def _editor(label: str, value: Any, choices: tuple[str, ...]) -> QWidget:
    if isinstance(value, bool):
        box = QCheckBox(label)
        box.setChecked(value)
        return box
    if choices:
        combo = QComboBox()
        combo.addItems(list(choices))
        combo.setCurrentText(str(value))
        return combo
    if isinstance(value, int | float):
        spin = QDoubleSpinBox(decimals=1, singleStep=0.1 if value <= 1 else 1.0, maximum=1.0 if value <= 1 else 99.0)
        spin.setValue(float(value))
        return spin
    return QLineEdit(str(value))
