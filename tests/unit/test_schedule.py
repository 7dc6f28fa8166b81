from __future__ import annotations

import pytest

from model.recipes import get_recipe
from model.training.schedule import learning_rate


def test_the_rate_rises_over_the_warm_up_and_falls_to_zero() -> None:
    recipe = get_recipe("mast", warmup=100, learning_rate=1e-3)
    rates = [learning_rate(recipe, step, step / 10_000) for step in (0, 49, 99, 5_000, 10_000)]
    assert rates == pytest.approx([1e-5, 5e-4, 1e-3, 5e-4, 0], abs=1e-6)


def test_a_short_budget_warms_up_in_a_tenth_of_it() -> None:
    """Or a recipe of 500 steps of warm-up would never learn at its rate in 150."""
    recipe = get_recipe("mast", warmup=500, learning_rate=1e-3)
    rates = [learning_rate(recipe, step, step / 150) for step in (0, 15, 75, 150)]
    assert rates == pytest.approx([2e-6, 9.76e-4, 5e-4, 0], abs=1e-6)
