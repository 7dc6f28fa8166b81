"""`mer demo`: the main job on a film that the program paints itself, scored against the exact truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.options import Device, Weights

if TYPE_CHECKING:
    from app.demo.run import Demo


def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything that the demo writes.")] = Path("demo"),
    frames: Annotated[int, typer.Option(min=3, help="Frames of the film, at 24 per second.")] = 48,
    size: Annotated[int, typer.Option(min=48, help="Height of the film in pixels.")] = 480,
    weights: Weights = None,
    device: Device = None,
    window: Annotated[
        bool, typer.Option("--window", help="Do it in the window, with a picture of every step.")
    ] = False,
) -> None:
    """Film a pond, carry the first frame's mask and keypoints through the film, and show how well that went.

    The film is painted by the program: two koi and a turtle swim among lily pads and behind each other. Its truth is
    known exactly, and only the first frame of it is given away.
    """
    if window:
        _tour(out, frames, size, weights, device)
        return
    from app.demo.run import run_demo
    from app.runs.propagation import Interrupted

    try:
        result = run_demo(out, frames, size, weights, device)
    except Interrupted:
        typer.echo("mer: stopped", err=True)
        raise typer.Exit(130) from None
    _show(result)


def _tour(out: Path, frames: int, size: int, weights: str | None, device: str | None) -> None:
    from app.demo.tour import Step, run_tour

    def tell(step: Step) -> None:
        typer.echo(f"{step.picture.name}: {step.name}" + (f", {step.result}" if step.result else ""))

    run_tour(out, frames, size, weights, device, tell)
    typer.echo(f"pictures of every step are in {out}")


def _show(demo: Demo) -> None:
    from rich.console import Console
    from rich.table import Table

    from app.demo.cast import OBJECTS

    table = Table("object", caption="values in %")
    for column in ("J&F", "J", "F"):
        table.add_column(column, justify="right")
    rows = {f"{number} {OBJECTS[number]}": score for number, score in demo.score.objects.items()}
    for name, score in rows.items():
        table.add_row(name, *(f"{100 * score.as_dict()[c]:.1f}" for c in ("J&F", "J", "F")))
    table.add_section()
    table.add_row("mean", *(f"{100 * demo.score.mean.as_dict()[c]:.1f}" for c in ("J&F", "J", "F")))
    Console().print(table)
    typer.echo(f"keypoints: {demo.points}")
    typer.echo(f"{demo.seconds:.2f} seconds per frame, {demo.weights}")
    typer.echo(f"look at {demo.sheet}; beside it lie " + ", ".join(path.name for path in demo.files))
