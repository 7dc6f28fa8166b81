"""The figures as tables, for a terminal and for a document."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from model.evaluation.bench.figures import Figures, Stage

_PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


class Table(NamedTuple):
    """Rows under columns, all as text; the first column is a name, the others are numbers."""

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


def tables(figures: Figures) -> list[Table]:
    """Those that have something to say."""
    every = (_stages(figures), _runs(figures), _lengths(figures), _ways(figures), _parts(figures))
    return [table for table in every if table.rows]


def roof_line(figures: Figures) -> str:
    """What the machine can do at most, in words."""
    roof = figures.roof
    product, copy = _amount(roof.flops, "FLOP/s"), _amount(roof.bytes, "B/s")
    where = f"{figures.machine['device']}, threads: {roof.threads}"
    if figures.machine["clock"] == "processor":
        where += ", processor time"
    return f"{where}: {product} in a {roof.dtype} matrix product, {copy} in a copy (read and written)"


def as_markdown(figures: Figures) -> str:
    """All tables of a document, each under its title."""
    return "\n".join([roof_line(figures) + ".\n", *map(_markdown, tables(figures))])


def _markdown(table: Table) -> str:
    lines = [table.columns, ("---", *("---:" for _ in table.columns[1:])), *table.rows]
    return "\n".join([f"{table.title}:\n", *("| " + " | ".join(line) + " |" for line in lines), ""])


def _stages(figures: Figures) -> Table:
    columns = ("stage", "video", "ms", "achieved", "roof", "of it")
    rows = [(stage.name, run.name, *_of_roof(stage)) for run in figures.runs for stage in run.stages]
    if figures.training is not None:
        rows.append((figures.training.name, "–", *_of_roof(figures.training)))
    return Table("Stages, each by itself", columns, rows)


def _of_roof(stage: Stage) -> tuple[str, ...]:
    unit = "B/s" if stage.unit == "byte" else "FLOP/s"
    milliseconds = f"{1e3 * stage.seconds:.1f}"
    if not stage.work:
        return milliseconds, "–", "–", "–"
    return (
        milliseconds,
        _amount(stage.rate, unit),
        _amount(stage.roof, unit),
        f"{100 * stage.ratio:.1f} %",
    )


def _runs(figures: Figures) -> Table:
    columns = ("video", "references", "first pass", "update", "gain", "memory")
    rows = [
        (
            run.name,
            f"{run.references}",
            f"{1 / run.first:.2f}",
            f"{1 / run.update:.2f}",
            f"{run.first / run.update:.1f}×",
            _memory(run.resident),
        )
        for run in figures.runs
    ]
    return Table("Frames per second from end to end, decoding included", columns, rows)


def _lengths(figures: Figures) -> Table:
    columns = ("frames", "size", "ms per frame", "memory at a tenth", "at the end")
    rows = []
    for length in figures.lengths:
        height, width = length.size
        held = (_memory(length.early), _memory(length.late))
        rows.append((f"{length.frames}", f"{width}×{height}", f"{1e3 * length.seconds:.2f}", *held))
    return Table("Length", columns, rows)


def _ways(figures: Figures) -> Table:
    slowest = figures.affinity.get("unfold", 0.0)
    rows = [(name, f"{ms:.0f}", f"{slowest / ms:.1f}×") for name, ms in figures.affinity.items()]
    return Table("The affinity of one reference", ("way", "ms", "against unfold"), rows)


def _parts(figures: Figures) -> Table:
    plain = next(iter(figures.parts.values()), 0.0)
    rows = [
        (name, f"{1e3 * s:.0f}", f"{1e3 * (s - plain):+.0f}", f"{s / plain:.2f}×") for name, s in figures.parts.items()
    ]
    return Table(
        "What parts of the method cost, each added to the plain way", ("part", "ms per frame", "more", "of plain"), rows
    )


def _memory(held: int | None) -> str:
    return "–" if held is None else f"{held / 2**20:.0f} MiB"


def _amount(value: float, unit: str) -> str:
    for size, prefix in _PREFIXES:
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}"
