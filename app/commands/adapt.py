"""`mer adapt`: an encoder adapted to the video of a project."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from app.commands.options import Device


def adapt(
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mer, with at least one labelled frame.")],
    out: Annotated[Path, typer.Option(help="Weights file to write, if it helped.")],
    minutes: Annotated[float, typer.Option(help="Learn for so many minutes at most.")] = 2.0,
    steps: Annotated[int | None, typer.Option(help="Learn for so many steps at most.")] = None,
    weights: Annotated[Path | None, typer.Option(help="Encoder to begin with; the bundled one when left out.")] = None,
    device: Device = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    video: Annotated[Path | None, typer.Option(help="Where the video lies now, if it was moved.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Say everything as JSON, one object per line.")] = False,
) -> None:
    """Adapt an encoder to one video, and keep it only if it is better there.

    It learns from the video alone, without labels, and ends early when that no longer helps. What was labelled serves
    to see whether labels are carried with more certainty.
    """
    from app.io.project_file import load
    from app.runs.adaptation import adapt_to
    from app.runs.train_events import aloud, say
    from model.resources import resource
    from model.video import open_video

    if minutes <= 0 or (steps is not None and steps <= 0):
        raise ValueError("an adaptation needs some time: give --minutes or --steps above 0")
    if out.exists():
        raise ValueError(f"{out}: is there already; choose another name")
    with aloud(json):
        document = load(project, video).document
        with open_video(document.media.path) as source:
            work = adapt_to(
                source,
                document.anchors(),
                document.options,
                weights or resource("encoder.pt"),
                out,
                minutes=minutes,
                steps=steps,
                device=device,
                precision=precision,
            )
            with closing(work):
                while True:
                    try:
                        step = next(work)
                    except StopIteration as end:
                        outcome = end.value
                        break
                    if json:
                        say("adapting", **step.as_dict())
                    elif step.error is not None:
                        typer.echo(f"{step.share:.0%}: cycle error {step.error:.2f} px", err=True)
        if json:
            say("adapted", **outcome.as_dict())
            return
        verdict = f"wrote {out}" if outcome.kept else "not better, nothing is written"
        typer.echo(f"{verdict}: {outcome.figures()}")
