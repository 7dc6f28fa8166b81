"""Playing at the video's own rate: when the machine is too slow, frames are left out, and time goes on."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal

from app.controllers.session import Session

_TICK_MS = 5  # between two looks at the clock


class Playback(QObject):
    """toggled(playing)."""

    toggled = Signal(bool)

    def __init__(self, session: Session, clock: Callable[[], float] = time.perf_counter) -> None:
        """clock: seconds, from anywhere."""
        super().__init__()
        self._session, self._clock = session, clock
        self._begun = 0.0  # on the clock, when frame 0 was shown or would have been
        self._timer = QTimer(self, interval=_TICK_MS, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self.tick)
        session.closing.connect(self.stop)

    @property
    def is_playing(self) -> bool:
        return self._timer.isActive()

    def toggle(self) -> None:
        if self.is_playing:
            self.stop()
        else:
            self.play()

    def play(self) -> None:
        """From here, or from the beginning where this is the end."""
        session = self._session
        if not session.is_open or session.count < 2:
            return
        if session.frame == session.count - 1:
            session.go_to(0)
        self._begun = self._clock() - session.time(session.frame)
        self._timer.start()
        self.toggled.emit(True)

    def stop(self) -> None:
        if self.is_playing:
            self._timer.stop()
            self.toggled.emit(False)

    def tick(self) -> None:
        """Show the frame that is due, unless the one before is still on its way."""
        session = self._session
        if session.is_waiting:
            return
        assert session.source is not None
        due = int(np.searchsorted(session.source.times, self._clock() - self._begun + 1e-9, side="right")) - 1
        if due > session.frame:
            session.go_to(due)
        if session.frame == session.count - 1:
            self.stop()

    def jumped(self) -> None:
        """The user went elsewhere: play on from there."""
        if self.is_playing:
            self._begun = self._clock() - self._session.time(self._session.frame)
