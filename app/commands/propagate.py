"""`mer propagate`: labels carried through a video, or through many."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import options as opt
from model.types import Direction, PropagationOptions

if TYPE_CHECKING:
    from app.runs.task import Settings, Task


@opt.with_propagation_options()
def propagate(
    out: Annotated[Path, typer.Option(help="Folder for masks, overlay video, keypoints and report.")],
    videos: Annotated[list[Path] | None, typer.Argument(help="A video file, or a folder of images; or many.")] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            help="A mask (.png), a folder of masks named by frame, or keypoints (.csv: frame,name,x,y). Repeat it to "
            "give several. With many videos: a folder with such labels named after each video."
        ),
    ] = None,
    frame: Annotated[int | None, typer.Option(min=0, help="The frame of a single mask; 0 when left out.")] = None,
    clean_edges: Annotated[bool, typer.Option("--clean-edges", help="Repair masks with anti-aliased edges.")] = False,
    direction: Annotated[Direction, typer.Option(help="Which way labels travel.")] = Direction.FORWARD,
    start: Annotated[int, typer.Option(min=0, help="First frame, counted from 0.")] = 0,
    stop: Annotated[int | None, typer.Option(min=1, help="First frame no longer done; all when left out.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a folder of images; 25 when left out.")] = None,
    device: opt.Device = None,
    weights: opt.Weights = None,
    recipe: Annotated[str | None, typer.Option(help="Insist on weights trained by this recipe.")] = None,
    options: PropagationOptions = opt.DEFAULT,
    overlay: Annotated[
        bool, typer.Option("--overlay/--no-overlay", help="Write overlay.mp4.", rich_help_panel=opt.RESULTS)
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.", rich_help_panel=opt.RESULTS)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.", rich_help_panel=opt.RESULTS)
    ] = False,
    list_file: Annotated[
        Path | None,
        typer.Option(
            "--list",
            help="Videos and their labels: .csv with the columns video, labels and, if wanted, name, frame, direction, "
            "start, stop; or the same in JSON lines.",
            rich_help_panel=opt.MANY,
        ),
    ] = None,
    jobs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Videos at a time; when left out, one for each GPU or each four cores.",
            rich_help_panel=opt.MANY,
        ),
    ] = None,
    engine: Annotated[
        str, typer.Option(help="What spreads them: processes, or ray (a cluster).", rich_help_panel=opt.MANY)
    ] = "processes",
) -> None:
    """Carry masks and keypoints from labelled frames through a video, or through many.

    Writes OUT/masks/00000.png … (indexed PNG at the video's size), OUT/overlay.mp4, OUT/keypoints.csv and
    OUT/report.json; of many videos, the same into OUT/NAME for each, and OUT/results.json. Frames count from 0.
    Ctrl+C keeps the finished frames, and --resume goes on. Exit code 1: some of many videos failed.
    """
    from app.runs.task import Settings, Task

    settings = Settings(options, weights, device, recipe, clean_edges, fps, overlay, resume, overwrite)
    shared = Task(Path(), tuple(labels or ()), out, frame, direction, start, stop)
    if list_file is not None or len(videos or ()) > 1:
        from app.commands.batch import propagate_many

        propagate_many(videos or [], list_file, shared, settings, engine, jobs)
    elif not videos or not labels:
        raise ValueError("give a VIDEO with its --labels, or many in a --list: see mer propagate --help")
    elif jobs is not None or engine != "processes":
        raise ValueError("--jobs and --engine are for many videos: give several, or a --list")
    else:
        _propagate_one(replace(shared, video=videos[0]), settings)


def _propagate_one(task: Task, settings: Settings) -> None:
    from app.runs.propagation import Interrupted
    from app.runs.task import prepared

    with prepared(task, settings) as run:
        try:
            run.go(settings.resume, settings.overlay)
        except Interrupted:
            done = len(run.report.frames)
            typer.echo(f"mer: stopped with {done} of {len(run.reach)} frames: --resume goes on", err=True)
            raise typer.Exit(130) from None
        finally:
            for note in run.report.notes:
                typer.echo(f"note: {note}", err=True)
    output = run.output
    written = [p for p in (output.masks, output.keypoints, output.overlay, output.report) if p.exists()]
    cost = run.report.cost
    typer.echo(
        f"{len(run.report.frames)} frames in {cost['seconds']['total']:.1f} s "
        f"({cost['frames_per_second'] or 0:.2f} frames per second, {cost['peak_memory_bytes'] / 1e6:.0f} MB): "
        + ", ".join(map(str, written))
    )
