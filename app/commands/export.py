"""`mer export`: a project's labels in another format, without a window."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import typer

from app.progress import progress


def export(
    project: Annotated[Path, typer.Argument(help="Project folder, NAME.mer.")],
    out: Annotated[Path, typer.Option(help="Folder or file to write.")],
    form: Annotated[str, typer.Option("--format", help="davis, coco, …; `--format list` names them all.")] = "davis",
    option: Annotated[list[str] | None, typer.Option(help="A choice of the format, as name=value.")] = None,
    name: Annotated[str | None, typer.Option(help="Name of the sequence; the video's when left out.")] = None,
    human_only: Annotated[bool, typer.Option("--human-only", help="Only frames that a person made.")] = False,
    video: Annotated[Path | None, typer.Option(help="Where the video lies now, if it was moved.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Write the labels between in and out point, and read them back before calling it done."""
    from app.io.export import EXPORTERS, Done, find_exporter
    from app.io.export import export as run
    from app.io.project_file import load
    from model.video import open_video

    if form == "list":
        for exporter in EXPORTERS.values():
            choices = "; ".join(f"{o.name}={'|'.join(o.choices) or o.default}" for o in exporter.options)
            typer.echo(f"{exporter.id:14} {exporter.title}" + (f" ({choices})" if choices else ""))
        return
    options = _options(option or [], {o.name: o.default for o in find_exporter(form).options})
    loaded = load(project, video)
    for note in loaded.notes:
        typer.echo(note, err=True)
    with open_video(loaded.document.media.path) as source:
        steps = run(loaded.document, source, form, out, options, name=name, human_only=human_only, overwrite=overwrite)
        start, stop = loaded.document.span
        with progress("exporting", stop - start) as show, closing(steps):
            for step in steps:
                if isinstance(step, Done):
                    typer.echo(f"wrote {step.target}: {step.files} files, checked")
                else:
                    show(step.done)


def _options(given: list[str], defaults: dict[str, Any]) -> dict[str, Any]:
    """name=value as the type of the option's default. ValueError for what does not fit."""
    values: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"--option {text}: give it as name=value")
        default = defaults.get(name, "")
        try:
            if isinstance(default, bool):
                values[name] = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[value]
            else:
                values[name] = type(default)(value)
        except (KeyError, ValueError):
            raise ValueError(
                f"--option {text}: not a {'yes or no' if isinstance(default, bool) else 'number'}"
            ) from None
    return values
