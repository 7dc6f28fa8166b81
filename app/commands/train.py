"""`mer train`: an encoder from unlabelled video and photographs."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.options import Device

if TYPE_CHECKING:
    from model.training.options import TrainingOptions

TELL_EVERY = 10.0  # seconds between two lines


def train(
    sources: Annotated[list[Path], typer.Argument(help="Folders of videos and photographs without labels, or shards.")],
    out: Annotated[Path, typer.Option(help="Run folder: encoder.pt, checkpoint, metrics and run card.")],
    recipe: Annotated[str, typer.Option(help="What is learned, and how; mask_vos: a mask decoder.")] = "mast",
    steps: Annotated[int | None, typer.Option(help="Stop after so many steps.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Stop after so many minutes.")] = None,
    batch: Annotated[int | None, typer.Option(help="Pairs per step; the recipe's when left out.")] = None,
    crop: Annotated[int | None, typer.Option(help="Side of the crops, pixels; the recipe's when left out.")] = None,
    rate: Annotated[
        float | None,
        typer.Option(help="Learning rate at its height; the recipe's when left out. 1e-4 suits --weights."),
    ] = None,
    accumulate: Annotated[
        int, typer.Option(help="Parts in which a batch is taken, one after the other, to save memory.")
    ] = 1,
    seed: Annotated[int, typer.Option(help="Decides the samples and the first weights.")] = 0,
    device: Device = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    weights: Annotated[Path | None, typer.Option(help="Start from this encoder instead of from scratch.")] = None,
    workers: Annotated[int, typer.Option(min=0, help="Processes that prepare samples.")] = 2,
    cache: Annotated[Path | None, typer.Option(help="Folder for decoded frames; beside OUT when left out.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in OUT.")] = False,
    without: Annotated[list[Path] | None, typer.Option(help="A video, or a folder of photos, to leave out.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Say everything as JSON, one object per line.")] = False,
    estimate: Annotated[bool, typer.Option("--estimate", help="Only measure how quick it would be here.")] = False,
) -> None:
    """Train an encoder on unlabelled footage.

    Ctrl+C ends after the current step with a checkpoint, and --resume goes on.
    Under torchrun (`torchrun --nproc-per-node 4 -m app train …`) every process takes its share of each batch.
    The recipe mask_vos trains a mask decoder for an encoder (--weights; the bundled one when left out).
    """
    from model.recipes import mask_vos
    from model.training.options import TrainingOptions
    from model.training.trainer import train as run

    options = TrainingOptions(
        sources=tuple(sources),
        out=out,
        recipe=recipe,
        steps=steps,
        minutes=minutes,
        batch=batch,
        crop=crop,
        rate=rate,
        accumulate=accumulate,
        seed=seed,
        device=device,
        precision=precision,
        weights=weights,
        workers=workers,
        cache=cache,
        resume=resume,
        without=tuple(without or ()),
    )
    if recipe == mask_vos.NAME and (json or estimate):
        raise ValueError(f"--recipe {recipe} goes with neither --json nor --estimate; leave them out")
    if json:
        from app.runs.train_events import estimate_aloud, train_aloud

        (estimate_aloud if estimate else train_aloud)(options)
        return
    if estimate:
        from model.training.estimate import steps_per_minute

        typer.echo(f"about {steps_per_minute(options):.1f} steps per minute")
        return
    teller = Teller()
    written = run(options, teller) if recipe != mask_vos.NAME else _decoder(options, teller)
    teller.last()
    typer.echo(f"wrote {written}")


def _decoder(options: TrainingOptions, teller: Teller) -> Path:
    from model.training.mask_vos import train_decoder

    return train_decoder(options, teller)


class Teller:
    """Prints what a step brought, not more often than every TELL_EVERY seconds, and what the last one brought."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._told = -math.inf
        self._waiting: dict[str, Any] | None = None

    def __call__(self, line: dict[str, Any]) -> None:
        self._waiting = line
        if time.monotonic() - self._told >= TELL_EVERY:
            self.last()

    def last(self) -> None:
        line, self._waiting = self._waiting, None
        if line is None:
            return
        self._told = time.monotonic()
        parts = [f"step {line['step']}", f"total {line['total']:.4f}", f"{line['seconds']:.2f} s per step"]
        if line["progress"] > 0:
            left = line["elapsed"] * (1 / line["progress"] - 1)
            parts.append(f"{100 * line['progress']:.1f} %, {left / 60:.0f} min left")
        print(self._prefix + ", ".join(parts), file=sys.stderr, flush=True)
