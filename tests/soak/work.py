"""A day's work at the window, compressed, and what it leaves behind."""

from __future__ import annotations

import gc
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path

import psutil
from PySide6.QtCore import QEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

import app.jobs.answers  # noqa: F401 - now: QTest.qWait holds the lock that the inference thread needs to import it
import model.propagator  # noqa: F401
from app.views.dialogs.export import ExportDialog
from model.video import VideoSource
from tests.windows import Desk

FRAMES = 5


@dataclass(frozen=True, slots=True)
class Figures:
    """After a round. memory: MB of the process; temporary: files below its folder for such; widgets: of Qt.

    videos: sources that are still in memory.
    """

    memory: float
    files: int
    threads: int
    temporary: int
    widgets: int
    videos: int


ROOM = {"memory": 12.0, "files": 0.0, "threads": 0.0, "temporary": 0.0, "widgets": 0.0, "videos": 0.0}
"""What each may grow by from the first half of the rounds to the last quarter. Memory never lies quite still."""


class _Clock:
    """What `Desk` wants of pytest-qt."""

    def waitUntil(self, condition: Callable[[], bool], timeout: int) -> None:
        until = time.monotonic() + 5 * timeout / 1000  # nobody looks on
        while not condition():
            if time.monotonic() > until:
                raise TimeoutError("the window did not come to an end")
            QTest.qWait(2)


def soak(rounds: int, folder: Path) -> Generator[Figures]:
    """Figures after each round. folder: for the work; everything temporary goes below it as well."""
    temporary = folder / "temporary"
    temporary.mkdir()
    os.environ |= {"MER_HOME": str(folder / "home"), "TMPDIR": str(temporary)}
    tempfile.tempdir = None  # look again
    desk = Desk(_Clock(), folder, FRAMES)
    try:
        for _ in range(rounds):
            _round(desk, folder)
            _settle()
            yield _measured(folder)
    finally:
        desk.close()


def _round(desk: Desk, folder: Path) -> None:
    """Open, paint, propagate, correct, update, undo, export, save, close."""
    project, exported = folder / "work.mer", folder / "exported"
    desk.open()
    desk.label(0)
    desk.stroke((20, 60), (40, 70))
    desk.propagate()
    assert len(desk.stored) == FRAMES
    desk.label(2, desk.truth[3])
    desk.propagate("propagate.update")
    for _ in range(2):
        desk.does("edit.undo")
    desk.does("edit.redo")
    assert desk.studio.saving.save_to(project)
    _export(desk, exported)
    desk.studio.opening.close()
    desk.wait(lambda: desk.session.project is None)
    desk.open(project)
    assert len(desk.stored) >= 2
    desk.studio.opening.close()
    desk.wait(lambda: desk.session.project is None)
    for made in (project, exported):
        shutil.rmtree(made)


def _export(desk: Desk, target: Path) -> None:
    desk.does("file.export")
    dialog = desk.studio.exchanging.dialog
    assert isinstance(dialog, ExportDialog)
    done: list[bool] = []
    heard = desk.studio.exchanging.exported.connect(lambda: done.append(True))
    dialog.requested.emit("davis", target, {}, False, False)
    desk.wait(lambda: bool(done))
    desk.studio.exchanging.exported.disconnect(heard)
    dialog.close()


def _settle() -> None:
    """Let what is dead be buried."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    QApplication.processEvents()
    gc.collect()


def _measured(folder: Path) -> Figures:
    process = psutil.Process()
    return Figures(
        process.memory_info().rss / (1 << 20),
        process.num_fds(),
        process.num_threads(),
        sum(1 for path in (folder / "temporary").rglob("*"))
        + sum(1 for path in (folder / "home" / "unsaved").glob("*")),
        len(QApplication.allWidgets()),
        sum(issubclass(type(thing), VideoSource) for thing in gc.get_objects()),
    )


def trends(figures: list[Figures]) -> dict[str, tuple[float, float]]:
    """Of each figure, the most in the first half and the median of the last quarter.

    The most, for memory goes up and down between rounds: what it once came down from, it may come up to again.
    """
    early, late = figures[: (len(figures) + 1) // 2], figures[-max(1, len(figures) // 4) :]
    return {
        name: (max(getattr(f, name) for f in early), statistics.median(getattr(f, name) for f in late)) for name in ROOM
    }


def grown(figures: list[Figures]) -> list[str]:
    """What grew by more than it may, in words."""
    return [
        f"{name} grew from {early:g} to {late:g}"
        for name, (early, late) in trends(figures).items()
        if late - early > ROOM[name]
    ]
