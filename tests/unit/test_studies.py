"""Studies as data: rows that differ in what they say, and in nothing else."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from model.evaluation.ablation import Outcome
from model.evaluation.ablation_table import as_dict, effects, markdown, table_rows
from model.evaluation.studies import STUDIES, UNTRAINED, Study, factorial, get_study, hyper
from model.recipes import RECIPES, Recipe, get_recipe
from model.recipes.data import flatten
from model.training.options import TrainingOptions
from model.types import PropagationOptions

SHARED = TrainingOptions((Path("clips"),), Path("out"), steps=10, batch=8, crop=64)
BASE = PropagationOptions(short_side=240)
PARTS = {"engine": {"flow", "value"}, "sampler": {"sampler"}, "fused loss": {"weight", "bank"}}


def recipe_of(study: Study, name: str) -> Recipe:
    (trial,) = (t for t in study.trials if t.name == name)
    return trial.training(SHARED).full_recipe()


def differing(one: Recipe, two: Recipe) -> set[str]:
    """The dotted names of the fields that differ, but for the recipe's own name."""
    a, b = (dict(flatten({**r.as_dict(), "name": ""})) for r in (one, two))
    return {name for name in a | b if a.get(name, "absent") != b.get(name, "absent")}


def test_rows_of_the_factorial_lack_what_they_say_and_nothing_else() -> None:
    study = factorial()
    assert len(study.trials) == 8
    assert [sum(map(bool, t.marks.values())) for t in study.trials] == [0, 1, 1, 1, 2, 2, 2, 3]
    assert len({tuple(t.marks.values()) for t in study.trials}) == 8
    whole = recipe_of(study, "engine+sampler+fused-loss")
    assert not differing(whole, replace(get_recipe("mer"), batch=8, crop=64, crop_late=None))
    for trial in study.trials:
        recipe = trial.training(SHARED).full_recipe()
        lost = {part for factor, parts in PARTS.items() if not trial.marks[factor] for part in parts}
        if not trial.marks["engine"]:
            lost.add("weight")  # it has nothing to weigh by
        assert {name.partition(".")[0] for name in differing(whole, recipe)} == lost, trial.name
        assert all(getattr(recipe, part) is None for part in lost)
        assert recipe.name == (trial.name if lost else "mer")


def test_labels_travel_with_the_sampler_of_the_row_and_with_a_fixed_radius_without_one() -> None:
    for trial in factorial().trials:
        options = trial.propagation(trial.training(SHARED).full_recipe(), BASE)
        assert options.sampler == ("contract" if trial.marks["sampler"] else "fixed")
        assert replace(options, sampler="fixed") == BASE
    for trial in hyper().trials:
        options = trial.propagation(trial.training(SHARED).full_recipe(), BASE)
        assert (options.grow_above, options.clusters) == (trial.marks["θ"], trial.marks["K"])
    (control, *_) = get_study("systems").trials
    assert control.propagation(None, BASE) == BASE
    assert replace(control, inference={"top_k": 9}).propagation(None, BASE) == replace(BASE, top_k=9)


def test_hyperparameters_change_one_at_a_time_and_are_trained_once() -> None:
    study = hyper()
    assert len({t.name for t in study.trials}) == len(study.trials) == 13
    usual = recipe_of(study, "mer")
    expected = {"theta": "sampler.threshold", "omega": "value.omega", "clusters": "sampler.clusters"}
    for trial in study.trials[1:]:
        factor, _, value = trial.name.partition("-")
        recipe = trial.training(SHARED).full_recipe()
        assert differing(usual, recipe) == {expected[factor]}
        assert dict(flatten(recipe.as_dict()))[expected[factor]] == float(value)


def test_systems_and_convergence() -> None:
    assert [t.recipe for t in get_study("systems").trials] == [None, "mast", "dense", "liir", "mer"]
    trials = get_study("convergence", ["mer"]).trials
    assert [t.at for t in trials] == [0.05, 0.25, 0.5, 0.75, 1.0]
    assert {t.folder for t in trials} == {"mer-seed0"} and len({t.row for t in trials}) == 5
    assert {t.training(SHARED).keep for t in trials} == {(0.05, 0.25, 0.5, 0.75)}


def test_every_seed_trains_every_row_but_the_control() -> None:
    trials = get_study("systems").with_seeds([3, 4])
    assert [(t.name, t.seed) for t in trials if t.recipe is None] == [(UNTRAINED, 0)]
    assert [t.training(SHARED).seed for t in trials if t.name == "mer"] == [3, 4]
    assert len({t.folder for t in trials}) == len(trials) == 9


