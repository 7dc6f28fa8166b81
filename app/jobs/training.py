"""A training run in a process of its own, which a window listens to.

The process outlives neither its listener by much nor its work: told to stop, or left alone, it finishes the step at
hand and writes a checkpoint. A pause is no more than that, so it gives all memory back, and survives the window.
"""

from __future__ import annotations

import logging
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from PySide6.QtCore import QCoreApplication, QObject, Signal

from app import program
from app.core.runs import State
from app.core.training import Lines, Setup, parse

LOG = "log.txt"
_GLANCE = 0.5  # seconds between two looks at a process that says nothing
_LOG = logging.getLogger("mer.training")


class TrainingProcess(QObject):
    """told(event): what the process says (see `app.core.training`).

    ended(State, why): how it ended, once; `why` in words, where it failed.
    """

    told = Signal(object)
    ended = Signal(str, str)

    def __init__(self) -> None:
        super().__init__()
        self._process: subprocess.Popen[bytes] | None = None
        self._asked: State | None = None
        self._left = False

    def start(self, setup: Setup, resume: bool = False, estimate: bool = False) -> None:
        """Begin a run, go on with it, or only measure. OSError if the run's folder cannot be written."""
        self.launch(setup.arguments(resume, estimate), None if estimate else setup.out / LOG)

    def launch(self, arguments: Sequence[str], log: Path | None) -> None:
        """Run `mer` with these arguments; what it says besides events goes to the log, if there is one."""
        assert self._process is None, "one process each"
        if log is not None:
            log.parent.mkdir(parents=True, exist_ok=True)
        with open(log or os.devnull, "ab") as errors:
            self._process = subprocess.Popen(
                program.command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=_environment(),
                start_new_session=True,  # what a terminal tells the window does not reach it
            )
        _LOG.info("process %d begins: %s", self._process.pid, arguments[0])
        threading.Thread(target=self._listen, args=(self._process, log), name="training", daemon=True).start()

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def pause(self) -> None:
        """End after the step at hand, with a checkpoint, and be called paused."""
        self._end(State.PAUSED)

    def stop(self) -> None:
        """The same, and be called stopped."""
        self._end(State.STOPPED)

    def leave(self) -> None:
        """Have it end like that by itself, and hear nothing more of it."""
        self._left = True
        self.pause()

    def kill(self) -> None:
        """End at once, without a checkpoint: for measurements, which leave nothing."""
        self._asked = State.STOPPED
        if self.is_running:
            assert self._process is not None
            self._process.kill()

    def _end(self, state: State) -> None:
        self._asked = state
        if self.is_running:
            assert self._process is not None
            # Windows knows no signal that can be noted: the work since the last checkpoint is done again there.
            self._process.send_signal(signal.SIGTERM)

    def _listen(self, process: subprocess.Popen[bytes], log: Path | None) -> None:
        """In a thread: hand on what it says, and find out how it ended."""
        assert process.stdout is not None
        last, why, lines = "", "", Lines()
        for data in _pieces(process, process.stdout):
            if self._left:
                break
            for line in lines.feed(data):
                event = parse(line)
                if event is not None:
                    last, why = event["event"], event.get("message", "")
                    self.told.emit(event)
        process.stdout.close()
        code = process.wait()
        _LOG.info("process %d ended with code %d", process.pid, code)
        if self._left:
            return
        if code == 0 and last == "finished":
            self.ended.emit(State.FINISHED, "")
        elif self._asked is not None and (code == 0 or last != "failed"):
            self.ended.emit(self._asked, "")
        elif code == 0:  # somebody else told it to stop, or it was a measurement
            self.ended.emit(State.STOPPED if last == "stopped" else State.FINISHED, "")
        elif last == "failed":
            self.ended.emit(State.FAILED, why)
        else:
            self.ended.emit(State.INTERRUPTED, _cause(code, log))


def _pieces(process: subprocess.Popen[bytes], stream: IO[bytes]) -> Iterator[bytes]:
    """What it says, until it has ended; the helpers of one that was killed keep the pipe open for a while."""
    while True:
        if sys.platform != "win32":  # where only sockets can be waited for
            while not select.select([stream], [], [], _GLANCE)[0]:
                if process.poll() is not None:
                    return
        data = os.read(stream.fileno(), 1 << 16)
        if not data:
            return
        yield data


def _cause(code: int, log: Path | None) -> str:
    """In words, why a process ended that said nothing about it."""
    if code < 0:
        name = signal.Signals(-code).name if -code in signal.valid_signals() else str(-code)
        words = QCoreApplication.translate("Training", "The process was ended from outside ({0}), maybe for its memory")
        return words.format(name)
    try:
        lines = [] if log is None else log.read_text("utf-8", "replace").split("\n")
    except OSError:
        lines = []
    said = [line.removeprefix("mer: ") for line in lines if line.strip()]
    return said[-1] if said else QCoreApplication.translate("Training", "It ended with code {0}").format(code)


def _environment() -> dict[str, str]:
    """With a core left to the window."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return {"OMP_NUM_THREADS": str(max(1, cores - 1)), **program.environment()}
