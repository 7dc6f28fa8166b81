"""Questions to the inference thread: numbers them, and brings each answer to whoever asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from PySide6.QtCore import QObject

from app.jobs.inference import InferenceThread
from app.jobs.queries import Query

Answered = Callable[[Any], object]
Failed = Callable[[str], object]


class Questions(QObject):
    """Of every kind of question only the latest is of interest: answers to the ones before are dropped."""

    def __init__(self, inference: InferenceThread) -> None:
        super().__init__()
        self._inference = inference
        self._number = 0
        self._waiting: dict[type, tuple[int, Answered, Failed]] = {}
        inference.answered.connect(self._answer)
        inference.query_failed.connect(self._fail)

    def ask(self, query: Query, answered: Answered, failed: Failed) -> None:
        self._number += 1
        self._waiting[type(query)] = self._number, answered, failed
        self._inference.ask(self._number, query)

    def is_waiting(self, kind: type) -> bool:
        return kind in self._waiting

    def forget(self, *kinds: type) -> None:
        """Nobody wants to know any more."""
        for kind in kinds or tuple(self._waiting):
            self._waiting.pop(kind, None)

    def _take(self, number: int) -> tuple[int, Answered, Failed] | None:
        for kind, waiting in self._waiting.items():
            if waiting[0] == number:
                return self._waiting.pop(kind)
        return None

    def _answer(self, number: int, answer: object) -> None:
        if (asked := self._take(number)) is not None:
            asked[1](answer)

    def _fail(self, number: int, why: str) -> None:
        if (asked := self._take(number)) is not None:
            asked[2](why)
