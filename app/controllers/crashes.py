"""Errors of the program: each is written down, the user is told where, and the work goes on if it can."""

from __future__ import annotations

import sys
import threading
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from app.controllers.shell import Shell
from app.io.crash_report import write_report

_REMEMBERED = 40  # actions


class Crashes(QObject):
    """From `install` on, it hears of every error that nobody caught, in whatever thread."""

    _happened = Signal(str, object)

    def __init__(self, window: Shell) -> None:
        super().__init__()
        self._window = window
        self._actions: deque[str] = deque(maxlen=_REMEMBERED)
        self._happened.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        for name, action in window.actions.items():
            action.triggered.connect(lambda _=False, name=name: self.note(name))

    def note(self, action: str) -> None:
        """Remember what the user did."""
        self._actions.append(action)

    def install(self) -> None:
        sys.excepthook = self.report
        threading.excepthook = lambda args: self.report(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write it down, and tell. Any thread may call."""
        sys.__excepthook__(kind, error, trace)
        path: Path | None = None
        with suppress(OSError):
            path = write_report(error, tuple(self._actions))
        self._happened.emit(kind.__name__, path)

    def _tell(self, kind: str, path: Path | None) -> None:
        if path is None:
            words = self.tr("Something went wrong in the program ({0}). Your labels are in the journal.")
            self._window.notify(words.format(kind), "error")
            return
        words = self.tr("Something went wrong in the program ({0}). Your labels are in the journal; a report is {1}")
        self._window.notify(
            words.format(kind, path),
            "error",
            self.tr("Show report"),
            lambda: QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))),
        )
