"""`mer propagate` of many videos: what it says on the way and in the end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from app.runs.batch import RESULTS, End, Engine, run_batch
from app.runs.batch_list import paired, read_list

if TYPE_CHECKING:
    from app.runs.batch import Outcome
    from app.runs.task import Settings, Task

ENGINES = ("processes", "ray")


def propagate_many(
    videos: Sequence[Path], list_file: Path | None, shared: Task, settings: Settings, engine: str, count: int | None
) -> None:
    """Ends with exit code 1 if a video failed, with 130 if the user stopped it. ValueError for a wrong list."""
    if list_file is not None and (videos or shared.labels):
        raise ValueError("--list names the videos and their labels: leave VIDEO and --labels out")
    if list_file is None and not shared.labels:
        raise ValueError("give --labels, a folder with labels named after each video, or a --list")
    jobs = read_list(list_file, shared) if list_file is not None else paired(videos, shared.labels, shared)
    outcomes = run_batch(jobs, settings, shared.out, _engine(engine, count), _tell)
    _show(outcomes)
    ends = [outcome.end for outcome in outcomes]
    done, failed = ends.count(End.FINISHED) + ends.count(End.KEPT), ends.count(End.FAILED)
    typer.echo(f"{done} of {len(jobs)} videos finished, {failed} failed: {shared.out / RESULTS}")
    if End.STOPPED in ends or End.WAITING in ends:
        typer.echo("mer: stopped: --resume goes on", err=True)
        raise typer.Exit(130)
    if failed:
        raise typer.Exit(1)


def _engine(name: str, count: int | None) -> Engine:
    if name not in ENGINES:
        raise ValueError(f"--engine is {' or '.join(ENGINES)}, not {name!r}")
    if name == "ray":
        from app.runs.batch_ray import check_ray, on_ray

        check_ray()
        return partial(on_ray, count=count)
    from app.runs.batch_processes import default_jobs, in_processes

    return partial(in_processes, count=count or default_jobs())


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _show(outcomes: Sequence[Outcome]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("video", "result")
    table.add_column("frames", justify="right")
    table.add_column("seconds", justify="right")
    for outcome in outcomes:
        result = f"{outcome.end.value}: {outcome.message}" if outcome.message else outcome.end.value
        table.add_row(outcome.name, result, str(outcome.frames), f"{outcome.seconds:.1f}")
    Console().print(table, markup=False)
