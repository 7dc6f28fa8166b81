"""Training with flow, value extraction, sampler, bank and the rest: whole runs of small recipes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from model.bank import BankOptions
from model.colour import rgb_to_lab
from model.compactness import CompactnessOptions
from model.encoder import Encoder, EncoderConfig
from model.features import FeatureExtractor, load_extractor
from model.flow import FlowOptions
from model.losses import drop_colour, known_places, pair_losses
from model.motion import ValueOptions
from model.propagator import Propagator
from model.recipes import RECIPES, Recipe
from model.recipes.data import flatten
from model.sampler import SamplerOptions
from model.training.checkpoint import load_file
from model.training.corpus import load_corpus
from model.training.dataset import PairDataset
from model.training.trainer import dropped_channel, train
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest, UInt8Array
from model.weight_map import WeightMapOptions
from tests.corpora import TINY, TINY_DENSE, TINY_MER, options, register, undisturbed, write_clip, write_corpus
from tests.runs import curve, in_two_processes, metrics, same_weights, stop_at
from tests.videos import MemoryVideo, texture


@pytest.fixture(autouse=True)
def _recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("parts") / "corpus")


@pytest.fixture(scope="module")
def straight(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return undisturbed(corpus, tmp_path_factory.mktemp("runs"), recipe="tiny-mer")


@pytest.mark.parametrize("recipe", [TINY, TINY_DENSE], ids=lambda r: r.name)
def test_a_plain_recipe_is_the_encoder_and_the_plain_losses_and_nothing_else(
    corpus: Path, tmp_path: Path, recipe: Recipe
) -> None:
    """Bit by bit: whatever recipes learn to do, these must go on as they are."""
    run = train(options(corpus, tmp_path / "run", recipe=recipe.name)).parent
    data = PairDataset(load_corpus([corpus], corpus.parent / "cache"), recipe, 0)
    torch.manual_seed(0)
    encoder = Encoder(recipe.encoder).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.Adam(encoder.parameters())
    for step, line in enumerate(metrics(run)):
        samples = [data[n] for n in range(step * recipe.batch, (step + 1) * recipe.batch)]
        views, maps, photo = (torch.stack([s[field] for s in samples]) for field in range(3))
        lab, channel = rgb_to_lab(views), dropped_channel(0, step)
        frames = drop_colour(lab.flatten(0, 1), channel).contiguous(memory_format=torch.channels_last)
        features = encoder(frames).unflatten(0, (-1, 2))
        place = known_places(maps, photo, torch.zeros(0), features.shape[-1])
        terms = pair_losses(features, features.roll(1, dims=0), lab, channel, place, photo, recipe)
        means = {name: term.sum() / len(term) for name, term in terms.items()}
        total = torch.stack([getattr(recipe, name) * mean for name, mean in means.items()]).sum()
        optimiser.zero_grad()
        total.backward()
        for group in optimiser.param_groups:
            group["lr"] = line["rate"]
        norm = torch.nn.utils.clip_grad_norm_(encoder.parameters(), 5.0)
        optimiser.step()
        assert (line["total"], line["gradient"]) == (total.item(), norm.item()), f"step {step + 1}"
        assert {name: line[name] for name in means} == {name: mean.item() for name, mean in means.items()}
    saved = load_file(run / "checkpoint.pt")["model"]
    assert all(torch.equal(saved[key], value) for key, value in encoder.state_dict().items())


def test_phases_of_a_run(straight: Path) -> None:
    """Crops grow from 32 to 40 pixels; the second phase begins at the fourth step, and the bank is full one later."""
    lines = metrics(straight)
    terms = [set(line) & {"reconstruction", "correspondence", "compactness", "contrast"} for line in lines]
    both = {"reconstruction", "correspondence"}
    assert terms == [both] * 3 + [both | {"compactness"}] + [both | {"compactness", "contrast"}] * 2
    for line in lines:
        parts = sum(TINY_MER.weight_of(name) * line[name] for name in line if name in terms[-1])
        assert line["total"] == pytest.approx(parts, rel=1e-5)
    content = load_file(straight / "checkpoint.pt")
    assert content["bank"]["added"] == 36 and content["bank"]["vectors"].shape == (12, 2, 16)
    assert json.loads((straight / "card.json").read_text())["recipe"]["bank"]["capacity"] == 12
    tracked = [v for k, v in content["model"].items() if k.endswith("num_batches_tracked")]
    assert {int(v) for v in tracked} == {3}  # frozen from the fourth step on


@pytest.mark.parametrize("step", [2, 4])
def test_a_resumed_run_ends_like_an_undisturbed_one(corpus: Path, straight: Path, tmp_path: Path, step: int) -> None:
    run = tmp_path / "run"
    train(options(corpus, run, recipe="tiny-mer"), stop_at(step))
    train(options(corpus, run, recipe="tiny-mer", resume=True))
    assert [s for s, _ in curve(run)] == [1, 2, 3, 4, 5, 6]
    assert [t for _, t in curve(run)] == pytest.approx([t for _, t in curve(straight)], rel=1e-4)
    same_weights(straight, run)
    one, two = (load_file(folder / "checkpoint.pt")["bank"] for folder in (straight, run))
    torch.testing.assert_close(one["vectors"], two["vectors"], atol=1e-5, rtol=1e-4)
    assert torch.equal(one["videos"], two["videos"]) and one["added"] == two["added"]


@pytest.mark.slow
@pytest.mark.skipif(not torch.distributed.is_gloo_available(), reason="this torch has no gloo")
def test_two_processes_learn_what_one_does(corpus: Path, tmp_path: Path) -> None:
    one = train(options(corpus, tmp_path / "one" / "run", recipe="tiny-steady")).parent
    two = in_two_processes(corpus, tmp_path / "two", "tiny-steady")
    terms = ("total", "reconstruction", "correspondence", "compactness", "contrast", "gradient")
    for single, double in zip(metrics(one), metrics(two), strict=True):
        assert double.keys() == single.keys()
        for term in set(terms) & set(single):
            assert double[term] == pytest.approx(single[term], rel=1e-3), (term, single["step"])
    assert all(term in single for term in terms)
    same_weights(one, two, 1e-4)
    banks = [load_file(run / "checkpoint.pt")["bank"] for run in (one, two)]
    assert torch.equal(banks[0]["videos"], banks[1]["videos"])
    torch.testing.assert_close(banks[0]["vectors"], banks[1]["vectors"], atol=1e-4, rtol=1e-3)


def test_a_run_with_another_switch_is_another_run(corpus: Path, straight: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("checkpoint.pt", "card.json", "metrics.jsonl"):
        (run / name).write_bytes((straight / name).read_bytes())
    assert TINY_MER.flow is not None
    for recipe, message in (
        (replace(TINY_MER, flow=replace(TINY_MER.flow, gap=2)), r"with flow\.gap 1, not 2"),
        (replace(TINY_MER, flow=None), r"with flow\.backend dis, not None"),
        (replace(TINY_MER, second_phase=0.5), r"with second_phase 0\.4, not 0\.5"),
    ):
        RECIPES["tiny-mer"] = recipe
        with pytest.raises(ValueError, match=message):
            train(options(corpus, run, recipe="tiny-mer", resume=True))


# Every switch of training, and another value. γ, α and the bank need some steps until they matter.
OTHER: dict[str, Any] = {
    "flow.backend": "none", "flow.encoding": "wheel", "flow.gap": 2,
    "value.windows": 2, "value.reduce": "mean", "value.clamp": "none", "value.omega": 0.99, "value.drop_key": 0.5,
    "sampler.size": "grow", "sampler.combine": "mixture", "sampler.delta": 0.1, "sampler.clusters": 2,
    "sampler.threshold": 0.99, "sampler.smallest": 4, "sampler.largest": 1, "sampler.narrow": 0.1,
    "weight.mode": "blend", "weight.rho_max": 1.0,
    "bank.capacity": 24, "bank.per_frame": 1, "bank.temperature": 0.5, "bank.gamma": 0.5,
    "compactness.where": "infer", "compactness.train_above": 0.9,
    "positions.kind": "sinusoidal_2d", "positions.shift": False,
    "crop_late": 48, "late_from": 0.0, "second_phase": 0.5,
}  # fmt: skip
LEARNING = replace(
    TINY_MER,
    sampler=SamplerOptions(smallest=1, largest=4, downsample=2),
    late_from=0.8,
    second_phase=0.0,
    warmup=1,
    learning_rate=0.02,
)


def changed(recipe: Recipe, switch: str, value: Any) -> Recipe:
    part, _, name = switch.rpartition(".")
    return replace(recipe, **({part: replace(getattr(recipe, part), **{name: value})} if part else {name: value}))


@pytest.fixture(scope="module")
def learned(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> list[float]:
    """The losses of the recipe as it is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(RECIPES, "learning", LEARNING)
        run = train(options(corpus, tmp_path_factory.mktemp("learned") / "run", recipe="learning", steps=5)).parent
    return [line["total"] for line in metrics(run)]


