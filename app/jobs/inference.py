"""The one thread that computes: it owns the encoder and the propagator, and its own view of the video.

It iterates the propagator's generator. Between two frames it looks up: it answers what was asked meanwhile, and stops
if it shall. Everything it says is a queued signal with small immutable data.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from app.core.annotations import FrameLabels
from app.jobs.inference_signals import InferenceSignals
from app.jobs.loading import load_native_code, uncollected
from app.jobs.queries import Engine, Query
from app.machine import disk_for_features
from app.mistakes import is_out_of_memory
from app.runs.retreat import Means, Retreat, release, rest, retreats
from model.types import Origin, PropagationRequest, PropagationResult
from model.video import VideoSource

if TYPE_CHECKING:
    from app.jobs.answers import Answers
    from model.features import FeatureExtractor
    from model.propagator import Propagator

_NICENESS = 5  # a third of the window's share of a busy core: labels come a little later, the pointer never does
_RECENT = 8  # steps that the frame rate is measured over


@dataclass(slots=True)
class _Pace:
    """How far a job is, in steps, and the seconds of the last ones; not of a request's first, which is an anchor."""

    done: int = 0
    total: int = 0
    spent: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    @property
    def rate(self) -> float:
        """Steps per second; 0 while none was measured."""
        return len(self.spent) / max(1e-6, sum(self.spent))


@dataclass(slots=True)
class _Inbox:
    """What was asked of the thread and is not begun yet. Whoever touches it holds the lock."""

    lock: threading.Condition = field(default_factory=threading.Condition)
    warm: bool = False
    chosen: tuple[str | None, str | None] | None = None  # weights and device to work with from now on
    source: VideoSource | None = None
    switched: bool = False  # another source, or none, is to be taken over
    jobs: deque[tuple[int, tuple[PropagationRequest, ...], int | None]] = field(default_factory=deque)
    questions: OrderedDict[type, tuple[int, Query]] = field(default_factory=OrderedDict)
    stopping: set[int] = field(default_factory=set)
    closed: bool = False

    def idle(self) -> bool:
        return not (self.closed or self.warm or self.switched or self.questions or self.jobs)


