"""The project that is open: its folder, its lock, its journal, and its document, which the journal listens to.

A project that was never saved lies in the user's own folder until it is saved or thrown away: so it has a journal like
any other, and what a crash leaves there is offered at the next start (see `unsaved_projects`).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from weakref import ref

from app.core.changes import Change
from app.core.document import Document
from app.core.history import Key
from app.core.user_files import data_folder
from app.io.journal import Journal, segments, set_aside
from app.io.project_file import PROJECT, SUFFIX, THUMBNAIL, Snapshot, Stored, loaded, read_project, write
from app.io.project_lock import ProjectInUse, ProjectLock, in_use
from model.types import UInt8Array

Listener = Callable[[OSError | ProjectInUse], None]


class OpenProject:
    """Made by `begin` and `open`. Its methods are for one thread; what `saving` returns may run in another.

    document:  edit it as you like: every change goes to the journal.
    notes:     what the user should know since it was opened.
    recovered: operations that came from the journal, and are in no save yet.
    is_saved:  it has a folder that the user chose. The window asks for one where it has not.
    source:    the folder that it was read from, if that cannot be written; `why` says so in words.
    on_error:  called, from any thread, when the journal cannot be written: save soon, or make room. With ProjectInUse,
               at every change, when somebody took the project over: save it under another name.
    """

    def __init__(self, document: Document, folder: Path, lock: ProjectLock, stored: Stored, is_saved: bool) -> None:
        self.document = document
        self.folder = folder
        self.is_saved = is_saved
        self.notes: tuple[str, ...] = ()
        self.recovered = 0
        self.source: Path | None = None
        self.why = ""
        self.on_error: Listener = lambda error: None
        self._lock = lock
        self._stored = stored
        self._saved_revision = document.revision
        self._journal = self._new_journal()
        self._since: list[Mapping[Key, Any]] | None = None  # changes since a save to another folder began
        self._closed = False
        document.on_change = self._changed

    @classmethod
    def begin(cls, document: Document) -> OpenProject:
        """A project that was not saved yet, in the user's own folder. OSError if that cannot be written."""
        name = f"{_plain(document.media.path.stem)} {datetime.now():%Y-%m-%d %H.%M.%S.%f}"
        folder = _unsaved_folder() / f"{name}{SUFFIX}"
        folder.mkdir(parents=True)
        lock = ProjectLock(folder)
        try:
            stored = write(Snapshot.of(document), folder)
        except BaseException:
            lock.release()
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cls(document, folder, lock, stored, is_saved=False)

    @classmethod
    def open(cls, folder: Path, video: Path | None = None, take_over: bool = False) -> OpenProject:
        """A saved project, or an unsaved one that a crash left.

        video: where the user says the video is now. take_over: although somebody else has the project open.
        MissingMedia, ProjectInUse; ValueError and OSError for whatever else cannot be opened.

        A folder that cannot be written is read, and its document becomes an unsaved project.
        """
        project = read_project(folder)
        try:
            lock = ProjectLock(folder, take_over)
        except OSError as error:
            read = loaded(folder, project, video)
            this = cls.begin(read.document)
            this.notes, this.source = read.notes, folder
            this.why = f"{folder}: cannot be written ({error.strerror}); save it under another name"
            return this
        try:
            read = loaded(folder, project, video)
            if read.damage is not None:
                set_aside(read.damage)
        except BaseException:
            lock.release()
            raise
        stored = Stored.of(folder, project, whole=not read.lost)
        this = cls(read.document, folder, lock, stored, not _is_unsaved(folder))
        this.notes, this.recovered = read.notes, read.recovered
        if read.recovered or video is not None:
            this._saved_revision = -1
        return this

    @property
    def name(self) -> str | None:
        """What the user called it; None: it has no name yet."""
        folder = self.folder if self.is_saved else self.source
        return None if folder is None else folder.stem

    @property
    def is_dirty(self) -> bool:
        """Something would be lost if it was closed now."""
        never = not self.is_saved and not self.document.is_empty and self.source is None
        return never or self.document.revision != self._saved_revision

    def save(self, thumbnail: UInt8Array | None = None) -> None:
        """Save to its folder. ProjectInUse if somebody took it over; OSError: then everything is as it was."""
        self.saving(thumbnail)()

    def saving(self, thumbnail: UInt8Array | None = None) -> Callable[[], None]:
        """A save of this moment's document, to be called once, in any thread; the document may change meanwhile.

        One save runs at a time. ProjectInUse if somebody took the project over.
        """
        self._lock.check()
        snapshot, segment, folder = Snapshot.of(self.document), self._journal.rotate(), self.folder

        def work() -> None:
            self._stored = write(snapshot, folder, thumbnail, segment, self._stored)
            self._saved_revision = snapshot.revision

        return work

    def save_as(self, folder: Path, thumbnail: UInt8Array | None = None, take_over: bool = False) -> None:
        """Save to another folder, which is the project's from then on. What was there, the user agreed to replace.

        ProjectInUse, ValueError, OSError: then the project is still where it was.
        """
        work, move = self.saving_as(folder, thumbnail, take_over)
        work()
        move()

    def saving_as(
        self, folder: Path, thumbnail: UInt8Array | None = None, take_over: bool = False
    ) -> tuple[Callable[[], None], Callable[[], None]]:
        """The same in two calls: a save of this moment's document, in any thread, and then the move to that folder.

        The document may change in between: the new folder's journal has it. Errors of both as above.
        """
        if folder.resolve() == self.folder.resolve():
            return self.saving(thumbnail), lambda: None
        folder.mkdir(parents=True, exist_ok=True)
        lock, snapshot = ProjectLock(folder, take_over), Snapshot.of(self.document)
        written: list[Stored] = []
        self._since = []

        def work() -> None:
            try:
                written.append(write(snapshot, folder, thumbnail))
            except BaseException:
                self._since = None
                lock.release()
                raise

        def move() -> None:
            if self._closed:  # a copy was asked for, and there it is
                lock.release()
                return
            self._let_go()
            self.folder, self._lock, self._stored, self.is_saved = folder, lock, written[0], True
            self._saved_revision, self.source, self.why = snapshot.revision, None, ""
            self._journal = self._new_journal()
            since, self._since = self._since or [], None
            for values in since:
                self._journal.append(values)

        return work, move

    def close(self, keep: bool = False) -> None:
        """Let go of the project. What was not saved is thrown away, unless `keep`: then it is offered next time."""
        self.document.on_change = lambda values, change: None
        self._closed = True
        if keep:
            self._journal.close()
            self._lock.release()
        else:
            self._let_go()

    def _let_go(self) -> None:
        """Leave the folder as it was saved; an unsaved project's goes altogether. Not if it is somebody else's now."""
        ours = not self._lock.is_lost
        if ours:
            self._journal.clear()
        self._journal.close()
        self._lock.release()
        if ours and not self.is_saved:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _new_journal(self) -> Journal:
        me = ref(self)  # else they would keep each other, and all labels, until Python looks for garbage

        def tell(error: OSError) -> None:
            if (project := me()) is not None:
                project.on_error(error)

        return Journal(self.folder, self._stored.segment, tell)

    def _changed(self, values: Mapping[Key, Any], change: Change) -> None:
        if (since := self._since) is not None:
            since.append(values)
        try:
            self._lock.check()
        except ProjectInUse as error:  # another program's project is none of our journal's business
            self.on_error(error)
        else:
            self._journal.append(values)


