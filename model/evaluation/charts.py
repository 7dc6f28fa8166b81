"""Small charts of scores with their spread over seeds.

Scores are given as 0..1 and shown in %. The axis begins where the scores do, not at zero: read differences, not areas;
so there are dots and no bars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import mean, stdev

from model.evaluation.sheet import GRID, INK, QUIET, SERIES, Colour, Sheet
from model.types import UInt8Array

_WIDTH, _TITLE, _BOTTOM, _PAD = 860, 64, 62, 28
_ROW, _PLOT_HEIGHT = 38, 340


def dot_chart(title: str, rows: Sequence[tuple[str, Sequence[float]]], unit: str = "J&F, %") -> UInt8Array:
    """A dot for the mean of every row, a line for ± one standard deviation, small dots for the values: [H, W, 3] RGB.

    Rows without values are left empty. ValueError if none has one.
    """
    ticks = nice_ticks([v for _, values in rows for v in _reach(values)])
    sheet = Sheet(_WIDTH, _TITLE + _ROW * len(rows) + _BOTTOM)
    left = _PAD + max(sheet.length(name, 15) for name, _ in rows) + 20
    right, bottom = _WIDTH - _PAD - 96, _TITLE + _ROW * len(rows)

    def at(value: float) -> float:
        return left + (value - ticks[0]) / (ticks[-1] - ticks[0]) * (right - left)

    sheet.text(_PAD, 32, title, 19, INK, "lm")
    for tick in ticks:
        sheet.line([(at(tick), _TITLE), (at(tick), bottom)], GRID)
        sheet.text(at(tick), bottom + 16, f"{tick:g}", 13, QUIET, "mm")
    sheet.text((left + right) / 2, bottom + 40, _legend(unit, any(len(v) > 1 for _, v in rows)), 13, QUIET, "mm")
    best = max(mean(values) for _, values in rows if values)
    for number, (name, values) in enumerate(rows):
        y = _TITLE + _ROW * (number + 0.5)
        sheet.text(left - 16, y, name, 15, INK, "rm")
        if not values:
            sheet.text(_WIDTH - _PAD, y, "no score", 14, QUIET, "rm")
            continue
        middle, spread = 100 * mean(values), _spread(values)
        colour = SERIES[1] if mean(values) == best else SERIES[0]
        for value in values if len(values) > 1 else ():
            sheet.dot(at(100 * value), y, 3, _pale(colour))
        sheet.whisker((at(middle - spread), y), (at(middle + spread), y), colour)
        sheet.dot(at(middle), y, 7, colour)
        text = f"{middle:.1f}" + (f" ± {spread:.1f}" if len(values) > 1 else "")
        sheet.text(_WIDTH - _PAD, y, text, 14, INK, "rm")
    return sheet.picture()


def line_chart(
    title: str,
    x_label: str,
    series: Mapping[str, Sequence[tuple[float, Sequence[float]]]],
    unit: str = "J&F, %",
) -> UInt8Array:
    """Scores over a number: for every series, points (x, values) in the order of x: [H, W, 3] RGB.

    Points without values are left out. ValueError if none has one.
    """
    drawn = {name: [(x, values) for x, values in points if values] for name, points in series.items()}
    ticks = nice_ticks([v for points in drawn.values() for _, values in points for v in _reach(values)])
    places = sorted({x for points in drawn.values() for x, _ in points})
    sheet = Sheet(_WIDTH, _TITLE + _PLOT_HEIGHT + _BOTTOM)
    names = max(sheet.length(name, 14) for name in drawn) + 26 if len(drawn) > 1 else 24
    left, right, bottom = _PAD + 62, _WIDTH - _PAD - names, _TITLE + _PLOT_HEIGHT
    low, high = places[0], places[-1] if places[-1] > places[0] else places[0] + 1

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = (x - low) / (high - low), (y - ticks[0]) / (ticks[-1] - ticks[0])
        return left + 16 + across * (right - left - 32), bottom - up * _PLOT_HEIGHT

    sheet.text(_PAD, 32, title, 19, INK, "lm")
    for tick in ticks:
        y = at(low, tick)[1]
        sheet.line([(left, y), (right, y)], GRID)
        sheet.text(left - 10, y, f"{tick:g}", 13, QUIET, "rm")
    sheet.upright(_PAD + 6, (_TITLE + bottom) / 2, unit, 13, QUIET)
    for x in places:
        sheet.text(at(x, 0)[0], bottom + 16, f"{x:g}", 13, QUIET, "mm")
    several = any(len(values) > 1 for points in drawn.values() for _, values in points)
    sheet.text((left + right) / 2, bottom + 40, _legend(x_label, several), 13, QUIET, "mm")
    ends: list[float] = []
    order = sorted(drawn.items(), key=lambda item: -mean(item[1][-1][1]) if item[1] else 0.0)
    colours = dict(zip(drawn, _cycle(len(drawn)), strict=True))
    for name, points in order:
        if not points:
            continue
        dots = [at(x, 100 * mean(values)) for x, values in points]
        sheet.line(dots, colours[name], 2.5)
        for (x, values), dot in zip(points, dots, strict=True):
            middle, spread = 100 * mean(values), _spread(values)
            sheet.whisker(at(x, middle - spread), at(x, middle + spread), colours[name])
            sheet.dot(*dot, 5.5, colours[name])
        if len(drawn) > 1:  # the names stand at the ends of their lines, one below the other
            ends.append(max(dots[-1][1], ends[-1] + 18 if ends else 0))
            sheet.text(right + 4, ends[-1], name, 14, colours[name], "lm")
    return sheet.picture()


def nice_ticks(values: Sequence[float], count: int = 6) -> list[float]:
    """Round numbers, about `count`, from at or below the least of `values` to at or above the greatest.

    ValueError if there are none.
    """
    if not values:
        raise ValueError("nothing to draw: no trial has a score yet")
    low, high = min(values), max(values)
    if high - low < 1:
        low, high = low - 0.5, high + 0.5
    raw = (high - low) / (count - 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 5, 10) if m * size >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(n * step, 6) for n in range(first, last + 1)]


def _spread(values: Sequence[float]) -> float:
    """One sample standard deviation, in %."""
    return 100 * stdev(values) if len(values) > 1 else 0.0


def _reach(values: Sequence[float]) -> list[float]:
    """In %: the values, and the ends of the line that shows their spread."""
    if not values:
        return []
    middle, spread = 100 * mean(values), _spread(values)
    return [*(100 * v for v in values), middle - spread, middle + spread]


def _legend(unit: str, several: bool) -> str:
    return f"{unit} (lines: one standard deviation over seeds)" if several else unit


def _cycle(count: int) -> list[Colour]:
    return [SERIES[n % len(SERIES)] for n in range(count)]


def _pale(colour: Colour) -> Colour:
    red, green, blue = (round(c + (255 - c) * 0.55) for c in colour)
    return red, green, blue
