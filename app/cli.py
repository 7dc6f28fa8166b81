"""The commands of `mer`. What is heavy is loaded by the command that needs it, so that `mer --help` is quick."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from app import __version__
from app.commands.ablate import ablate
from app.commands.adapt import adapt
from app.commands.bench import bench
from app.commands.doctor import doctor
from app.commands.evaluate import evaluate
from app.commands.export import export
from app.commands.inspect import inspect
from app.commands.options import Device, Weights
from app.commands.propagate import propagate
from app.commands.shards import shards
from app.commands.train import train
from app.demo.cli import demo

WINDOW = "window"


class _Commands(TyperGroup):
    """`mer PATH` opens the window: what is no command, and looks like a path, is one."""

    def resolve_command(self, context: Any, arguments: list[str]) -> Any:
        first = arguments[0]
        if first not in self.commands and (Path(first).exists() or Path(first).suffix or Path(first).name != first):
            arguments = [WINDOW, *arguments]
        return super().resolve_command(context, arguments)


app = typer.Typer(
    help="MER Studio carries masks and keypoints through video. Frames count from 0. "
    "`mer` alone opens the window, `mer PATH` opens a video, a folder of frames or a project in it.",
    cls=_Commands,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(propagate)
app.command()(train)
app.command()(adapt)
app.command()(shards)
app.add_typer(evaluate, name="evaluate")
app.command()(ablate)
app.command()(inspect)
app.command()(export)
app.command()(bench)
app.command()(demo)
app.command()(doctor)


@app.callback(invoke_without_command=True)
def mer(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    weights: Weights = None,
    device: Device = None,
) -> None:
    if version:
        typer.echo(f"mer {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        raise typer.Exit(_show(None, weights, device))
    if context.invoked_subcommand != WINDOW and (weights or device):
        raise ValueError(
            f"--weights and --device of a command go behind it: mer {context.invoked_subcommand} --weights …"
        )


@app.command(WINDOW, hidden=True)
def window(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="Video, folder of frames, or project.")],
    weights: Weights = None,
    device: Device = None,
) -> None:
    """Open the window, and in it a video, a folder of frames or a project."""
    before = context.parent.params if context.parent else {}
    raise typer.Exit(_show(path, weights or before.get("weights"), device or before.get("device")))


@app.command(hidden=True)
def apart(work: str, arguments: list[str]) -> None:
    """For `app.io.apart`: work with HDF5 files in a process of its own."""
    from app.io.apart import serve

    raise typer.Exit(serve(work, arguments))


def _show(path: Path | None, weights: str | None, device: str | None) -> int:
    from app.desktop import start

    return start(path, weights, device)
