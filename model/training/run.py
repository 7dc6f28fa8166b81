"""A run directory: everything one training run leaves behind.

    RUN/card.json        what was trained on what, how long, with which scores
    RUN/metrics.jsonl    one line per step
    RUN/checkpoint.pt    to go on
    RUN/encoder.pt       to use
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from pathlib import Path
from typing import Any, TextIO

import torch

from model.recipes import Recipe
from model.training.checkpoint import file_hash


class RunDirectory:
    """Creates or reopens the folder. ValueError if it holds a run and `resume` was not asked for."""

    def __init__(self, folder: Path, *, resume: bool, writes: bool) -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.weights = folder / "encoder.pt"
        self.card = folder / "card.json"
        self._metrics: TextIO | None = None
        if not resume and self.card.exists():
            raise ValueError(f"{folder}: holds a run already; resume it or choose another folder")
        if writes:
            folder.mkdir(parents=True, exist_ok=True)
            self._metrics = open(folder / "metrics.jsonl", "a", buffering=1, encoding="utf-8")  # noqa: SIM115

    def default_cache(self) -> Path:
        """Where decoded frames go when nobody says otherwise: beside the run, so that runs share it."""
        return self.folder.parent / "cache"

    def log(self, line: dict[str, Any]) -> None:
        assert self._metrics is not None
        self._metrics.write(json.dumps(line) + "\n")

    def write_card(self, recipe: Recipe, options: dict[str, Any], corpus: dict[str, Any], processes: int) -> None:
        if self._metrics is None or self.card.exists():
            return
        card = {
            "recipe": recipe.as_dict(),
            "options": json.loads(json.dumps(options, default=str)),
            "corpus": corpus,
            "processes": processes,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "commit": _commit(),
        }
        self._write(card)

    def finish_card(self, steps: int, seconds: float, weights: Path) -> None:
        card = json.loads(self.card.read_text(encoding="utf-8"))
        card |= {"steps": steps, "seconds": round(seconds, 1), "weights_sha256": file_hash(weights)}
        self._write(card)

    def _write(self, card: dict[str, Any]) -> None:
        partial = self.card.with_suffix(f".{os.getpid()}.partial")
        partial.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
        os.replace(partial, self.card)


def _commit() -> str | None:
    """The commit of the code that trains, if it runs from a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
