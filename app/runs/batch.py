"""`mer propagate` over many videos: spread over processes or a cluster, restartable, and no failure stops the rest."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stderr
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from app import __version__
from app.interrupt import stop_requested
from app.io.atomic import write_text
from app.io.output import OutputFolder
from app.mistakes import OUT_OF_MEMORY, is_out_of_memory, message_of
from app.runs.propagation import Interrupted
from app.runs.task import Settings, Task, prepared

RESULTS = "results.json"
SCHEMA = 1
TELL_EVERY = 10.0  # seconds between two lines about one video
_LOG = logging.getLogger("mer.batch")


class End(StrEnum):
    """How it went with one video. KEPT: an earlier run had finished it. WAITING: its turn never came."""

    FINISHED = "finished"
    KEPT = "kept"
    FAILED = "failed"
    STOPPED = "stopped"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Job:
    """One video of a batch, and the name of its folder in the batch's."""

    name: str
    task: Task


@dataclass(frozen=True, slots=True)
class Outcome:
    """frames: that are finished now; seconds: that this run took; message: why it failed."""

    name: str
    end: End
    frames: int = 0
    seconds: float = 0.0
    message: str = ""
    notes: tuple[str, ...] = ()


Stopping = Callable[[], bool]
Engine = Callable[[Sequence[Job], Settings, Stopping], Iterator[Outcome]]


def carry(job: Job, settings: Settings) -> Outcome:
    """One video, in whatever process this is. Nothing that goes wrong is raised: it is the outcome."""
    begun = time.monotonic()
    _LOG.info("%s begins: %s", job.name, job.task.video)
    frames, message = 0, ""
    notes: tuple[str, ...] = ()
    with redirect_stderr(_Lines(job.name, sys.stderr)):
        try:
            with prepared(job.task, settings) as run:
                try:
                    end = End.KEPT if run.is_finished(settings.overlay) else End.FINISHED
                    if end is End.FINISHED:
                        run.go(settings.resume, settings.overlay)
                        notes = tuple(run.report.notes)
                finally:
                    frames = len(run.report.frames)
        except (Interrupted, KeyboardInterrupt):
            end = End.STOPPED
        except (ValueError, OSError) as error:
            end, message = End.FAILED, message_of(error)
        except Exception as error:
            _LOG.error("%s failed", job.name, exc_info=error)
            told = f"{type(error).__name__}: {error} (an error of the program)"
            end, message = End.FAILED, OUT_OF_MEMORY if is_out_of_memory(error) else told
    outcome = Outcome(job.name, end, frames, round(time.monotonic() - begun, 2), " ".join(message.split()), notes)
    _LOG.log(logging.WARNING if end is End.FAILED else logging.INFO, "%s", _told(outcome))
    return outcome


def run_batch(
    jobs: Sequence[Job], settings: Settings, out: Path, engine: Engine, tell: Callable[[str], None]
) -> list[Outcome]:
    """Every video, by `engine`; the outcomes in the order of `jobs`, and in OUT/results.json.

    Without `resume` or `overwrite` in the settings, OUT has to be empty. Ctrl+C lets each running video finish its
    frame, and those that nobody began wait. tell: gets a line whenever a video ends.
    """
    _clear(jobs, settings, out)
    settings = replace(settings, resume=True, overwrite=False)  # whoever is started twice goes on
    outcomes: dict[str, Outcome] = {}
    with stop_requested() as stopping:
        for outcome in engine(jobs, settings, stopping):
            outcomes[outcome.name] = outcome
            tell(f"{len(outcomes)}/{len(jobs)} {_told(outcome)}")
            for note in outcome.notes:
                tell(f"note: {outcome.name}: {note}")
    ordered = [outcomes.get(job.name, Outcome(job.name, End.WAITING)) for job in jobs]
    videos = [
        {"video": str(job.task.video), "folder": job.task.out.name, **asdict(outcome)}
        for job, outcome in zip(jobs, ordered, strict=True)
    ]
    content = {"schema": SCHEMA, "mer": __version__, "videos": videos}
    write_text(out / RESULTS, json.dumps(content, indent=1, ensure_ascii=False) + "\n")
    return ordered


def _clear(jobs: Sequence[Job], settings: Settings, out: Path) -> None:
    """ValueError if the folder is in use; otherwise it is as it has to be at the start."""
    batch = OutputFolder(out)
    batch.check((), settings.resume, settings.overwrite)
    for job in jobs:
        output = OutputFolder(job.task.out)
        output.check((job.task.video, *job.task.labels), True, False)
        if settings.overwrite:
            output.clear()


def _told(outcome: Outcome) -> str:
    said = {
        End.FINISHED: f"{outcome.frames} frames in {outcome.seconds:.1f} s",
        End.KEPT: f"{outcome.frames} frames, finished before",
        End.FAILED: f"failed: {outcome.message}",
        End.STOPPED: f"stopped with {outcome.frames} frames",
        End.WAITING: "not begun",
    }
    return f"{outcome.name}: {said[outcome.end]}"


class _Lines:
    """What a run says of its progress, with the video's name before it, and now and then only."""

    def __init__(self, name: str, target: TextIO) -> None:
        self._name, self._target, self._next = name, target, time.monotonic() + TELL_EVERY

    def write(self, text: str) -> int:
        if text.strip() and time.monotonic() >= self._next:
            self._target.write(f"{self._name}: {text.strip()}\n")
            self._target.flush()
            self._next = time.monotonic() + TELL_EVERY
        return len(text)

    def flush(self) -> None:
        self._target.flush()

    def isatty(self) -> bool:
        return False