@pytest.mark.parametrize("switch", OTHER)
def test_every_switch_reaches_training(
    corpus: Path, learned: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, switch: str
) -> None:
    recipe = changed(LEARNING, switch, OTHER[switch])
    monkeypatch.setitem(RECIPES, "learning", recipe)
    run = train(options(corpus, tmp_path / "run", recipe="learning", steps=5)).parent
    assert [line["total"] for line in metrics(run)] != learned
    card = dict(flatten(json.loads((run / "card.json").read_text())["recipe"]))
    assert card[switch] == OTHER[switch]


def test_training_may_start_from_a_plainer_encoder(corpus: Path, straight: Path, tmp_path: Path) -> None:
    plain = train(options(corpus, tmp_path / "plain", steps=2))
    run = train(options(corpus, tmp_path / "run", recipe="tiny-mer", steps=1, weights=plain)).parent
    before, after = load_file(plain)["state_dict"], load_file(run / "checkpoint.pt")["model"]
    torch.testing.assert_close(before["conv1.weight"].float(), after["conv1.weight"], atol=2e-3, rtol=0)
    with pytest.raises(ValueError, match=r"encoder\.pt: not an encoder of recipe tiny"):  # it would lose its parts
        train(options(corpus, tmp_path / "other", weights=straight / "encoder.pt"))


