"""What a run carries from step to step, and what it leaves in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from model.encoder import Encoder
from model.recipes import Recipe
from model.training.checkpoint import load_file, save_file


@dataclass(slots=True)
class TrainingState:
    """model: the encoder in training; average: its moving average, the one to use.

    step: optimiser steps done; elapsed: seconds, of all the run's parts.
    """

    model: Encoder
    average: Encoder
    optimiser: torch.optim.Optimizer
    step: int = 0
    elapsed: float = 0.0

    @classmethod
    def fresh(cls, recipe: Recipe, device: torch.device, weights: Path | None = None) -> TrainingState:
        """From scratch (torch's seed decides), or from the encoder in `weights`. ValueError if it does not fit."""
        model, average = Encoder(recipe.encoder), Encoder(recipe.encoder)
        if weights is not None:
            try:
                model.load_state_dict(load_file(weights)["state_dict"])
            except (KeyError, RuntimeError):
                raise ValueError(f"{weights}: not an encoder of recipe {recipe.name}; give an encoder.pt") from None
        average.load_state_dict(model.state_dict())
        average.requires_grad_(False)
        for encoder in (model, average):
            encoder.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return cls(model, average, torch.optim.Adam(model.parameters(), recipe.learning_rate))

    def save(self, path: Path, recipe: Recipe, seed: int) -> None:
        """Write a checkpoint. OSError, naming the file, if it cannot be written: the old one then stays."""
        content = {
            "recipe": recipe.as_dict(),
            "seed": seed,
            "step": self.step,
            "elapsed": self.elapsed,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save_file(path, content)

    def load(self, path: Path, recipe: Recipe, seed: int) -> None:
        """Go on from a checkpoint. ValueError if it is none, or one of another recipe or seed."""
        content = load_file(path)
        try:
            # A field that is younger than the checkpoint had its default then.
            old: dict[str, Any] = {**Recipe("").as_dict(), **content["recipe"], "seed": content["seed"]}
            for name, value in {**recipe.as_dict(), "seed": seed}.items():
                if old.get(name) != value:
                    raise ValueError(
                        f"{path}: the run was started with {name} {old.get(name)}, not {value}; "
                        "give the same or choose a new folder"
                    )
            self.model.load_state_dict(content["model"])
            self.average.load_state_dict(content["average"])
            self.optimiser.load_state_dict(content["optimiser"])
            self.step, self.elapsed = content["step"], content["elapsed"]
        except (KeyError, TypeError, RuntimeError):
            raise ValueError(f"{path}: not a checkpoint of a training run; choose a new folder") from None


def save_weights(path: Path, encoder: Encoder, recipe: Recipe) -> None:
    """The encoder alone, in half precision, with the recipe that trained it."""
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in encoder.state_dict().items()}
    save_file(path, {"recipe": recipe.as_dict(), "state_dict": tensors})


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int, limit: float = 0.999) -> None:
    """Exponential moving average of weights and BN statistics; short runs start with a shorter memory."""
    decay = min(limit, (1 + step) / (10 + step))
    for old, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)
