"""A training step: `train` itself, for a few steps on made-up pictures."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

from model.evaluation.bench.figures import Roof, Stage
from model.evaluation.bench.measure import Meter, flops
from model.training.options import TrainingOptions
from model.training.trainer import train

_PICTURES, _SIDE = 8, 256


def time_training(recipe: str, meter: Meter, roof: Roof, batch: int | None = None) -> Stage:
    """The shortest step of a few of a recipe; a GPU has its samples read by other processes, as `mer train` does.

    batch: in place of the recipe's. ValueError for a recipe that there is not.
    """
    reached: list[float] = []
    with TemporaryDirectory() as name:
        folder = Path(name)
        _write_pictures(folder / "pictures")

        def run(steps: int) -> None:
            options = TrainingOptions(
                (folder / "pictures",),
                folder / f"run-{steps}",
                recipe,
                steps=steps,
                batch=batch,
                device=str(meter.device),
                workers=0 if meter.device.type == "cpu" else 2,
                cache=folder / "cache",
            )
            train(options, lambda _: reached.append(meter.now()))

        products = flops(lambda: run(1))
        reached.clear()
        run(meter.rounds + 1)
    return Stage(
        "training step", min(after - before for before, after in pairwise(reached)), products, "FLOP", roof.flops
    )


def _write_pictures(folder: Path) -> None:
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in range(_PICTURES):
        coarse = rng.integers(0, 256, (_SIDE // 16, _SIDE // 16, 3), np.uint8)
        picture = cv2.resize(coarse, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(folder / f"{number}.png"), picture)
