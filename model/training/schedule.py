"""What changes in the course of a run: how far it is, how fast it learns, and when it is told to stop."""

from __future__ import annotations

import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from model.recipes import Recipe
from model.training.options import TrainingOptions

LONGEST_WARMUP = 0.1
"""Of the budget."""


def progress_of(options: TrainingOptions, step: int, elapsed: float) -> float:
    """The share of the budget that is used up: of the steps or of the time, whichever is further; at most 1."""
    parts = [0.0]
    if options.steps is not None:
        parts.append(step / options.steps)
    if options.minutes is not None:
        parts.append(elapsed / (60 * options.minutes))
    return min(1.0, max(parts))


def learning_rate(recipe: Recipe, step: int, progress: float) -> float:
    """Linear warm-up, over a tenth of a budget that is short for the recipe's; then a cosine to zero."""
    warm = max((step + 1) / recipe.warmup, progress / LONGEST_WARMUP)
    return recipe.learning_rate * min(1.0, warm) * 0.5 * (1 + math.cos(math.pi * progress))


@contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """While open, SIGTERM and SIGINT are only noted; a second SIGINT interrupts at once."""
    seen: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        seen.append(number)
        if seen.count(signal.SIGINT) > 1:
            raise KeyboardInterrupt

    # Other threads get no signals: whoever started one stops it in another way.
    main = threading.current_thread() is threading.main_thread()
    old = {s: signal.signal(s, note) for s in (signal.SIGTERM, signal.SIGINT)} if main else {}
    try:
        yield lambda: bool(seen)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
