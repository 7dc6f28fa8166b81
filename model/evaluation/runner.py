"""What the evaluations share: a propagator as a plain callable, and the time spent waiting for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from time import perf_counter
from typing import TypeVar

from model.types import PropagationRequest, PropagationResult
from model.video import VideoSource

Propagate = Callable[[VideoSource, PropagationRequest], Iterable[PropagationResult]]
"""Carries the anchors of a request through a video."""

Progress = Callable[[str, int, int], None]
"""Told the sequence, the frames done and the frames in all, after every frame."""

T = TypeVar("T")


class Timed(Iterator[T]):
    """Hands items through. `seconds` is the time spent waiting for them, without what is done between them."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self.seconds = 0.0

    def __next__(self) -> T:
        started = perf_counter()
        try:
            return next(self._items)
        finally:
            self.seconds += perf_counter() - started
