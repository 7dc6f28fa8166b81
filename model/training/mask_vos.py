"""Training of the mask decoder on clips whose masks nobody drew; encoder and affinity stay as they are."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from model.features import FeatureExtractor, load_extractor
from model.mask_decoder import MaskDecoder
from model.mask_views import odds_of
from model.recipes.mask_vos import MaskVosRecipe
from model.refinement import save_decoder
from model.training.checkpoint import load_file, save_file
from model.training.corpus import Corpus, load_corpus
from model.training.mask_clips import PASTED, MaskClip, draw_clip
from model.training.options import TrainingOptions
from model.training.rollout import Step, Task, rollout
from model.training.run import RunDirectory
from model.training.schedule import progress_of, stop_on_signal

_LEAST = 12.0  # cells that an object covers in the first frame, or there is nothing to learn
_SMALL = 30.0  # cells that are added to an object's size where objects are to count alike
_STEPS = 3  # of which cells are fitted together


def draw_tasks(clips: Sequence[MaskClip], recipe: MaskVosRecipe, rng: np.random.Generator) -> list[Task]:
    """The tasks of a step: clips and objects of them, drawn at random. ValueError if the clips show none."""
    tasks: list[Task] = []
    for _ in range(100 * recipe.tasks):
        if len(tasks) == recipe.tasks:
            return tasks
        clip = clips[int(rng.integers(len(clips)))]
        area = clip.masks[:, 0].sum(dim=(1, 2)) / 255
        pasted = [n for n in range(PASTED) if area[n] >= _LEAST]
        segments = [n for n in range(PASTED, len(area)) if area[n] >= _LEAST]
        if segments and (not pasted or rng.random() < recipe.segment_odds):
            rng.shuffle(segments)
            half = max(1, len(segments) // 2) if rng.random() < 0.5 else 1
            objects: tuple[tuple[int, ...], ...] = (tuple(sorted(segments[:half])),)
        elif pasted:
            objects = tuple((n,) for n in pasted)
        else:
            continue
        spoilt = int(rng.integers(1, 4)) if rng.random() < recipe.spoil else None
        tasks.append(Task(clip, objects, rng.random() < recipe.forget, spoilt))
    raise ValueError("hardly a clip shows anything to learn masks from; add other videos")


class Cells(NamedTuple):
    """Cells to learn from: their views [n, VIEWS], shares before the decoder and true ones [n].

    weight: [n], so that every object counts alike, and of its cells each as often as there are such.
    """

    views: Tensor
    own: Tensor
    truth: Tensor
    weight: Tensor


def draw_cells(step: Step, count: int, rng: np.random.Generator) -> Iterator[Cells]:
    """At most `count` cells for each object of a frame, two thirds of them where labels are not settled."""
    for views, own, truth in zip(step.views.flatten(2), step.carried.flatten(1), step.truth.flatten(1), strict=True):
        unsettled = ((own - truth).abs() > 0.1) | ((own > 0.02) & (own < 0.98))
        for kind, most in ((unsettled, 2 * count // 3), (~unsettled, count // 3)):
            cells = kind.nonzero()[:, 0]
            chosen = cells[torch.from_numpy(rng.permutation(len(cells))[:most])]
            if len(chosen):
                weight = len(cells) / len(chosen) / (float(truth.sum()) + _SMALL)
                yield Cells(views[:, chosen].T.half(), own[chosen], truth[chosen], torch.full((len(chosen),), weight))


class DecoderTraining:
    """A decoder on its way, and how far it is. count: steps done; elapsed: seconds, of all the run's parts.

    A step carries objects through clips with the decoder as it is, and then fits it to cells of that and of the two
    steps before. So it learns to correct what its own mistakes lead to, at the cost of a regression.
    """

    def __init__(self, recipe: MaskVosRecipe, seed: int = 0) -> None:
        torch.manual_seed(seed)
        self.recipe, self.seed, self.count, self.elapsed = recipe, seed, 0, 0.0
        self.model = MaskDecoder(replace(recipe.decoder, strength=1.0, feedback=1.0))  # so that it meets every mistake
        self._cells: list[Cells] = []

    def step(self, clips: Sequence[MaskClip]) -> dict[str, float]:
        """One step; what is drawn in it depends on the seed and its number alone.

        Returns the loss, and the overlap with the truth of decoded and of merely carried labels.
        """
        recipe, rng = self.recipe, np.random.default_rng((self.seed, self.count))
        decoded, carried = list[Tensor](), list[Tensor]()
        cells: list[Cells] = []
        for task in draw_tasks(clips, recipe, rng):
            for frame in rollout(self.model if self.count else None, task, rng):
                decoded.append(overlap(frame.decoded, frame.truth))
                carried.append(overlap(frame.carried, frame.truth))
                cells += draw_cells(frame, recipe.cells, rng)
        self._cells = [*self._cells[1 - _STEPS :], Cells(*map(torch.cat, zip(*cells, strict=True)))]
        loss = self._fit(Cells(*map(torch.cat, zip(*self._cells, strict=True))), rng)
        self.count += 1
        overlaps = {"overlap": torch.cat(decoded).mean().item(), "carried": torch.cat(carried).mean().item()}
        return {"total": loss, **overlaps}

    def _fit(self, cells: Cells, rng: np.random.Generator) -> float:
        """Cross-entropy of the corrected odds, in full strength; returns the mean over the last tenth of the fit."""
        recipe, losses = self.recipe, []
        optimiser = torch.optim.AdamW(self.model.parameters(), recipe.learning_rate, weight_decay=1e-4)
        odds = odds_of(cells.own)
        for n in range(recipe.fits):
            for group in optimiser.param_groups:
                group["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * n / recipe.fits))
            at = torch.from_numpy(rng.integers(len(odds), size=recipe.batch))
            found = odds[at] + self.model(cells.views[at].float())
            entropy = nn.functional.binary_cross_entropy_with_logits(found, cells.truth[at], reduction="none")
            loss = (entropy * cells.weight[at]).sum() / cells.weight[at].sum()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            losses.append(loss.item())
        return float(np.mean(losses[-max(1, recipe.fits // 10) :]))

    def save(self, path: Path) -> None:
        """A checkpoint. OSError, naming the file, if it cannot be written."""
        cells = [tuple(part) for part in self._cells]
        numbers = {"seed": self.seed, "step": self.count, "elapsed": self.elapsed}
        model = self.model.state_dict()
        save_file(path, {"recipe": self.recipe.as_dict(), **numbers, "model": model, "cells": cells})

    def load(self, path: Path) -> None:
        """Go on from a checkpoint. ValueError if it is none, or one of another recipe or seed."""
        content = load_file(path)
        try:
            then = MaskVosRecipe.from_dict(content["recipe"]), content["seed"]
            if then != (self.recipe, self.seed):
                raise ValueError(f"{path}: begun with another recipe or seed; give the same or choose a new folder")
            self.model.load_state_dict(content["model"])
            self._cells = [Cells(*part) for part in content["cells"]]
            self.count, self.elapsed = content["step"], content["elapsed"]
        except (KeyError, TypeError, RuntimeError):
            raise ValueError(f"{path}: not a checkpoint of a mask decoder; choose a new folder") from None


def train_decoder(
    options: TrainingOptions,
    report: Callable[[dict[str, Any]], None] | None = None,
    recipe: MaskVosRecipe | None = None,
) -> Path:
    """Run (or resume) the training of a mask decoder for the encoder `options.weights`; returns its `decoder.pt`.

    Clips are prepared first, into OUT/clips, where a GPU helps; what comes after is for the CPU, and what the budget is
    for. report: called after every step.
    SIGTERM and SIGINT end the run with a checkpoint. Errors as of `model.training.trainer.train`.
    """
    recipe = recipe or MaskVosRecipe()
    for name in ("batch", "crop"):
        if getattr(options, name) is not None:
            raise ValueError(f"{name} {getattr(options, name)} means nothing to the recipe {recipe.name}; leave it out")
    run = RunDirectory(options.out, resume=options.resume, weights="decoder.pt")
    extractor = load_extractor(options.weights, options.device, options.precision)
    training = DecoderTraining(recipe, options.seed)
    if options.resume and run.checkpoint.exists():
        training.load(run.checkpoint)
    corpus = load_corpus(options.sources, options.cache or run.default_cache(), without=options.without)
    run.start(training.count, recipe, asdict(options), corpus.describe(), 1)
    with stop_on_signal() as stopped:
        clips = _prepared(run.folder / "clips", corpus, recipe, extractor, options.seed, stopped)
        begun = time.monotonic() - training.elapsed
        while True:
            training.elapsed = time.monotonic() - begun
            progress = progress_of(options, training.count, training.elapsed)
            if progress >= 1 or stopped() or not clips:
                break
            started = time.monotonic()
            line = training.step(clips)
            if not math.isfinite(line["total"]):
                raise ValueError(
                    f"{run.folder}: the loss is no longer a number at step {training.count}; the last checkpoint is "
                    "kept, resume it or start again with another seed"
                )
            took = {"seconds": round(time.monotonic() - started, 4), "elapsed": round(training.elapsed, 2)}
            line = {"step": training.count, "progress": round(progress, 5), **line, **took}
            run.log(line)
            training.save(run.checkpoint)
            if report is not None:
                report(line)
    training.save(run.checkpoint)
    save_decoder(run.weights, training.model, recipe, extractor.sha256)
    run.finish(training.count, training.elapsed, complete=progress >= 1)
    return run.weights


def _prepared(
    folder: Path,
    corpus: Corpus,
    recipe: MaskVosRecipe,
    extractor: FeatureExtractor,
    seed: int,
    stopped: Callable[[], bool],
) -> list[MaskClip]:
    """The clips of a run, each prepared unless it is there; fewer if the run is stopped meanwhile."""
    folder.mkdir(parents=True, exist_ok=True)
    clips = []
    for number in range(recipe.clips):
        if stopped():
            break
        path = folder / f"{number:05d}.pt"
        if not path.exists():
            draw_clip(np.random.default_rng((seed, number)), corpus, recipe, extractor).save(path)
        clips.append(MaskClip.load(path))
    return clips


def overlap(shares: Tensor, truth: Tensor) -> Tensor:
    """Intersection over union of the cells that are mostly the object's, [N]; 1 where there are none."""
    ours, theirs = shares > 0.5, truth > 0.5
    union = (ours | theirs).sum(dim=(1, 2))
    return torch.where(union > 0, (ours & theirs).sum(dim=(1, 2)) / union.clamp_min(1), 1.0)
