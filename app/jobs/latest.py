"""A thread that does what it was asked last. No Qt here."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from typing import Generic, TypeVar

Order = TypeVar("Order")


class LatestThread(ABC, Generic[Order]):
    """A new order takes the place of an older one, done or not. Who inherits this starts `_thread` when ready."""

    def __init__(self, name: str) -> None:
        self._changed = threading.Condition()
        self._order: Order | None = None
        self._closed = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)

    def ask(self, order: Order) -> None:
        with self._changed:
            self._order = order
            self._changed.notify()

    def close(self) -> None:
        """Stop after the step at hand."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    @abstractmethod
    def _do(self, order: Order) -> None:
        """In the thread. It looks up now and then, and ends when the order `_is_over`."""

    def _is_over(self, order: Order) -> bool:
        return self._closed or self._order is not order

    def _work(self) -> None:
        done: Order | None = None
        while (order := self._next(done)) is not None:
            done = order
            self._do(order)

    def _next(self, done: Order | None) -> Order | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._order is not done)
            return None if self._closed else self._order


def nobody(*_: object) -> None:
    """Hears nothing: what a closed thread calls, for Python cannot see through a Qt signal who holds whom."""
