"""The user's training runs: where they are, what they were told, and how they ended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import psutil

from app.core.training import Setup
from app.core.user_files import data_folder, read_json, write_json

_PIDS = 1 << 31  # no system counts processes further


class State(StrEnum):
    """INTERRUPTED: it ended without a word, as when the machine was turned off."""

    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    FAILED = "failed"

    @property
    def can_resume(self) -> bool:
        return self not in (State.RUNNING, State.FINISHED)


@dataclass(frozen=True, slots=True)
class Run:
    """One of them. pid: of its process, which may be gone; message: why it failed.

    held_out: videos that it does not learn from, for the proof. setup.out is its folder.
    """

    setup: Setup
    state: State
    when: datetime
    pid: int | None = None
    message: str = ""
    held_out: tuple[Path, ...] = ()

    @property
    def folder(self) -> Path:
        return self.setup.out

    @property
    def weights(self) -> Path:
        """Written when it ends, however it ends by itself or by the user."""
        return self.setup.out / "encoder.pt"


def trains(pid: int) -> bool:
    """Is this the process of a training run? Numbers of processes are used again."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and "train" in process.cmdline()
    except psutil.Error:
        return False


class RunList:
    """The list, the latest first, in a file of the user's. Several windows may use it at the same time."""

    def __init__(self, path: Path | None = None, alive: Callable[[int], bool] = trains) -> None:
        self.path = data_folder() / "runs.json" if path is None else path
        self._alive = alive

    def read(self) -> tuple[Run, ...]:
        """What cannot be understood is left out. A run whose process is gone was interrupted."""
        entries = read_json(self.path)[0].get("runs")
        found = [run for entry in entries if (run := _run(entry))] if isinstance(entries, list) else []
        return tuple(self._checked(run) for run in found)

    def find(self, folder: Path) -> Run | None:
        return next((run for run in self.read() if run.folder == folder), None)

    def put(self, run: Run) -> None:
        """Add a run at the top, or bring it up to date in its place. OSError if the list cannot be written."""
        runs = list(self.read())
        for number, known in enumerate(runs):
            if known.folder == run.folder:
                runs[number] = run
                break
        else:
            runs.insert(0, run)
        self._write(runs)

    def change(self, folder: Path, **fields: Any) -> None:
        """Other values for the run in that folder, if it is in the list. OSError as above."""
        run = self.find(folder)
        if run is not None:
            self.put(replace(run, **fields))

    def remove(self, folder: Path) -> None:
        """Off the list; its files stay. OSError as above."""
        self._write([run for run in self.read() if run.folder != folder])

    def _checked(self, run: Run) -> Run:
        if run.state is State.RUNNING and (run.pid is None or not self._alive(run.pid)):
            return replace(run, state=State.INTERRUPTED, pid=None)
        return run

    def _write(self, runs: list[Run]) -> None:
        write_json(self.path, {"runs": [_entry(run) for run in runs]})


def new_folder(home: Path, now: datetime) -> Path:
    """A folder for a run that begins now, which does not exist yet."""
    name = now.strftime("%Y-%m-%d %H.%M")
    names = (name if number == 1 else f"{name} ({number})" for number in range(1, 1000))
    return next(home / name for name in names if not (home / name).exists())


def _entry(run: Run) -> dict[str, Any]:
    return {
        "setup": run.setup.as_dict(),
        "state": run.state.value,
        "when": run.when.isoformat(timespec="seconds"),
        "pid": run.pid,
        "message": run.message,
        "held_out": [str(path) for path in run.held_out],
    }


def _run(entry: Any) -> Run | None:
    try:
        when = datetime.fromisoformat(entry["when"]).astimezone(UTC)
        held_out = tuple(Path(path) for path in entry["held_out"])
        setup = Setup.from_dict(entry["setup"])
        pid = entry["pid"] if type(entry["pid"]) is int and 0 < entry["pid"] < _PIDS else None
        return Run(setup, State(entry["state"]), when, pid, str(entry["message"]), held_out)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError):
        return None
