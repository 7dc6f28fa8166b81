"""Opening a video, a folder of frames or a project. What cannot be opened leaves everything as it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QImage

from app.controllers.background import Background
from app.controllers.saving import Saving
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.document import Document
from app.core.history import History
from app.core.media import Media
from app.core.recent import RecentProjects
from app.core.settings import Settings
from app.io.media import MissingMedia, check_media, media_of, relinked
from app.io.open_project import OpenProject, unsaved_projects
from app.io.project_file import PROJECT, SUFFIX, read_project
from app.io.project_lock import ProjectInUse
from app.io.project_schema import MediaEntry
from app.jobs.frames import FrameServer
from app.views import wording
from app.views.dialogs import files
from app.views.dialogs.relink import RelinkDialog
from model.video import VideoSource, open_video

_OFFERED = 2  # unsaved projects that are spoken of at the start


@dataclass(frozen=True, slots=True)
class Opened:
    """A project whose video is open."""

    project: OpenProject
    source: VideoSource


def open_anything(path: Path, video: Path | None, take_over: bool, cache: int, undo: int) -> Opened:
    """cache and undo: bytes. MissingMedia, ProjectInUse; ValueError and OSError for what else cannot be opened."""
    if not is_project(path):
        source = open_video(path, cache_bytes=cache)
        try:
            return Opened(OpenProject.begin(Document(media_of(source), History(undo))), source)
        except BaseException:
            source.close()
            raise
    project = OpenProject.open(path, video, take_over)
    try:
        project.document.history.budget = undo
        source = open_video(project.document.media.path, cache_bytes=cache)
        check_media(project.document.media, source)
    except BaseException:
        project.close(keep=True)
        raise
    return Opened(project, source)


def is_project(path: Path) -> bool:
    return path.suffix == SUFFIX or (path / PROJECT).is_file()


class Opening(QObject):
    def __init__(
        self, session: Session, window: Shell, saving: Saving, settings: Settings, background: Background
    ) -> None:
        super().__init__()
        self._session, self._window, self._saving = session, window, saving
        self._settings, self._background = settings, background
        window.actions["file.open"].triggered.connect(lambda: self._ask(files.open_video))
        window.actions["file.folder"].triggered.connect(lambda: self._ask(files.open_folder))
        window.actions["file.close"].triggered.connect(lambda: self.close())
        window.actions["file.relink"].triggered.connect(lambda: self.relink())
        window.welcome.open_requested.connect(lambda: self._ask(files.open_video))
        window.welcome.folder_requested.connect(lambda: self._ask(files.open_folder))
        window.welcome.recent_opened.connect(lambda path: self.open(path))
        session.closed.connect(self.show_recent)
        self.show_recent()

    def open(self, path: Path, video: Path | None = None, take_over: bool = False) -> None:
        """Open in place of what is open, once it is clear that it can be. video: where a project's video is now."""
        here = self._session.project
        if here is not None and path.resolve() == here.folder.resolve():
            self._window.notify(self.tr("{0} is open").format(wording.name(path)))
        elif self._saving.may_leave():
            self._window.set_status(self.tr("Opening {0}…").format(wording.name(path)))
            cache, undo = self._settings["cache.frames"] << 20, self._settings["undo.memory"] << 20
            self._background.do(
                lambda: open_anything(path, video, take_over, cache, undo),
                self._opened,
                lambda error: self._failed(path, error),
            )

    def close(self) -> None:
        """Back to the welcome page."""
        if self._saving.may_leave():
            self._session.close()

    def _ask(self, choose: Callable[[Shell, str], Path | None]) -> None:
        path = choose(self._window, self._settings["folder.last"])
        if path is not None:
            self._settings["folder.last"] = str(path.parent)
            self.open(path)

    def _opened(self, opened: Opened) -> None:
        self._session.close()
        self._window.notices.clear()
        self._window.set_status("")
        project = opened.project
        self._session.open(project, opened.source, FrameServer(opened.source))
        self._saving.remember()
        for note in (*project.notes, *opened.source.notes):
            self._window.notify(note, "warning")
        if count := project.recovered:
            many = self.tr("%n changes that were not saved are back.", "", count)
            words = many if count != 1 else self.tr("One change that was not saved is back.")
            self._window.notify(words, "info", self.tr("Save"), self._saving.save)

    def _failed(self, path: Path, error: Exception) -> None:
        self._window.set_status("")
        if isinstance(error, MissingMedia):
            self._window.notify(str(error), "error", self.tr("Find it…"), lambda: self._find(path))
        elif isinstance(error, ProjectInUse):
            take = self.tr("Open all the same")
            self._window.notify(str(error), "warning", take, lambda: self.open(path, take_over=True))
        else:
            self._window.notify(str(error), "error")

    # Where the video is now

    def _find(self, folder: Path) -> None:
        entry = read_project(folder).media
        video = self._ask_media(entry)
        if video is not None:
            self.open(folder, video)

    def relink(self) -> None:
        """Let the open project use another file: the same video elsewhere, or another copy of it."""
        project = self._session.project
        assert project is not None
        media = project.document.media
        entry = MediaEntry(
            relative=None,
            absolute=str(media.path),
            size=media.size,
            frames=media.frames,
            fps=media.fps,
            fingerprint=media.fingerprint,
        )
        video = self._ask_media(entry)
        if video is not None and self._saving.save_now():
            folder = project.folder
            self._session.close()
            self.open(folder, video)

    def _ask_media(self, entry: MediaEntry) -> Path | None:
        media = Media(Path(entry.absolute), entry.size, entry.frames, entry.fps, entry.fingerprint)
        dialog = RelinkDialog(media, self._window)

        def check(path: Path) -> None:
            self._background.do(
                lambda: relinked(entry, path)[1] or self.tr("This is the video."),
                lambda text: dialog.show_check(True, text),
                lambda error: dialog.show_check(False, str(error)),
            )

        dialog.chosen.connect(check)
        return dialog.path if dialog.exec() else None

    # What was open before

    def show_recent(self) -> None:
        shown = []
        for recent in RecentProjects(self._settings["recent.length"]).read():
            picture = QImage(str(recent.thumbnail)) if recent.thumbnail is not None else QImage()
            when = recent.when.astimezone().strftime("%Y-%m-%d %H:%M")
            detail = when if recent.exists else self.tr("not there any more")
            shown.append((recent.name, recent.path, None if picture.isNull() else picture, detail))
        self._window.set_recent(shown)

    def offer_unsaved(self) -> None:
        """Speak of projects that were never saved, and that a crash left behind."""
        for unsaved in unsaved_projects()[:_OFFERED]:
            words = self.tr("{0} was not saved when the program ended, {1}.")
            text = words.format(wording.name(unsaved.video), unsaved.when.strftime("%Y-%m-%d %H:%M"))
            self._window.notify(text, "warning", self.tr("Bring it back"), partial(self.open, unsaved.folder))
