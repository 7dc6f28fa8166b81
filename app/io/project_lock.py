"""Who has a project open: a file `lock` in its folder, kept warm by a heartbeat.

A lock of this machine holds while its process lives, one of another machine while its heart beats. Any other is what
a crash left behind, and is taken over without a word; one that holds is taken over only when the user says so.
"""

from __future__ import annotations

import json
import os
import platform
import secrets
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

LOCK = "lock"
_LENGTH = 1 << 12  # characters; there is nothing to say that is longer
BEAT = 15.0  # seconds
STALE = 120.0  # seconds without a beat; clocks of two machines may differ by a minute


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that has a project open. born: when it started, for numbers of processes are used again."""

    host: str
    pid: int
    born: float
    token: str

    @classmethod
    def here(cls) -> Holder:
        process = psutil.Process()
        return cls(platform.node(), process.pid, process.create_time(), secrets.token_hex(8))

    @property
    def lives(self) -> bool | None:
        """None where this machine cannot tell."""
        if self.host != platform.node():
            return None
        try:
            return abs(psutil.Process(self.pid).create_time() - self.born) < 2
        except psutil.NoSuchProcess:
            return False
        except psutil.Error:
            return True
        except (ValueError, ArithmeticError):  # no process has such a number
            return False


class ProjectInUse(ValueError):
    """Somebody else has the project open. holder: who; None where the lock does not tell."""

    def __init__(self, folder: Path, holder: Holder | None) -> None:
        self.folder = folder
        self.holder = holder
        who = "another program" if holder is None else f"process {holder.pid} on {holder.host}"
        super().__init__(f"{folder}: is open in {who}: close it there, or take it over")


class ProjectLock:
    """Holds a project from construction to `release`. Also a context manager.

    ProjectInUse if somebody else has it; force takes it from them. OSError if the folder cannot be written.
    """

    def __init__(self, folder: Path, force: bool = False) -> None:
        self.folder = folder
        self._path = folder / LOCK
        self._me = Holder.here()
        other = in_use(folder)
        if other is not None and not force:
            raise other
        if self._path.exists():
            self._clear(_read(self._path))
        self._take()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="project lock", daemon=True)
        self._thread.start()

    @property
    def is_held(self) -> bool:
        """False when the lock is not there any more, or somebody else's."""
        return _read(self._path) == self._me

    @property
    def is_lost(self) -> bool:
        """Somebody took the project over."""
        return _read(self._path) not in (None, self._me)

    def check(self) -> None:
        """ProjectInUse if somebody took the project over: writing would undo what they do."""
        if self.is_lost:
            raise ProjectInUse(self.folder, _read(self._path))

    def release(self) -> None:
        """Let go. Twice does nothing."""
        self._stopped.set()
        self._thread.join()
        if self.is_held:
            with suppress(OSError):
                self._path.unlink()

    def __enter__(self) -> ProjectLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _take(self) -> None:
        try:
            with self._path.open("x", encoding="utf-8") as file:
                json.dump(asdict(self._me), file)
        except FileExistsError:  # somebody was quicker
            raise ProjectInUse(self.folder, _read(self._path)) from None

    def _clear(self, old: Holder | None) -> None:
        """Remove a lock; ProjectInUse if by now it is not the one that was looked at."""
        aside = self._path.with_name(f"{LOCK}.{self._me.token}")
        try:
            os.replace(self._path, aside)
        except FileNotFoundError:
            return
        if _read(aside) != old:
            os.replace(aside, self._path)
            raise ProjectInUse(self.folder, _read(self._path))
        aside.unlink()

    def _beat(self) -> None:
        while not self._stopped.wait(BEAT):
            with suppress(OSError):
                if self.is_held:
                    os.utime(self._path)


def in_use(folder: Path) -> ProjectInUse | None:
    """Why the project cannot be opened now, if so."""
    path = folder / LOCK
    try:
        silent = time.time() - path.stat().st_mtime
    except OSError:
        return None
    holder = _read(path)
    lives = None if holder is None else holder.lives
    if lives or (lives is None and silent < STALE):
        return ProjectInUse(folder, holder)
    return None


def _read(path: Path) -> Holder | None:
    try:
        if not path.is_file():  # reading a pipe would wait for ever
            return None
        with path.open(encoding="utf-8") as file:
            content = json.loads(file.read(_LENGTH))
        return Holder(str(content["host"]), int(content["pid"]), float(content["born"]), str(content["token"]))
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError, RecursionError):
        return None
