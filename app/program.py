"""How the program was started, and how it starts itself again: from Python, or as the executable of a bundle."""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[1]  # where the packages `app` and `model` lie
_LIBRARIES = "LD_LIBRARY_PATH"


def is_bundled() -> bool:
    """Whether this is the executable of a bundle, made by `make bundle`."""
    return getattr(sys, "frozen", False)


def begin() -> None:
    """To be called first of all. Does not return in a process that multiprocessing started: that does its work here."""
    multiprocessing.freeze_support()
    if is_bundled() and sys.platform.startswith("linux"):
        # The bundle's libraries are for itself, and not for the file manager and the git that it calls.
        before = os.environ.pop(f"{_LIBRARIES}_ORIG", None)
        os.environ.pop(_LIBRARIES, None)
        if before is not None:
            os.environ[_LIBRARIES] = before


def command(*arguments: str) -> list[str]:
    """The command line that runs `mer` with these arguments in a process of its own."""
    return [sys.executable, *([] if is_bundled() else ["-m", "app"]), *arguments]


def environment() -> dict[str, str]:
    """What that process needs: the environment of this one, and the place of the packages."""
    if is_bundled():
        return dict(os.environ)
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(_ROOT), os.environ.get("PYTHONPATH"))))}
