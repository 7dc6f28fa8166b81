"""Export and import: the dialog, a thread that writes and checks, and the document that labels are read into."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFileDialog

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.document import Document
from app.core.settings import Settings
from app.io.export import EXPORTERS, Done, Labelled, Progress, export, unusable
from app.io.imports import import_labels
from app.views.dialogs.export import Choice, ExportDialog
from model.video import open_video


class Exporting(QObject):
    """One export at a time, of the labels as they were when it began: the user may go on working.

    exported(Path): it lies there, read back and found right.
    """

    exported = Signal(object)
    _step = Signal(object)
    _failed = Signal(str)
    _ended = Signal()

    def __init__(self, session: Session, window: Shell, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self._thread: threading.Thread | None = None
        self._stop = threading.Event()
        self.dialog: ExportDialog | None = None
        self._step.connect(self._show)
        self._failed.connect(self._fail)
        self._ended.connect(self._end)
        session.closing.connect(self.close)
        window.actions["file.export"].triggered.connect(lambda: self.open())
        window.actions["file.import"].triggered.connect(lambda: self.ask_import())

    # Export

    def open(self) -> ExportDialog:
        """Show the dialog."""
        document = self._session.document
        labelled = Labelled(document)
        choices = tuple(
            Choice(
                exporter.id,
                self.tr(exporter.title),
                exporter.suffix,
                tuple((o.name, self.tr(o.label), o.default, o.choices) for o in exporter.options),
                unusable(exporter, labelled) or "",
            )
            for exporter in EXPORTERS.values()
        )
        path = document.media.path
        last = dict(self._settings["export.last"])
        self.dialog = ExportDialog(choices, path.parent, path.stem, last, self._window)
        self.dialog.requested.connect(self.start)
        self.dialog.stopped.connect(self._stop.set)
        self.dialog.open()
        return self.dialog

    def start(self, kind: str, target: Path, options: Mapping[str, Any], human_only: bool, overwrite: bool) -> None:
        """Write `target` in a thread of its own."""
        if self._thread is not None:
            return
        if self.dialog is not None:
            self._settings["export.last"] = self.dialog.state()
        document = _copy(self._session.document)
        self._stop.clear()
        arguments = (document, kind, target, dict(options), human_only, overwrite)
        self._thread = threading.Thread(target=self._work, args=arguments, name="export")
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait until nothing half-written is left."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self.dialog is not None:
            self.dialog.abort()
            self.dialog.close()
            self.dialog = None

    def _work(
        self, document: Document, kind: str, target: Path, options: dict[str, Any], human_only: bool, overwrite: bool
    ) -> None:
        try:
            with open_video(document.media.path) as source:
                steps = export(document, source, kind, target, options, human_only=human_only, overwrite=overwrite)
                with closing(steps):
                    for step in steps:
                        self._step.emit(step)
                        if self._stop.is_set():
                            break
        except (ValueError, OSError) as error:
            self._failed.emit(_words(error))
        finally:
            self._ended.emit()

    def _show(self, step: Progress | Done) -> None:
        if isinstance(step, Done):
            self.exported.emit(step.target)
            if self.dialog is not None:
                self.dialog.finish(step.target, step.files)
        elif self.dialog is not None and not self._stop.is_set():
            self.dialog.set_progress(step.done, step.total, step.checking)

    def _fail(self, why: str) -> None:
        if self.dialog is not None and self.dialog.isVisible():
            self.dialog.fail(why)
        else:
            self._window.notify(why, "error")

    def _end(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._stop.is_set() and self.dialog is not None:
            self.dialog.abort()

    # Import

    def ask_import(self) -> None:
        """Let the user choose files or a folder of labels."""
        kinds = self.tr("Labels (*.png *.json *.csv *.h5 *.slp);;All files (*)")
        folder = str(self._session.document.media.path.parent)
        chosen, _ = QFileDialog.getOpenFileName(self._window, self.tr("Import labels"), folder, kinds)
        if chosen:
            path = Path(chosen)
            # One of a folder of masks stands for all of them, as in every file dialog that knows no folders.
            alone = path.suffix.lower() != ".png" or len(list(path.parent.glob("*.png"))) == 1
            self.take_in(path if alone else path.parent)

    def take_in(self, path: Path) -> None:
        """Read labels into the document: one undo item."""
        try:
            change, found = import_labels(self._session.document, path)
        except (ValueError, OSError) as error:
            self._window.notify(_words(error), "error")
            return
        if not change:
            self._window.notify(self.tr("{0} says nothing new.").format(path.name), "info")
            return
        count = len(found.labels.keys() | found.keypoints.keys())
        words = self.tr("%n frames imported.", "", count) if count != 1 else self.tr("1 frame imported.")
        self._window.notify(" ".join([words, *found.notes[:1]]), "info")


def _copy(document: Document) -> Document:
    """The document as it is now; what it holds is immutable, so this costs next to nothing."""
    copy = Document(document.media)
    copy.restore(document.values())
    return copy


def _words(error: ValueError | OSError) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error)
