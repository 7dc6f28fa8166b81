"""Propagation from the window: begin, watch, stop, go on, bring stale frames up to date."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from PySide6.QtCore import QObject, Signal

from app.controllers.preflight import LONG, device_room, reckon
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.annotations import FrameLabels
from app.core.doubt import doubtful
from app.core.preflight import Preflight
from app.core.references import Job
from app.core.settings import Settings
from app.core.spans import update_requests
from app.jobs.inference import InferenceThread
from app.jobs.queries import Engine
from app.runs.resume import remaining
from app.views.dialogs.preflight import PreflightDialog
from app.views.notice_bar import Notice
from model.types import Anchor, Direction, PropagationOptions, PropagationRequest

SMALLER = (720, 480, 360, 240, 160)
"""Working sizes, pixels of the short side, that one may turn to."""

_Kind = tuple[PropagationOptions, bool]
"""Runs that are as quick as each other: the options, and whether all frames were made before, so that their features
are still known."""


@dataclass(slots=True, eq=False)
class _Run:
    """number: for the thread. frames: those that arrived."""

    number: int
    job: Job
    requests: tuple[PropagationRequest, ...]
    kind: _Kind
    frames: set[int] = field(default_factory=set)


class Propagating(QObject):
    """running(on): a propagation begins or ends.

    settle: called before one begins, to take what is proposed.
    """

    running = Signal(bool)

    def __init__(self, session: Session, window: Shell, inference: InferenceThread, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._inference, self._settings = session, window, inference, settings
        self._run: _Run | None = None
        self._left: _Run | None = None  # one that was stopped
        self._number = 0
        self._weights, self._device, self._cell = "", "", 0
        self._rates: dict[_Kind, float] = {}  # steps per second, as measured last
        self._notice: Notice | None = None  # how the last one ended
        self.settle: Callable[[], object] = lambda: None
        session.closing.connect(self.halt)
        session.closed.connect(self._forget)
        inference.ready.connect(self._know)
        inference.result.connect(self._take)
        inference.progressed.connect(self._progress)
        inference.finished.connect(self._finish)
        inference.stopped.connect(self._stopped)
        inference.failed.connect(self._fail)
        inference.exhausted.connect(self._exhausted)
        inference.retreated.connect(self._retreat)
        for name, direction in (
            ("propagate.forward", Direction.FORWARD),
            ("propagate.backward", Direction.BACKWARD),
            ("propagate.both", Direction.BOTH),
        ):
            window.actions[name].triggered.connect(lambda _=False, way=direction: self.start(way))
        window.actions["propagate.update"].triggered.connect(lambda: self.update())
        window.actions["propagate.stop"].triggered.connect(lambda: self.stop())
        window.actions["propagate.preflight"].triggered.connect(lambda: self.show_preflight())

    @property
    def is_running(self) -> bool:
        return self._run is not None

    @property
    def follows(self) -> bool:
        """Is each frame shown as it is finished?"""
        return self._window.actions["propagate.follow"].isChecked()

    # Begin

    def start(self, direction: Direction) -> None:
        """Carry the labels over all frames between the in and the out point."""
        names = {
            Direction.FORWARD: self.tr("Propagate forward"),
            Direction.BACKWARD: self.tr("Propagate backward"),
            Direction.BOTH: self.tr("Propagate both ways"),
        }
        if not self.is_running:
            self.settle()
            self._begin(names[direction], lambda: (self._session.document.request(direction),))

    def update(self) -> None:
        """Make stale frames anew, and only these."""
        if not self.is_running:
            self.settle()
            self._begin(self.tr("Update stale frames"), lambda: update_requests(self._session.document))

    def go_on(self) -> None:
        """Take a run that was stopped up where it was, if its references are the same; else begin it again."""
        left, document = self._left, self._session.document
        if left is None or self.is_running:
            return
        same = all(document.basis(frame) == left.job.bases(frame) for frame in (0, self._session.count - 1))
        finished = left.frames if same else set()
        self._begin(left.job.name, lambda: tuple(r for request in left.requests for r in self._rest(request, finished)))

    def _rest(self, request: PropagationRequest, finished: set[int]) -> Iterator[PropagationRequest]:
        """What is left of a request, from the references as they are now."""
        document = self._session.document
        way, stop = request.direction, self._session.count if request.stop is None else request.stop
        references = [anchor.frame for anchor in document.request(way, request.start, stop).anchors]
        done = finished | set(references) - document.carried_onto(way)
        for piece in remaining(references, way, request.start, stop, document.options, done if finished else ()):
            known = tuple(self._known(frame) for frame in piece.memory if frame not in references)
            yield replace(document.request(piece.direction, piece.start, piece.stop), known=known)

    def _known(self, frame: int) -> Anchor:
        document = self._session.document
        return Anchor(frame, document.labels(frame), document.keypoints(frame))

    def _begin(self, name: str, make: Callable[[], tuple[PropagationRequest, ...]], asked: bool = False) -> None:
        """asked: the user has seen what it needs."""
        try:
            requests = make()
        except ValueError as error:
            self._window.notify(str(error), "warning")
            return
        if not requests:
            return
        found = self._reckon(requests)
        if not (asked or self._may(found)):
            return
        self._number += 1
        job = self._session.document.begin_job(name, requests[0], self._weights)
        self._run, self._left = _Run(self._number, job, requests, self._kind(requests)), None
        self._hush()
        self._session.gather(True)
        self._window.set_running(True)
        self._window.set_status(self.tr("Preparing…"), 0.0)
        self.running.emit(True)
        self._inference.submit(self._number, *requests, features=found.features)

    # Before a long run

    def show_preflight(self) -> None:
        """What a run as of `_likely` would need; it may begin from there."""
        try:
            found = self._reckon((self._likely(),))
        except ValueError as error:
            self._window.notify(str(error), "warning")
            return
        if PreflightDialog(found, self._window).exec():
            self._begin(self.tr("Propagate"), lambda: (self._likely(),), asked=True)

    def preview(self) -> Preflight | None:
        """What a run as of `_likely` would need; None where nothing is labelled."""
        try:
            return self._reckon((self._likely(),))
        except ValueError:
            return None

    def _likely(self) -> PropagationRequest:
        """A run forward, or both ways from a frame in the middle. ValueError if nothing is labelled."""
        document = self._session.document
        first = document.span[0]
        way = Direction.FORWARD if all(frame <= first for frame in document.references) else Direction.BOTH
        return document.request(way)

    def _may(self, found: Preflight) -> bool:
        """A run that is long, or hardly fits, is shown first."""
        if not found.tight and (found.seconds is None or found.seconds < LONG):
            return True
        return bool(PreflightDialog(found, self._window).exec())

    def _reckon(self, requests: tuple[PropagationRequest, ...]) -> Preflight:
        project = self._session.project
        assert project is not None
        document, kept = project.document, self._settings["cache.features"] << 20
        count, size, rate = self._session.count, document.media.size, self._rates.get(self._kind(requests))
        room = device_room(self._device)
        return reckon(requests, count, size, document.store, project.folder, kept, rate, self._cell, room)

    def _kind(self, requests: tuple[PropagationRequest, ...]) -> _Kind:
        made, count = self._session.document.store, self._session.count
        ranges = (range(r.start, count if r.stop is None else r.stop) for r in requests)
        return requests[0].options, all(frame in made for frames in ranges for frame in frames)

    # Watch

    def _know(self, engine: Engine) -> None:
        self._weights, self._device, self._cell = engine.sha256, engine.device, engine.cell_bytes
        if self._run is not None:
            self._run.job.weights = engine.sha256

    def _take(self, number: int, frame: int, labels: FrameLabels) -> None:
        run = self._run
        if run is None or run.number != number:
            return
        self._session.document.apply_result(run.job, frame, labels)
        run.frames.add(frame)
        if self.follows and not self._session.is_waiting:
            self._session.go_to(frame)

    def _progress(self, number: int, done: int, total: int, rate: float) -> None:
        run = self._run
        if run is None or run.number != number:
            return
        first = min(request.start for request in run.requests)
        last = max(self._session.count if request.stop is None else request.stop for request in run.requests) - 1
        words, left = self.tr("{0}, frames {1} → {2}").format(run.job.name, first, last), None
        if rate > 0:  # measured by now
            self._rates[run.kind] = rate
            words, left = self.tr("{0} · {1} frames/s").format(words, f"{rate:.1f}"), (total - done) / rate
        self._window.set_status(words, done / total, left)

    # End

    def stop(self) -> None:
        """After the frame at hand; what is finished stays."""
        if self._run is not None:
            self._inference.stop(self._run.number)
            self._window.set_status(self.tr("Stopping after this frame…"), 1.0)

    def halt(self) -> None:
        """End the run this moment: whatever still arrives is not taken, and it does not go on."""
        self._forget()
        if self._run is not None:
            self._inference.stop(self._run.number)
            self._end()

    def _end(self) -> _Run:
        run = self._run
        assert run is not None
        self._run = None
        self._session.document.end_job(run.job)
        self._session.gather(False)
        self._window.set_running(False)
        self._window.set_status("")
        self.running.emit(False)
        return run

    def _is_ours(self, number: int) -> bool:
        return self._run is not None and self._run.number == number

    def _finish(self, number: int) -> None:
        if self._is_ours(number):
            run = self._end()
            self._say(self._summary(len(run.frames)))

    def _stopped(self, number: int) -> None:
        if self._is_ours(number):
            self._left = self._end()
            count = len(self._left.frames)
            one, many = self.tr("Stopped. 1 frame is kept."), self.tr("Stopped. %n frames are kept.", "", count)
            self._say(one if count == 1 else many, "info", self.tr("Go on"), self.go_on)

    def _fail(self, number: int, why: str) -> None:
        if self._is_ours(number):
            self._left = self._end()
            self._say(why, "error", self.tr("Try again"), self.go_on)
        elif number < 0:
            self._window.notify(why, "error")

    def _retreat(self, number: int, how: str) -> None:
        """Memory ran short, and the run goes on with less."""
        if self._is_ours(number):
            self._window.notify(how, "warning")

    def _exhausted(self, number: int, why: str) -> None:
        """Memory ran out: what is finished is kept, and the rest can be made from smaller pictures."""
        if not self._is_ours(number):
            return
        height, width = self._session.document.media.size
        side = self._session.document.options.short_side or min(height, width)
        smaller = next((size for size in SMALLER if size < min(side, height, width)), None)
        if smaller is None:
            self._fail(number, why)
            return
        self._left = self._end()
        self._say(why, "error", self.tr("Go on with {0} pixels").format(smaller), lambda: self._shrink(smaller))

    def _shrink(self, side: int) -> None:
        document = self._session.document
        document.set_options(replace(document.options, short_side=side))
        self.go_on()

    def _say(self, text: str, *more: Any) -> None:
        """How it ended, in place of how the one before did."""
        self._hush()
        self._notice = self._window.notify(text, *more)

    def _hush(self) -> None:
        if self._notice is not None:
            self._window.notices.close_notice(self._notice)
            self._notice = None

    def _summary(self, count: int) -> str:
        """What came of it, and what to do next."""
        doubts = len(doubtful(self._session.document))
        done = self.tr("%n frames.", "", count) if count != 1 else self.tr("1 frame.")
        if doubts == 0:
            return self.tr("{0} None looks doubtful.").format(done)
        key = self._window.actions["go.doubtful"].shortcut().toString()
        look = self.tr("%n look doubtful:", "", doubts) if doubts != 1 else self.tr("1 looks doubtful:")
        return self.tr("{0} {1} {2} to see the first.").format(done, look, key)

    def _forget(self) -> None:
        self._hush()
        self._left = None
