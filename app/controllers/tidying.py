"""Cleaning an object up, on the frame that is shown or on all between the in and the out point."""

from __future__ import annotations

from collections.abc import Callable, Generator

from PySide6.QtCore import QObject

from app.controllers.objects import Objects
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.annotations import FrameLabels
from app.core.tidy import tidy
from app.jobs.work import Work

_TOLD = 20  # frames between two words on how far it is


class Tidying(QObject):
    """halt: called before a range is cleaned up, to end a propagation. settle: called first, to take what is proposed.

    A person's frame is only touched where it is the one that is shown; what was propagated stays so.
    """

    def __init__(self, session: Session, window: Shell, objects: Objects) -> None:
        super().__init__()
        self._session, self._window, self._objects = session, window, objects
        self.halt: Callable[[], object] = lambda: None
        self.settle: Callable[[], object] = lambda: None
        self._before: dict[int, FrameLabels] = {}
        self._work = Work()
        self._work.stepped.connect(lambda share: self._window.set_status(self.tr("Cleaning up…"), share))
        self._work.done.connect(self._take)
        self._work.failed.connect(self._fail)
        session.closing.connect(self._work.stop)
        window.actions["edit.tidy"].triggered.connect(lambda: self.here())
        window.actions["edit.tidy_range"].triggered.connect(lambda: self.range())

    def here(self) -> None:
        """On the frame that is shown."""
        number = self._number()
        known = self._session.document.store.get(self._session.shown)
        if number is None or known is None:
            return self._say(0)
        try:
            new = tidy(known, number)
        except ValueError as error:
            return self._fail(str(error))
        self._put({} if new is None else {self._session.shown: new})

    def range(self) -> None:
        """On all propagated frames between the in and the out point, in the background, as one undo item."""
        number = self._number()
        if number is None:
            return self._say(0)
        self.halt()
        store, (start, stop) = self._session.document.store, self._session.document.span
        known = ((frame, store.get(frame)) for frame in store if start <= frame < stop)
        self._before = before = {frame: labels for frame, labels in known if labels and not labels.is_human}

        def steps() -> Generator[float, None, dict[int, FrameLabels]]:
            found = {}
            for count, (frame, labels) in enumerate(before.items(), start=1):
                if (new := tidy(labels, number)) is not None:
                    found[frame] = new
                if count % _TOLD == 0:
                    yield count / len(before)
            return found

        self._work.start(steps)

    def close(self) -> None:
        self._work.close()

    def _number(self) -> int | None:
        """The chosen object, unless it is locked."""
        self.settle()
        number = self._objects.current
        return None if number is None or self._session.document.object(number).locked else number

    def _take(self, found: dict[int, FrameLabels]) -> None:
        """What changed meanwhile stays as it is."""
        self._window.set_status("")
        store = self._session.document.store
        self._put({frame: new for frame, new in found.items() if store.get(frame) is self._before[frame]})
        self._before = {}

    def _put(self, frames: dict[int, FrameLabels]) -> None:
        if frames:
            try:
                self._session.document.put_frames(frames, (), self.tr("Clean up"))
            except ValueError as error:
                return self._fail(str(error))
        self._say(len(frames))

    def _say(self, count: int) -> None:
        one, many = self.tr("1 frame is cleaned up"), self.tr("%n frames are cleaned up", "", count)
        nothing = self.tr("There is nothing to clean up")
        self._window.canvas.say(nothing if count == 0 else one if count == 1 else many)

    def _fail(self, why: str) -> None:
        self._window.set_status("")
        self._window.notify(why, "warning")
