"""How quick this machine trains a recipe, from a few steps on a film of noise."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np

from model.training.options import TrainingOptions
from model.training.trainer import train

_STEPS = 4  # the first one pays for what is made once
_BATCH = 4
_SIDE = 256


def steps_per_minute(options: TrainingOptions) -> float:
    """About how many steps of a run with these options fit into a minute; takes some seconds, leaves no files.

    A few small batches are measured and the rest is reckoned: time grows with the pairs of a batch, and with the area
    of the crops. Decoding of the corpus, done once, is not in it. The errors of `train`.
    """
    recipe = options.full_recipe()
    batch = min(_BATCH, recipe.batch)
    lines: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="mer-estimate-") as folder:
        home = Path(folder)
        footage = home / "footage"
        footage.mkdir()
        _write_noise(footage / "noise.avi")
        trial = replace(
            options, sources=(footage,), out=home / "run", cache=home / "cache", without=(), weights=None, resume=False
        )
        train(
            replace(trial, steps=_STEPS, minutes=None, batch=batch, crop=recipe.crop, accumulate=1, workers=0),
            lines.append,
        )
    seconds = float(np.median([line["seconds"] for line in lines[1:]]))
    early = recipe.late_from if recipe.crop_late is not None else 1.0
    area = early + (1 - early) * (recipe.crop_at(1.0) / recipe.crop) ** 2
    return 60 / (seconds * area * recipe.batch / batch)


def _write_noise(path: Path) -> None:
    rng = np.random.default_rng(0)
    ground = cv2.resize(rng.integers(0, 256, (40, 48, 3), np.uint8), (_SIDE + 64, _SIDE))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (_SIDE, _SIDE))
    for n in range(16):
        writer.write(np.ascontiguousarray(ground[:, 4 * n : 4 * n + _SIDE]))
    writer.release()
