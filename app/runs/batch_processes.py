"""A batch spread over processes of this machine. One that dies costs its video and no other."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnContext

from app.io import log
from app.runs.batch import End, Job, Outcome, Stopping, carry
from app.runs.task import Settings

_CORES = 4  # that a process keeps busy, where nobody says how many processes there shall be
_PATIENCE = 60.0  # seconds that a stopped process has for its frame and its report


def default_jobs() -> int:
    """One process for each GPU, or else for every four cores."""
    import torch

    return torch.cuda.device_count() or max(1, len(_cores()) // _CORES)


def in_processes(jobs: Sequence[Job], settings: Settings, stopping: Stopping, count: int) -> Iterator[Outcome]:
    """An engine: up to `count` videos at a time. Outcomes come as videos end; what `stopping` prevents has none.

    Closing the generator ends the processes.
    """
    context = multiprocessing.get_context("spawn")
    count = min(count, len(jobs))
    left = deque(jobs)
    workers = [_Worker(context, settings, number, count) for number in range(count)]
    stopped = False
    try:
        for worker in workers:
            worker.give(left.popleft())
        while busy := [worker for worker in workers if worker.job is not None]:
            if stopping() and not stopped:
                stopped = True
                left.clear()
                for worker in busy:
                    worker.stop()
            ready = wait([worker.pipe for worker in busy], timeout=0.5)
            for worker in busy:
                if worker.pipe in ready:
                    yield worker.take(stopped)
                    if left:
                        worker.give(left.popleft())
    finally:
        for worker in workers:
            worker.end()


class _Worker:
    """A process that takes one video after the other; it is started anew where it died."""

    def __init__(self, context: SpawnContext, settings: Settings, number: int, count: int) -> None:
        self._context, self._arguments = context, (settings, number, count)
        self.job: Job | None = None
        self._start()

    def _start(self) -> None:
        self.pipe, theirs = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(theirs, *self._arguments), daemon=False)
        self._process.start()
        theirs.close()  # or its end would go unnoticed

    def give(self, job: Job) -> None:
        if not self._process.is_alive():
            self.end()
            self._start()
        self.job = job
        self.pipe.send(job)

    def take(self, stopped: bool) -> Outcome:
        """The outcome of the video, also when the process died of it."""
        assert self.job is not None
        job, self.job = self.job, None
        try:
            outcome: Outcome = self.pipe.recv()
            return outcome
        except (EOFError, OSError):
            self._process.join(_PATIENCE)
            if stopped:
                return Outcome(job.name, End.STOPPED)
            return Outcome(job.name, End.FAILED, message=_death(self._process.exitcode))

    def stop(self) -> None:
        self._process.terminate()  # it saves what it has

    def end(self) -> None:
        self.pipe.close()
        if self.job is not None:
            self.stop()
        self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return f"its process was killed ({name}), as happens when memory runs out: try fewer --jobs, then --resume"
    return f"its process ended with exit code {code}: try it alone"


def _serve(pipe: Connection, settings: Settings, number: int, count: int) -> None:
    """What a worker does: videos from the pipe, outcomes to the pipe, until nobody is at the other end."""
    if hasattr(os, "setsid"):
        os.setsid()  # Ctrl+C in the terminal is for the first process: it tells us
    signal.signal(signal.SIGTERM, _interrupt)
    threading.Thread(target=_outlive_nobody, daemon=True).start()
    log.join(f"worker {number + 1} of {count} of a batch")
    try:
        import torch

        torch.set_num_threads(max(1, torch.get_num_threads() // count))
        gpus = torch.cuda.device_count()
        if settings.device in (None, "cuda") and gpus > 1:
            settings = replace(settings, device=f"cuda:{number % gpus}")
        while True:
            pipe.send(carry(pipe.recv(), settings))
    except (EOFError, OSError, KeyboardInterrupt):
        pass


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _outlive_nobody() -> None:
    """When the first process is killed, nobody is left to tell us to stop."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)


def _cores() -> Sequence[int]:
    """Those that this process may use, which on a cluster are not all."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
