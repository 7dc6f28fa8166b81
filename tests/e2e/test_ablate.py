"""Whole ablations of small recipes: trained, scored, written, stopped and gone on with."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from app.__main__ import run
from model.evaluation import ablation
from model.evaluation.ablation import Scoring, run_study
from model.evaluation.ablation_table import plots, table_rows
from model.evaluation.studies import Study, get_study
from model.features import load_extractor
from model.recipes.data import flatten
from model.training.options import TrainingOptions
from model.training.trainer import train
from model.types import PropagationOptions
from tests.corpora import options, register, write_corpus
from tests.runs import metrics, stop_at
from tests.videos import moving_squares


@pytest.fixture(autouse=True)
def _recipes(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_corpus(tmp_path_factory.mktemp("ablate") / "corpus")


@pytest.fixture(scope="module")
def davis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("davis") / "squares-dev"
    for name, speed in (("slow", 2), ("quick", 5)):
        images, truth = moving_squares(frames=4, speed=speed)
        for number, (image, ids) in enumerate(zip(images, truth, strict=True)):
            for folder, array in (("JPEGImages", image), ("Annotations", ids)):
                path = root / folder / "480p" / name / f"{number:05d}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(path)
    return root


def shared(corpus: Path, out: Path, **changes: Any) -> TrainingOptions:
    return options(corpus, out, **({"steps": 2} | changes))


def scoring(davis: Path, **changes: Any) -> Scoring:
    return Scoring(davis, PropagationOptions(short_side=None), ("slow",), **changes)


def ablate(corpus: Path, davis: Path, out: Path, study: str, *more: str) -> int:
    fixed = ["--davis", str(davis), "--out", str(out), "--size", "0", "--workers", "0", "--device", "cpu"]
    return run(["ablate", study, str(corpus), *fixed, "--cache", str(corpus.parent / "cache"), *more])


def forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(ablation, "train", refuse)


def test_a_factorial_with_one_command(
    corpus: Path, davis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    arguments = ("factorial", "--recipe", "tiny-mer", "--steps", "1", "--crop", "32")
    assert ablate(corpus, davis, out, *arguments) == 0
    table = json.loads((out / "table.json").read_text())
    assert table["steps"] == 1 and table["study"] == "factorial" and set(table["effects"]) == {
        "engine", "sampler", "fused loss",
    }  # fmt: skip
    assert len(table["rows"]) == 8
    for row in table["rows"]:
        folder = out / f"{row['name']}-seed0"
        card = json.loads((folder / "card.json").read_text())
        record = json.loads((folder / "scores.json").read_text())
        on = row["marks"]
        # What the row says is what was trained …
        assert (card["recipe"]["flow"] is not None) == (card["recipe"]["value"] is not None) == on["engine"]
        assert (card["recipe"]["sampler"] is not None) == on["sampler"]
        assert (card["recipe"]["bank"] is not None) == on["fused loss"]
        assert (card["recipe"]["weight"] is not None) == (on["fused loss"] and on["engine"])
        assert card["recipe"]["compactness"] is not None and card["recipe"]["crop_late"] is None
        assert card["steps"] == 1 and card["complete"] is True
        # … and how it was scored.
        assert record["options"]["sampler"] == ("contract" if on["sampler"] else "fixed")
        assert record["options"]["value"] == ("cached" if on["engine"] else "off")
        assert record["options"]["compact"] == 0.1
        assert card["scores"]["squares-dev"]["J&F"] == row["scores"]["J&F"]["mean"]
        assert 0 < row["scores"]["J&F"]["mean"] <= 1 and set(row["sequences"]) == {"slow", "quick"}
    text = (out / "table.md").read_text()
    assert text.count("\n| engine+sampler |") == 2 and "Effect on J&F" in text
    with Image.open(out / "factorial.png") as picture:
        assert picture.size[0] > 500
    assert "[8/8] engine+sampler+fused-loss, seed 0: scoring" in capsys.readouterr().err

    forbid_training(monkeypatch)
    assert ablate(corpus, davis, out, *arguments) == 0
    assert json.loads((out / "table.json").read_text())["rows"] == table["rows"]
    assert capsys.readouterr().err.count("finished before") == 8


def test_seeds_are_added_and_scored_together(corpus: Path, davis: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    common = ("systems", "--recipe", "untrained,tiny", "--steps", "2", "--sequences", "slow")
    assert ablate(corpus, davis, out, *common) == 0
    alone = json.loads((out / "table.json").read_text())["rows"]
    assert ablate(corpus, davis, out, *common, "--seeds", "0,1") == 0
    control, both = json.loads((out / "table.json").read_text())["rows"]
    assert control["seeds"] == [0] and control["steps"] == [None] and control["name"] == "untrained"
    assert both["seeds"] == [0, 1] and both["scores"]["J&F"]["std"] >= 0
    assert both["scores"]["J&F"]["values"][0] == alone[1]["scores"]["J&F"]["mean"]
    assert (out / "tiny-seed1" / "encoder.pt").read_bytes() != (out / "tiny-seed0" / "encoder.pt").read_bytes()
    assert ablate(corpus, davis, out, *common[:3], "--steps", "3", "--sequences", "slow") == 2  # other budget


def test_another_scoring_trains_nothing_again(
    corpus: Path, davis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trials = get_study("systems", ["tiny"]).trials
    training = shared(corpus, tmp_path / "study")
    (first,) = run_study(trials, training, scoring(davis))
    forbid_training(monkeypatch)
    wider = Scoring(davis, PropagationOptions(short_side=None))
    (second,) = run_study(trials, training, wider)
    assert first.record is not None and second.record is not None
    assert set(first.record["sequences"]) == {"slow"} and set(second.record["sequences"]) == {"slow", "quick"}


def test_a_training_that_is_told_to_stop_goes_on_where_it_was(corpus: Path, davis: Path, tmp_path: Path) -> None:
    trials = get_study("systems", ["tiny", "tiny-dense"]).trials
    training = shared(corpus, tmp_path / "study", steps=4)
    stop = stop_at(2)
    with pytest.raises(KeyboardInterrupt):
        list(run_study(trials, training, scoring(davis), step=lambda trial, line: stop(line)))
    run_folder = tmp_path / "study" / "tiny-seed0"
    assert not (run_folder / "scores.json").exists() and not (tmp_path / "study" / "tiny-dense-seed0").exists()
    steps: list[tuple[str, int]] = []
    outcomes = list(
        run_study(trials, training, scoring(davis), step=lambda trial, line: steps.append((trial.name, line["step"])))
    )
    assert steps == [("tiny", 3), ("tiny", 4), *(("tiny-dense", n) for n in (1, 2, 3, 4))]
    undisturbed = list(run_study(trials[:1], shared(corpus, tmp_path / "other", steps=4), scoring(davis)))
    assert outcomes[0].record is not None and undisturbed[0].record is not None
    assert outcomes[0].record["scores"] == pytest.approx(undisturbed[0].record["scores"], abs=0.02)
    assert [line["total"] for line in metrics(run_folder)] == pytest.approx(
        [line["total"] for line in metrics(tmp_path / "other" / "tiny-seed0")], rel=1e-4
    )


def test_one_failure_does_not_stop_the_others(
    corpus: Path, davis: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unlucky(options: TrainingOptions, report: Any) -> Path:
        if options.recipe == "tiny":
            raise ValueError("the loss is no\nlonger a number")
        return train(options, report)

    monkeypatch.setattr(ablation, "train", unlucky)
    out = tmp_path / "study"
    assert ablate(corpus, davis, out, "systems", "--recipe", "tiny,tiny-dense", "--steps", "1") == 2
    failed, fine = json.loads((out / "table.json").read_text())["rows"]
    assert failed["failed"] == {"0": "the loss is no longer a number"} and not failed["scores"]
    assert fine["scores"]["J&F"]["mean"] > 0 and fine["failed"] == {}
    assert "- tiny, seed 0: the loss is no longer a number" in (out / "table.md").read_text()
    monkeypatch.setattr(ablation, "train", train)
    assert ablate(corpus, davis, out, "systems", "--recipe", "tiny,tiny-dense", "--steps", "1") == 0


def test_weights_on_the_way_are_those_of_that_step(corpus: Path, davis: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    assert ablate(corpus, davis, out, "convergence", "--recipe", "tiny", "--steps", "4") == 0
    rows = json.loads((out / "table.json").read_text())["rows"]
    assert [row["marks"]["budget"] for row in rows] == [0.05, 0.25, 0.5, 0.75, 1.0]
    assert [row["name"] for row in rows][::4] == ["tiny at 5 %", "tiny"]
    assert [row["steps"] for row in rows][::4] == [[None], [4]]
    folder = out / "tiny-seed0"
    kept = [load_extractor(folder / f"encoder-{n}.pt", "cpu") for n in (5, 25, 50, 75)]
    assert kept[0].sha256 == kept[1].sha256  # with four steps, 5 % are over when 25 % are
    assert len({extractor.sha256 for extractor in kept}) == 3
    assert (out / "convergence.png").exists()
    # The same steps of the same run, stopped there: what was kept is the average as it was then.
    stopped = tmp_path / "stopped"
    train(options(corpus, stopped, steps=4, precision="auto"), stop_at(2))
    image = np.random.default_rng(0).integers(0, 255, (1, 3, 32, 32), np.uint8)
    pixels = torch.from_numpy(image)
    expected = load_extractor(stopped / "encoder.pt", "cpu")(pixels)
    torch.testing.assert_close(kept[2](pixels), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(kept[3](pixels), expected, atol=1e-4)


def test_weights_on_the_way_of_a_resumed_run_and_those_asked_for_too_late(corpus: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "run"
    train(options(corpus, run_folder, steps=4), stop_at(2))
    train(options(corpus, run_folder, steps=4, keep=(0.25, 0.5, 0.75), resume=True))
    kept = sorted(file.name for file in run_folder.glob("encoder-*.pt"))
    assert kept == ["encoder-50.pt", "encoder-75.pt"]  # what there was at 25 % is not known any more
    train(options(corpus, run_folder, steps=4, keep=(0.25,), resume=True))
    assert sorted(file.name for file in run_folder.glob("encoder-*.pt")) == kept
    with pytest.raises(ValueError, match="cannot be kept at 1 of the budget"):
        options(corpus, run_folder, keep=(0.5, 1.0))


def test_hyperparameters_have_a_plot_each(corpus: Path, davis: Path, tmp_path: Path) -> None:
    out = tmp_path / "study"
    study = get_study("hyper", ["tiny-mer"])
    few = Study(study.name, tuple(t for t in study.trials if t.name in ("tiny-mer", "theta-0.6", "clusters-3")),
                study.factors)  # fmt: skip
    outcomes = list(run_study(few.trials, shared(corpus, out, steps=1), scoring(davis)))
    assert [o.error for o in outcomes] == [None] * 3
    assert outcomes[1].record is not None and outcomes[1].record["options"]["grow_above"] == 0.6
    assert dict(flatten(outcomes[1].record["asked"]["recipe"]))["sampler.threshold"] == 0.6
    pictures = plots(few, table_rows(few, outcomes))
    assert set(pictures) == {"theta", "omega", "clusters"}
    assert not np.array_equal(pictures["theta"], cv2.resize(pictures["omega"], pictures["theta"].shape[1::-1]))


def test_what_cannot_work_is_said_before_anything_is_done(
    corpus: Path, davis: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    cases = {
        ("systems", "--recipe", "tiny"): "a training run needs a budget: steps or minutes",
        ("systems", "--recipe", "tiny", "--steps", "1", "--crop", "30"): "crop 30 is not a multiple of 8",
        ("systems", "--recipe", "tiny", "--steps", "1", "--sequences", "goat"): "no sequence or set 'goat'",
        ("systems", "--recipe", "tiny", "--steps", "1", "--seeds", "a"): "--seeds takes whole numbers",
        ("systems", "--recipe", "tiny", "--steps", "1", "--seeds", ","): "--seeds is empty",
        ("factorial", "--recipe", "tiny", "--steps", "1"): "has no flow that could be varied",
    }
    for arguments, message in cases.items():
        assert ablate(corpus, davis, out, *arguments) == 2
        assert message in capsys.readouterr().err
    assert not out.exists()
    begun = time.monotonic()
    list(run_study([], shared(corpus, out), scoring(davis)))
    assert time.monotonic() - begun < 5
