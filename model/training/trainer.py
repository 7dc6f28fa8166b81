"""Training: from a corpus of raw video to an encoder, on one CPU, one GPU or several processes.

Under `torchrun` every process takes its share of each batch; the samples of a step depend on the seed and the step
alone, and losses, gradients and batch statistics are those of the whole batch. So neither the number of processes nor
interruptions change what is learned.
"""

from __future__ import annotations

import itertools
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import FrameType
from typing import Any

import cv2
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from model.colour import rgb_to_lab
from model.device import bf16_is_fast, pick_device
from model.losses import drop_colour, pair_losses
from model.recipes import Recipe
from model.training.dataset import PairDataset, Sample, load_corpus
from model.training.distributed import World
from model.training.options import TrainingOptions
from model.training.run import RunDirectory
from model.training.state import TrainingState, save_weights, update_average

__all__ = ["TrainingOptions", "train"]

_MAX_GRADIENT = 5.0  # longer gradients are shortened to this norm


def train(options: TrainingOptions, report: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Run (or resume) a training run and return the path of its `encoder.pt`.

    report: called after every step with the metrics line, in the first process only.
    SIGTERM and SIGINT end the run after the current step with a checkpoint; a finished run is left as it is.
    ValueError for unusable options, sources or folders, and when the loss stops being a number (the last good
    checkpoint stays); OSError, naming the file, when one cannot be written.
    """
    recipe = options.full_recipe()
    world = World.join(pick_device(options.device))
    try:
        return _train(options, recipe, world, report or (lambda line: None))
    finally:
        world.leave()


def _train(options: TrainingOptions, recipe: Recipe, world: World, report: Callable[[dict[str, Any]], None]) -> Path:
    if recipe.batch % world.size:
        raise ValueError(f"a batch of {recipe.batch} does not divide over {world.size} processes; choose another")
    run = RunDirectory(options.out, resume=options.resume)
    torch.manual_seed(options.seed)
    state = TrainingState.fresh(recipe, world.device, options.weights)
    if options.resume and run.checkpoint.exists():
        state.load(run.checkpoint, recipe, options.seed)
    with world.first_goes_ahead():  # it fills the cache, the others then find it full
        corpus = load_corpus(options.sources, options.cache or run.default_cache())
    if world.first:
        run.start(state.step, recipe, asdict(options), corpus.describe(), world.size)

    bf16 = options.precision == "bf16" or (options.precision == "auto" and bf16_is_fast(world.device))
    model = world.wrap(state.model)
    batches = _batches(PairDataset(corpus, recipe, options.seed), options.workers, world, state.step)
    started = time.monotonic() - state.elapsed
    with _stop_on_signal() as stopped:
        while True:
            begun = time.monotonic()
            progress, stop = world.agree(_progress(options, state.step, begun - started), float(stopped()))
            if progress >= 1 or stop:
                break
            rate = _learning_rate(recipe, state.step, progress)
            losses = _step(model, state, next(batches), recipe, options.seed, rate, world, bf16)
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
                if state.step % options.checkpoint_every == 0:
                    state.save(run.checkpoint, recipe, options.seed)
                report(line)
    if world.first and not run.has_weights_of(state.step):
        state.save(run.checkpoint, recipe, options.seed)
        save_weights(run.weights, state.average, recipe)
        run.finish(state.step, state.elapsed)
    world.wait()
    return run.weights


def sample_numbers(first_step: int, batch: int, rank: int, size: int) -> Iterator[list[int]]:
    """Step by step the numbers of this process's samples: together those of all processes are one batch, in order."""
    share = batch // size
    for step in itertools.count(first_step):
        begin = step * batch + rank * share
        yield list(range(begin, begin + share))


def dropped_channel(seed: int, step: int) -> int:
    """The colour that all frames of a step lack: a (1) or b (2), drawn with even odds."""
    return 1 + int(torch.randint(2, (), generator=torch.Generator().manual_seed(seed * 1_000_003 + step)))


def _batches(data: PairDataset, workers: int, world: World, first_step: int) -> Iterator[Sample]:
    loader = DataLoader(
        data,
        batch_sampler=sample_numbers(first_step, data.recipe.batch, world.rank, world.size),
        num_workers=workers,
        pin_memory=world.device.type == "cuda",
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_prepare_worker,
    )
    yield from loader


def _prepare_worker(number: int) -> None:
    # Ctrl+C and torchrun signal the whole group, but the training process wants its step finished; it ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _step(
    model: nn.Module,
    state: TrainingState,
    batch: Sample,
    recipe: Recipe,
    seed: int,
    rate: float,
    world: World,
    bf16: bool,
) -> dict[str, float]:
    """One optimiser step; returns the losses by name and the norm of the gradient, all of the whole batch."""
    batch = Sample(*(t.to(world.device, non_blocking=True) for t in batch))
    lab = rgb_to_lab(batch.views)
    channel = dropped_channel(seed, state.step)
    frames = drop_colour(lab.flatten(0, 1), channel).contiguous(memory_format=torch.channels_last)
    model.train()
    with torch.autocast(world.device.type, torch.bfloat16, enabled=bf16):
        features = model(frames)
    features = features.float().unflatten(0, lab.shape[:2])
    terms = pair_losses(features, world.previous(features), lab, channel, batch.to_source, batch.photo, recipe)
    total, losses = _whole_batch(terms, recipe, world)
    state.optimiser.zero_grad(set_to_none=True)
    (total * world.size).backward()  # type: ignore[no-untyped-call]  # processes average gradients, losses add up
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    losses["gradient"] = float(nn.utils.clip_grad_norm_(state.model.parameters(), _MAX_GRADIENT))
    state.optimiser.step()
    update_average(state.average, state.model, state.step)
    return losses


def _whole_batch(terms: dict[str, Tensor], recipe: Recipe, world: World) -> tuple[Tensor, dict[str, float]]:
    """This process's share of the total loss, with its gradient, and the losses of the whole batch by name.

    A term is the mean over the samples of all processes that it applies to, however these are shared out.
    """
    counts = world.sum(torch.tensor([len(losses) for losses in terms.values()], device=world.device)).tolist()
    means = {name: terms[name].sum() / max(count, 1) for name, count in zip(terms, counts, strict=True)}
    total = torch.stack([getattr(recipe, name) * mean for name, mean in means.items()]).sum()
    values = world.sum(torch.stack([total, *means.values()])).tolist()
    named = zip(("total", *means), values, (1, *counts), strict=True)
    return total, {name: value for name, value, count in named if count}


def _progress(options: TrainingOptions, step: int, elapsed: float) -> float:
    parts = [0.0]
    if options.steps is not None:
        parts.append(step / options.steps)
    if options.minutes is not None:
        parts.append(elapsed / (60 * options.minutes))
    return min(1.0, max(parts))


def _learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Linear warm-up, then a cosine to zero over the budget."""
    return recipe.learning_rate * min(1.0, (step + 1) / recipe.warmup) * 0.5 * (1 + math.cos(math.pi * progress))


@contextmanager
def _stop_on_signal() -> Iterator[Callable[[], bool]]:
    """While open, SIGTERM and SIGINT are only noted; a second SIGINT interrupts at once."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if seen.count(signal.SIGINT) > 1:
            raise KeyboardInterrupt

    # Other threads get no signals: whoever started one stops it in another way.
    main = threading.current_thread() is threading.main_thread()
    old = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)} if main else {}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
