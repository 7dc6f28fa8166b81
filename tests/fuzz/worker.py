"""The process that reads spoilt files: `python -m tests.fuzz.worker SEED TARGET:FIRST:COUNT …`.

It says what it begins and how that ended, as lines of JSON; whoever started it notices when it hangs or dies.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sys
import tempfile
import time
import traceback
import warnings
from pathlib import Path
from random import Random
from typing import Any

from tests.fuzz.seeds import gallery
from tests.fuzz.targets import TARGETS, Target

ROOM = 4 << 30  # bytes of address space beside what the process begins with: a backstop, not the measure
LONG = 700  # characters of a message that still is a line


def main(arguments: list[str]) -> None:
    say = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # libraries may print
    seed, *jobs = arguments
    warnings.simplefilter("ignore")  # of Pillow and pandas about what they were given; the program shows none
    gallery()
    _limit()
    for job in jobs:
        name, first, count = job.rsplit(":", 2)
        for number in range(int(first), int(first) + int(count)):
            print(json.dumps({"begin": f"{name}:{number}"}), file=say)
            print(json.dumps(attempt(TARGETS[name], name, number, seed)), file=say)


def attempt(target: Target, name: str, number: int, seed: str) -> dict[str, Any]:
    """Make an input and read it: how that ended, in seconds and bytes. `why`: what is wrong with that, if anything."""
    rng = Random(f"{seed}:{name}:{number}")
    folder = Path(tempfile.mkdtemp(prefix="mer-fuzz-input-"))
    os.environ["MER_HOME"] = str(folder / "home")
    try:
        path = target.make(rng, folder)
        before, begun = _memory("VmRSS"), time.perf_counter()
        _forget_peak()
        ended, why, said = "accepted", "", ""
        try:
            target.read(path)
        except Exception as error:
            ended, said = "refused", f"{type(error).__name__}: {error}"
            why = _complaint(error, folder, target)
        seconds, taken = time.perf_counter() - begun, _memory("VmHWM") - before
        if taken > target.memory:
            why = why or f"took {taken >> 20} MB"
        return {"end": ended, "seconds": seconds, "bytes": max(0, taken), "why": why, "said": said}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _complaint(error: Exception, folder: Path, target: Target) -> str:
    """What is wrong with how an input was refused: it is to be one line that names the file. Empty if nothing."""
    where = "".join(traceback.format_tb(error.__traceback__)[-2:])
    ours = type(error).__module__.startswith(("app.", "model."))
    if target.quiet:
        return f"{type(error).__name__}: {error}\n{where}"
    if not (type(error) is ValueError or (ours and isinstance(error, ValueError)) or isinstance(error, OSError)):
        return f"{type(error).__name__}: {error}\n{where}"
    message = str(error)
    if "\n" in message or len(message) > LONG or not message.isprintable():
        return f"not one line: {message[:LONG]!r}\n{where}"
    if str(folder) not in message and "/films" not in message:
        return f"names no file: {message}\n{where}"
    if "allocate" in message:
        return f"tried to take too much memory: {message}\n{where}"
    return ""


def _limit() -> None:
    size = _memory("VmSize") + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _memory(name: str) -> int:
    """Bytes, of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise LookupError(name)


def _forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


if __name__ == "__main__":
    main(sys.argv[1:])
