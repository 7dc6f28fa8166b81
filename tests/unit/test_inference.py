"""Weights with parts, from the file to the labels: what the recipe says is done, and may be overruled."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.compactness import CompactnessOptions
from model.features import EncoderFeatures, MotionFeatures, fill_in, load_extractor
from model.flow import FlowOptions
from model.motion import ValueOptions
from model.network import MatchingNetwork
from model.positions import PositionOptions
from model.propagator import Propagator
from model.recipes import Recipe
from model.training.checkpoint import load_file, save_file
from model.training.state import save_weights
from model.types import Anchor, Direction, FloatArray, LabelMap, PropagationOptions, PropagationRequest
from tests.corpora import TINY, TINY_MER
from tests.videos import MemoryVideo, moving_squares

IMAGES, TRUTH = moving_squares(6)
OPTIONS = PropagationOptions(short_side=None, colour=0.0)


def written(folder: Path, recipe: Recipe) -> Path:
    """Weights whose parts all do something."""
    torch.manual_seed(0)
    network = MatchingNetwork(recipe)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in ("fusion.alpha", "extraction.gamma"):
                parameter += 1.0
            elif name.startswith(("extraction.query", "extraction.key", "positions")):
                parameter *= 5.0
    save_weights(folder / "encoder.pt", network, recipe)
    return folder / "encoder.pt"


def confidences(weights: Path, options: PropagationOptions = OPTIONS) -> FloatArray:
    """What the affinity of the last frame looks like, cell by cell."""
    engine = Propagator(MemoryVideo(IMAGES), load_extractor(weights, "cpu", "fp32"))
    results = list(engine.run(PropagationRequest((Anchor(0, LabelMap(TRUTH[0])),), options=options)))
    assert [r.frame for r in results] == list(range(6))
    return results[-1].confidence


def test_weights_bring_their_parts(tmp_path: Path) -> None:
    path = written(tmp_path, TINY_MER)
    extractor = load_extractor(path, "cpu", "fp32")
    assert isinstance(extractor, MotionFeatures) and extractor.recipe == "tiny-mer" and extractor.name == "encoder.pt"
    assert extractor.flow is not None and extractor.flow.options == FlowOptions() and extractor.value == "cached"
    features = extractor(torch.randint(0, 256, (2, 3, 30, 41), dtype=torch.uint8))
    assert features.shape == (2, 16, 8, 11)
    torch.testing.assert_close(features.norm(dim=1), torch.ones(2, 8, 11), atol=1e-4, rtol=0)


def test_an_encoder_with_positions_alone_looks_at_single_frames(tmp_path: Path) -> None:
    extractor = load_extractor(written(tmp_path, replace(TINY, positions=PositionOptions(), crop=32)), "cpu", "fp32")
    assert type(extractor) is EncoderFeatures
    flat = extractor(torch.full((1, 3, 64, 64), 90, dtype=torch.uint8))[0, :, 4:12, 4:12]
    assert (flat - flat[:, :1, :1]).abs().max() > 0.05  # the same everywhere, but not in the same place


@pytest.mark.parametrize("inference", ["cached", "per_target", "off"])
def test_value_extraction_is_used_as_the_recipe_says_unless_told_otherwise(tmp_path: Path, inference: str) -> None:
    path = written(tmp_path, replace(TINY_MER, value=ValueOptions(windows=4, inference=inference), compactness=None))
    by_mode = {v: confidences(path, replace(OPTIONS, value=v)) for v in ("cached", "per_target", "off")}
    np.testing.assert_array_equal(confidences(path), by_mode[inference])
    for one, two in (("cached", "per_target"), ("cached", "off"), ("per_target", "off")):
        assert np.abs(by_mode[one] - by_mode[two]).max() > 1e-3


@pytest.mark.parametrize("where", ["both", "infer", "train", "off"])
def test_the_compactness_prior_is_used_as_the_recipe_says_unless_told_otherwise(tmp_path: Path, where: str) -> None:
    path = written(tmp_path, replace(TINY, compactness=CompactnessOptions(where, infer_above=0.0)))
    without, always = (confidences(path, replace(OPTIONS, compact=above)) for above in (1.0, 0.0))
    assert np.abs(without - always).max() > 0.01
    np.testing.assert_array_equal(confidences(path), always if where in ("both", "infer") else without)
    plain = confidences(written(tmp_path, TINY))
    np.testing.assert_array_equal(plain, without)


def test_where_the_prior_begins_is_a_switch(tmp_path: Path) -> None:
    low, high = (
        confidences(written(tmp_path, replace(TINY, compactness=CompactnessOptions("infer", infer_above=above))))
        for above in (0.0, 0.9)
    )
    assert not np.array_equal(low, high)


@pytest.mark.parametrize("change", [{"flow": None}, {"flow": FlowOptions("none")}, {"flow": FlowOptions(gap=2)}])
def test_flow_is_a_switch_of_use_as_well(tmp_path: Path, change: dict[str, Any]) -> None:
    with_flow = confidences(written(tmp_path, TINY_MER))
    assert not np.array_equal(confidences(written(tmp_path, replace(TINY_MER, **change))), with_flow)


def test_what_the_encoder_lacks_is_off() -> None:
    filled = fill_in(PropagationOptions(), load_extractor("lab", "cpu"))
    assert (filled.value, filled.compact) == ("off", 1.0)
    asked = PropagationOptions(value="per_target", compact=0.3)
    assert fill_in(asked, load_extractor("untrained", "cpu")) == asked
    assert replace(filled, value=None, compact=None) == PropagationOptions()


@pytest.mark.parametrize(("name", "value"), [("value", "always"), ("compact", 1.5), ("compact", -0.1)])
def test_wrong_options(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"option {name} cannot be {value!r}"):
        PropagationOptions(**{name: value})  # type: ignore[arg-type]


def test_a_recipe_of_a_newer_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    path = written(tmp_path, TINY)
    content = load_file(path)
    content["recipe"]["telepathy"] = True
    save_file(path, {"recipe": content["recipe"], "state_dict": content["state_dict"]})
    with pytest.raises(ValueError, match=r"encoder\.pt: recipe has a field 'telepathy' .*; update mer-studio"):
        load_extractor(path, "cpu")


def test_raft_weights_are_wanted_where_raft_was_learned_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    path = written(tmp_path, replace(TINY_MER, flow=FlowOptions("raft")))
    with pytest.raises(ValueError, match="RAFT has no weights here"):
        load_extractor(path, "cpu")
    with pytest.raises(ValueError, match=r"mine\.pth: cannot be read"):
        load_extractor(path, "cpu", flow_weights=tmp_path / "mine.pth")


def test_engine_features_are_shared_by_all_directions_of_work(tmp_path: Path) -> None:
    """Backwards and forwards a cached frame is the same, so a second run encodes nothing."""
    engine = Propagator(MemoryVideo(IMAGES), load_extractor(written(tmp_path, TINY_MER), "cpu", "fp32"))
    first, last = (Anchor(n, LabelMap(TRUTH[n])) for n in (0, 5))
    list(engine.run(PropagationRequest((first,), options=OPTIONS)))
    spent = engine.timings
    assert {"flow", "value", "encode"} <= set(spent)
    list(engine.run(PropagationRequest((last,), direction=Direction.BACKWARD, options=OPTIONS)))
    after = engine.timings
    assert all(after[stage] == spent[stage] for stage in ("flow", "value", "encode"))
