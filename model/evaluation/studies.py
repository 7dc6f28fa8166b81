"""Studies: which encoders an ablation compares, as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from model.recipes import Recipe, get_recipe
from model.training.options import TrainingOptions
from model.types import PropagationOptions

UNTRAINED = "untrained"
PLAIN = {"θ": "theta", "Ω": "omega", "K": "clusters"}
"""Names for files and for fonts without Greek."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training and one scoring.

    name:      of its row, and with the seed of its folder. Trials of one name and seed share one training.
    recipe:    what is trained; None = nothing, the untrained control.
    changes:   fields of the recipe that are replaced, as of `Recipe.changed`.
    marks:     what sets the row apart, by column: {"engine": True}, {"θ": 0.4}.
    inference: fields of PropagationOptions beside those that follow from the recipe.
    at:        the share of the budget whose weights are scored.
    keep:      all such shares below 1 of the same training.
    """

    name: str
    recipe: str | None
    changes: Mapping[str, object] = field(default_factory=dict)
    marks: Mapping[str, object] = field(default_factory=dict)
    inference: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    at: float = 1.0
    keep: tuple[float, ...] = ()

    @property
    def row(self) -> str:
        """The row that it counts for, with the other seeds."""
        return self.name if self.at >= 1 else f"{self.name} at {100 * self.at:g} %"

    @property
    def folder(self) -> str:
        return f"{self.name}-seed{self.seed}"

    def training(self, shared: TrainingOptions) -> TrainingOptions:
        """How it is trained, in its folder below `shared.out`. A recipe that was changed takes the trial's name."""
        assert self.recipe is not None, "the control is not trained"
        changes = {**self.changes, "name": self.name} if self.changes else {}
        out = shared.out / self.folder
        return replace(
            shared, out=out, recipe=self.recipe, changes=changes, seed=self.seed, keep=self.keep, resume=True
        )

    def propagation(self, recipe: Recipe | None, base: PropagationOptions) -> PropagationOptions:
        """How labels travel: with the windows of the recipe's sampler, or, if it has none, with those of `base`.

        Value extraction and compactness come with the weights: `base` leaves them to the encoder.
        """
        sampler = None if recipe is None else recipe.sampler
        if sampler is not None and sampler.size != "fixed":
            base = replace(base, sampler=sampler.size, clusters=sampler.clusters, grow_above=sampler.threshold)
        return replace(base, **self.inference)


@dataclass(frozen=True, slots=True)
class Study:
    """Trials to compare. `factors`: the columns of their marks; `note`: what readers of the table must know."""

    name: str
    trials: tuple[Trial, ...]
    factors: tuple[str, ...] = ()
    note: str = ""

    def with_seeds(self, seeds: Sequence[int]) -> tuple[Trial, ...]:
        """Every trial with every seed, one seed after the other; the control, which has no seed, once."""
        return tuple(
            replace(trial, seed=seed if trial.recipe else 0)
            for number, seed in enumerate(seeds)
            for trial in self.trials
            if trial.recipe or number == 0
        )


def factorial(recipe: str = "mer") -> Study:
    """All eight combinations of engine, sampler and fused loss (the paper's Table 4); compactness is in all of them.

    Without: no flow and no value extraction; the fixed radius, in training and in propagation; neither weight map nor
    negatives.
    """
    parts = {"engine": ("flow", "value"), "sampler": ("sampler",), "fused loss": ("weight", "bank")}
    _demand(recipe, [part for names in parts.values() for part in names])
    trials = []
    for chosen in sorted(product((False, True), repeat=3), key=lambda c: (sum(c), [not on for on in c])):
        marks = dict(zip(parts, chosen, strict=True))
        lost = [part for name, names in parts.items() if not marks[name] for part in names]
        if not marks["engine"]:
            lost.append("weight")
        name = "+".join(name.replace(" ", "-") for name, on in marks.items() if on) or "none"
        trials.append(Trial(name, recipe, dict.fromkeys(lost), marks))
    note = "Without the engine there is no value map to weigh by: the fused loss is then its negatives alone."
    return Study("factorial", tuple(trials), tuple(parts), note)


def systems(recipes: Sequence[str] = (UNTRAINED, "mast", "dense", "liir", "mer")) -> Study:
    """Whole systems side by side, after the paper's Table 5."""
    return Study("systems", tuple(Trial(name, None if name == UNTRAINED else name) for name in recipes))


def hyper(recipe: str = "mer") -> Study:
    """θ and K of the sampler, Ω of the value map, one at a time (the paper's Fig. 11)."""
    fields = {"θ": "sampler.threshold", "Ω": "value.omega", "K": "sampler.clusters"}
    values: dict[str, tuple[float, ...]] = {
        "θ": (0.35, 0.40, 0.45, 0.50, 0.55, 0.60),
        "Ω": (0.50, 0.55, 0.60, 0.65, 0.70, 0.75),
        "K": (3, 5, 7),
    }
    parts = _demand(recipe, ["sampler", "value"])
    assert parts.sampler is not None and parts.value is not None
    usual = {"θ": parts.sampler.threshold, "Ω": parts.value.omega, "K": parts.sampler.clusters}
    trials = [Trial(recipe, recipe, {}, usual)]
    for factor, grid in values.items():
        trials += [
            Trial(f"{PLAIN[factor]}-{value:g}", recipe, {fields[factor]: value}, {**usual, factor: value})
            for value in grid
            if value != usual[factor]
        ]
    return Study("hyper", tuple(trials), tuple(fields))


def convergence(recipes: Sequence[str] = ("mast", "mer")) -> Study:
    """The score on the way: after 1, 5, 10, 15 and 20 twentieths of the budget (the paper's Fig. 7)."""
    shares = (0.05, 0.25, 0.5, 0.75, 1.0)
    trials = [
        Trial(name, name, marks={"recipe": name, "budget": share}, at=share, keep=shares[:-1])
        for name in recipes
        for share in shares
    ]
    return Study("convergence", tuple(trials), ("recipe", "budget"))


STUDIES = ("factorial", "systems", "hyper", "convergence")


def get_study(name: str, recipes: Sequence[str] = ()) -> Study:
    """The study of that name, on the recipes that it is about; its own when none are given.

    ValueError for an unknown study or recipe, and for several recipes where only one can be taken apart.
    """
    for recipe in recipes:
        if recipe != UNTRAINED:
            get_recipe(recipe)
    if name == "systems":
        return systems(recipes) if recipes else systems()
    if UNTRAINED in recipes:
        raise ValueError(f"{UNTRAINED} is no recipe; it can be compared in the study systems alone")
    if name == "convergence":
        return convergence(recipes) if recipes else convergence()
    if name not in STUDIES:
        raise ValueError(f"unknown study {name!r}; there are: {', '.join(STUDIES)}")
    if len(recipes) > 1:
        raise ValueError(f"the study {name} takes one recipe apart, not {', '.join(recipes)}")
    study = factorial if name == "factorial" else hyper
    return study(*recipes)


def _demand(name: str, parts: Sequence[str]) -> Recipe:
    recipe = get_recipe(name)
    for part in parts:
        if getattr(recipe, part) is None:
            raise ValueError(f"recipe {name} has no {part} that could be varied; take another, such as mer")
    return recipe
