"""The video of a project is not where it was: say where it is now."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QDialog, QLabel, QVBoxLayout, QWidget

from app.core.media import Media
from app.views import wording
from app.views.dialogs import files
from app.views.theme import UNIT, mark
from app.views.widgets import Elided, push_button, row


class RelinkDialog(QDialog):
    """chosen: a file or folder to look at; whoever can answers with `show_check`. Accepted: `path` is to be used."""

    chosen = Signal(Path)

    def __init__(self, media: Media, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Relink media"))
        self.path: Path | None = None
        height, width = media.size
        title = QLabel(self.tr("Where is {0} now?").format(wording.name(media.path)))
        font = title.font()
        font.setPointSizeF(font.pointSizeF() * 1.25)
        title.setFont(font)
        before, facts = Elided(self.tr("It was {0}").format(media.path), tone="quiet"), QLabel()
        facts.setText(self.tr("{0} frames of {1} × {2} pixels").format(media.frames, width, height))
        facts.setProperty("tone", "quiet")
        self._place, self._says = Elided(self.tr("Nothing chosen yet"), tone="faint"), QLabel(wordWrap=True)
        self._says.hide()
        file, folder = push_button(self.tr("Choose file…")), push_button(self.tr("Choose folder…"))
        file.clicked.connect(lambda: self.choose(files.open_video(self, str(media.path.parent))))
        folder.clicked.connect(lambda: self.choose(files.open_folder(self, str(media.path.parent))))
        self.use = push_button(self.tr("Use it"), primary=True)
        self.use.setEnabled(False)
        self.use.clicked.connect(self.accept)
        later = push_button(self.tr("Not now"))
        later.clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 3 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(UNIT)
        for part in (title, before, facts):
            layout.addWidget(part)
        layout.addSpacing(UNIT)
        layout.addLayout(row(self._place, file, folder))
        layout.addWidget(self._says)
        layout.addSpacing(UNIT)
        layout.addLayout(row(None, later, self.use))
        self.setFixedWidth(72 * UNIT)

    def choose(self, path: Path | None) -> None:
        """Have a file or folder looked at."""
        if path is None:
            return
        self.path = path
        self.use.setEnabled(False)
        self._place.set_text(str(path))
        mark(self._place, tone="")
        self._says.hide()
        self.chosen.emit(path)

    def show_check(self, fits: bool, text: str) -> None:
        """Is the chosen one the video? The text says so, or what differs."""
        self.use.setEnabled(fits)
        self._says.setText(text)
        mark(self._says, tone="quiet" if fits else "error")
        self._says.show()
        self.adjustSize()
