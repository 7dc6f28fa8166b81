"""`mer bench`: what everything costs on this machine, beside what the machine could do at most."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import options as opt
from model.types import PropagationOptions

if TYPE_CHECKING:
    from model.evaluation.bench.figures import Figures
    from model.video import VideoSource

QUICK = {"sizes": "480", "objects": "1", "lengths": "50"}
FULL = {"sizes": "240,480,1080", "objects": "1,5,20", "lengths": "50,500,5000"}


@opt.with_propagation_options(only=("size", "radius", "top_k"))
def bench(
    video: Annotated[Path | None, typer.Argument(help="A video or folder in place of made-up ones.")] = None,
    sizes: Annotated[str | None, typer.Option(help=f"Heights of made-up videos [{QUICK['sizes']}].")] = None,
    objects: Annotated[str | None, typer.Option(help=f"Numbers of objects to carry [{QUICK['objects']}].")] = None,
    lengths: Annotated[
        str | None, typer.Option(help=f"Frames of passes over small videos (128×72) [{QUICK['lengths']}].")
    ] = None,
    full: Annotated[
        bool,
        typer.Option("--full", help=f"Sizes {FULL['sizes']}, objects {FULL['objects']}, lengths {FULL['lengths']}."),
    ] = False,
    long: Annotated[int, typer.Option(min=0, help="Also a pass over so many frames of 64×48, for memory.")] = 0,
    frames: Annotated[int, typer.Option(min=1, help="Frames to measure, behind a warm-up.")] = 20,
    rounds: Annotated[int, typer.Option(min=1, help="The best of so many rounds counts.")] = 2,
    options: PropagationOptions = opt.DEFAULT,
    weights: opt.Weights = None,
    device: opt.Device = None,
    recipe: Annotated[str, typer.Option(help="Time a training step of this recipe; none = no step.")] = "dense",
    busy: Annotated[
        bool, typer.Option("--busy", help="Others use this machine: one thread, and its own processor time alone.")
    ] = False,
    compare: Annotated[bool, typer.Option(help="Time the plain ways to the affinity too; they are slow.")] = False,
    parts: Annotated[bool, typer.Option(help="Time each part of the method beside the plain way too.")] = False,
    json_path: Annotated[Path | None, typer.Option("--json", help="Also write the figures to this file.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Also write the tables to this file, as Markdown.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Also draw the figures, as a PNG.")] = None,
) -> None:
    """Time, achieved FLOP/s or bytes/s, and this machine's roof for every stage; frames per second; memory.

    An empty list leaves its part out, as --lengths "".
    """
    from app.io.atomic import replacing, write_text
    from app.machine import peak_memory
    from model.evaluation.bench.chart import bench_chart
    from model.evaluation.bench.suite import Plan, run_suite
    from model.evaluation.bench.tables import as_markdown
    from model.features import load_extractor
    from model.video import open_video

    for path in (json_path, markdown, plot):
        if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise ValueError(f"{path}: {path.parent} is not a folder that can be written to; choose another")
    if video is not None and sizes is not None:
        raise ValueError(f"--sizes {sizes} are those of made-up videos: leave it out, or leave out {video}")
    usual = FULL if full else QUICK
    plan = Plan(
        sizes=_numbers(sizes, usual, "sizes"),
        objects=_numbers(objects, usual, "objects"),
        lengths=_numbers(lengths, usual, "lengths"),
        long=long,
        frames=frames,
        rounds=rounds,
        recipe=None if recipe == "none" else recipe,
        compare=compare,
        parts=parts,
        clock=time.process_time if busy else time.perf_counter,
    )
    if busy:
        import torch

        torch.set_num_threads(1)
    extractor = load_extractor(weights, device)
    with nullcontext() if video is None else open_video(video) as source:
        figures = run_suite(plan, extractor, options, _made_up, lambda text: typer.echo(text, err=True), source)
    memory = peak_memory()
    if json_path is not None:
        write_text(json_path, json.dumps(figures.as_dict() | {"peak_memory_bytes": memory}, indent=2) + "\n")
    if markdown is not None:
        write_text(markdown, as_markdown(figures))
    if plot is not None:
        from PIL import Image

        with replacing(plot) as partial:
            Image.fromarray(bench_chart(figures)).save(partial)
    _show(figures, memory)


def _numbers(text: str | None, usual: dict[str, str], name: str) -> tuple[int, ...]:
    return tuple(dict.fromkeys(opt.values(usual[name] if text is None else text, int, f"--{name}")))


@contextmanager
def _made_up(size: tuple[int, int], frames: int) -> Iterator[VideoSource]:
    """A film of noise in a file, so that decoding costs what it does."""
    from app.io.video_writer import VideoWriter
    from model.evaluation.bench.synthetic import SyntheticVideo
    from model.video import open_video

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{size[0]}p.mp4"
        with SyntheticVideo(*size, frames) as noise, VideoWriter(path, size, noise.fps) as writer:
            for frame in noise.frames(0, frames):
                writer.write(frame.image, frame.time)
        with open_video(path) as source:
            yield source


def _show(figures: Figures, memory: int) -> None:
    from rich.console import Console
    from rich.table import Table

    from model.evaluation.bench.tables import roof_line, tables

    console = Console()
    for found in tables(figures):
        table = Table(found.columns[0], title=found.title)
        for column in found.columns[1:]:
            table.add_column(column, justify="right")
        for row in found.rows:
            table.add_row(*row)
        console.print(table)
    console.print(roof_line(figures))
    console.print(f"peak memory {memory / 2**20:.0f} MiB")
