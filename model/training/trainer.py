"""Training: from a corpus of raw video to an encoder, on one CPU, one GPU or several processes.

Under `torchrun` every process takes its share of each batch; the samples of a step depend on the seed and the step
alone, and losses, gradients and batch statistics are those of the whole batch. So neither the number of processes nor
interruptions change what is learned. A process that takes its share in parts (`accumulate`) adds their gradients up;
batch statistics, and the other clips that `correspondence` compares with, are then those of a part.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.bank import sample_vectors
from model.colour import rgb_to_lab
from model.device import bf16_is_fast, pick_device
from model.encoder import STRIDE
from model.flow import Motion
from model.fused import Pairs, fused_losses
from model.losses import drop_colour, known_places, pair_losses
from model.motion import hidden_keys
from model.network import ViewNetwork, Views
from model.positions import random_shifts
from model.recipes import Recipe
from model.training.allocator import keep_freed_memory
from model.training.batches import Batches, sample_numbers
from model.training.corpus import AnyCorpus
from model.training.dataset import PairDataset, Sample
from model.training.distributed import World
from model.training.options import TrainingOptions
from model.training.run import RunDirectory
from model.training.schedule import learning_rate, progress_of, stop_on_signal
from model.training.shards import open_corpus
from model.training.state import TrainingState, save_weights, update_average

__all__ = ["TrainingOptions", "dropped_channel", "sample_numbers", "train"]

_MAX_GRADIENT = 5.0  # longer gradients are shortened to this norm
_LONGEST_LOSS = 300.0  # seconds between two checkpoints, where steps are slow


Watch = Callable[[TrainingState, AnyCorpus], None]


def train(
    options: TrainingOptions, report: Callable[[dict[str, Any]], None] | None = None, watch: Watch | None = None
) -> Path:
    """Run (or resume) a training run and return the path of its `encoder.pt`.

    report: called after every step with the metrics line, in the first process only.
    watch:  called before that with the state, which it leaves as it is, and what is learned from.
    SIGTERM and SIGINT end the run after the current step with a checkpoint; a finished run is left as it is.
    ValueError for unusable options, sources or folders, and when the loss stops being a number (the last good
    checkpoint stays); OSError, naming the file, when one cannot be written.
    """
    recipe = options.full_recipe()
    world = World.join(pick_device(options.device))
    try:
        return _train(options, recipe, world, report or (lambda line: None), watch)
    finally:
        world.leave()


def _train(
    options: TrainingOptions,
    recipe: Recipe,
    world: World,
    report: Callable[[dict[str, Any]], None],
    watch: Watch | None,
) -> Path:
    if recipe.batch % (world.size * options.accumulate):
        parts = f" in {options.accumulate} parts each" if options.accumulate > 1 else ""
        raise ValueError(
            f"a batch of {recipe.batch} does not divide over {world.size} processes{parts}; choose another"
        )
    run = RunDirectory(options.out, resume=options.resume)
    motion = None if recipe.flow is None else Motion(recipe.flow, options.flow_weights)
    torch.manual_seed(options.seed)
    state = TrainingState.fresh(recipe, world.device, options.weights)
    if options.resume and run.checkpoint.exists():
        state.load(run.checkpoint, recipe, options.seed)
    with world.first_goes_ahead():  # it fills the cache, the others then find it full
        corpus = open_corpus(options.sources, options.cache or run.default_cache(), without=options.without)
    if world.first:
        run.start(state.step, recipe, asdict(options), corpus.describe(), world.size)

    bf16 = options.precision == "bf16" or (options.precision == "auto" and bf16_is_fast(world.device))
    learner = Learner(recipe, options.seed, state, world, bf16)

    def samples(crop: int) -> PairDataset:
        return PairDataset(corpus, replace(recipe, crop=crop), options.seed, motion)

    batches = Batches(samples, recipe.batch, options.workers, world, options.accumulate)
    started = time.monotonic() - state.elapsed
    reached = progress_of(options, state.step - 1, state.elapsed) if state.step else 0.0
    saved = time.monotonic()
    with stop_on_signal() as stopped:
        while True:
            begun = time.monotonic()
            progress, stop = world.agree(progress_of(options, state.step, begun - started), float(stopped()))
            if world.first:
                for share in options.keep:
                    if reached < share <= progress:
                        save_weights(run.weights_at(share), state.average, recipe)
            reached = progress
            if progress >= 1 or stop:
                break
            rate = learning_rate(recipe, state.step, progress)
            losses = learner.step(batches.of(state.step, recipe.crop_at(progress)), rate, progress)
            state.step += 1
            state.elapsed = time.monotonic() - started
            if not all(map(math.isfinite, losses.values())):  # the weights are spoiled: save nothing more
                raise ValueError(
                    f"{run.folder}: the loss is no longer a number at step {state.step}; the last checkpoint is kept, "
                    "resume it with precision fp32 or start again with another seed"
                )
            if world.first:
                line = {"step": state.step, "progress": round(progress, 5), "rate": rate, **losses}
                line |= {"seconds": round(time.monotonic() - begun, 4), "elapsed": round(state.elapsed, 2)}
                run.log(line)
                if state.step % options.checkpoint_every == 0 or time.monotonic() - saved > _LONGEST_LOSS:
                    state.save(run.checkpoint, recipe, options.seed)
                    saved = time.monotonic()
                if watch is not None:
                    watch(state, corpus)
                report(line)
    if world.first and not run.has_weights_of(state.step):
        state.save(run.checkpoint, recipe, options.seed)
        save_weights(run.weights, state.average, recipe)
        run.finish(state.step, state.elapsed, complete=progress >= 1)
    world.wait()
    return run.weights


def dropped_channel(seed: int, step: int) -> int:
    """The colour that all frames of a step lack: a (1) or b (2), drawn with even odds."""
    return 1 + int(torch.randint(2, (), generator=torch.Generator().manual_seed(seed * 1_000_003 + step)))


class Learner:
    """Takes the optimiser's steps. What is drawn in one depends on the seed and the numbers of the samples alone.

    frozen: batch statistics stay as they are, from the first step on.
    """

    def __init__(
        self, recipe: Recipe, seed: int, state: TrainingState, world: World, bf16: bool, frozen: bool = False
    ) -> None:
        self._recipe, self._seed, self._state, self._world, self._bf16 = recipe, seed, state, world, bf16
        self._frozen = frozen
        self._network = world.wrap(ViewNetwork(state.model))
        if world.device.type == "cpu":
            keep_freed_memory()

    def step(self, parts: Sequence[Sample], rate: float, progress: float) -> dict[str, float]:
        """One optimiser step; returns the losses by name and the norm of the gradient, all of the whole batch.

        parts: this process's share of the batch. Only one of them is in memory at a time; their gradients add up.
        """
        recipe, state, world = self._recipe, self._state, self._world
        photos = int(world.sum(torch.stack([part.photo.sum() for part in parts]).sum().to(world.device)))
        _set_mode(self._network, frozen=self._frozen or recipe.in_second_phase(progress))
        state.optimiser.zero_grad(set_to_none=True)
        values: dict[str, Tensor] = {}
        banked: list[tuple[Tensor, Tensor]] = []
        first = (state.step * recipe.batch + world.rank * sum(len(part.photo) for part in parts)) * 2
        for number, part in enumerate(parts):
            last = number == len(parts) - 1
            with nullcontext() if last else world.alone(self._network):
                batch = Sample(*(t.to(world.device, non_blocking=True) for t in part))
                views = range(first, first + 2 * len(batch.photo))
                terms = self._terms(batch, views, progress, banked)
                means = {name: t.sum() / max(_applies(name, photos, recipe), 1) for name, t in terms.items()}
                total = torch.stack([recipe.weight_of(name) * mean for name, mean in means.items()]).sum()
                # Processes average gradients, losses add up.
                (total * world.size).backward()  # type: ignore[no-untyped-call]
            for name, value in {"total": total, **means}.items():
                values[name] = values[name] + value.detach() if name in values else value.detach()
            first = views.stop
        if state.bank is not None and banked:  # as one batch: what a step adds is nothing that it is compared with
            vectors, sources = (torch.cat(tensors) for tensors in zip(*banked, strict=True))
            state.bank.add(world.gather(vectors), world.gather(sources))
        for group in state.optimiser.param_groups:
            group["lr"] = rate
        sums = world.sum(torch.stack(list(values.values()))).tolist()
        losses = {n: s for n, s in zip(values, sums, strict=True) if n == "total" or _applies(n, photos, recipe)}
        losses["gradient"] = float(nn.utils.clip_grad_norm_(state.model.parameters(), _MAX_GRADIENT))
        state.optimiser.step()
        update_average(state.average, state.model, state.step)
        return losses

    def _terms(
        self, batch: Sample, numbers: range, progress: float, banked: list[tuple[Tensor, Tensor]]
    ) -> dict[str, Tensor]:
        """Every term by name, each as the losses of the samples that it applies to.

        numbers: one for each view, unlike those of all other views of the run. banked: gets the vectors [F, P, C] of
        the frames and their sources [F] that go into the bank.
        """
        recipe, world = self._recipe, self._world
        lab = rgb_to_lab(batch.views)
        channel = dropped_channel(self._seed, self._state.step)
        frames = drop_colour(lab.flatten(0, 1), channel).contiguous(memory_format=torch.channels_last)
        motion = None if recipe.flow is None else batch.motion.flatten(0, 1).float()
        with self._autocast():
            features, value = self._network(frames, motion, 2, self._hidden_keys(lab, numbers))
        views = Views(features.float(), value)
        place = known_places(batch.to_source, batch.photo, batch.tracked, frames.shape[-1] // STRIDE)
        if recipe.is_plain:
            own = views.own
            return pair_losses(own, world.previous(own), lab, channel, place, batch.photo, recipe)
        bank = self._state.bank
        known = recipe.correspondence > 0 or recipe.tracks is not None
        previous = world.previous(views.features) if known else views.features
        pairs = Pairs(previous, lab, channel, place, batch.photo, progress)
        if bank is None or not recipe.in_second_phase(progress):
            return fused_losses(views, pairs, recipe)
        averaged = self._averaged(frames, motion, None)
        losses = fused_losses(views, replace(pairs, negatives=bank.negatives(batch.source), averaged=averaged), recipe)
        if recipe.positions is not None and recipe.positions.shift:
            height, width = frames.shape[-2:]
            averaged = self._averaged(frames, motion, random_shifts((height // 2, width // 2), self._seed, numbers))
        assert recipe.bank is not None
        vectors = sample_vectors(averaged.flatten(0, 1), recipe.bank.per_frame, self._seed, numbers)
        banked.append((vectors, batch.source.repeat_interleave(2)))
        return losses

    @torch.no_grad()
    def _averaged(self, frames: Tensor, motion: Tensor | None, shifts: Tensor | None) -> Tensor:
        """The views as the averaged network sees them, each as its own target: [B, 2, C, h, w]."""
        with self._autocast():
            return self._state.average.views(frames, motion, 2, shifts=shifts).own.float()

    def _hidden_keys(self, lab: Tensor, numbers: range) -> Tensor | None:
        """What DropKey hides from the views [B, 2, 3, H, W] with these numbers."""
        value = self._recipe.value
        if value is None or value.drop_key == 0:
            return None
        cells = (lab.shape[-2] // STRIDE) * (lab.shape[-1] // STRIDE)
        hidden = hidden_keys(cells, value.drop_key, self._seed, numbers)
        return hidden.view(-1, 2, cells).to(lab.device)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self._world.device.type, torch.bfloat16, enabled=self._bf16)


def _set_mode(network: nn.Module, *, frozen: bool) -> None:
    """For training, with or without batch statistics of its own."""
    network.train()
    if frozen:
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.eval()


def _applies(term: str, photos: int, recipe: Recipe) -> int:
    """To how many samples of a whole batch a loss term applies, if so many are photos."""
    if term == "correspondence":
        return photos
    if term == "tracks":
        return recipe.batch - photos
    return recipe.batch - photos if term == "reconstruction" and recipe.jitter else recipe.batch
