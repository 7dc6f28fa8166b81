"""What is written down when the program fails, so that it can be told to whoever can mend it."""

from __future__ import annotations

import platform
import traceback
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from app import __version__
from app.core.user_files import data_folder

KEPT = 20  # reports; the oldest go


def crash_folder() -> Path:
    """Where reports lie. It need not exist."""
    return data_folder() / "crashes"


def write_report(error: BaseException, actions: Iterable[str]) -> Path:
    """Write a report: the error and where it happened, the last actions, the versions. OSError if it cannot be.

    It names no file of the user's, except where the error does.
    """
    folder = crash_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"crash {datetime.now():%Y-%m-%d %H.%M.%S.%f}.txt"
    lines = [
        f"MER Studio {__version__}, Python {platform.python_version()}, {platform.platform()}",
        "",
        "".join(traceback.format_exception(error)).rstrip(),
        "",
        "What was done before, the latest last:",
        *(f"  {action}" for action in actions),
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    for old in sorted(folder.glob("crash *.txt"))[:-KEPT]:
        old.unlink(missing_ok=True)
    return path
