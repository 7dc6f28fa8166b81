"""What tests of the window share."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from PySide6.QtCore import Qt, QTimer


class Heartbeat:
    """A timer of 5 ms that ticks as long as the event loop does. longest: seconds between two ticks."""

    def __init__(self) -> None:
        self.longest = 0.0
        self.beats = 0
        self._timer = QTimer(interval=5, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._beat)

    def __enter__(self) -> Self:
        self._last = time.perf_counter()
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.stop()
        self._note()

    def _beat(self) -> None:
        self.beats += 1
        self._note()

    def _note(self) -> None:
        now = time.perf_counter()
        self.longest = max(self.longest, now - self._last)
        self._last = now


def longest_gap(run: Callable[[], None], limit: float = 0.05, attempts: int = 5) -> float:
    """The longest time in seconds for which the event loop stood still while `run` let it turn.

    A busy machine may stop anybody at any time, so this is the best of some attempts; no more are made once one is
    below the limit.
    """
    best = float("inf")
    for _ in range(attempts):
        with Heartbeat() as heart:
            run()
        assert heart.beats, "the event loop did not turn"
        best = min(best, heart.longest)
        if best < limit:
            break
    return best
