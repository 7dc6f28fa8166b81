"""A generator that runs in a thread: what it yields and returns comes out as signals, and it can be stopped."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Generator
from typing import Any

from PySide6.QtCore import QObject, Signal

_NICENESS = 10


class Work(QObject):
    """stepped(object): it yielded. done(object): it returned. failed(str): why it could not.

    One after the other: beginning another ends the one before, of which nothing is heard any more.
    """

    stepped = Signal(object)
    done = Signal(object)
    failed = Signal(str)
    _said = Signal(int, str, object)

    def __init__(self) -> None:
        super().__init__()
        self._number = 0
        self._thread: threading.Thread | None = None
        self._said.connect(self._tell)

    def start(self, make: Callable[[], Generator[Any, None, Any]]) -> None:
        """make: gives the generator, in the thread."""
        self.stop()
        self._number += 1
        self._thread = threading.Thread(target=self._run, args=(self._number, make), name="work", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it at its next step, and hear nothing of it any more."""
        self._number += 1
        self._thread = None

    @property
    def is_running(self) -> bool:
        return self._thread is not None

    def close(self) -> None:
        """End it, and wait for it."""
        thread = self._thread
        self.stop()
        if thread is not None:
            thread.join()

    def _run(self, number: int, make: Callable[[], Generator[Any, None, Any]]) -> None:
        if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)
        try:
            steps = make()
            while number == self._number:
                try:
                    self._said.emit(number, "stepped", next(steps))
                except StopIteration as end:
                    self._said.emit(number, "done", end.value)
                    break
            steps.close()
        except (ValueError, OSError) as error:
            self._said.emit(number, "failed", str(error))
        except Exception as error:
            sys.excepthook(type(error), error, error.__traceback__)
            self._said.emit(number, "failed", f"{type(error).__name__}: {error}")

    def _tell(self, number: int, what: str, value: Any) -> None:
        if number != self._number:  # something else was begun meanwhile
            return
        if what != "stepped":
            self._thread = None
        {"stepped": self.stepped, "done": self.done, "failed": self.failed}[what].emit(value)
