"""Ablations: encoders that differ in known ways, trained for the same budget and scored alike.

Every trial of a study (`model.evaluation.studies`) has a folder, OUT/<name>-seed<k>, with a run in it and its scores;
what is finished there is not done again, and what was interrupted goes on.
"""

from __future__ import annotations

import gc
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from model.evaluation.davis import DavisReport, evaluate_davis
from model.evaluation.keypoints import KeypointReport, KeypointSequence, evaluate_keypoints
from model.evaluation.layout import find_sequences
from model.evaluation.runner import Progress
from model.evaluation.studies import UNTRAINED, Trial
from model.features import fill_in, load_extractor
from model.files import replacing
from model.propagator import Propagator
from model.recipes import Recipe
from model.training.options import TrainingOptions
from model.training.run import RunDirectory, add_scores, read_card
from model.training.trainer import train
from model.types import PropagationOptions, PropagationRequest, PropagationResult
from model.video import VideoSource

SCORES = ("J&F", "J", "F")
POINT_SCORES = ("PCK@0.1", "PCK@0.2")


@dataclass(frozen=True, slots=True)
class Scoring:
    """What encoders are scored on, and how.

    davis:     a DAVIS folder; sequences: names of sequences or image sets there, None = all.
    options:   how labels travel where the recipe says nothing.
    keypoints: scored as well, if there are any.
    """

    davis: Path
    options: PropagationOptions
    sequences: tuple[str, ...] | None = None
    keypoints: tuple[KeypointSequence, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a trial: its record, as in the file, or why there is none."""

    trial: Trial
    record: Mapping[str, Any] | None = None
    error: str | None = None


Note = Callable[[Trial, str], None]
Step = Callable[[Trial, dict[str, Any]], None]


def run_study(
    trials: Sequence[Trial],
    training: TrainingOptions,
    scoring: Scoring,
    *,
    note: Note = lambda trial, text: None,
    step: Step = lambda trial, line: None,
) -> Iterator[Outcome]:
    """Train and score the trials one after the other; yields what became of each.

    training: the budget and whatever else all trials share; `out` is the folder that theirs go into.
    note:     told what a trial is about to do; step: told the metrics of every training step.

    A trial that fails is noted, and the others go on. KeyboardInterrupt when a training was told to stop: it kept a
    checkpoint. ValueError, before anything is done, for what cannot work in any trial.
    """
    _check(trials, training, scoring)
    for trial in trials:
        try:
            yield Outcome(trial, _run(trial, training, scoring, note, step))
        except Exception as error:
            text = " ".join(f"{error}".split()) or type(error).__name__
            note(trial, f"failed: {text}")
            yield Outcome(trial, error=text)
        gc.collect()  # the next one needs the memory


def _check(trials: Sequence[Trial], training: TrainingOptions, scoring: Scoring) -> None:
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError("an ablation trains in one process; start it without torchrun")
    find_sequences(scoring.davis, scoring.sequences)
    for trial in trials:
        if trial.recipe is None:
            continue
        options = trial.training(training)
        options.full_recipe()
        card = options.out / "card.json"
        if not card.exists():
            continue
        old = read_card(card).get("options", {})
        for name in ("steps", "minutes"):
            if old.get(name) != getattr(options, name):
                raise ValueError(
                    f"{options.out} was trained with {name} {old.get(name)}, not {getattr(options, name)}; budgets "
                    "must be equal: give the same or choose another folder"
                )


def _run(trial: Trial, shared: TrainingOptions, scoring: Scoring, note: Note, step: Step) -> dict[str, Any]:
    options = trial.training(shared) if trial.recipe else None
    recipe = options.full_recipe() if options else None
    propagation = trial.propagation(recipe, scoring.options)
    folder = shared.out / trial.folder
    file = folder / ("scores.json" if trial.at >= 1 else f"scores-{100 * trial.at:g}.json")
    asked = {
        "recipe": recipe.as_dict() if recipe else None,
        "steps": shared.steps if options else None,
        "minutes": shared.minutes if options else None,
        "davis": scoring.davis.name,
        "sequences": [sequence.name for sequence in find_sequences(scoring.davis, scoring.sequences)],
        "keypoints": [sequence.name for sequence in scoring.keypoints],
        "options": asdict(propagation),
    }
    asked = json.loads(json.dumps(asked))
    if (record := _read(file)) and record["asked"] == asked:
        note(trial, "finished before")
        return record
    card: dict[str, Any] = {}
    weights: Path | str = UNTRAINED
    if options and recipe:
        weights, card = _trained(trial, options, recipe, note, step)
    note(trial, "scoring")
    scores = _score(weights, shared, scoring, propagation, lambda *at: _tell(note, trial, *at))
    record = {"trial": trial.row, "seed": trial.seed, "asked": asked, **scores}
    # The card tells of the end alone.
    record["training"] = {name: card[name] for name in ("steps", "seconds") if name in card and trial.at >= 1}
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(file) as partial:
        partial.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if card and trial.at >= 1:
        add_scores(folder / "card.json", {scoring.davis.name: scores["scores"]})
    return record


def _read(file: Path) -> dict[str, Any] | None:
    """The record of a trial that was finished."""
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return record if isinstance(record, dict) and "asked" in record else None


def _trained(
    trial: Trial, options: TrainingOptions, recipe: Recipe, note: Note, step: Step
) -> tuple[Path, dict[str, Any]]:
    """The weights to score and the run card, trained if need be. KeyboardInterrupt if training was told to stop."""
    run = RunDirectory(options.out, resume=True)
    card = read_card(run.card) if run.card.exists() else {}
    wanted = json.loads(json.dumps(recipe.as_dict()))
    if not (card.get("complete") and card["recipe"] == wanted and run.weights.exists()):
        note(trial, "training" if not run.checkpoint.exists() else "training goes on")
        train(options, lambda line: step(trial, line))
        card = read_card(run.card)
        if not card.get("complete"):
            note(trial, "stopped; the same command goes on")
            raise KeyboardInterrupt
    weights = run.weights_at(trial.at)
    if not weights.exists():
        raise ValueError(f"{weights} was not kept in training; remove {run.folder} to train it again")
    return weights, card


def _score(
    weights: Path | str, shared: TrainingOptions, scoring: Scoring, options: PropagationOptions, progress: Progress
) -> dict[str, Any]:
    extractor = load_extractor(weights, shared.device, shared.precision, shared.flow_weights)
    options = fill_in(options, extractor)
    about = {"name": extractor.name, "sha256": extractor.sha256, "recipe": extractor.recipe}

    def propagate(source: VideoSource, request: PropagationRequest) -> Iterator[PropagationResult]:
        return Propagator(source, extractor).run(request)

    masks: DavisReport = evaluate_davis(
        scoring.davis, propagate, sequences=scoring.sequences, options=options, progress=progress
    )
    seconds, frames = (sum(getattr(s, name) for s in masks.sequences) for name in ("seconds", "frames"))
    scores = {name: masks.mean.as_dict()[name] for name in SCORES}
    if scoring.keypoints:
        points: KeypointReport = evaluate_keypoints(scoring.keypoints, propagate, options=options, progress=progress)
        scores |= {name: points.mean.as_dict()[name] for name in POINT_SCORES}
    return {
        "scores": scores,
        "sequences": {s.name: {name: s.as_dict()[name] for name in SCORES} for s in masks.sequences},
        "seconds per frame": seconds / frames,
        "weights": about,
        "options": asdict(options),
    }


def _tell(note: Note, trial: Trial, sequence: str, done: int, total: int) -> None:
    if done == total:
        note(trial, f"scored {sequence}")
