"""The real window for tests: offscreen, on small videos, with features that need no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, QPointF, Qt
from PySide6.QtTest import QTest

from app.controllers.studio import Studio
from app.core.settings import Settings
from model.types import LabelMap, UInt8Array
from tests.videos import moving_squares

FRAMES, HEIGHT, WIDTH = 8, 96, 144
FIRST, SECOND = 7, 200  # ids of the squares in `moving_squares`


def film(folder: Path, frames: int = FRAMES) -> tuple[Path, list[UInt8Array]]:
    """A folder of pictures with two squares that move apart, and the true ids of every frame, 1 and 2."""
    images, truth = moving_squares(frames, HEIGHT, WIDTH, size=28, speed=4)
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        cv2.imwrite(str(folder / f"{number:03d}.png"), image[..., ::-1])
    return folder, [np.select([ids == FIRST, ids == SECOND], [1, 2]).astype(np.uint8) for ids in truth]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with nothing in it."""
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class Desk:
    """A person at the window."""

    def __init__(self, qtbot, folder: Path, frames: int = FRAMES) -> None:
        self.qtbot = qtbot
        self.video, self.truth = film(folder / "clip", frames)
        self.studio = Studio(Settings(), "lab", "cpu")
        self.window, self.session = self.studio.window, self.studio.session
        self.window.resize(1200, 800)
        self.studio.show()

    def open(self, path: Path | None = None) -> None:
        before = self.session.project
        self.studio.opening.open(path or self.video)
        self.wait(lambda: self.session.project not in (None, before) and self.session.picture is not None)

    def wait(self, condition, seconds: float = 60) -> None:
        self.qtbot.waitUntil(condition, timeout=int(1000 * seconds))

    def does(self, name: str) -> None:
        """Use an action as its menu would."""
        action = self.window.actions[name]
        assert action.isEnabled(), action.toolTip()
        action.trigger()
        self.look()

    def look(self) -> None:
        """See what came of it: nobody is quicker than the window's next turn."""
        QTest.qWait(0)

    def key(self, key: Qt.Key, modifiers: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        QTest.keyClick(self.window, key, modifiers)
        self.look()

    def at(self, x: float, y: float) -> QPoint:
        """Where a pixel of the video is on the canvas."""
        place: QPointF = self.window.canvas.to_window(x, y)
        return place.toPoint()

    def stroke(self, *points: tuple[float, float], button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        canvas = self.window.canvas
        QTest.mousePress(canvas, button, pos=self.at(*points[0]))
        for point in points[1:]:
            QTest.mouseMove(canvas, self.at(*point))
        QTest.mouseRelease(canvas, button, pos=self.at(*points[-1]))
        self.look()

    def click(self, x: float, y: float, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        QTest.mouseClick(self.window.canvas, button, pos=self.at(x, y))
        self.look()

    def label(self, frame: int, ids: UInt8Array | None = None) -> None:
        """Paint a frame's truth, or other ids, as the canvas would tell it."""
        self.go_to(frame)
        ids = self.truth[frame] if ids is None else ids
        while len(self.session.document.objects) < int(ids.max()):
            self.studio.objects.add()
        self.window.canvas.labels_edited.emit(LabelMap(ids), "Paint")
        self.look()

    def go_to(self, frame: int) -> None:
        self.session.go_to(frame)
        self.wait(lambda: self.session.shown == frame)

    def propagate(self, name: str = "propagate.forward") -> None:
        """And wait until it is done."""
        self.does(name)
        self.wait(lambda: not self.studio.propagating.is_running)

    @property
    def stored(self) -> dict[int, UInt8Array]:
        """Ids of every frame that has labels."""
        document = self.session.document
        return {f: labels.ids for f in document.store if (labels := document.labels(f)) is not None}

    def close(self) -> None:
        self.studio.close()
        self.window.deleteLater()


@pytest.fixture
def desk(qtbot, tmp_path: Path, home: Path) -> Iterator[Desk]:
    desk = Desk(qtbot, tmp_path)
    yield desk
    desk.close()


def overlap(a: UInt8Array, b: UInt8Array, number: int) -> float:
    """J of one object."""
    return np.count_nonzero((a == number) & (b == number)) / max(1, np.count_nonzero((a == number) | (b == number)))
