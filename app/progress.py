"""Progress on the error stream: a bar with the time left on a terminal, a line per 10 % anywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yields a function to call with the number of frames done so far, out of `total`."""
    if sys.stderr.isatty():
        with _bar(what, total) as show:
            yield show
    else:
        yield _lines(what, total)


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn("frames, elapsed"),
        rich.TimeElapsedColumn(),
        rich.TextColumn("left"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def _lines(what: str, total: int) -> Callable[[int], None]:
    begun = time.monotonic()
    told = 0

    def show(done: int) -> None:
        nonlocal told
        tenth = 10 * done // max(total, 1)
        if tenth > told:
            told = tenth
            spent = time.monotonic() - begun
            left = spent / done * (total - done)
            print(f"{what}: {done}/{total} frames, {spent:.0f} s, {left:.0f} s left", file=sys.stderr, flush=True)

    return show