def test_raft_without_weights_is_refused_before_anything_is_written(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setitem(RECIPES, "tiny-raft", replace(TINY_MER, name="tiny-raft", flow=FlowOptions("raft")))
    with pytest.raises(ValueError, match="RAFT has no weights here"):
        train(options(corpus, tmp_path / "run", recipe="tiny-raft"))
    with pytest.raises(ValueError, match=r"mine\.pth: cannot be read"):
        train(options(corpus, tmp_path / "run", recipe="tiny-raft", flow_weights=tmp_path / "mine.pth"))
    assert not (tmp_path / "run").exists()


def mean_j(extractor: FeatureExtractor, images: list[UInt8Array], truth: list[UInt8Array]) -> float:
    """J of the squares, mean over objects and frames, from features alone."""
    request = PropagationRequest(
        (Anchor(0, LabelMap(truth[0])),),
        options=PropagationOptions(short_side=None, radius=6, colour=0.0, edges="bilinear", temperature=0.1, top_k=8),
    )
    scores = []
    for result in Propagator(MemoryVideo(images), extractor).run(request):
        if result.frame > 0 and result.labels is not None:
            for number in (7, 200):
                found, real = result.labels.ids == number, truth[result.frame] == number
                scores.append((found & real).sum() / (found | real).sum())
    return float(np.mean(scores))


QUICK = Recipe(
    "quick-mer",
    EncoderConfig((8, 16, 16, 16), 16),
    radius=6,
    gaps=(0.1, 0.2),
    gap_odds=(0.5, 0.5),
    crop=48,
    crop_scale=(0.6, 0.9),
    batch=8,
    learning_rate=5e-3,
    warmup=5,
    flow=FlowOptions(),
    value=ValueOptions(windows=6),
    sampler=SamplerOptions(smallest=3, largest=6, downsample=2),
    weight=WeightMapOptions(),
    bank=BankOptions(capacity=32),
    compactness=CompactnessOptions(),
)


def noisy_squares() -> tuple[list[UInt8Array], list[UInt8Array]]:
    """Two squares that cross a ground of the same kind, under noise that changes from frame to frame: 8 frames."""
    rng = np.random.default_rng(0)
    ground, squares = texture(0, 64, 96), {7: texture(1, 24, 24), 200: texture(2, 24, 24)}
    images, truth = [], []
    for t in range(8):
        image, ids = ground.copy(), np.zeros((64, 96), np.uint8)
        for (number, square), (y, x) in zip(squares.items(), ((6, 8 + 3 * t), (34, 64 - 3 * t)), strict=True):
            image[y : y + 24, x : x + 24], ids[y : y + 24, x : x + 24] = square, number
        images.append(np.clip(image + rng.normal(0, 30, image.shape), 0, 255).astype(np.uint8))
        truth.append(ids)
    return images, truth


def test_one_clip_is_learned_and_its_labels_then_travel_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECIPES, "quick-mer", QUICK)
    images, truth = noisy_squares()
    clip = write_clip(tmp_path / "clip.avi", images)
    shared: dict[str, Any] = {"recipe": "quick-mer", "cache": tmp_path / "cache"}
    untrained = train(options(clip, tmp_path / "none", steps=1, **shared))
    trained = train(options(clip, tmp_path / "run", steps=60, **shared))
    losses = [line["reconstruction"] for line in metrics(trained.parent)]
    # Its weights turn from moving things to the ground as training goes on, so the ends do not compare.
    assert sum(losses[20:40]) / 20 < 0.75 * sum(losses[:5]) / 5
    before, after = (mean_j(load_extractor(w, "cpu", "fp32"), images, truth) for w in (untrained, trained))
    assert after > before + 0.1
