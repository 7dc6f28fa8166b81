"""A run directory: everything one training run leaves behind.

RUN/card.json        what was trained on what, how long, with which scores
RUN/metrics.jsonl    one line per step
RUN/checkpoint.pt    to go on
RUN/encoder.pt       to use
RUN/encoder-25.pt    the same when 25 % of the budget were used up, if asked for
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from model.files import replacing
from model.recipes import Recipe
from model.recipes.mask_vos import MaskVosRecipe
from model.training.checkpoint import file_hash


class RunDirectory:
    """The files of a run; none is written before `start`.

    weights: the name of what comes of the run.
    ValueError if the folder holds a run already and `resume` is off, or cannot be written in.
    """

    def __init__(self, folder: Path, *, resume: bool, weights: str = "encoder.pt") -> None:
        self.folder = folder
        self.checkpoint = folder / "checkpoint.pt"
        self.weights = folder / weights
        self.card = folder / "card.json"
        self.metrics = folder / "metrics.jsonl"
        if not resume and any(f.exists() for f in (self.card, self.checkpoint, self.weights)):
            raise ValueError(f"{folder}: holds a run already; resume it or choose another folder")
        existing = next(f for f in (folder, *folder.parents) if f.exists())
        if not existing.is_dir() or not os.access(existing, os.W_OK):  # better said now than after hours of decoding
            raise ValueError(f"{folder}: cannot be written in; check the permissions or choose another folder")

    def default_cache(self) -> Path:
        """Where decoded frames go when nobody says otherwise: beside the run, so that runs share it."""
        return self.folder.parent / "cache"

    def start(
        self,
        step: int,
        recipe: Recipe | MaskVosRecipe,
        options: dict[str, Any],
        corpus: dict[str, Any],
        processes: int,
    ) -> None:
        """Make the folder, write the card and forget the metrics after `step`, where an interrupted run goes on.

        A resumed run's card tells the options and the machine of its last part. ValueError if it learned from
        another corpus; OSError if a file cannot be written.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        card = read_card(self.card) if self.card.exists() else {}
        if card and card.get("corpus", {}).get("sha256") != corpus["sha256"]:
            raise ValueError(f"{self.folder}: the run learned from other files; start a new one from its encoder.pt")
        card |= {
            "recipe": recipe.as_dict(),
            "options": options,
            "corpus": corpus,
            "processes": processes,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "commit": _commit(),
        }
        _write_json(self.card, card)
        for left in self.folder.glob(".*.partial"):  # by a process that was killed while it wrote
            with suppress(OSError):
                left.unlink()
        told = self.metrics.read_text(encoding="utf-8", errors="replace") if self.metrics.exists() else ""
        lines = told.splitlines(keepends=True)
        with replacing(self.metrics) as partial:
            partial.write_text("".join(line for line in lines if _step_of(line) <= step), encoding="utf-8")

    def log(self, line: dict[str, Any]) -> None:
        with open(self.metrics, "a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def weights_at(self, share: float) -> Path:
        """Where the weights are kept that there were at this share of the budget; 1 = those at the end."""
        return self.weights if share >= 1 else self.folder / f"encoder-{100 * share:g}.pt"

    def has_weights_of(self, step: int) -> bool:
        """Were `encoder.pt` and its card written after this step?"""
        return self.weights.exists() and read_card(self.card).get("steps") == step

    def finish(self, steps: int, seconds: float, complete: bool = True) -> None:
        """Complete the card once the weights are written. Scores of earlier weights go.

        complete: was the whole budget used up?
        """
        card = read_card(self.card)
        digest = file_hash(self.weights)
        if card.get("weights_sha256") != digest:
            card.pop("scores", None)
        card |= {"steps": steps, "seconds": round(seconds, 1), "complete": complete, "weights_sha256": digest}
        _write_json(self.card, card)


def read_card(path: Path) -> dict[str, Any]:
    """The run card of `path`. ValueError if it is none."""
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{path}: no such run card; `mer train` writes one into each run folder") from None
    except (ValueError, RecursionError):
        card = None
    if (
        not isinstance(card, dict)
        or not all(isinstance(card.get(k, {}), dict) for k in ("recipe", "corpus", "scores"))
        or "recipe" not in card
    ):
        raise ValueError(f"{path}: not a run card; give the card.json that `mer train` wrote")
    return card


def add_scores(card_path: Path, scores: Mapping[str, Any]) -> None:
    """Note in a run card how its weights scored: by benchmark, such as {"davis-dev": {"J&F": 0.76}}.

    Scores of other benchmarks stay. ValueError if `card_path` is no run card.
    """
    card = read_card(card_path)
    card["scores"] = card.get("scores", {}) | dict(scores)
    _write_json(card_path, card)


def _write_json(path: Path, card: dict[str, Any]) -> None:
    # A card travels with the weights: the names of files matter to others, the folders they lie in do not.
    text = json.dumps(card, indent=1, default=lambda file: Path(file).name)
    with replacing(path) as partial:
        partial.write_text(text + "\n", encoding="utf-8")


def _step_of(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, LookupError, RecursionError):  # half a line, where a run was killed
        return float("inf")


def _commit() -> str | None:
    """The commit of the code that trains, if it runs from a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
