"""Labels out of the program and into it: the export dialog, and imports."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.controllers.background import Background
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.annotations import FrameLabels
from app.core.changes import Change
from app.core.document import Document
from app.core.keypoints import same
from app.core.settings import Settings
from app.core.user_files import folder_for
from app.io.export import EXPORTERS, Done, Labelled, Progress, export, unusable
from app.io.imports import Imported, import_labels
from app.views.dialogs import files
from app.views.dialogs.export import Choice, ExportDialog
from app.views.notice_bar import Notice

LABELS = {".png", ".csv", ".h5", ".hdf5", ".json", ".slp"}
_COLOUR_TYPE, _PALETTE = 25, 3  # where a PNG says what its pixels are, and what it says of indices


class Exchanging(QObject):
    """exported(): an export was written and checked. settle: called before one, to take what is proposed."""

    exported = Signal()
    progressed = Signal(object)

    def __init__(self, session: Session, window: Shell, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self._background = Background()  # its own: an export is long, and saving must not wait for it
        self._stop = threading.Event()
        self.settle: Callable[[], object] = lambda: None
        self.dialog: ExportDialog | None = None
        self._notice: Notice | None = None  # of the last import that failed
        session.closing.connect(self.stop)
        window.actions["file.export"].triggered.connect(lambda: self.ask())
        window.actions["file.import"].triggered.connect(lambda: self.ask_import())
        window.actions["file.import_folder"].triggered.connect(lambda: self.ask_import(folder=True))
        self.progressed.connect(self._show)

    def close(self) -> None:
        self.stop()
        self._background.close()

    # Export

    def ask(self) -> None:
        """Show the dialog; it stays beside the work."""
        project = self._session.project
        assert project is not None
        self.settle()
        if self.dialog is not None:
            self.dialog.close()
            self.dialog.deleteLater()
        labelled = Labelled(project.document)
        choices = [
            Choice(
                exporter.id,
                self.tr(exporter.title),
                exporter.suffix,
                tuple((o.name, self.tr(o.label), o.default, o.choices) for o in exporter.options),
                unusable(exporter, labelled) or "",
            )
            for exporter in EXPORTERS.values()
        ]
        media = project.document.media.path
        folder = project.folder.parent if project.is_saved else folder_for(media)
        self.dialog = ExportDialog(choices, folder, media.stem, self._settings["export.last"], self._window)
        self.dialog.requested.connect(self._begin)
        self.dialog.stopped.connect(self.stop)
        self.dialog.show()

    def stop(self) -> None:
        """What was not finished leaves nothing behind."""
        self._stop.set()

    def _begin(self, form: str, target: Path, options: Mapping[str, Any], human_only: bool, overwrite: bool) -> None:
        dialog, source = self.dialog, self._session.source
        assert dialog is not None and source is not None
        self._settings["export.last"] = dialog.state()
        stop = self._stop = threading.Event()
        document, handle = snapshot(self._session.document), source.handle()

        def work() -> Done | None:
            steps = export(document, handle, form, target, options, human_only=human_only, overwrite=overwrite)
            with closing(steps), closing(handle):
                for step in steps:
                    if isinstance(step, Done):
                        return step
                    if stop.is_set():
                        break
                    self.progressed.emit(step)
            return None

        self._background.do(work, self._over, self._failed)

    def _show(self, step: Progress) -> None:
        if self.dialog is not None and not self._stop.is_set():
            self.dialog.set_progress(step.done, step.total, step.checking)

    def _over(self, done: Done | None) -> None:
        if self.dialog is None:
            return
        if done is None:
            self.dialog.abort()
        else:
            self.dialog.finish(done.target, done.files)
            self.exported.emit()

    def _failed(self, error: Exception) -> None:
        if self.dialog is not None:
            self.dialog.fail(str(error))

    # Import

    def ask_import(self, folder: bool = False) -> None:
        choose = files.open_label_folder if folder else files.open_labels
        path = choose(self._window, self._settings["folder.last"])
        if path is not None:
            self.take(path)

    def take(self, path: Path) -> None:
        """Read labels from a file or folder into the project."""
        project = self._session.project
        assert project is not None
        scratch = snapshot(project.document)
        if self._notice is not None:
            self._window.notices.close_notice(self._notice)

        def work() -> tuple[Change, Imported]:
            return import_labels(scratch, path)

        def done(found: tuple[Change, Imported]) -> None:
            if self._session.project is project:
                self._put(scratch, found, path)

        self._window.set_status(self.tr("Reading {0}…").format(path.name))
        self._background.do(work, done, self._not_read)

    def _put(self, scratch: Document, found: tuple[Change, Imported], path: Path) -> None:
        """Bring what a scratch document holds into the one that is open."""
        self._window.set_status("")
        change, imported = found
        frames = {f: labels for f in change.frames if (labels := scratch.store.get(f)) is not None}
        store = self._session.document.store
        replaced = sum(_replaces(labels, store.get(f)) for f, labels in frames.items())
        name = self.tr("Import {0}").format(path.name)
        try:
            self._session.document.put_frames(frames, scratch.objects, name, scratch.skeleton)
        except ValueError as error:
            self._not_read(error)
            return
        for note in imported.notes:
            self._window.notify(note, "warning")
        words = (
            self.tr("%n labelled frames were read.", "", len(frames)) if len(frames) != 1 else self.tr("1 frame read.")
        )
        if replaced:
            lost = self.tr("Yours were replaced on %n of them: undo brings them back.", "", replaced)
            words = f"{words} {lost}"
        self._window.notify(words)
        self._session.go_to(min(frames))

    def _not_read(self, error: Exception) -> None:
        self._window.set_status("")
        self._notice = self._window.notify(str(error), "error")


def _replaces(new: FrameLabels, old: FrameLabels | None) -> bool:
    """Do labels take the place of others that a person made?"""
    if old is None or not old.is_human:
        return False
    points = old.keypoints is not None and new.keypoints is not None and not same(old.keypoints, new.keypoints)
    return points or (old.labels is not None and old.labels != new.labels)


def holds_labels(path: Path) -> bool:
    """Is a file or folder one of labels, rather than of pictures? Of a folder, its first indexed PNG tells."""
    if path.is_file():
        return path.suffix.lower() in LABELS
    first = min(path.glob("*.png"), default=None)
    if first is None:
        return False
    with first.open("rb") as file:
        return file.read(_COLOUR_TYPE + 1)[_COLOUR_TYPE:] == bytes([_PALETTE])


def snapshot(document: Document) -> Document:
    """A document of its own with the same content: values are immutable and shared."""
    copy = Document(document.media)
    copy.restore(document.values())
    return copy
