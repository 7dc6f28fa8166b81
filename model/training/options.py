"""What one run of `mer train` is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from model.recipes import Recipe, get_recipe


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """One run of `mer train`. ValueError for options that cannot work.

    steps, minutes:   the budget; whichever is used up first ends the run, and the learning rate follows it.
    weights:          start from this encoder instead of from scratch.
    flow_weights:     RAFT's, for recipes whose flow it estimates; those fetched before when left out.
    changes:          fields of the recipe that are replaced, by dotted name, as of `Recipe.changed`.
    batch, crop:      override the recipe's; a crop is then kept to the end.
    rate:             overrides the recipe's learning rate; weights that are good already ask for a tenth of it.
    accumulate:       parts in which every process takes its share of a batch, one after the other, to save memory.
    workers:          processes that read samples ahead; 0 reads in the training process.
    checkpoint_every: steps between two checkpoints: no more are lost when the run is killed; fewer where they are slow.
    keep:             shares of the budget, above 0 and below 1, at which the weights are kept as they are then.
    without:          videos and folders of photos below the sources that are not learned from.
    """

    sources: tuple[Path, ...]
    out: Path
    recipe: str = "mast"
    steps: int | None = None
    minutes: float | None = None
    batch: int | None = None
    crop: int | None = None
    rate: float | None = None
    accumulate: int = 1
    seed: int = 0
    device: str | None = None
    precision: str = "auto"
    weights: Path | None = None
    flow_weights: Path | None = None
    resume: bool = False
    workers: int = 2
    cache: Path | None = None
    checkpoint_every: int = 100
    without: tuple[Path, ...] = ()
    changes: Mapping[str, object] = field(default_factory=dict)
    keep: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ValueError("a training run needs a budget: steps or minutes")
        for name in ("steps", "minutes", "batch", "crop", "rate", "accumulate", "checkpoint_every"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} cannot be {value}; it is above 0")
        if self.workers < 0:
            raise ValueError(f"workers cannot be {self.workers}; 0 reads in the training process")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed cannot be {self.seed}; it is between 0 and {2**32 - 1}")
        if wrong := [share for share in self.keep if not 0 < share < 1]:
            raise ValueError(f"weights cannot be kept at {wrong[0]:g} of the budget; give shares between 0 and 1")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"precision is auto, fp32 or bf16, not {self.precision!r}")

    def full_recipe(self) -> Recipe:
        """The recipe with what these options override."""
        recipe = get_recipe(self.recipe).changed(self.changes)
        if self.batch is not None:
            recipe = replace(recipe, batch=self.batch)
        if self.rate is not None:
            recipe = replace(recipe, learning_rate=self.rate)
        if self.crop is not None:
            recipe = replace(recipe, crop=self.crop, crop_late=None)
        for crop in {recipe.crop, recipe.crop_at(1.0)}:
            if crop % 8:
                raise ValueError(f"crop {crop} is not a multiple of 8")
        if recipe.correspondence > 0 and recipe.batch < 2 * self.accumulate:
            parts = f" in {self.accumulate} parts" if self.accumulate > 1 else ""
            raise ValueError(
                f"recipe {recipe.name} compares the pairs of a batch; batch {recipe.batch}{parts} is too small"
            )
        return recipe
