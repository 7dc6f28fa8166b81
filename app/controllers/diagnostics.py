"""What the window does, in the log; and all that a report of a fault needs, on the clipboard."""

from __future__ import annotations

import logging
import sys

from PySide6.QtCore import QMessageLogContext, QObject, QtMsgType, qInstallMessageHandler, qVersion
from PySide6.QtGui import QGuiApplication

from app.controllers.background import Background
from app.controllers.crashes import Crashes
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.diagnostics import report
from app.jobs.inference import InferenceThread
from app.jobs.queries import Engine
from app.views.notice_bar import Notice

_LOG = logging.getLogger("mer.window")
_LEVELS = {
    QtMsgType.QtDebugMsg: logging.DEBUG,
    QtMsgType.QtInfoMsg: logging.INFO,
    QtMsgType.QtWarningMsg: logging.WARNING,
}


class Diagnostics(QObject):
    """Listens to everybody; nobody knows of it."""

    def __init__(self, session: Session, window: Shell, inference: InferenceThread, crashes: Crashes) -> None:
        super().__init__()
        self._session, self._window, self._crashes = session, window, crashes
        self._background = Background()  # its own: a report may be wanted because something else hangs
        self._engine: Engine | None = None
        self._notice: Notice | None = None  # that it is being done
        session.opened.connect(lambda: self._opened())
        session.closed.connect(lambda: _LOG.info("closed"))
        inference.ready.connect(self._know)
        inference.finished.connect(lambda job: _LOG.info("job %d finished", job))
        inference.stopped.connect(lambda job: _LOG.info("job %d stopped", job))
        inference.failed.connect(lambda job, why: _LOG.warning("job %d failed: %s", job, why))
        inference.exhausted.connect(lambda job, why: _LOG.warning("job %d ran out of memory: %s", job, why))
        window.actions["help.diagnostics"].triggered.connect(lambda: self.copy())

    def copy(self) -> None:
        """Put the report on the clipboard, and say so. The machine is looked at in a thread: that takes a moment."""
        self._hush()
        self._notice = self._window.notify(self.tr("Looking at this machine…"))
        actions, facts = self._crashes.actions, self._facts()
        self._background.do(lambda: report(actions, facts), self._copied, lambda error: self._failed(error))

    def close(self) -> None:
        self._background.close()

    def _hush(self) -> None:
        if self._notice is not None:
            self._window.notices.close_notice(self._notice)
            self._notice = None

    def _copied(self, text: str) -> None:
        self._hush()
        QGuiApplication.clipboard().setText(text)
        words = self.tr(
            "The diagnostics are on the clipboard. They may name your files: read them before you send them."
        )
        self._window.notify(words)

    def _failed(self, error: Exception) -> None:
        self._hush()
        self._window.notify(str(error), "error")

    def _opened(self) -> None:
        media, source = self._session.document.media, self._session.source
        height, width = media.size
        _LOG.info(
            "opened %s: %d frames of %d×%d at %.4g frames per second, by %s",
            media.path.suffix or "a folder", media.frames, width, height, media.fps, type(source).__name__,
        )  # fmt: skip

    def _know(self, engine: Engine) -> None:
        self._engine = engine
        _LOG.info("encoder %s %s, recipe %s, on %s", engine.name, engine.sha256[:16], engine.recipe, engine.device)

    def _facts(self) -> list[tuple[str, str]]:
        """What only a window knows."""
        screen = self._window.screen()
        size = screen.size()
        facts = [
            ("Qt", f"{qVersion()} on {QGuiApplication.platformName()}"),
            ("screen", f"{size.width()}×{size.height()}, {screen.devicePixelRatio():g} pixels per point"),
        ]
        if self._engine is not None:
            facts.append(
                ("encoder in use", f"{self._engine.name}, {self._engine.sha256[:16]}, on {self._engine.device}")
            )
        if self._session.is_open:
            document = self._session.document
            height, width = document.media.size
            labelled = sum(1 for _ in document.store)
            facts.append(("open", f"{document.media.frames} frames of {width}×{height}, {labelled} of them labelled"))
        return facts


def log_qt() -> None:
    """What Qt complains about goes to the log too, not only to a terminal that nobody may see."""

    def note(kind: QtMsgType, _: QMessageLogContext, text: str) -> None:
        _LOG.log(_LEVELS.get(kind, logging.ERROR), "Qt: %s", text)
        if sys.stderr is not None:
            print(text, file=sys.stderr)

    qInstallMessageHandler(note)
