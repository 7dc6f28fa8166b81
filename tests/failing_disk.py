"""A disk that fails at a chosen byte: programs die there, or are told that there is no room."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHANGING = ("replace", "unlink", "ftruncate", "truncate", "mkdir")


class Crash(BaseException):
    """The program is dead: nothing that it does from here on reaches the disk."""


class Disk:
    """Counts bytes written, and names changed as one each. limit: the first step that fails; None lets all pass."""

    def __init__(self, limit: int | None, dies: bool) -> None:
        self.limit = limit
        self.dies = dies
        self.steps = 0
        self.boundaries: set[int] = set()  # where one operation ends and the next begins

    def room(self, wanted: int) -> int:
        """How many of the wanted steps may be done. Crash, or OSError, if none."""
        self.boundaries.add(self.steps)
        left = wanted if self.limit is None else min(wanted, self.limit - self.steps)
        if left <= 0:
            raise Crash if self.dies else OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.steps += left
        return left


@contextmanager
def disk(limit: int | None = None, dies: bool = True) -> Iterator[Disk]:
    """In the block, `limit` steps reach the disk. dies: the program ends there; else only writing fails from there."""
    this = Disk(limit, dies)
    real = {name: getattr(os, name) for name in ("write", *CHANGING)}

    def write(file: int, data: Any) -> int:
        return int(real["write"](file, data[: this.room(len(data))]))

    def changing(name: str) -> Any:
        def change(*arguments: Any, **keywords: Any) -> Any:
            if dies:
                this.room(1)
            return real[name](*arguments, **keywords)

        return change

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", write)
        for name in CHANGING:
            patch.setattr(os, name, changing(name))
        yield this