@pytest.mark.parametrize(
    ("study", "recipes", "message"),
    [
        ("party", (), "unknown study 'party'; there are: factorial"),
        ("factorial", ("mer", "mast"), "takes one recipe apart, not mer, mast"),
        ("factorial", ("mast",), "recipe mast has no flow that could be varied"),
        ("hyper", ("liir",), "recipe liir has no sampler"),
        ("systems", ("mer", "merr"), "unknown recipe 'merr'"),
        ("convergence", ("untrained",), "untrained is no recipe"),
    ],
)
def test_studies_that_cannot_be(study: str, recipes: tuple[str, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        get_study(study, recipes)


def test_recipes_are_changed_by_dotted_name() -> None:
    mer = RECIPES["mer"]
    changed = mer.changed({"sampler.threshold": 0.4, "sampler.clusters": 3, "flow": None, "batch": 4})
    assert differing(mer, changed) >= {"sampler.threshold", "sampler.clusters", "flow.gap", "batch"}
    assert changed.sampler is not None and mer.sampler is not None
    assert changed.sampler == replace(mer.sampler, threshold=0.4, clusters=3) and changed.value == mer.value
    for wrong in ("speed", "sampler.speed", "batch.size", "nothing.at", "positions.kind"):
        with pytest.raises(ValueError, match=f"recipe mer has no {wrong} to change"):
            mer.changed({wrong: 1})
    with pytest.raises(ValueError, match="sampler option clusters cannot be 0"):
        mer.changed({"sampler.clusters": 0})


def test_the_windows_of_propagation_can_be_refused() -> None:
    with pytest.raises(ValueError, match="clusters cannot be 0"):
        PropagationOptions(clusters=0)
    with pytest.raises(ValueError, match=r"grow_above cannot be 1\.5"):
        PropagationOptions(grow_above=1.5)


def outcomes_of(study: Study, scores: dict[str, list[float]]) -> list[Outcome]:
    """Made-up outcomes: for every row its J&F, one for each seed."""
    return [
        Outcome(replace(trial, seed=seed), {
            "scores": {"J&F": score, "J": score - 0.01, "F": score + 0.01},
            "sequences": {"goat": {"J&F": score, "J": score - 0.01, "F": score + 0.01}},
            "training": {"steps": 5, "seconds": 10.0 + seed}, "seconds per frame": 0.25,
        })
        for trial in study.trials for seed, score in enumerate(scores[trial.row])
    ]  # fmt: skip


def test_a_table_says_mean_and_spread_and_what_each_factor_is_worth() -> None:
    study = factorial()
    values = {t.row: 0.5 + 0.04 * bool(t.marks["engine"]) + 0.01 * bool(t.marks["sampler"]) for t in study.trials}
    outcomes = outcomes_of(study, {row: [v - 0.01, v + 0.01] for row, v in values.items()})
    rows = table_rows(study, outcomes)
    assert effects(study, rows) == pytest.approx({"engine": 0.04, "sampler": 0.01, "fused loss": 0.0})
    text = markdown(study, rows, {"steps": 5, "minutes": None})
    assert "| none | no | no | no | 50.0 ± 1.4 | 49.0 ± 1.4 | 51.0 ± 1.4 | 2 | 10 | 0.25 |" in text
    assert "engine +4.0, sampler +1.0, fused loss" in text and "steps: 5" in text and "minutes" not in text
    assert "no value map to weigh by" in text and "| engine | 54.0 ± 1.4 |" in text
    data = json.loads(json.dumps(as_dict(study, rows, {"steps": 5})))
    best = data["rows"][7]
    assert best["name"] == "engine+sampler+fused-loss" and best["seeds"] == [0, 1]
    assert best["scores"]["J&F"]["values"] == pytest.approx([0.54, 0.56])
    assert best["scores"]["J&F"]["std"] == pytest.approx(0.02**0.5 * 0.1, rel=1e-6)
    assert data["rows"][0]["sequences"]["goat"]["F"]["mean"] == pytest.approx(0.51)


def test_one_seed_has_no_spread_and_a_failure_is_not_hidden() -> None:
    study = get_study("systems", ["mast", "mer"])
    good, bad = outcomes_of(study, {"mast": [0.5], "mer": [0.6]})
    rows = table_rows(study, [good, Outcome(bad.trial, error="the loss is no longer a number")])
    text = markdown(study, rows, {})
    assert "| mast | 50.0 | 49.0 | 51.0 | 1 |" in text and "±" not in text.split("| systems")[1]
    assert "| mer |  |  |  | 0 (failed) |" in text
    assert "- mer, seed 0: the loss is no longer a number" in text
    assert as_dict(study, rows, {})["rows"][1]["failed"] == {"0": "the loss is no longer a number"}
    assert effects(study, rows) == {}


def test_all_studies_can_be_had() -> None:
    assert {get_study(name).name for name in STUDIES} == set(STUDIES)
