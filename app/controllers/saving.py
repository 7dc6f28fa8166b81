"""Saving: when the user says so, every few minutes, and before anything is closed."""

from __future__ import annotations

import errno
from collections.abc import Callable
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal

from app.controllers.background import Background
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.recent import RecentProjects
from app.core.settings import Settings
from app.core.user_files import folder_for
from app.io.overlay import compose
from app.io.project_file import PROJECT, SUFFIX, THUMBNAIL
from app.mistakes import cause_of, message_of
from app.views.dialogs import files
from app.views.notice_bar import Notice
from model.types import LabelMap, UInt8Array

_THUMBNAIL_WIDTH = 320


class Saving(QObject):
    """saved(): what is on the disk is what is in the window.

    settle: called before that is looked at, to take what is proposed.
    """

    saved = Signal()
    _journal_failed = Signal(str, bool)

    def __init__(self, session: Session, window: Shell, settings: Settings, background: Background) -> None:
        super().__init__()
        self._session, self._window, self._settings, self._background = session, window, settings, background
        self._busy = self._said = False  # said: the status line tells of it
        self._notices: list[Notice] = []  # of what keeps it from being saved
        self.settle: Callable[[], object] = lambda: None
        self._timer = QTimer(self)
        self._timer.timeout.connect(self._autosave)
        self.set_minutes(settings["autosave.minutes"])
        session.opened.connect(self._listen)
        self._journal_failed.connect(self._warn)
        window.actions["file.save"].triggered.connect(lambda: self.save())
        window.actions["file.save_as"].triggered.connect(lambda: self.ask_where())

    def set_minutes(self, minutes: int) -> None:
        """How often saved projects are saved again; 0: not by themselves."""
        self._timer.stop()
        if minutes:
            self._timer.start(minutes * 60_000)

    def save(self) -> None:
        """In the background; a project without a place of its own is asked for one."""
        project = self._session.project
        if project is None or self._busy:
            return
        self.settle()
        if not project.is_saved:
            self.ask_where()
            return
        try:
            work = project.saving(self._thumbnail())
        except ValueError as error:
            self._failed(error)
            return
        self._begin(work, lambda: None)

    def ask_where(self) -> None:
        """To a folder that the user says, in the background."""
        project = self._session.project
        if project is None or self._busy or (folder := self._where()) is None:
            return
        try:
            work, move = project.saving_as(folder, self._thumbnail())
        except (ValueError, OSError) as error:
            self._failed(error)
            return
        self._window.set_status(self.tr("Saving {0}…").format(folder.name))
        self._said = True
        self._begin(work, move)

    def _begin(self, work: Callable[[], None], move: Callable[[], None]) -> None:
        def over() -> None:
            move()
            self._done()

        self._busy = True
        self._background.do(work, lambda _: over(), self._failed)

    def _where(self) -> Path | None:
        project = self._session.project
        assert project is not None
        self.settle()
        media = project.document.media.path
        name = project.name or media.stem or media.name
        start = project.folder if project.is_saved else folder_for(media) / f"{name}{SUFFIX}"
        folder = files.save_project(self._window, _free(start))
        if folder is None or folder.resolve() == project.folder.resolve() or not (folder / PROJECT).exists():
            return folder
        return folder if files.ask_replace(self._window, folder.name) else None

    def save_to(self, folder: Path) -> bool:
        """To this folder from now on, and wait for it; whether that worked."""
        project = self._session.project
        assert project is not None
        try:
            project.save_as(folder, self._thumbnail())
        except (ValueError, OSError) as error:
            self._failed(error)
            return False
        self._done()
        return True

    def save_now(self) -> bool:
        """Save and wait for it; False if it could not be, or the user did not say where."""
        project = self._session.project
        assert project is not None
        if not project.is_saved:
            folder = self._where()
            return folder is not None and self.save_to(folder)
        try:
            project.save(self._thumbnail())
        except (ValueError, OSError) as error:
            self._failed(error)
            return False
        self._done()
        return True

    def may_leave(self) -> bool:
        """Before what is open is closed: the user saves it, or does not mind, or there is nothing to lose."""
        project = self._session.project
        if project is None:
            return True
        if self._busy:
            self._background.settle()
        self.settle()
        self._session.tell()
        if not project.is_dirty:
            return True
        name = project.name or project.document.media.path.name
        answer = files.ask_save(self._window, name)
        return self.save_now() if answer is files.Answer.SAVE else answer is files.Answer.DISCARD

    def remember(self) -> None:
        """Put the project at the top of the recent ones."""
        project = self._session.project
        if project is None or not project.is_saved:
            return
        picture = project.folder / THUMBNAIL
        try:
            RecentProjects(self._settings["recent.length"]).add(project.folder, picture if picture.exists() else None)
        except OSError as error:
            self._window.notify(str(error), "warning")

    def _autosave(self) -> None:
        project = self._session.project
        if project is not None and project.is_saved and project.is_dirty:
            self.save()

    def _done(self) -> None:
        self._quiet()
        while self._notices:  # whatever it was, it is over
            self._window.notices.close_notice(self._notices.pop())
        self.remember()
        if self._session.is_open:
            self._window.canvas.say(self.tr("Saved"))
        self.saved.emit()

    def _quiet(self) -> None:
        if self._said:
            self._window.set_status("")
        self._busy = self._said = False

    def _failed(self, error: Exception) -> None:
        self._quiet()
        words = message_of(error) if isinstance(error, ValueError | OSError) else str(error)
        self._tell(words, "error")

    def _listen(self) -> None:
        project = self._session.project
        assert project is not None
        full = (errno.ENOSPC, errno.EDQUOT)
        project.on_error = lambda error: self._journal_failed.emit(  # from any thread
            cause_of(error), isinstance(error, OSError) and error.errno in full
        )
        if project.source is not None:
            self._tell(project.why, "warning")

    def _warn(self, text: str, full: bool) -> None:
        room = self.tr("Changes cannot be kept safe: {0}. Make room, or save the project elsewhere.")
        words = room if full else self.tr("Changes cannot be kept safe: {0}. Save the project elsewhere.")
        self._tell(words.format(text), "error")

    def _tell(self, words: str, level: str) -> None:
        """What keeps it from being saved, in one line, with the way out."""
        self._notices.append(self._window.notify(words, level, self.tr("Save as…"), self.ask_where))

    def _thumbnail(self) -> UInt8Array | None:
        """The frame that is shown, with its labels."""
        picture = self._session.picture
        if picture is None:
            return None
        height, width = picture.image.shape[:2]
        scale = min(1.0, _THUMBNAIL_WIDTH / width)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        small = np.asarray(cv2.resize(picture.image, size, interpolation=cv2.INTER_AREA), np.uint8)
        labels = self._session.document.labels(picture.index)
        if labels is not None:
            ids = np.asarray(cv2.resize(labels.ids, size, interpolation=cv2.INTER_NEAREST), np.uint8)
            labels = LabelMap(ids)
        return compose(small, labels)


def _free(folder: Path) -> Path:
    """A name like this that nothing has yet: file dialogs walk into a folder that is there, and offer no name."""
    names = (folder.with_stem(f"{folder.stem} {number}") for number in count(2))
    return folder if not folder.exists() else next(name for name in names if not name.exists())
