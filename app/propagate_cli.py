"""`mer propagate`: labels carried through a video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from app import options as opt
from model.types import Direction


def propagate(
    video: Annotated[Path, typer.Argument(help="A video file, or a folder of images.")],
    labels: Annotated[
        list[Path],
        typer.Option(
            help="A mask (.png), a folder of masks named by frame, or keypoints (.csv: frame,name,x,y). Repeat it to "
            "give several."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for masks, overlay video, keypoints and report.")],
    frame: Annotated[int | None, typer.Option(min=0, help="The frame of a single mask; 0 when left out.")] = None,
    clean_edges: Annotated[bool, typer.Option("--clean-edges", help="Repair masks with anti-aliased edges.")] = False,
    direction: Annotated[Direction, typer.Option(help="Which way labels travel.")] = Direction.FORWARD,
    start: Annotated[int, typer.Option(min=0, help="First frame, counted from 0.")] = 0,
    stop: Annotated[int | None, typer.Option(min=1, help="First frame no longer done; all when left out.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a folder of images; 25 when left out.")] = None,
    device: opt.Device = None,
    weights: opt.Weights = None,
    recipe: Annotated[str | None, typer.Option(help="Insist on weights trained by this recipe.")] = None,
    size: opt.Size = opt.DEFAULT_SIZE,
    radius: opt.Radius = opt.DEFAULT.radius,
    sampler: opt.Sampler = opt.DEFAULT.sampler,
    window: opt.Window = opt.DEFAULT.window,
    top_k: opt.TopK = opt.DEFAULT.top_k,
    temperature: opt.Temperature = opt.DEFAULT.temperature,
    colour: opt.Colour = opt.DEFAULT.colour,
    edges: opt.Edges = opt.DEFAULT.edges,
    references: Annotated[
        int, typer.Option(help="Labelled frames, the nearest ones, to look at.", rich_help_panel=opt.MEMORY)
    ] = opt.DEFAULT.anchors,
    long_term: opt.LongTerm = opt.DEFAULT_LONG_TERM,
    short_term: opt.ShortTerm = opt.DEFAULT_SHORT_TERM,
    soft: opt.Soft = opt.DEFAULT_SOFT,
    rare: opt.Rare = None,
    cycle: Annotated[
        bool, typer.Option("--cycle", help="Report forward-backward disagreement.", rich_help_panel=opt.RESULTS)
    ] = opt.DEFAULT.cycle,
    overlay: Annotated[
        bool, typer.Option("--overlay/--no-overlay", help="Write overlay.mp4.", rich_help_panel=opt.RESULTS)
    ] = True,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with an interrupted run.", rich_help_panel=opt.RESULTS)
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the results of an earlier run.", rich_help_panel=opt.RESULTS)
    ] = False,
) -> None:
    """Carry masks and keypoints from labelled frames through a video.

    Writes OUT/masks/00000.png … (indexed PNG at the video's size), OUT/overlay.mp4, OUT/keypoints.csv and
    OUT/report.json. Frames count from 0. Ctrl+C keeps the finished frames, and --resume goes on.
    """
    options = opt.propagation_options(
        size,
        radius,
        sampler,
        window,
        top_k,
        temperature,
        colour,
        edges,
        long_term,
        short_term,
        soft,
        references,
        cycle,
        rare,
    )
    from app.io.output import OutputFolder
    from app.io.video_writer import check_encoder

    output = OutputFolder(out)
    output.check((video, *labels), resume, overwrite)
    if overlay:
        check_encoder()

    from app.io.anchors import read_anchors
    from app.resume import reached
    from model.video import open_video

    with open_video(video, fps=fps) as source:
        end = len(source) if stop is None else stop
        if not start < end <= len(source):
            raise ValueError(
                f"{video}: has frames 0..{len(source) - 1}: --start {start} and --stop {end} do not fit it"
            )
        anchors, notes = read_anchors(labels, source.size, len(source), frame, clean_edges)
        frames = reached([a.frame for a in anchors], direction, start, end)
        if not frames:
            raise ValueError(
                f"labels on frame {anchors[0].frame} do not reach frames {start}..{end - 1} going {direction.value}: "
                "use --direction both"
            )
        if len(frames) < end - start:
            notes += (f"going {direction.value}, labels reach frames {frames.start}..{frames.stop - 1} and no others",)
        output.check_room(len(frames), source.size)

        from app.propagation import Interrupted, Propagation
        from model.features import load_extractor

        extractor = load_extractor(weights, device)
        if recipe is not None and extractor.recipe != recipe:
            raise ValueError(
                f"the {extractor.name} weights are of recipe {extractor.recipe!r}, not {recipe!r}: give other --weights"
            )
        run = Propagation(source, anchors, extractor, options, direction, start, end, output, notes)
        try:
            run.go(resume, overlay)
        except Interrupted:
            done = len(run.report.frames)
            typer.echo(f"mer: stopped with {done} of {len(frames)} frames: --resume goes on", err=True)
            raise typer.Exit(130) from None
        finally:
            for note in run.report.notes:
                typer.echo(f"note: {note}", err=True)
    written = [p for p in (output.masks, output.keypoints, output.overlay, output.report) if p.exists()]
    cost = run.report.cost
    typer.echo(
        f"{len(run.report.frames)} frames in {cost['seconds']['total']:.1f} s "
        f"({cost['frames_per_second'] or 0:.2f} frames per second, {cost['peak_memory_bytes'] / 1e6:.0f} MB): "
        + ", ".join(map(str, written))
    )
