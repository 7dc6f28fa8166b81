"""Timeline, panels, title and gauges: whatever shows the state of the project as a whole."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import psutil
from PySide6.QtCore import QObject, QTimer

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.changes import NOTHING, Change
from app.core.doubt import doubtful
from app.core.hints import Situation, hint
from app.core.lanes import Lane, LaneBook, LaneState
from app.jobs.frames import FrameServer
from app.jobs.queries import Engine
from app.views import wording
from app.views.status_line import Gauge
from model.types import Origin

_GAUGES_MS = 2000
_DOUBT_MS = 200  # after the last change of a long video, where looking for doubtful frames takes a moment
_LONG = 5000  # frames
_MOMENT = 0.008  # seconds
_LOADING = "Loading the encoder…"


@dataclass(frozen=True, slots=True)
class Counts:
    """Frames by what is known of them; missing: those of a span of which nothing is."""

    human: int
    propagated: int
    stale: int
    missing: int

    @classmethod
    def of(cls, lanes: tuple[Lane, ...], span: tuple[int, int]) -> Counts:
        if not lanes:
            return cls(0, 0, 0, span[1] - span[0])
        states = np.stack([lane.states for lane in lanes])

        def frames(*wanted: LaneState) -> int:
            return int(np.isin(states, wanted).any(axis=0).sum())

        made = frames(LaneState.PROPAGATED, LaneState.STALE)
        missing = int((states[:, slice(*span)] == LaneState.MISSING).all(axis=0).sum())
        return cls(frames(LaneState.HUMAN, LaneState.CORRECTED), made, frames(LaneState.STALE), missing)


class Overview(QObject):
    """is_running: asked whether a propagation runs."""

    def __init__(self, session: Session, window: Shell) -> None:
        super().__init__()
        self._session, self._window = session, window
        self._book: LaneBook | None = None
        self._engine: Engine | None = None
        self._doubts: list[int] = []
        self._exported = False
        self.is_running: Callable[[], bool] = lambda: False
        self._behind = NOTHING
        self._catching_up = QTimer(self, singleShot=True, interval=0)
        self._catching_up.timeout.connect(self._catch_up)
        self._looking = QTimer(self, singleShot=True, interval=_DOUBT_MS)
        self._looking.timeout.connect(self._look)
        self._filling = QTimer(self, interval=0)
        self._filling.timeout.connect(self._fill)
        self._rest: Iterator[None] | None = None  # of what the book has to read
        self._gauging = QTimer(self, interval=_GAUGES_MS)
        self._gauging.timeout.connect(self._gauge)
        self._gauging.start()
        session.opened.connect(self._begin)
        session.closed.connect(self._end)
        session.moved.connect(self._move)
        session.changed.connect(self._note)
        window.timeline.thumbnails_wanted.connect(self._ask_thumbnails)
        window.actions["go.doubtful"].triggered.connect(lambda: self.go_to_doubt())

    def _begin(self) -> None:
        session, window = self._session, self._window
        source, frames = session.source, session.frames
        assert source is not None
        height, width = source.size
        self._exported, self._doubts = False, []
        window.timeline.set_video(session.count, source.fps, source.times, width / height)
        window.transport.set_video(session.count)
        if isinstance(frames, FrameServer):
            frames.thumbnail_ready.connect(window.timeline.set_thumbnail)
            frames.cache_changed.connect(self._show_cached)
        self._book = LaneBook(session.document, whole=session.count < _LONG)
        self._rest = None if session.count < _LONG else self._book.fill()
        window.show_page("editor")
        self._follow(Change(frozenset(), objects=True, references=True, span=True, settings=True))
        self._filling.start()
        window.set_status("" if self._engine else self.tr(_LOADING))

    def _show_cached(self) -> None:
        """Not as a lambda that knows the frames: it would keep them for ever."""
        frames = self._session.frames
        if isinstance(frames, FrameServer):
            self._window.timeline.set_cached(frames.cached_ranges())

    def _fill(self) -> None:
        """Read the labels of a long video, a moment at a time."""
        until = time.perf_counter() + _MOMENT
        while self._rest is not None and time.perf_counter() < until:
            if next(self._rest, self) is self:  # it is over
                assert self._book is not None
                self._rest = None
                self._window.timeline.set_lanes(self._book.lanes)
                self._look()
        if self._rest is None:
            self._filling.stop()

    def _end(self) -> None:
        self._book = self._rest = None
        self._behind = NOTHING
        self._rest_timers()
        self._window.timeline.clear()
        self._window.set_project(None)
        self._window.set_hint(None)
        self._window.set_status("")
        self._window.show_page("welcome")

    def close(self) -> None:
        """Look at nothing any more."""
        self._rest_timers()
        self._gauging.stop()

    def _rest_timers(self) -> None:
        for timer in (self._catching_up, self._looking, self._filling):
            timer.stop()

    def know(self, engine: Engine) -> None:
        """The encoder is loaded."""
        self._engine = engine
        if self._window.status.text() == self.tr(_LOADING):
            self._window.set_status("")
        self._gauge()

    def miss(self) -> None:
        """There is no encoder."""
        if self._window.status.text() == self.tr(_LOADING):
            self._window.set_status("")

    # The project

    def _move(self, frame: int) -> None:
        self._window.timeline.set_playhead(frame)
        self._window.transport.set_frame(frame, self._session.time(frame))
        self._window.references_panel.set_current(frame)
        self._allow_reference()

    def _note(self, change: Change) -> None:
        """What is shown here can wait for the picture, which a person paints on."""
        self._behind |= change
        self._catching_up.start()

    def _catch_up(self) -> None:
        change, self._behind = self._behind, NOTHING
        self._follow(change)

    def _follow(self, change: Change) -> None:
        assert self._book is not None, "changes come while a project is open"
        window, document = self._window, self._session.document
        window.timeline.set_lanes(self._book.update(change))
        if change.references:
            self._show_references()
        if change.span:
            window.timeline.set_span(*document.span)
        self.show_title()
        if self._session.count < _LONG:
            self._look()
        else:
            self._allow()
            self._looking.start()

    def _allow(self) -> None:
        """What can be done with what there is, and the next thing to do."""
        window, document = self._window, self._session.document
        assert self._book is not None
        window.set_history(document.history.undo_name, document.history.redo_name)
        counts = Counts.of(self._book.lanes, document.span)
        busy = self.is_running()
        reason = self.tr("A propagation runs: stop it first") if busy else self.tr("Label a frame first")
        for name in ("propagate.forward", "propagate.backward", "propagate.both", "propagate.preflight"):
            window.set_enabled(name, counts.human > 0 and not busy, reason)
        window.set_stale(counts.stale)
        if busy:
            window.set_enabled("propagate.update", False, reason)
        labelled = counts.human + counts.propagated > 0
        window.set_enabled("file.export", labelled, self.tr("There is nothing to export yet"))
        start, stop = document.span
        window.set_enabled(
            "propagate.whole", (start, stop) != (0, self._session.count), self.tr("It is the whole video")
        )
        known = counts.human, counts.propagated, counts.stale, len(self._doubts)
        earlier = max(0, min(document.store.human, default=0) - start)
        window.set_hint(hint(Situation(*known, busy, self._exported, counts.missing, earlier)))

    def allow(self) -> None:
        """A propagation began or ended."""
        if self._book is not None:
            self._look()

    def exported(self) -> None:
        self._exported = True
        self.allow()

    def show_title(self) -> None:
        project = self._session.project
        if project is not None:
            name = project.name or wording.name(project.document.media.path)
            self._window.set_project(name, project.is_dirty)

    def _show_references(self) -> None:
        document, frame = self._session.document, self._session.frame
        dropped = document.dropped
        shown = []
        for number in sorted({*document.references, *dropped}):
            known = document.store.get(number)
            shown.append((number, number in dropped, str(known.origin if known else Origin.PROPAGATED)))
        self._window.references_panel.set_references(shown, frame)
        self._window.timeline.set_references([n for n, out, _ in shown if not out], dropped)
        self._allow_reference()

    def _allow_reference(self) -> None:
        known = self._session.document.store.get(self._session.frame)
        done = known is not None and known.made is None
        self._window.set_enabled("labels.reference", not done, self.tr("This frame is a reference"))

    # Doubt

    def _look(self) -> None:
        """Find the doubtful frames; while labels still pour in, later."""
        if self._book is None:
            return
        self._doubts = [] if self.is_running() else doubtful(self._session.document, self._book.certain)
        self._window.set_doubtful(len(self._doubts))
        self._allow()

    def go_to_doubt(self) -> None:
        """To the most doubtful frame; from one of them, to the next most doubtful."""
        self._look()
        if self._doubts:
            here = self._session.frame
            after = self._doubts.index(here) + 1 if here in self._doubts else 0
            self._session.go_to(self._doubts[after % len(self._doubts)])

    # Pictures and gauges

    def _ask_thumbnails(self, frames: list[int]) -> None:
        timeline, server = self._window.timeline, self._session.frames
        if isinstance(server, FrameServer):
            server.request_thumbnails(frames, timeline.thumbnail_height, timeline.thumbnail_step)

    def _gauge(self) -> None:
        used, whole = psutil.Process().memory_info().rss, psutil.virtual_memory().total
        gauges: dict[str, Gauge] = {self.tr("RAM"): (wording.amount(used), used / whole)}
        source = self._session.source
        if source is not None:
            gauges[self.tr("Cache")] = source.cache.used / source.cache.budget
        if self._engine is not None:
            gauges |= _device(self._engine.device)
        self._window.set_gauges(gauges)


def _device(name: str) -> dict[str, Gauge]:
    """What the device holds, where it can tell at no cost."""
    kind, _, number = name.partition(":")
    torch = sys.modules.get("torch")
    if kind != "cuda" or torch is None:
        return {kind.upper(): ""}
    used = torch.cuda.memory_reserved(int(number or 0))
    whole = torch.cuda.get_device_properties(int(number or 0)).total_memory
    return {"GPU": (wording.amount(used), used / whole)}
