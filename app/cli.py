"""The commands of `mer`. What is heavy is loaded by the command that needs it, so that `mer --help` is quick."""

from __future__ import annotations

from typing import Annotated

import typer

from app import __version__
from app.bench_cli import bench
from app.demo.cli import demo
from app.doctor import doctor
from app.evaluate_cli import evaluate
from app.export_cli import export
from app.inspect_cli import inspect
from app.propagate_cli import propagate
from app.train_cli import train

app = typer.Typer(
    help="MER Studio carries masks and keypoints through video. Frames count from 0.",
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(propagate)
app.command()(train)
app.add_typer(evaluate, name="evaluate")
app.command()(inspect)
app.command()(export)
app.command()(bench)
app.command()(demo)
app.command()(doctor)


@app.callback(invoke_without_command=True)
def mer(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        typer.echo(f"mer {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())
        typer.echo("The window comes in a later release; this one is used from the command line.")
    else:
        return
    raise typer.Exit
