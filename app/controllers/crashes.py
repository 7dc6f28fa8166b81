"""Errors of the program: each is written down, the user is told where, and the work goes on if it can."""

from __future__ import annotations

import logging
import sys
import threading
from collections import deque
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import TracebackType

from PySide6.QtCore import QObject, Qt, QUrl, Signal
from PySide6.QtGui import QDesktopServices

from app.controllers.shell import Shell
from app.io.crash_report import write_report

_REMEMBERED = 40  # actions
_LOG = logging.getLogger("mer")


class Crashes(QObject):
    """From `install` on, it hears of every error that nobody caught, in whatever thread.

    What the user did is remembered as ids of actions, with times: never what it was done to.
    """

    _happened = Signal(str, object)

    def __init__(self, window: Shell) -> None:
        super().__init__()
        self._window = window
        self._actions: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)  # when last, what, how often in a row
        self._happened.connect(self._tell, Qt.ConnectionType.QueuedConnection)
        for name, action in window.actions.items():
            action.triggered.connect(lambda _=False, name=name: self.note(name))
        window.canvas.labels_edited.connect(lambda _, change: self.note(f"canvas: {change}"))

    def note(self, action: str) -> None:
        """Remember what the user did."""
        times = 1
        if self._actions and self._actions[-1][1] == action:
            times += self._actions.pop()[2]
        else:
            _LOG.info("action %s", action)
        self._actions.append((f"{datetime.now():%H:%M:%S}", action, times))

    @property
    def actions(self) -> tuple[str, ...]:
        """The last actions, the latest last; a row of the same is one line."""
        return tuple(f"{when} {what}" + (f" × {times}" if times > 1 else "") for when, what, times in self._actions)

    def install(self) -> None:
        sys.excepthook = self.report
        threading.excepthook = lambda args: self.report(
            args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
        )

    def report(self, kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        """Write it down, and tell. Any thread may call."""
        sys.__excepthook__(kind, error, trace)
        _LOG.error("an error of the program", exc_info=(kind, error, trace))
        path: Path | None = None
        with suppress(OSError):
            path = write_report(error, self.actions)
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
