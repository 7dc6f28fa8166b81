"""What Finder opens: macOS tells a program of it by an event, whether it was running or is being started for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QEvent, QObject
from PySide6.QtGui import QFileOpenEvent


class FileEvents(QObject):
    """An event filter for the application. open: is called with each path."""

    def __init__(self, open: Callable[[Path], object], parent: QObject) -> None:
        super().__init__(parent)
        self._open = open

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if isinstance(event, QFileOpenEvent) and event.file():
            self._open(Path(event.file()))
            return True
        return super().eventFilter(watched, event)
