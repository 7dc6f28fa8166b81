"""`mer bench`: what a propagation costs on this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app import options as opt
from model.types import PropagationOptions

if TYPE_CHECKING:
    from model.evaluation.benchmark import Benchmark


def bench(
    video: Annotated[Path | None, typer.Argument(help="A video or folder; 854×480 noise when left out.")] = None,
    size: opt.Size = opt.DEFAULT_SIZE,
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure, behind a warm-up.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="The best of so many rounds counts.")] = 3,
    objects: Annotated[int, typer.Option(min=1, max=254, help="Objects to carry.")] = 1,
    radius: opt.Radius = opt.DEFAULT.radius,
    top_k: opt.TopK = opt.DEFAULT.top_k,
    weights: opt.Weights = None,
    device: opt.Device = None,
    compare: Annotated[bool, typer.Option(help="Time the plain ways to the affinity too.")] = True,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
) -> None:
    """Seconds per stage, frames per second and memory of a propagation, and the tiled affinity against plain ways."""
    from app.io.atomic import write_text
    from app.machine import peak_memory
    from model.evaluation.benchmark import SyntheticVideo, run_benchmark
    from model.features import load_extractor
    from model.video import open_video

    options = PropagationOptions(short_side=size or None, radius=radius, top_k=top_k)
    extractor = load_extractor(weights, device)
    with open_video(video) if video is not None else SyntheticVideo(480, 854, 200) as source:
        result = run_benchmark(
            source,
            extractor,
            options,
            objects=objects,
            frames=frames,
            rounds=rounds,
            compare=compare,
            note=lambda text: typer.echo(text, err=True),
        )
    memory = peak_memory()
    if json_path is not None:
        write_text(json_path, json.dumps(result.as_dict() | {"peak_memory_bytes": memory}, indent=2) + "\n")
    _show(result, memory)


def _show(result: Benchmark, memory: int) -> None:
    from rich.console import Console
    from rich.table import Table

    height, width = result.size
    title = f"{result.video} at {width}×{height}, {result.references} references, objects: {result.objects}"
    stages = Table("stage", title=title)
    for column in ("ms per frame", "share"):
        stages.add_column(column, justify="right")
    for name, stage in result.stages.items():
        stages.add_row(name, f"{1e3 * stage.seconds:.1f}", f"{100 * stage.share:.0f} %")
    console = Console()
    console.print(stages)
    console.print(f"{result.frames_per_second:.2f} frames per second end to end, peak memory {memory / 2**20:.0f} MiB")
    if result.affinity is not None:
        ways = Table(
            "affinity of one reference", title=f"{result.machine['device']}, {result.machine['threads']} threads"
        )
        for column in ("ms", "against unfold"):
            ways.add_column(column, justify="right")
        for name, milliseconds in result.affinity.items():
            ways.add_row(name, f"{milliseconds:.0f}", f"{result.affinity['unfold'] / milliseconds:.1f}×")
        console.print(ways)
