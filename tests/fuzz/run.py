"""Hands inputs to worker processes, watches over them, and gathers what came of it."""

from __future__ import annotations

import json
import math
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
LIMIT = 30.0  # seconds for one input, on a busy machine
START = 600.0  # seconds until a worker has begun

Jobs = list[tuple[str, int, int]]  # target, number of the first input, how many


@dataclass(slots=True)
class Figures:
    """Of one target: inputs, how they ended, and the worst of them. defects: input by name, and what is wrong."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    bytes: int = 0
    defects: dict[str, str] = field(default_factory=dict)

    @property
    def inputs(self) -> int:
        return self.accepted + self.refused + len([d for d in self.defects.values() if d.startswith("died")])


def fuzz(jobs: Jobs, seed: str, figures: dict[str, Figures], seconds: float = math.inf) -> None:
    """Try inputs, for so long at most, and note what comes of it. Equal seeds make equal inputs."""
    until = time.monotonic() + seconds
    left = list(jobs)
    for name, _, _ in jobs:
        figures.setdefault(name, Figures())
    with tempfile.TemporaryDirectory(prefix="mer-fuzz-") as gallery:
        while left:
            left = _one_worker(left, seed, figures, gallery, until)


def _one_worker(left: Jobs, seed: str, figures: dict[str, Figures], gallery: str, until: float) -> Jobs:
    """Run a worker to its end; what is left to do after it."""
    jobs = [":".join(map(str, job)) for job in left]
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryDirectory(prefix="mer-fuzz-") as scratch:
        own = {"PYTHONPATH": str(ROOT), "MER_FUZZ_GALLERY": gallery, "TMPDIR": scratch}
        quiet = {"OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2", "QT_QPA_PLATFORM": "offscreen"}
        command = [sys.executable, "-X", "faulthandler", "-m", "tests.fuzz.worker", seed, *jobs]
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **own, **quiet}, stdout=subprocess.PIPE, stderr=errors
        )
        try:
            return _listen(process, left, figures, errors, until)
        finally:
            process.kill()
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def _listen(
    process: subprocess.Popen[bytes], left: Jobs, figures: dict[str, Figures], errors: Any, until: float
) -> Jobs:
    assert process.stdout is not None
    current, rest, limit = "", b"", START
    while time.monotonic() < until:
        ready, _, _ = select.select([process.stdout], [], [], limit)
        data = os.read(process.stdout.fileno(), 1 << 16) if ready else b""
        if not data:
            return _dead(process, current, bool(ready), left, figures, errors)
        *lines, rest = (rest + data).split(b"\n")
        for line in map(json.loads, lines):
            if "begin" in line:
                current, limit = line["begin"], LIMIT
                continue
            name = current.rsplit(":", 1)[0]
            _note(figures[name], current, line)
            left, current = _without(left, current), ""
    return []


def _note(figures: Figures, name: str, line: dict[str, Any]) -> None:
    setattr(figures, line["end"], getattr(figures, line["end"]) + 1)
    figures.seconds, figures.bytes = max(figures.seconds, line["seconds"]), max(figures.bytes, line["bytes"])
    if line["why"]:
        figures.defects[name] = line["why"]


def _dead(
    process: subprocess.Popen[bytes],
    current: str,
    closed: bool,
    left: Jobs,
    figures: dict[str, Figures],
    errors: Any,
) -> Jobs:
    """The worker says nothing more: it is done, or it hangs, or it died of an input."""
    if not closed:
        process.send_signal(signal.SIGABRT)  # faulthandler tells where it hangs
    code = process.wait()
    if not left:
        return []
    errors.seek(0)
    said = errors.read().decode("utf-8", "replace")
    tail = said[max(0, said.find("Fatal Python error")) :][:1500]  # behind that comes a long list of modules
    if not current:
        raise RuntimeError(f"the worker ended with {code} before it read anything:\n{tail}")
    what = f"died: code {code}" if closed else f"died: silent for {LIMIT:g} s"
    figures[current.rsplit(":", 1)[0]].defects[current] = f"{what}\n{tail}"
    return _without(left, current)


def _without(left: Jobs, done: str) -> Jobs:
    """What is left after an input. Inputs are done in order."""
    name, first, count = left[0]
    assert done == f"{name}:{first}"
    return [(name, first + 1, count - 1), *left[1:]] if count > 1 else left[1:]
