"""Training: from a corpus of raw video to an encoder, on one CPU, one GPU or several processes.

Under `torchrun` every process takes its share of each global batch; the samples of a step depend on the seed and
the step alone, so the number of processes and interruptions do not change what is seen.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from model.colour import rgb_to_lab
from model.device import bf16_is_fast, pick_device
from model.encoder import Encoder
from model.losses import drop_colour, pair_losses
from model.recipes import Recipe, get_recipe
from model.training.checkpoint import load_file, save_file
from model.training.dataset import Corpus, PairDataset, Sample, collate, load_corpus
from model.training.distributed import World
from model.training.run import RunDirectory

CHECKPOINT_EVERY = 100


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """One run of `mer train`.

    steps, minutes: the budget; whichever is used up first ends the run, and the learning rate follows it.
    weights:        start from this encoder instead of from scratch.
    batch, crop:    override the recipe's.
    workers:        processes that read samples ahead; 0 reads in the training process.
    """

    sources: tuple[Path, ...]
    out: Path
    recipe: str = "mast"
    steps: int | None = None
    minutes: float | None = None
    batch: int | None = None
    crop: int | None = None
    seed: int = 0
    device: str | None = None
    precision: str = "auto"
    weights: Path | None = None
    resume: bool = False
    workers: int = 2
    cache: Path | None = None

    def __post_init__(self) -> None:
        if self.steps is None and self.minutes is None:
            raise ValueError("a training run needs a budget: steps or minutes")
        for name in ("steps", "minutes", "batch", "crop"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"{name} cannot be {value}")
        if self.precision not in ("auto", "fp32", "bf16"):
            raise ValueError(f"precision is auto, fp32 or bf16, not {self.precision!r}")

    def full_recipe(self) -> Recipe:
        changes = {k: v for k, v in (("batch", self.batch), ("crop", self.crop)) if v is not None}
        recipe = get_recipe(self.recipe, **changes)
        if recipe.crop % 8:
            raise ValueError(f"crop {recipe.crop} is not a multiple of 8")
        return recipe


@dataclass(slots=True)
class _State:
    """What a checkpoint holds. `elapsed` counts the seconds of all the run's parts."""

    model: Encoder
    average: Encoder
    optimiser: torch.optim.Optimizer
    step: int = 0
    elapsed: float = 0.0

    def save(self, path: Path, recipe: Recipe, options: TrainingOptions) -> None:
        content = {
            "recipe": recipe.as_dict(),
            "seed": options.seed,
            "step": self.step,
            "elapsed": self.elapsed,
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }
        save_file(path, content)

    def load(self, path: Path, recipe: Recipe) -> None:
        content = load_file(path)
        if content.get("recipe") != recipe.as_dict():
            raise ValueError(f"{path}: the run was started with another recipe; use --out with a new folder")
        self.model.load_state_dict(content["model"])
        self.average.load_state_dict(content["average"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.step, self.elapsed = content["step"], content["elapsed"]


def train(options: TrainingOptions, report: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """Run (or resume) a training run and return the path of its `encoder.pt`.

    report: called after every step with the metrics line, in the first process only.
    ValueError for unusable options or folders; RuntimeError when the loss stops being a number (the last good
    checkpoint stays). SIGTERM and SIGINT end the run after the current step with a checkpoint.
    """
    recipe = options.full_recipe()
    world = World.join(pick_device(options.device))
    try:
        return _train(options, recipe, world, report or (lambda line: None))
    finally:
        world.leave()


def _train(options: TrainingOptions, recipe: Recipe, world: World, report: Callable[[dict[str, Any]], None]) -> Path:
    if recipe.batch % world.size:
        raise ValueError(f"a batch of {recipe.batch} does not divide over {world.size} processes")
    run = RunDirectory(options.out, resume=options.resume, writes=world.first)
    with world.first_goes_ahead():  # it fills the cache, the others then find it full
        corpus = load_corpus(options.sources, options.cache or run.default_cache())
    torch.manual_seed(options.seed)
    state = _start(options, recipe, world)
    if options.resume and run.checkpoint.exists():
        state.load(run.checkpoint, recipe)
    run.write_card(recipe, asdict(options), corpus.describe(), world.size)

    bf16 = options.precision == "bf16" or (options.precision == "auto" and bf16_is_fast(world.device))
    model = world.wrap(state.model)
    started = time.monotonic() - state.elapsed
    with _stop_on_signal() as stopped:
        for batch in _batches(corpus, recipe, options, world, state.step):
            begun = time.monotonic()
            progress = world.agree(_progress(options, state.step, time.monotonic() - started))
            if progress >= 1 or world.agree(float(stopped())) > 0:
                break
            rate = _learning_rate(recipe, state.step, progress)
            losses = _step(model, state, batch, recipe, options.seed, rate, world.device, bf16)
            state.step += 1
            state.elapsed = time.monotonic() - started
            line = {"step": state.step, "progress": round(progress, 5), "rate": rate, **losses}
            line |= {"seconds": round(time.monotonic() - begun, 4), "elapsed": round(state.elapsed, 2)}
            if not all(math.isfinite(v) for v in losses.values()):
                raise RuntimeError(
                    f"the loss is no longer a number at step {state.step}; the checkpoint of an earlier step is kept in {run.folder}"
                )
            if world.first:
                run.log(line)
                report(line)
                if state.step % CHECKPOINT_EVERY == 0:
                    state.save(run.checkpoint, recipe, options)
    if world.first:
        state.save(run.checkpoint, recipe, options)
        save_weights(run.weights, state.average, recipe)
        run.finish_card(state.step, state.elapsed, run.weights)
    world.wait()
    return run.weights


def save_weights(path: Path, encoder: Encoder, recipe: Recipe) -> None:
    """The encoder alone, in half precision, with the recipe that trained it."""
    tensors = {k: v.half() if v.is_floating_point() else v for k, v in encoder.state_dict().items()}
    save_file(path, {"recipe": recipe.as_dict(), "state_dict": tensors})


def _start(options: TrainingOptions, recipe: Recipe, world: World) -> _State:
    model, average = Encoder(recipe.encoder), Encoder(recipe.encoder)
    if options.weights is not None:
        model.load_state_dict(load_file(options.weights)["state_dict"])
    average.load_state_dict(model.state_dict())
    average.requires_grad_(False)
    for encoder in (model, average):
        encoder.to(world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return _State(model, average, torch.optim.Adam(model.parameters(), recipe.learning_rate))


def _batches(
    corpus: Corpus, recipe: Recipe, options: TrainingOptions, world: World, first_step: int
) -> Iterator[Sample]:
    length = (options.steps or 10_000_000) * recipe.batch
    data = PairDataset(corpus, recipe, options.seed, length)
    share = recipe.batch // world.size

    class Order:
        """Sample numbers of this process, batch by batch, from the step to go on at."""

        def __iter__(self) -> Iterator[list[int]]:
            for step in range(first_step, length // recipe.batch):
                begin = step * recipe.batch + world.rank * share
                yield list(range(begin, begin + share))

    loader = DataLoader(
        data,
        batch_sampler=Order(),  # type: ignore[arg-type]
        num_workers=options.workers,
        collate_fn=collate,
        pin_memory=world.device.type == "cuda",
        prefetch_factor=4 if options.workers else None,
        multiprocessing_context="spawn" if options.workers else None,
    )
    yield from loader


def _step(
    model: nn.Module,
    state: _State,
    batch: Sample,
    recipe: Recipe,
    seed: int,
    rate: float,
    device: torch.device,
    bf16: bool,
) -> dict[str, float]:
    """One optimiser step; returns the named losses."""
    batch = Sample(*(t.to(device, non_blocking=True) for t in (batch.views, batch.to_source, batch.photo)))
    lab = rgb_to_lab(batch.views)
    channel = 1 + int(torch.randint(2, (), generator=torch.Generator().manual_seed(seed * 1_000_003 + state.step)))
    frames = drop_colour(lab.flatten(0, 1), channel).contiguous(memory_format=torch.channels_last)
    model.train()
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        features = model(frames).unflatten(0, lab.shape[:2])
    losses = pair_losses(features.float(), lab, channel, batch.to_source, batch.photo, recipe)
    state.optimiser.zero_grad(set_to_none=True)
    losses["total"].backward()  # type: ignore[no-untyped-call]
    for group in state.optimiser.param_groups:
        group["lr"] = rate
    values = {name: float(value.detach()) for name, value in losses.items()}
    if all(map(math.isfinite, values.values())):  # a broken step must not reach the weights
        nn.utils.clip_grad_norm_(state.model.parameters(), 5.0)
        state.optimiser.step()
        update_average(state.average, state.model, state.step)
    return values


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, step: int, limit: float = 0.999) -> None:
    """Exponential moving average of weights and BN statistics; short runs start with a shorter memory."""
    decay = min(limit, (1 + step) / (10 + step))
    for old, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if old.is_floating_point():
            old.lerp_(new, 1 - decay)
        else:
            old.copy_(new)


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

    try:
        old = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: whoever started it stops it in another way
        yield lambda: False
        return
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
