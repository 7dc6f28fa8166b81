"""Make the pictures of the documents anew: the real window, used as the first ten minutes tell, on the sample.

    python docs/pictures.py            # into docs/images
    python docs/pictures.py --out DIR  # elsewhere, to look at first; --size 240 is quicker

No display is needed, and the user's own settings are left alone. It takes some minutes: the sample is propagated with
the shipped encoder.
"""

from __future__ import annotations

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

os.environ["QT_QPA_PLATFORM"] = "offscreen"

import numpy as np
from PIL import Image
from PySide6.QtCore import QEventLoop, QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from app.controllers.studio import Studio
from app.core.objects import Skeleton
from app.core.settings import Settings
from app.demo.cast import OBJECTS
from app.demo.sample import Sample
from app.desktop import free_from_opencv
from app.views.theme import Theme
from model.types import LabelMap, PropagationOptions

IMAGES = Path(__file__).resolve().parent / "images"
SIZE = (1440, 900)
EXACT = 80  # colours of a picture that stay as they are, the commonest: those of the window; 256 are in a file
PATIENCE = 3600.0  # seconds: this is no test of speed


class Person:
    """Somebody at the window, who takes pictures."""

    def __init__(self, app: QApplication, out: Path, size: int) -> None:
        self.app, self.out, self.size = app, out, size
        self.studio = Studio(Settings(), theme=Theme(app))
        self.window, self.session = self.studio.window, self.studio.session
        self.window.resize(*SIZE)
        self.studio.show()

    def until(self, condition: Callable[[], object]) -> None:
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < PATIENCE, "the window does not answer"
            self.app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
            time.sleep(0.002)

    def shot(self, name: str, of: QWidget | None = None, quiet: bool = True) -> None:
        """quiet: without what the window says above the work, which would hide some of it."""
        if quiet:
            self.window.notices.clear()
        for _ in range(20):
            self.app.processEvents()
            time.sleep(0.01)
        path = self.out / f"{name}.png"
        assert (of or self.window).grab().save(str(path))
        _shrink(path)
        print(path, flush=True)

    def does(self, name: str) -> None:
        action = self.window.actions[name]
        assert action.isEnabled(), f"{name}: {action.toolTip()}"
        action.trigger()

    def place(self, x: float, y: float) -> QPoint:
        return self.window.canvas.to_window(x, y).toPoint()

    def click(self, x: float, y: float, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
        QTest.mouseClick(self.window.canvas, button, pos=self.place(x, y))

    def segment(self, truth: np.ndarray, number: int) -> None:
        """Click in the middle of an object, and again where most is missing or too much, as a person would."""
        canvas, wanted = self.window.canvas, truth == number
        self.click(*_middle(wanted))
        self.until(lambda: canvas.surface.proposal is not None)
        for _ in range(3):
            proposed = canvas.surface.proposal
            missing, surplus = wanted & ~proposed, proposed & ~wanted
            worse, button = (
                (missing, Qt.MouseButton.LeftButton)
                if missing.sum() >= surplus.sum()
                else (surplus, Qt.MouseButton.RightButton)
            )
            if worse.sum() < 0.08 * wanted.sum():
                break
            self.click(*_middle(worse), button)
            self.until(lambda before=proposed: canvas.surface.proposal is not before)

    def take(self) -> None:
        QTest.keyClick(self.window.canvas, Qt.Key.Key_Return)
        self.until(lambda: not self.studio.segmenting.is_proposing)

    def go_to(self, frame: int) -> None:
        self.session.go_to(frame)
        self.until(lambda: self.session.shown == frame)

    def close(self) -> None:
        self.studio.close()


def _shrink(path: Path) -> None:
    """A picture with a palette: a third of the bytes. The window keeps its colours, what is filmed loses a little.

    The rest of the palette is chosen by the square root of how often a colour is seen: a few orange scales count
    among many grey stones.
    """
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(np.int32)
    codes, where, counts = np.unique(pixels @ (1 << 16, 1 << 8, 1), return_inverse=True, return_counts=True)
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=1)
    exact = colours[np.argsort(-counts)[:EXACT]]
    _, kind = np.unique((colours >> 3) @ (1 << 16, 1 << 8, 1), return_inverse=True)
    seen = np.bincount(kind, counts)
    means = np.stack([np.bincount(kind, counts * colours[:, c]) / seen for c in range(3)], axis=1)
    fair = np.repeat(means.astype(np.uint8), np.ceil(np.sqrt(seen)).astype(int), axis=0)
    rest = Image.fromarray(fair[None]).quantize(256 - EXACT, kmeans=4, dither=Image.Dither.NONE).getpalette()
    palette = np.concatenate([exact, np.reshape(rest, (-1, 3))])[:256].astype(np.float32)
    near = [(part @ palette.T * -2 + (palette**2).sum(axis=1)).argmin(axis=1) for part in np.array_split(colours, 64)]
    small = Image.fromarray(np.concatenate(near).astype(np.uint8)[where.reshape(pixels.shape[:2])], "P")
    small.putpalette(palette.astype(np.uint8).ravel().tolist())
    small.save(path, optimize=True)


