"""Training runs in tests: what they leave behind, how to stop them, and how to share them among processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from model.training.checkpoint import load_file

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

# The first run is told to stop half-way, in one process only; a second one goes on.
DISTRIBUTED = """
import hashlib, os, signal, sys
from pathlib import Path
from model.recipes import RECIPES
from model.training import trainer
from tests.corpora import options, register
register()
reported = []
def report(line):
    reported.append(line["step"])
    if line["step"] == 3 and sys.argv[4] == "start":
        os.kill(os.getpid(), signal.SIGTERM)
def remember(average, model, step):
    update(average, model, step)
    digest = hashlib.sha256()
    for tensor in (*model.state_dict().values(), *average.state_dict().values()):
        digest.update(tensor.numpy().tobytes())
    record.write_text(f"{digest.hexdigest()} {len(reported)}")
update, trainer.update_average = trainer.update_average, remember
out = Path(sys.argv[2])
record = out.parent / f"rank{os.environ['RANK']}"
resume, parts = sys.argv[4] == "resume", int(sys.argv[5])
trainer.train(options(Path(sys.argv[1]), out, recipe=sys.argv[3], resume=resume, accumulate=parts), report)
"""


def metrics(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def curve(run: Path) -> list[tuple[int, float]]:
    return [(line["step"], line["total"]) for line in metrics(run)]


def same_weights(one: Path, two: Path, tolerance: float = 1e-5) -> None:
    for name in ("model", "average"):
        a, b = (load_file(run / "checkpoint.pt")[name] for run in (one, two))
        for key in a:
            torch.testing.assert_close(a[key], b[key], atol=tolerance, rtol=tolerance, msg=lambda m, k=key: f"{k}: {m}")


def stop_at(step: int) -> Callable[[dict[str, Any]], None]:
    """A listener that asks the process to end after that step."""
    return lambda line: os.kill(os.getpid(), signal.SIGTERM) if line["step"] == step else None


def in_two_processes(corpus: Path, folder: Path, recipe: str, parts: int = 1, stopped: bool = True) -> Path:
    """The folder of a run of six steps that two processes share, stopped after the third and resumed.

    parts: in which each process takes its share of a batch. stopped: if not, they do all steps at once.
    """
    folder.mkdir()
    run, script = folder / "run", folder / "script.py"
    script.write_text(DISTRIBUTED)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    for part in ("start", "resume") if stopped else ("whole",):
        command = [*torchrun, script, corpus, run, recipe, part, str(parts)]
        done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, capture_output=True, text=True, timeout=280)
        assert done.returncode == 0, done.stderr
    first, second = ((folder / f"rank{n}").read_text().split() for n in range(2))
    assert first[0] == second[0]  # the same weights
    assert (first[1], second[1]) == ("2" if stopped else "5", "0")  # before its last step; the first alone reports
    return run
