from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.flow import FlowOptions
from model.motion import ValueOptions
from model.recipes import RECIPES, Recipe, get_recipe
from model.recipes.data import flatten
from model.resources import resource
from model.training.checkpoint import load_file, save_file
from model.training.options import TrainingOptions
from model.weight_map import WeightMapOptions
from tests.corpora import TINY_MER

ALL = [*RECIPES.values(), TINY_MER]

# Every switch that the method names, by the name that it has in a run card.
SWITCHES = {
    "flow": ("backend", "encoding", "gap"),
    "value": ("windows", "reduce", "clamp", "omega", "drop_key", "inference"),
    "sampler": ("size", "combine", "delta", "clusters", "threshold", "smallest", "largest"),
    "weight": ("mode", "rho_max"),
    "bank": ("capacity", "per_frame", "temperature", "gamma"),
    "compactness": ("where", "train_above", "infer_above"),
}


@pytest.mark.parametrize("recipe", ALL, ids=lambda r: r.name)
def test_recipes_travel_unchanged_through_weights_files_and_run_cards(recipe: Recipe, tmp_path: Path) -> None:
    save_file(tmp_path / "a.pt", {"recipe": recipe.as_dict()})
    assert Recipe.from_dict(load_file(tmp_path / "a.pt")["recipe"]) == recipe
    assert Recipe.from_dict(json.loads(json.dumps(recipe.as_dict()))) == recipe


def test_every_switch_is_a_field_of_the_card() -> None:
    named = dict(flatten(json.loads(json.dumps(get_recipe("mer").as_dict()))))
    assert {f"{part}.{switch}" for part, switches in SWITCHES.items() for switch in switches} <= set(named)
    assert {"crop", "crop_late", "late_from", "second_phase", "batch", "learning_rate", "warmup"} <= set(named)
    assert named["flow.backend"] == "dis" and named["value.omega"] == 0.6 and named["weight.rho_max"] == 2.0
    assert "positions.kind" in dict(flatten(get_recipe("liir").as_dict()))


def test_the_recipes_hold_what_the_papers_say() -> None:
    mast, dense, liir, mer, faithful = (RECIPES[n] for n in ("mast", "dense", "liir", "mer", "mer_faithful"))
    assert mast.is_plain and dense.is_plain and not liir.is_plain
    assert liir.bank is not None and liir.positions is not None and liir.compactness is not None
    assert liir.bank.capacity == 1440 and liir.weight_of("contrast") == 0 and liir.value is None
    parts = (mer.flow, mer.value, mer.sampler, mer.weight, mer.bank, mer.compactness)
    assert None not in parts and mer.weight_of("contrast") == 0.1
    assert (mer.crop_at(0.29), mer.crop_at(0.3), mer.crop_at(1)) == (128, 256, 256)
    assert not mer.in_second_phase(0.74) and mer.in_second_phase(0.75) and not mast.in_second_phase(1)
    assert faithful.value is not None and mer.value is not None
    assert (faithful.value.reduce, faithful.value.clamp, faithful.value.inference) == ("sum", "none", "per_target")
    assert (mer.value.reduce, mer.value.clamp, mer.value.inference) == ("max", "relu", "cached")
    assert faithful.crop_at(0) == faithful.crop_at(1) == 256 and faithful.photo_share == 0


def test_an_older_file_means_what_it_meant() -> None:
    """The first cards and weights knew few of the fields; the rest read as what was done before they came."""
    older = {"name": "dense", "encoder": {"widths": [64, 128, 256, 256], "channels": 64}, "crop": 128, "batch": 16}
    recipe = Recipe.from_dict(older)
    assert recipe.is_plain and recipe.name == "dense" and recipe.batch == 16 and recipe.crop_at(1) == 128
    assert recipe.tracks is None and recipe.gaps == get_recipe("mast").gaps
    partly = get_recipe("mer").as_dict()
    del partly["value"]["drop_key"], partly["late_from"]
    assert Recipe.from_dict(partly) == get_recipe("mer")


def test_the_card_of_the_bundled_weights_says_with_what_recipe_they_were_trained() -> None:
    card, weights = json.loads(resource("encoder.json").read_text()), load_file(resource("encoder.pt"))
    assert Recipe.from_dict(card["recipe"]) == Recipe.from_dict(weights["recipe"])
    assert card["weights_sha256"] == hashlib.sha256(resource("encoder.pt").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "recipe has a field 'colour' that this version does not know; update"),
        ({"flow": {"speed": 1}}, r"recipe\.flow has a field 'speed'"),
        ({"flow": 3}, r"recipe\.flow is 3"),
        ({"flow": {"gap": "1"}}, r"recipe\.flow\.gap cannot be '1'"),
        ({"flow": {"gap": 7}}, "flow gap is 1, 2 or 5"),
        ({"crop": True}, r"recipe\.crop cannot be True"),
        ({"gaps": 0.1}, r"recipe\.gaps cannot be 0.1"),
        ({"encoder": None}, r"recipe\.encoder is None"),
        ({"name": None}, r"recipe\.name cannot be None"),
    ],
)
def test_what_is_no_recipe_is_refused_in_one_line(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        Recipe.from_dict({**RECIPES["mast"].as_dict(), **change})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, "mast", [], {}])
def test_what_is_no_recipe_at_all(data: object) -> None:
    with pytest.raises(ValueError, match="recipe"):
        Recipe.from_dict(data)


def test_parts_that_need_each_other() -> None:
    with pytest.raises(ValueError, match="weight needs a value map"):
        replace(RECIPES["mast"], weight=WeightMapOptions())
    assert replace(RECIPES["mast"], weight=WeightMapOptions("off")).weight is not None
    with pytest.raises(ValueError, match="late_from is between 0 and 1, not 30"):
        get_recipe("mer", late_from=30)
    with pytest.raises(ValueError, match=r"recipe mast: .*speed"):
        get_recipe("mast", speed=1)


def test_a_crop_that_was_asked_for_is_kept_to_the_end() -> None:
    asked = TrainingOptions((), Path("run"), recipe="mer", steps=1, crop=64).full_recipe()
    assert asked.crop_at(0) == asked.crop_at(1) == 64
    assert TrainingOptions((), Path("run"), recipe="mer", steps=1).full_recipe() == get_recipe("mer")


def test_late_crops_fit_the_grid_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "odd", replace(get_recipe("mer"), name="odd", crop_late=250))
    with pytest.raises(ValueError, match="crop 250 is not a multiple of 8"):
        TrainingOptions((), Path("run"), recipe="odd", steps=1).full_recipe()


def test_parts_are_replaced_one_by_one() -> None:
    """As an ablation does."""
    without_flow = get_recipe("mer", flow=None)
    assert without_flow.flow is None and without_flow.value == ValueOptions()
    assert get_recipe("mer", flow=FlowOptions("none")).flow == FlowOptions("none")
