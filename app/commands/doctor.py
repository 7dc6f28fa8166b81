"""`mer doctor`: a table of what was found, or the whole text for a report of a fault."""

from __future__ import annotations

from typing import Annotated

import typer

from app import diagnostics
from app.doctor import Level, examine


def doctor(
    report: Annotated[
        bool, typer.Option("--report", help="As plain text, with the end of the log: for a report of a fault.")
    ] = False,
) -> None:
    """Tell what this machine offers.

    The exit code is 1 if something essential is missing.
    """
    if report:
        typer.echo(diagnostics.report(), nl=False)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("what", "found", "", "remedy")
    colours = {Level.OK: "green", Level.WARNING: "yellow", Level.MISSING: "red"}
    levels = []
    for finding in examine():
        table.add_row(finding.name, finding.found, f"[{colours[finding.level]}]{finding.level}[/]", finding.remedy)
        levels.append(finding.level)
    Console().print(table)
    if Level.MISSING in levels:
        raise typer.Exit(1)