@dataclass(frozen=True, slots=True)
class Unsaved:
    """What a crash left of a project that was never saved. when: its last change. thumbnail: it may not exist."""

    folder: Path
    video: Path
    when: datetime
    thumbnail: Path


def unsaved_projects() -> tuple[Unsaved, ...]:
    """Those that nobody has open, the latest first. What holds nothing is removed on the way."""
    found = []
    for folder in _unsaved_folder().glob(f"*{SUFFIX}"):
        if not (folder / PROJECT).is_file() or in_use(folder) is not None:
            continue
        with suppress(OSError, ValueError):
            project = read_project(folder)
            if not segments(folder) and not project.values.frames and not project.values.objects:
                shutil.rmtree(folder, ignore_errors=True)
                continue
            when = max(path.stat().st_mtime for path in folder.iterdir())
            video = Path(project.media.absolute)
            found.append(Unsaved(folder, video, datetime.fromtimestamp(when).astimezone(), folder / THUMBNAIL))
    return tuple(sorted(found, key=lambda unsaved: unsaved.when, reverse=True))


def throw_away(unsaved: Unsaved) -> None:
    """The user does not want it back."""
    shutil.rmtree(unsaved.folder, ignore_errors=True)


def _unsaved_folder() -> Path:
    return data_folder() / "unsaved"


def _is_unsaved(folder: Path) -> bool:
    return folder.resolve().parent == _unsaved_folder().resolve()


def _plain(name: str) -> str:
    """A name that every file system takes."""
    return re.sub(r"[^\w.-]+", "_", name)[:40] or "video"