def _middle(mask: np.ndarray) -> tuple[int, int]:
    """The pixel (x, y) of a mask that lies deepest inside."""
    import cv2

    depth = cv2.distanceTransform(np.pad(mask, 1).astype(np.uint8), cv2.DIST_L2, 5)[1:-1, 1:-1]
    y, x = np.unravel_index(int(depth.argmax()), depth.shape)
    return int(x), int(y)


def first_ten_minutes(person: Person, home: Path) -> None:
    """The pictures of first_ten_minutes.md, of the README, and of the pages on segmenting and correcting."""
    window, session = person.window, person.session
    person.shot("welcome")
    person.does("file.sample")
    person.until(lambda: session.picture is not None and not window.status.text())  # the encoder is there too
    sample = Sample(home / "sample")
    person.shot("opened")

    truth = sample.labels(0).ids
    person.does("tool.click")
    for number, name in OBJECTS.items():
        person.does("labels.new_object")
        person.segment(truth, number)
        if number == 1:
            person.shot("click", window.canvas)
        person.take()
        session.document.change_object(number, name=name)
    _paint(person, truth)
    person.shot("window-painted")

    session.document.set_options(replace(session.document.options, short_side=person.size))
    person.does("propagate.forward")
    person.until(lambda: not person.studio.propagating.is_running)
    person.shot("window-propagated")

    if window.actions["go.doubtful"].isEnabled():
        person.does("go.doubtful")
        person.until(lambda: not session.is_waiting)
    else:
        person.go_to(36)
    person.does("view.doubt")
    person.shot("doubt")
    person.does("view.labels")
    person.does("tool.brush")
    _paint(person, sample.labels(session.shown).ids)
    person.shot("window")

    person.does("file.export")
    dialog = person.studio.exchanging.dialog
    assert dialog is not None
    dialog.path.setText("koi/masks")
    dialog.button.click()
    person.until(lambda: dialog.cancel.isVisible())
    person.shot("exported", dialog)
    dialog.close()


def _paint(person: Person, truth: np.ndarray) -> None:
    """What a person with a steady hand would paint on this frame: all objects, exactly."""
    person.window.canvas.labels_edited.emit(LabelMap(truth), "Paint")


def other_pages(person: Person) -> None:
    """The pictures of the pages on keypoints and on correcting."""
    window, session = person.window, person.session
    session.document.set_skeleton(Skeleton(("head", "shell", "left hind", "right hind"), ((0, 1), (1, 2), (1, 3))), {})
    person.go_to(0)
    turtle = {"head": "head", "shell": "shell", "left hind foot": "left hind", "right hind foot": "right hind"}
    points = Sample(Path(os.environ["MER_HOME"]) / "sample").keypoints()[0]
    person.does("tool.keypoint")
    for name, xy in zip(points.names, points.xy, strict=True):
        if name in turtle:
            person.click(*map(float, xy))
    person.shot("keypoints", window.canvas)

    person.go_to(30)
    person.does("tool.inspect")
    place = _middle(session.document.labels(30).ids == 1)
    QTest.mouseMove(window.canvas, person.place(*place))
    QTest.mouseClick(window.canvas, Qt.MouseButton.LeftButton, pos=person.place(*place))  # hold it
    person.until(lambda: bool(window.canvas.votes))
    person.shot("inspect", window.canvas)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=IMAGES)
    parser.add_argument("--size", type=int, default=PropagationOptions().short_side, help="working size, pixels")
    given = parser.parse_args()
    out: Path = given.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    free_from_opencv()
    app = QApplication(["mer"])
    home = Path(tempfile.mkdtemp(prefix="mer-pictures"))
    os.environ["MER_HOME"] = str(home)
    os.chdir(home)  # so that what is shown of places is short, and the same everywhere
    person = Person(app, out, given.size)
    try:
        first_ten_minutes(person, home)
        other_pages(person)
    finally:
        person.close()
        os.chdir(out)
        shutil.rmtree(home, ignore_errors=True)


if __name__ == "__main__":
    main()
