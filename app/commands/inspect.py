"""`mer inspect`: what the method sees of one frame, as pictures."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands import options as opt
from model.types import PropagationOptions

if TYPE_CHECKING:
    from app.runs.inspection import Ballot

SEEN = ("size", "radius", "sampler", "window", "top_k", "temperature", "colour")  # options that a picture shows


@opt.with_propagation_options(only=SEEN)
def inspect(
    video: Annotated[Path, typer.Argument(help="A video file, or a folder of images.")],
    frame: Annotated[int, typer.Option(min=0, help="The frame to look at, counted from 0.")],
    out: Annotated[Path, typer.Option(help="Folder for the pictures; those of the same frame are replaced.")],
    reference: Annotated[
        list[int] | None,
        typer.Option(min=0, help="A frame to match with. Repeat it; left out, those that a propagation would look at."),
    ] = None,
    point: Annotated[str | None, typer.Option(help="x,y: a pixel whose votes to show, in pixels of the video.")] = None,
    labels: Annotated[
        list[Path] | None,
        typer.Option(help="Masks or keypoints as for propagate: drawn on the references, and named with the votes."),
    ] = None,
    fps: Annotated[float | None, typer.Option(help="Frame rate of a folder of images; 25 when left out.")] = None,
    device: opt.Device = None,
    weights: opt.Weights = None,
    options: PropagationOptions = opt.DEFAULT,
) -> None:
    """Show what the method sees of one frame: motion, features, clusters, sampling radius, confidence and votes.

    Writes OUT/00023-flow.png, … (for frame 23) at the size that the network works on. A single mask is taken to label
    the first --reference, or else frame 0.
    """
    pixel = None if point is None else _pixel(point)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out}: is a file: choose another --out")

    from app.io.anchors import read_anchors
    from app.runs.inspection import Inspection, check_point, usual_references
    from model.features import load_extractor
    from model.video import open_video

    with open_video(video, fps=fps) as source:
        for number in (frame, *(reference or ())):
            if number >= len(source):
                raise ValueError(f"{video}: has frames 0..{len(source) - 1}, and no frame {number}")
        if pixel is not None:
            check_point(pixel, source.size)
        anchors, notes = read_anchors(labels or (), source.size, len(source), reference[0] if reference else None)
        labelled = {anchor.frame: anchor for anchor in anchors}
        references = reference or usual_references(frame, tuple(labelled) or (0,), options)
        if not references:
            raise ValueError(f"a propagation starts at frame {frame}: name frames to match it with by --reference")
        inspection = Inspection(source, load_extractor(weights, device), frame, references, options, labelled)
        for name, page in inspection.pages():
            page.save(out / f"{frame:05d}-{name}.png")
        if pixel is not None:
            inspection.pixel_page(pixel).save(out / f"{frame:05d}-affinity.png")
            _show(inspection.ballots(pixel))
    for note in notes:
        typer.echo(note, err=True)
    typer.echo(f"pictures of frame {frame} are in {out}")


def _pixel(text: str) -> tuple[float, float]:
    place = opt.values(text, float, "--point")
    if len(place) != 2:
        raise ValueError(f"--point takes x,y, not {text!r}")
    return place[0], place[1]


def _show(ballots: Sequence[Ballot]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("frame", "x", "y", "weight", "object", title="votes")
    for ballot in ballots:
        said = {None: "unlabelled", 0: "background"}.get(ballot.object, str(ballot.object))
        table.add_row(str(ballot.frame), f"{ballot.x:.0f}", f"{ballot.y:.0f}", f"{100 * ballot.weight:.1f} %", said)
    Console().print(table)
