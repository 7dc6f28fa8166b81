"""The figures as a picture: where the time of a frame goes, and how near each stage comes to its roof."""

from __future__ import annotations

from collections.abc import Sequence

from model.evaluation.bench.figures import Figures, Run, Stage
from model.evaluation.charts import nice_ticks
from model.evaluation.sheet import GRID, INK, QUIET, SERIES, Sheet
from model.types import UInt8Array

_WIDTH, _PAD, _TITLE, _ROW, _BOTTOM = 860, 28, 92, 38, 46
_BAR = 11  # half its height


def bench_chart(figures: Figures) -> UInt8Array:
    """Above, a bar for every run, cut into its stages; below, the shares of their roofs: [H, W, 3] RGB.

    ValueError if there is neither a run nor a training step.
    """
    stages = (*(figures.runs[0].stages if figures.runs else ()), *filter(None, [figures.training]))
    if not stages:
        raise ValueError("nothing to draw: ask for at least one size")
    middle = (_TITLE + _ROW * len(figures.runs) + _BOTTOM) if figures.runs else 0
    sheet = Sheet(_WIDTH, middle + _TITLE + _ROW * len(stages) + _BOTTOM)
    if figures.runs:
        _draw_times(sheet, figures.runs)
    _draw_shares(sheet, stages, middle, figures.runs[0] if figures.runs else None)
    return sheet.picture()


def _draw_times(sheet: Sheet, runs: Sequence[Run]) -> None:
    left = _PAD + max(sheet.length(run.name, 15) for run in runs) + 20
    right, bottom = _WIDTH - _PAD - 150, _TITLE + _ROW * len(runs)
    times = [[1e3 * stage.seconds for stage in run.stages] for run in runs]
    ticks = nice_ticks([0.0, *map(sum, times)])
    sheet.text(_PAD, 32, "Milliseconds of a frame, stage by stage", 19, INK, "lm")
    x = float(_PAD)
    for number, stage in enumerate(runs[0].stages):
        sheet.dot(x + 6, 64, 6, SERIES[number])
        sheet.text(x + 18, 64, stage.name, 14, INK, "lm")
        x += sheet.length(stage.name, 14) + 42
    for tick in ticks:
        at = left + tick / ticks[-1] * (right - left)
        sheet.line([(at, _TITLE), (at, bottom)], GRID)
        sheet.text(at, bottom + 16, f"{tick:g}", 13, QUIET, "mm")
    for number, (run, stages) in enumerate(zip(runs, times, strict=True)):
        y = _TITLE + _ROW * (number + 0.5)
        sheet.text(left - 16, y, run.name, 15, INK, "rm")
        begin = left
        for colour, milliseconds in zip(SERIES, stages, strict=False):
            end = begin + milliseconds / ticks[-1] * (right - left)
            sheet.bar(begin, y - _BAR, end, y + _BAR, colour)
            begin = end
        sheet.text(_WIDTH - _PAD, y, f"{1 / run.first:.2g} frames per s", 14, INK, "rm")


def _draw_shares(sheet: Sheet, stages: Sequence[Stage], top: int, run: Run | None) -> None:
    left = _PAD + max(sheet.length(stage.name, 15) for stage in stages) + 20
    right, first = _WIDTH - _PAD - 150, top + _TITLE
    bottom = first + _ROW * len(stages)
    of = "" if run is None else f", {run.name}"
    sheet.text(_PAD, top + 32, f"Share of what this machine can do at most{of}", 19, INK, "lm")
    roofs = "networks and affinity against a matrix product, all else against a copy"
    sheet.text(_PAD, top + 62, roofs, 14, QUIET, "lm")
    for tick in range(0, 101, 20):
        at = left + tick / 100 * (right - left)
        sheet.line([(at, first), (at, bottom)], GRID)
        sheet.text(at, bottom + 16, f"{tick} %", 13, QUIET, "mm")
    for number, stage in enumerate(stages):
        y = first + _ROW * (number + 0.5)
        sheet.text(left - 16, y, stage.name, 15, INK, "rm")
        sheet.bar(left, y - _BAR, left + min(1.0, stage.ratio) * (right - left), y + _BAR, SERIES[number])
        sheet.text(_WIDTH - _PAD, y, f"{100 * stage.ratio:.1f} %", 14, INK, "rm")
