"""Work that must not hold the window up, and what comes of it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

Work = Callable[[], Any]


class Background(QObject):
    """Does one thing after the other in a thread, and brings the results back to the window's."""

    _over = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._over.connect(lambda tell: tell(), Qt.ConnectionType.QueuedConnection)

    def do(
        self, work: Work, done: Callable[[Any], object], failed: Callable[[Exception], object] | None = None
    ) -> None:
        """failed: is given what went wrong; without it, that is an error of the program."""

        def run() -> None:
            try:
                result = work()
            except Exception as error:
                if failed is None or not isinstance(error, ValueError | OSError):
                    sys.excepthook(type(error), error, error.__traceback__)
                if failed is not None:
                    self._over.emit(lambda error=error: failed(error))
            else:
                self._over.emit(lambda: done(result))

        self._pool.submit(run)

    def say(self, tell: Callable[[], object]) -> None:
        """From the work: do this in the window's thread."""
        self._over.emit(tell)

    def close(self) -> None:
        """Wait for what runs; what waits is dropped."""
        self._pool.shutdown(cancel_futures=True)
