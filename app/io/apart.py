"""Work with HDF5 files in a process of its own.

The library that reads and writes HDF5 was not made for strangers' files, nor for full disks: either may end the process
that uses it, or have it ask for any amount of memory or time. So another process takes that risk, with bounds on all
three, and sends back bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module

from app import program

_WORK = {"read": "app.io.imports.apart", "write": "app.io.export.hdf5"}  # modules that have `work`
_MISTAKE = 2  # exit code: what was said on the error stream is for the user
_MEMORY = 4 << 30  # bytes of address space


class DiedError(Exception):
    """The process ended without a word, or took too long."""


def run(work: str, arguments: Sequence[str], given: bytes, seconds: float) -> bytes:
    """What "read" or "write" gives back. ValueError with what it said of a mistake; DiedError."""
    try:
        done = subprocess.run(
            program.command("apart", work, *arguments),
            input=given,
            capture_output=True,
            env=program.environment(),
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise DiedError(f"not done within {seconds:.0f} s") from None
    if done.returncode == _MISTAKE:
        raise ValueError(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1])
    if done.returncode:
        raise DiedError(f"ended with code {done.returncode}")
    return done.stdout


def serve(work: str, arguments: list[str]) -> int:
    """In that process: do the work with the arguments and the bytes of the input. Returns the exit code."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries may print
    try:
        do = import_module(_WORK[work]).work
        _limit()
        data = do(arguments, sys.stdin.buffer.read())
    except (ValueError, ArithmeticError) as error:
        text = " ".join(str(error).split()).encode("utf-8", "backslashreplace")
        os.write(2, b"\n" + text + b"\n")
        return _MISTAKE
    out.write(data)
    out.flush()
    return 0


def _limit() -> None:
    """Where the system can: not on Windows."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
