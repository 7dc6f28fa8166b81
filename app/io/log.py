"""The log: what the program did, in the user's own folder, so that a fault can be told to whoever can mend it.

It says when the program started, on what machine, what was asked of it, which jobs ran and how they ended, what the
user was told, and where errors came from. It never holds pictures, labels or anything else out of a file.
"""

from __future__ import annotations

import faulthandler
import logging
import os
import platform
import re
import shlex
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from logging.handlers import RotatingFileHandler
from pathlib import Path

from app import __version__
from app.core.user_files import log_folder

NAME, FATAL = "mer.log", "fatal.txt"
SIZE, KEPT = 1 << 20, 4  # bytes of a file; older files beside the one that is written
LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python", "av", "PySide6-Essentials")
_FORM = "%(asctime)s %(levelname)s [%(process)d %(threadName)s] %(name)s: %(message)s"
_LOG = logging.getLogger("mer")


class _LogFile(RotatingFileHandler):
    """Bounded, and never a reason to fail: what cannot be written, as on a full disk, is left out.

    Several of our processes may write to it at the same time: each goes where the name leads now, and of those that
    find the file full, one alone puts a new one in its place.
    """

    def handleError(self, record: logging.LogRecord) -> None:
        pass

    def rotate(self, source: str, dest: str) -> None:
        with suppress(OSError):  # Windows does not rename what another of our processes writes to
            super().rotate(source, dest)

    def emit(self, record: logging.LogRecord) -> None:
        self._follow()
        super().emit(record)

    def doRollover(self) -> None:
        with _alone(Path(self.baseFilename)):
            self._follow()
            if self.stream is not None:  # it is still this one that is full
                super().doRollover()

    def _follow(self) -> None:
        """Let go of a file that another process has set aside."""
        if self.stream is None:
            return
        try:
            here, there = os.fstat(self.stream.fileno()), os.stat(self.baseFilename)
            same = os.path.samestat(here, there)
        except OSError:
            same = False
        if not same:
            stream, self.stream = self.stream, None
            with suppress(OSError):
                stream.close()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time in here, where the system has locks of that kind; on Windows nothing is renamed anyway."""
    with ExitStack() as stack:
        with suppress(ImportError, OSError):
            import fcntl

            file = stack.enter_context(path.with_name(f".{path.name}.lock").open("w"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def begin(arguments: Sequence[str]) -> None:
    """Write to the log from now on. arguments: those that the program was started with.

    Warnings go there instead of to the terminal, unless MER_DEBUG=1; a crash of the interpreter leaves a trace that
    the next start puts into the log. Where the folder cannot be written there is no log, and no complaint.
    """
    _open()
    _LOG.info("start %s: %s", __version__, shlex.join(["mer", *arguments]))
    _LOG.info(
        "on %s, Python %s, %s", platform.platform(), platform.python_version(), ", ".join(map(_version, LIBRARIES))
    )


def join(what: str) -> None:
    """The same in a process that works for another one of ours, which has said the rest. what: it does there."""
    _open()
    _LOG.info("%s, for process %d", what, os.getppid())


def _open() -> None:
    folder = log_folder()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    file = _LogFile(
        folder / NAME, maxBytes=SIZE, backupCount=KEPT, encoding="utf-8", errors="backslashreplace", delay=True
    )
    file.setFormatter(logging.Formatter(_FORM))
    logging.getLogger().addHandler(file)
    _LOG.setLevel(logging.INFO)
    logging.captureWarnings(os.environ.get("MER_DEBUG") != "1")
    with suppress(OSError):
        _watch(folder / FATAL)


def _watch(path: Path) -> None:
    """Have crashes below Python noted in a file, and log what the last one left there."""
    file = path.open("a+", encoding="utf-8", errors="backslashreplace")  # open to the end
    file.seek(0)
    if left := file.read(SIZE):
        _LOG.error("an earlier run died:\n%s", left.rstrip())
        file.truncate(0)
    faulthandler.enable(file)


def tail(lines: int = 200) -> str:
    """The last lines of the log; "" where there is none."""
    try:
        with (log_folder() / NAME).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 1000 * lines))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


def discreet(text: str) -> str:
    """A text without the user's name: their folder is ~."""
    home = os.path.expanduser("~")
    return text if len(home) < 2 else re.sub(re.escape(home) + r"(?![\w.-])", "~", text)


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return f"no {name}"
