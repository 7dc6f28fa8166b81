"""What a run carries from step to step, and what it leaves in files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from model.bank import NegativeBank
from model.network import MatchingNetwork
from model.recipes import Recipe
from model.recipes.data import flatten
from model.training.checkpoint import load_file, save_file

_PARTS = ("fusion.", "positions.", "extraction.")  # of the network, which an older or plainer encoder may lack


@dataclass(slots=True)
class TrainingState:
    """model: the network in training; average: its moving average, the one to use.

    bank: the negatives, if the recipe wants some.
    step: optimiser steps done; elapsed: seconds, of all the run's parts.
    """

    model: MatchingNetwork
    average: MatchingNetwork
    optimiser: torch.optim.Optimizer
    bank: NegativeBank | None = None
    step: int = 0
    elapsed: float = 0.0

    @classmethod
    def fresh(cls, recipe: Recipe, device: torch.device, weights: Path | None = None) -> TrainingState:
        """From scratch (torch's seed decides), or from the network in `weights`. ValueError if it does not fit.

        Parts of the network that the weights lack start from scratch.
        """
        model, average = MatchingNetwork(recipe), MatchingNetwork(recipe)
        if weights is not None:
            content = load_file(weights)
            try:
                keys = model.load_state_dict(content["state_dict"], strict=False)
                if keys.unexpected_keys or not all(key.startswith(_PARTS) for key in keys.missing_keys):
                    raise KeyError
            except (KeyError, RuntimeError):
                raise ValueError(f"{weights}: not an encoder of recipe {recipe.name}; give an encoder.pt") from None
        average.load_state_dict(model.state_dict())
        average.requires_grad_(False).eval()
        for network in (model, average):
            network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        bank = None if recipe.bank is None else NegativeBank(recipe.bank, recipe.encoder.channels, device)
        return cls(model, average, torch.optim.Adam(model.parameters(), recipe.learning_rate), bank)

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
            "bank": None if self.bank is None else self.bank.state_dict(),
        }
        save_file(path, content)

    def load(self, path: Path, recipe: Recipe, seed: int) -> None:
        """Go on from a checkpoint. ValueError if it is none, or one of another recipe or seed."""
        content = load_file(path)
        try:
            then = {**Recipe.from_dict(content["recipe"]).as_dict(), "seed": content["seed"]}
        except KeyError:
            raise _not_a_checkpoint(path) from None
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        old, new = (dict(flatten(data)) for data in (then, {**recipe.as_dict(), "seed": seed}))
        for name in new | old:
            if old.get(name) != new.get(name):
                raise ValueError(
                    f"{path}: the run was started with {name} {old.get(name)}, not {new.get(name)}; "
                    "give the same or choose a new folder"
                )
        try:
            self.model.load_state_dict(content["model"])
            self.average.load_state_dict(content["average"])
            self.optimiser.load_state_dict(content["optimiser"])
            if self.bank is not None:
                self.bank.load_state_dict(content["bank"])
            self.step, self.elapsed = content["step"], content["elapsed"]
        except Exception:  # what is in a damaged one trips torch wherever it is first used
            raise _not_a_checkpoint(path) from None


def _not_a_checkpoint(path: Path) -> ValueError:
    return ValueError(f"{path}: not a checkpoint of a training run; choose a new folder")


def save_weights(path: Path, network: nn.Module, recipe: Recipe) -> None:
    """The network alone, in half precision, with the recipe that trained it."""
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in network.state_dict().items()}
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
