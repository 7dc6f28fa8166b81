"""What this is, and what it works with."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import QDialog, QGridLayout, QLabel, QVBoxLayout, QWidget

from app.views.theme import UNIT
from app.views.widgets import push_button, row


class AboutDialog(QDialog):
    def __init__(self, version: str, facts: Mapping[str, str], parent: QWidget | None = None) -> None:
        """facts: names and values such as the encoder, the device, and the libraries, in the user's language."""
        super().__init__(parent)
        self.setWindowTitle(self.tr("About MER Studio"))
        self._text = "\n".join([f"MER Studio {version}", *(f"{name}: {value}" for name, value in facts.items())])
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
        copy, close = push_button(self.tr("Copy"), "ph.copy"), push_button(self.tr("Close"))
        copy.setToolTip(self.tr("Copy this, for a report of something that went wrong"))
        copy.clicked.connect(self.copy)
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
        layout.addLayout(row(copy, None, close))
        self.setFixedWidth(56 * UNIT)

    def copy(self) -> None:
        """Everything that it says, to the clipboard."""
        QGuiApplication.clipboard().setText(self._text)
