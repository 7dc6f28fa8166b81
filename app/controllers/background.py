"""Work that must not hold the window up, and what comes of it."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, Qt, Signal

Work = Callable[[], Any]


class Background(QObject):
    """Does one thing after the other in a thread, and brings the results back to the window's."""

    _over = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="background")
        self._tells: deque[Callable[[], object]] = deque()
        self._over.connect(self._tell, Qt.ConnectionType.QueuedConnection)

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
                    self.say(partial(failed, error))
            else:
                self.say(lambda: done(result))

        self._pool.submit(run)

    def say(self, tell: Callable[[], object]) -> None:
        """From the work: do this in the window's thread."""
        self._tells.append(tell)
        self._over.emit()

    def settle(self) -> None:
        """Wait for all that was to be done, and bring its results back now."""
        self._pool.submit(lambda: None).result()
        self._tell()

    def _tell(self) -> None:
        while self._tells:
            self._tells.popleft()()

    def close(self) -> None:
        """Wait for what runs; what waits is dropped."""
        self._pool.shutdown(cancel_futures=True)
