"""Charts of scores, by their pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from model.evaluation.charts import dot_chart, line_chart, nice_ticks
from model.evaluation.sheet import PAPER, SERIES
from model.types import UInt8Array


def places(picture: UInt8Array, colour: tuple[int, int, int]) -> np.ndarray:
    """(y, x) of the pixels of exactly that colour."""
    return np.argwhere((picture == np.array(colour)).all(axis=2))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([60.0, 70.0], [60, 62, 64, 66, 68, 70]),
        ([61.3, 68.9], [60, 62, 64, 66, 68, 70]),
        ([0.0, 100.0], [0, 20, 40, 60, 80, 100]),
        ([50.0], [49.4, 49.6, 49.8, 50.0, 50.2, 50.4, 50.6]),
    ],
)
def test_ticks_are_round_and_embrace_the_values(values: list[float], expected: list[float]) -> None:
    ticks = nice_ticks(values)
    assert ticks[0] <= min(values) and ticks[-1] >= max(values)
    if len(values) > 1:
        assert ticks == expected
    assert len({round(b - a, 6) for a, b in pairwise(ticks)}) == 1


def test_dots_lie_where_their_scores_are_and_the_best_has_its_own_colour() -> None:
    picture = dot_chart("J&F", [("low", [0.60]), ("middle", [0.65]), ("high", [0.70])])
    assert picture.shape[2] == 3 and tuple(picture[1, 1]) == PAPER
    dots = places(picture, SERIES[0])
    split = dots[:, 0] < dots[:, 0].mean()
    low, middle = dots[split].mean(axis=0), dots[~split].mean(axis=0)
    high = places(picture, SERIES[1]).mean(axis=0)
    assert middle[0] - low[0] == pytest.approx(high[0] - middle[0], abs=1)  # rows, one below the other
    assert middle[1] - low[1] == pytest.approx(high[1] - middle[1], abs=1)  # equal steps of the score
    assert middle[1] - low[1] > 100


def test_the_whisker_is_one_standard_deviation_to_either_side() -> None:
    """The axis has the same ends in both: 40 and 80 %."""
    ends = [("low", [0.40, 0.40]), ("high", [0.80, 0.80])]

    def length(values: list[float]) -> int:
        picture = dot_chart("J&F", [("this", values), *ends])
        dots = places(picture, SERIES[0])
        line = dots[dots[:, 0] == dots[:, 0].min() + 7][:, 1]  # the first row, through the middle of its dot
        return int(np.ptp(line))

    pixels = (
        places(dot_chart("J&F", ends), SERIES[1])[:, 1].mean() - places(dot_chart("J&F", ends), SERIES[0])[:, 1].mean()
    )
    assert length([0.55, 0.65]) == pytest.approx(2 * 0.05 * 2**0.5 / 0.4 * pixels, rel=0.08)
    assert length([0.57, 0.63]) == pytest.approx(2 * 0.03 * 2**0.5 / 0.4 * pixels, rel=0.08)


def test_rows_without_scores_are_empty_and_all_without_are_an_error() -> None:
    picture = dot_chart("J&F", [("failed", []), ("fine", [0.5])])
    assert len(places(picture, SERIES[0])) == 0 and len(places(picture, SERIES[1])) > 50
    with pytest.raises(ValueError, match="no trial has a score"):
        dot_chart("J&F", [("failed", [])])


def test_lines_rise_with_the_scores_and_every_series_has_a_colour() -> None:
    series = {"up": [(5.0, [0.5]), (50.0, [0.6]), (100.0, [0.7])], "flat": [(5.0, [0.4]), (50.0, []), (100.0, [0.4])]}
    picture = line_chart("J&F", "budget", series)
    up, flat = places(picture, SERIES[0]), places(picture, SERIES[1])
    inside = flat[flat[:, 1] < 700]  # without the name
    assert np.ptp(inside[:, 0]) <= 14
    left, right = up[up[:, 1] < 150], up[(up[:, 1] > 600) & (up[:, 1] < 700)]
    assert left[:, 0].mean() > right[:, 0].mean() + 100  # y goes down
    alone = line_chart("J&F", "budget", {"up": series["up"]})
    assert len(places(alone, SERIES[1])) == 0