class InferenceThread(InferenceSignals):
    """Propagates, and answers questions about frames.

    Of several questions of one kind that wait, only the latest is answered. Any thread may call.
    """

    def __init__(
        self, weights: str | None = None, device: str | None = None, features: int = 1 << 30, disk: int = 0
    ) -> None:
        """weights and device as `model.features.load_extractor` takes them; features: bytes of them that are kept in
        memory, disk: bytes of others on disk.

        Nothing is loaded yet.
        """
        super().__init__()
        self._weights, self._device, self._features = weights, device, features
        self._kept, self._disk = features, disk
        self._inbox = _Inbox()
        self._source: VideoSource | None = None
        self._extractor: FeatureExtractor | None = None
        self._propagator: Propagator | None = None
        self._answers: Answers | None = None
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)
        self._thread.start()

    # Called from outside

    def warm_up(self) -> None:
        """Load the encoder now, so that the first question need not wait for it."""
        with self._inbox.lock:
            self._inbox.warm = True
            self._inbox.lock.notify()

    def use(self, weights: str | None, device: str | None) -> None:
        """Another encoder, or another device, from the next job on."""
        with self._inbox.lock:
            self._inbox.chosen, self._inbox.warm = (weights, device), True
            self._inbox.lock.notify()

    def open(self, source: VideoSource | None) -> None:
        """Work on this video from now on, or on none; jobs and questions about the one before end.

        The thread closes the source when it is done with it: give it a handle of its own.
        """
        with self._inbox.lock:
            inbox = self._inbox
            if inbox.source is not None:
                inbox.source.close()
            inbox.source, inbox.switched = source, True
            inbox.questions.clear()
            inbox.stopping.update(job for job, *_ in inbox.jobs)
            inbox.lock.notify()

    def submit(self, job: int, *requests: PropagationRequest, features: int | None = None) -> None:
        """Propagate, one request after the other. Jobs run one at a time, in the order of their coming.

        features: bytes of them that are kept from now on, where that is not what the thread was begun with.
        """
        with self._inbox.lock:
            self._inbox.jobs.append((job, requests, features))
            self._inbox.lock.notify()

    def stop(self, job: int) -> None:
        """End a job after the frame at hand. What it finished stays."""
        with self._inbox.lock:
            self._inbox.stopping.add(job)
            self._inbox.lock.notify()

    def ask(self, question: int, query: Query) -> None:
        with self._inbox.lock:
            self._inbox.questions[type(query)] = question, query
            self._inbox.lock.notify()

    def close(self) -> None:
        """End everything and join the thread, which finishes the frame at hand first."""
        with self._inbox.lock:
            self._inbox.closed = True
            self._inbox.lock.notify()
        self._thread.join()

    # In the thread

    def _run(self) -> None:
        _be_modest()
        inbox = self._inbox
        while True:
            with inbox.lock:
                inbox.lock.wait_for(lambda: not inbox.idle())
                if inbox.closed:
                    break
                job = None
                if not (inbox.warm or inbox.switched or inbox.questions):
                    job = inbox.jobs.popleft()
            try:
                if job is None:
                    self._look_up()
                else:
                    self._work(*job)
            except Exception as error:  # without this thread the window could do nothing more
                sys.excepthook(type(error), error, error.__traceback__)
        self._switch(None)

    def _look_up(self) -> None:
        """Do what cannot wait for the end of a job."""
        inbox = self._inbox
        with inbox.lock:
            warm, inbox.warm = inbox.warm, False
            chosen, inbox.chosen = inbox.chosen, None
            switched, inbox.switched = inbox.switched, False
            source = inbox.source
            if switched:
                inbox.source = None
            question = inbox.questions.popitem(last=False)[1] if inbox.questions else None
        if switched:
            self._switch(source)
        if chosen is not None:
            self._weights, self._device = chosen
            self._extractor = self._propagator = self._answers = None
        if warm:
            self._guarded(self._load, lambda text: self.failed.emit(-1, text))
        if question is not None:
            number, query = question
            self._guarded(lambda: self._answer(number, query), lambda text: self.query_failed.emit(number, text))

    def _switch(self, source: VideoSource | None) -> None:
        old, self._source, self._propagator, self._answers = self._source, source, None, None
        if old is not None:
            old.close()

    def _load(self) -> FeatureExtractor:
        """The encoder, loaded when it is first needed: it takes seconds."""
        if self._extractor is None:
            load_native_code()
            with uncollected():
                import torch

                if "OMP_NUM_THREADS" not in os.environ:
                    torch.set_num_threads(max(1, _cores() - 1))  # the window needs one
                from app.jobs.answers import available
                from model.device import describe
                from model.features import load_extractor
                from model.memory import cell_bytes

                extractor = self._extractor = load_extractor(self._weights, self._device)
            devices = tuple((device.name, device.title) for device in describe().devices)
            about = extractor.name, extractor.sha256, extractor.recipe, str(extractor.device)
            self.ready.emit(Engine(*about, available(extractor), devices, cell_bytes(extractor)))
        return self._extractor

    def _tools(self) -> tuple[Propagator, Answers]:
        """ValueError if there is no video, or the encoder cannot be loaded."""
        if self._source is None:
            raise ValueError(_tr("There is no video: open one first"))
        extractor = self._load()
        if self._propagator is None or self._answers is None:
            from app.jobs.answers import Answers
            from model.propagator import Propagator

            self._propagator = Propagator(self._source, extractor, self._kept, disk_for_features(self._disk))
            self._answers = Answers(self._source, extractor, self._propagator)
        return self._propagator, self._answers

    def _keep(self, features: int) -> None:
        """Keep so many bytes of features from now on. What is kept goes if that is another number: room is short."""
        if features != self._kept:
            self._kept, self._propagator, self._answers = features, None, None

    def _answer(self, number: int, query: Query) -> None:
        _, answers = self._tools()
        self.answered.emit(number, answers(query))

    def _work(self, job: int, requests: tuple[PropagationRequest, ...], features: int | None) -> None:
        def work() -> None:
            self._keep(self._features if features is None else features)
            (self.finished if self._propagate(job, requests) else self.stopped).emit(job)

        self._guarded(work, lambda text: self.failed.emit(job, text), lambda text: self.exhausted.emit(job, text))
        with self._inbox.lock:
            self._inbox.stopping.discard(job)

    def _propagate(self, job: int, requests: tuple[PropagationRequest, ...]) -> bool:
        """False if it was stopped on the way. Where memory runs out it goes on with less, as long as there is a way."""
        if self._shall_stop(job):
            return False
        left, ways, pace = deque(requests), self._retreats(), _Pace()
        while left:
            propagator, _ = self._tools()
            pace.total = pace.done + sum(propagator.count(request) for request in left)
            made: dict[int, FrameLabels] = {}
            lack: Exception | None = None
            try:
                if not self._carry(job, left[0], propagator, pace, made):
                    return False
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                lack = error.with_traceback(None)  # it would hold on to what was being worked on
            request = left.popleft()
            if lack is not None:
                del propagator
                how = next(ways, None)
                if how is None or self._source is None:
                    raise lack
                self.retreated.emit(job, how)
                left.extendleft(reversed(rest(request, len(self._source), made)))
        return True

    def _carry(
        self, job: int, request: PropagationRequest, propagator: Propagator, pace: _Pace, made: dict[int, FrameLabels]
    ) -> bool:
        """One request, as far as it goes; False if it was stopped. made: what came of it, kept up to date."""
        with closing(propagator.steps(request)) as steps:
            begun = time.perf_counter()
            for step, result in enumerate(steps):
                pace.done += 1
                if step:
                    pace.spent.append(time.perf_counter() - begun)
                if result is not None and (labels := _told(result, request)) is not None:
                    self.result.emit(job, result.frame, labels)
                    if result.origin is Origin.PROPAGATED:
                        made[result.frame] = labels
                self.progressed.emit(job, pace.done, pace.total, pace.rate)
                if self._shall_stop(job):
                    return False
                begun = time.perf_counter()
        return True

    def _retreats(self) -> Iterator[str]:
        """Ways to need less memory. Each is taken when it is asked for; what to say of it."""
        device = "cpu" if self._extractor is None else str(self._extractor.device)
        words = {
            Retreat.FEATURES: _tr("Memory ran short: less of what the network has seen is kept, and the run goes on."),
            Retreat.PROCESSOR: _tr(
                "The graphics card has too little memory: the run goes on with the processor, which is slower."
            ),
        }
        for retreat, means in retreats(Means(self._kept, device)):
            self._keep(means.features)
            if retreat is Retreat.PROCESSOR:
                self._device, self._extractor = means.device, None
            self._free()
            yield words[retreat]

    def _shall_stop(self, job: int) -> bool:
        """Answer questions; then, whether the job ends here."""
        while True:
            with self._inbox.lock:
                if self._is_over(job):
                    return True
                if not (self._inbox.questions or self._inbox.warm):
                    return False
            self._look_up()

    def _is_over(self, job: int) -> bool:
        return self._inbox.closed or self._inbox.switched or job in self._inbox.stopping

    def _guarded(
        self, work: Callable[[], object], failed: Callable[[str], None], exhausted: Callable[[str], None] | None = None
    ) -> None:
        """Do it, or tell in words why not: whatever happens, the thread lives on."""
        try:
            work()
        except (ValueError, OSError) as error:
            failed(str(error))
        except Exception as error:
            if is_out_of_memory(error):
                self._free()
                (exhausted or failed)(_tr("Memory ran out: choose a smaller working size (Propagate → Options…)."))
            else:
                sys.excepthook(type(error), error, error.__traceback__)
                failed(_tr("An error of the program: {0}").format(f"{type(error).__name__}: {error}"))

    def _free(self) -> None:
        """Forget all features, and give what the graphics card held back."""
        self._propagator = self._answers = None
        release()


def _told(result: PropagationResult, request: PropagationRequest) -> FrameLabels | None:
    """What a result brings that was not known before."""
    if result.origin is Origin.PROPAGATED:
        return FrameLabels.of(result)
    anchor = next(anchor for anchor in request.anchors if anchor.frame == result.frame)
    return FrameLabels.beyond(result, anchor)


def _be_modest() -> None:
    """Let the window's thread go first. Threads that this one starts, torch's and the decoder's, inherit it."""
    if sys.platform == "linux":  # elsewhere a priority belongs to the whole process
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICENESS)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tr(text: str) -> str:
    return QCoreApplication.translate("Inference", text)
