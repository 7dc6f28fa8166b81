"""Adapt to this video: a short training beside the window, in a process of its own, for the open project alone.

What comes of it is a file among the user's encoders, whose name the project keeps; so it is undone like an edit, and
another project never uses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.adaptation import Outcome
from app.core.runs import State
from app.core.settings import Settings
from app.core.user_files import data_folder
from app.jobs.training import TrainingProcess
from app.views.training.adapt import AdaptDialog
from model.resources import resource


class Adapting(QObject):
    """weights: asked which encoder is in use; None = the bundled one."""

    def __init__(self, session: Session, window: Shell, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self.weights: Callable[[], str | None] = lambda: None
        self.dialog: AdaptDialog | None = None
        self._process: TrainingProcess | None = None
        self._target: Path | None = None
        self._outcome: Outcome | None = None
        window.actions["train.adapt"].triggered.connect(lambda: self.open())
        window.actions["train.usual"].triggered.connect(lambda: self._session.document.set_encoder(""))
        session.opened.connect(self._begin)
        session.changed.connect(lambda _: self._allow())
        session.closing.connect(self.close)
        session.closed.connect(self._allow)
        self._allow()

    def encoder(self) -> Path | None:
        """The one that was adapted to the open video, if it is there."""
        name = self._session.document.encoder if self._session.is_open else ""
        path = _encoders() / name
        return path if name and path.is_file() else None

    def open(self) -> None:
        if self.dialog is None:
            self.dialog = AdaptDialog(self._window)
            self.dialog.begun.connect(self._start)
            self.dialog.stopped.connect(self._stop)
            self.dialog.destroyed.connect(self._forget)
        self.dialog.show()
        self.dialog.raise_()
        self.dialog.activateWindow()

    def close(self) -> None:
        """The project is closed: what runs for it ends, and nothing is kept."""
        self._stop()
        if self.dialog is not None:
            self.dialog.close()
            self.dialog = None

    # Inside

    def _begin(self) -> None:
        self._allow()
        if self._session.document.encoder and self.encoder() is None:
            text = self.tr("The encoder that was adapted to this video is not on this machine: the usual one is used.")
            self._window.notify(text, "warning")

    def _allow(self) -> None:
        document = self._session.document if self._session.is_open else None
        labelled = document is not None and bool(document.references)
        reason = self.tr("Label a frame first: it tells whether adapting helped")
        self._window.set_enabled("train.adapt", labelled, reason)
        adapted = document is not None and bool(document.encoder)
        self._window.set_enabled("train.usual", adapted, self.tr("The usual encoder is in use"))

    def _start(self, minutes: float) -> None:
        assert self.dialog is not None and self._process is None
        project, device = self._session.project, self._settings["device"]
        assert project is not None
        stem = re.sub(r"[^\w.-]+", "_", project.document.media.path.stem)[:40] or "video"
        self._target = _encoders() / f"{stem} adapted {datetime.now():%Y-%m-%d %H.%M.%S}.pt"
        self._outcome = None
        given = ["adapt", str(project.folder), "--out", str(self._target), "--minutes", f"{minutes:g}", "--json"]
        given += ["--weights", self.weights() or str(resource("encoder.pt"))]
        given += [] if device == "auto" else ["--device", device]
        process = TrainingProcess()
        process.told.connect(lambda event: self._told(process, event))
        process.ended.connect(lambda state, why: self._ended(process, state, why))
        try:
            process.launch(given, data_folder() / "adapt.log")
        except OSError as error:
            self.dialog.fail(str(error))
            return
        self._process = process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            self._discard()

    def _discard(self) -> None:
        if self._target is not None:
            self._target.unlink(missing_ok=True)
            self._target.with_name(f"{self._target.name}.candidate").unlink(missing_ok=True)

    def _told(self, process: TrainingProcess, event: dict[str, Any]) -> None:
        if process is not self._process:  # it was stopped
            return
        if event["event"] == "adapted":
            self._outcome = Outcome.from_dict(event)
        elif event["event"] == "adapting" and self.dialog is not None:
            self.dialog.set_progress(event["what"], event["share"], event["error"])

    def _ended(self, process: TrainingProcess, state: str, why: str) -> None:
        if process is not self._process:
            return
        self._process = None
        outcome, target, dialog = self._outcome, self._target, self.dialog
        assert dialog is not None and target is not None, "without them nothing is heard of it any more"
        if state != State.FINISHED or outcome is None:
            self._discard()
            dialog.fail(why or self.tr("It ended before its time."))
            return
        if outcome.kept:
            self._session.document.set_encoder(target.name)
        dialog.show_outcome(outcome)

    def _forget(self) -> None:
        self.dialog = None


def _encoders() -> Path:
    return data_folder() / "encoders"
