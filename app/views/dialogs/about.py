"""What this is, and what it works with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from app.views.theme import UNIT
from app.views.widgets import push_button, row


class AboutDialog(QDialog):
    """diagnostics_wanted(): they are to be put on the clipboard."""

    diagnostics_wanted = Signal()

    def __init__(
        self, version: str, facts: Mapping[str, str], parent: QWidget | None = None, licences: Path | None = None
    ) -> None:
        """facts: names and values such as the encoder, the device, and the libraries, in the user's language.

        licences: a page on the software of others that comes with the program, where it does.
        """
        super().__init__(parent)
        self.setWindowTitle(self.tr("About MER Studio"))
        title = QLabel(self.tr("MER Studio"))
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.6)
        font.setBold(True)
        title.setFont(font)
        says = QLabel(self.tr("Label one frame; the labels follow the video. Free software under the MIT licence."))
        says.setWordWrap(True)
        says.setProperty("tone", "quiet")
        grid = QGridLayout()
        grid.setHorizontalSpacing(2 * UNIT)
        grid.setVerticalSpacing(UNIT // 2)
        for line, (name, value) in enumerate({self.tr("Version"): version, **facts}.items()):
            label, words = QLabel(name), QLabel(value, wordWrap=True)
            label.setProperty("tone", "quiet")
            words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
            grid.addWidget(label, line, 0, Qt.AlignmentFlag.AlignTop)
            grid.addWidget(words, line, 1)
        grid.setColumnStretch(1, 1)
        copy, close = push_button(self.tr("Copy diagnostics"), "ph.copy"), push_button(self.tr("Close"))
        copy.setToolTip(self.tr("Copy this and the end of the log, for a report of something that went wrong"))
        copy.clicked.connect(self.diagnostics_wanted)
        close.clicked.connect(self.close)
        close.setDefault(True)
        close.setFocus()
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(UNIT)
        layout.addWidget(title)
        layout.addWidget(says)
        layout.addSpacing(UNIT)
        layout.addLayout(grid)
        layout.addSpacing(UNIT)
        layout.addLayout(row(copy, *self._others(licences), None, close))
        self.setFixedWidth(56 * UNIT)

    def _others(self, licences: Path | None) -> list[QWidget]:
        """A button that shows the licences, if there are any to show."""
        if licences is None:
            return []
        button = push_button(self.tr("Licences"), "ph.file-text")
        button.setToolTip(self.tr("Show the licences of the software in it that others wrote"))
        button.clicked.connect(lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(licences))))
        return [button]
