"""Training for a program that listens: one JSON object per line on the output. `app.core.training` says which."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import psutil

from app.io.atomic import replacing
from app.mistakes import is_out_of_memory, message_of
from model.training.corpus import AnyCorpus
from model.training.estimate import steps_per_minute
from model.training.look import Looker
from model.training.options import TrainingOptions
from model.training.run import RunDirectory, read_card
from model.training.schedule import progress_of
from model.training.shards import open_corpus
from model.training.state import TrainingState
from model.training.trainer import train

LOOK_EVERY = 15.0  # seconds between two samples
_ESTIMATE_AFTER = 4  # steps
_NICENESS = 10


def train_aloud(options: TrainingOptions) -> None:
    """`train`, and everything worth knowing about it said. A failure is said as well, and raised.

    Whoever listens goes first on this machine; and when nobody listens any more, the run ends with a checkpoint.
    """
    with aloud(True):
        run = RunDirectory(options.out, resume=options.resume)
        cache = options.cache or run.default_cache()
        corpus = open_corpus(
            options.sources,
            cache,
            without=options.without,
            progress=lambda done, total: say("preparing", done=done, total=total),
        )
        say("scan", **corpus.describe())
        weights = train(options, _Steps(), _Samples(options))
        card = read_card(run.card)
        # Minutes may run out between two steps; and a run that was stopped at its end has nothing left to do.
        over = card.get("complete") or progress_of(options, card["steps"], card["seconds"] + 0.1) >= 1
        say("finished" if over else "stopped", weights=str(weights), steps=card["steps"])


@contextmanager
def aloud(on: bool) -> Iterator[None]:
    """Around work for a listener, where there is one: modestly, and a failure is said as well as raised."""
    if not on:
        yield
        return
    _be_modest()
    try:
        yield
    except (ValueError, OSError) as error:
        say("failed", message=message_of(error))
        raise
    except (MemoryError, RuntimeError) as error:
        say("failed", message=_memory(error))
        raise


def estimate_aloud(options: TrainingOptions) -> None:
    """Say how many steps fit into a minute here."""
    try:
        say("estimate", steps_per_minute=round(steps_per_minute(options), 2))
    except (ValueError, OSError) as error:
        say("failed", message=message_of(error))
        raise


def say(event: str, **values: Any) -> None:
    """One line; where the listener is gone, the process is told to end instead."""
    try:
        sys.stdout.write(json.dumps({"event": event, **values}) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        signal.raise_signal(signal.SIGTERM)


class _Steps:
    """Tells the lines of the metrics, and once, after a few of them, how quick it goes."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._seconds: list[float] = []

    def __call__(self, line: dict[str, Any]) -> None:
        say("step", **line, memory=self._process.memory_info().rss)
        self._seconds.append(line["seconds"])
        if len(self._seconds) == _ESTIMATE_AFTER:
            mean = sum(self._seconds[1:]) / (_ESTIMATE_AFTER - 1)
            say("estimate", steps_per_minute=round(60 / max(mean, 1e-3), 2))


class _Samples:
    """Now and then, writes pictures of what the encoder does into the run's folder, and tells where."""

    def __init__(self, options: TrainingOptions) -> None:
        self._options, self._folder = options, options.out / "samples"
        self._looker: Looker | None = None
        self._next = 0.0

    def __call__(self, state: TrainingState, corpus: AnyCorpus) -> None:
        if time.monotonic() < self._next:
            return
        if self._looker is None:
            self._looker = Looker(self._options.full_recipe(), corpus, self._options.flow_weights)
        files: dict[str, str] = {}
        for name, picture in self._looker(state).items():
            done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
            assert done
            with replacing(self._folder / f"{name}.png") as partial:
                partial.write_bytes(data.tobytes())
            files[name] = Path("samples", f"{name}.png").as_posix()
        say("sample", step=state.step, **files)
        self._next = time.monotonic() + LOOK_EVERY


def _memory(error: BaseException) -> str:
    # A process that reads samples ahead is killed as well where memory is short, and torch says no more than that.
    if is_out_of_memory(error) or str(error).startswith("DataLoader worker"):
        return "there is not enough memory: choose a smaller crop or batch, or close other programs, and resume"
    return f"{type(error).__name__}: {error} (an error of the program)"


def _be_modest() -> None:
    process = psutil.Process()
    if sys.platform == "win32":
        process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        process.nice(min(19, process.nice() + _NICENESS))
