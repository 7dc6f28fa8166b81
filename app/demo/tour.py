"""`mer demo --window`: the main job in the real window, step by step, with a picture of each."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PySide6.QtCore import QEventLoop
from PySide6.QtWidgets import QApplication, QWidget

from app.controllers.studio import Studio
from app.core.raster import Box
from app.core.settings import Settings
from app.demo.cast import OBJECTS
from app.demo.sample import Sample
from app.demo.scene import Scene
from app.desktop import check_display, free_from_opencv
from app.io.output import OutputFolder
from app.views.theme import Theme
from model.evaluation.measures import measure_frame

SIZE = (1440, 900)
PATIENCE = 900.0  # seconds that a step may take


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, the picture of it, and what came of it in a few words."""

    name: str
    picture: Path
    result: str = ""


@dataclass(slots=True)
class Tour:
    """steps: so far. j_f: mean J&F of the frames that nobody painted, before and after the correction."""

    folder: Path
    steps: list[Step] = field(default_factory=list)
    j_f: tuple[float, float] = (0.0, 0.0)


def run_tour(
    out: Path, frames: int, size: int, weights: str | None, device: str | None, tell: Callable[[Step], object]
) -> Tour:
    """Paint the sample and label it in the window. tell: is told each step when it is done.

    Without a display it is drawn all the same, only nobody sees it. ValueError for folders that hold something else.
    """
    output, sample = OutputFolder(out), Sample(out)
    in_use = out.is_dir() and any(out.iterdir()) and not sample.video.exists()
    output.check((), resume=False, overwrite=not in_use)
    try:
        check_display()
    except ValueError:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    free_from_opencv()
    out.mkdir(parents=True, exist_ok=True)
    sample.film(Scene(size), frames)
    app = QApplication.instance() or QApplication(["mer"])
    assert isinstance(app, QApplication)
    with _home():
        studio = Studio(Settings(), weights, device, Theme(app))
        try:
            return _Script(app, studio, sample, Tour(out), frames, tell).play()
        finally:
            studio.close()


@contextmanager
def _home() -> Iterator[None]:
    """Settings and lists of its own: the user's stay as they are."""
    before = os.environ.get("MER_HOME")
    with tempfile.TemporaryDirectory(prefix="mer-demo") as folder:
        os.environ["MER_HOME"] = folder
        try:
            yield
        finally:
            del os.environ["MER_HOME"]
            if before is not None:
                os.environ["MER_HOME"] = before


@dataclass(slots=True)
class _Script:
    app: QApplication
    studio: Studio
    sample: Sample
    tour: Tour
    frames: int
    tell: Callable[[Step], object]

    def play(self) -> Tour:
        studio, window = self.studio, self.studio.window
        window.resize(*SIZE)
        studio.show()
        self._shot("welcome")
        studio.opening.open(self.sample.video)
        self._until(lambda: studio.session.picture is not None)
        self._shot("open", f"{studio.session.count} frames")
        self._paint(0)
        for number, name in OBJECTS.items():
            studio.session.document.change_object(number, name=name)
        self._shot("painted", f"{len(OBJECTS)} objects")
        begun = time.perf_counter()
        self._do("propagate.forward")
        self._until(lambda: not self._is_running or len(studio.session.document.store) > self.frames // 2)
        self._shot("propagating")
        self._until(lambda: not self._is_running)
        spent = time.perf_counter() - begun
        self._shot("propagated", f"{self.frames - 1} frames in {spent:.1f} s")
        before = self._score()
        self._correct()
        self._do("edit.undo")
        self._shot("undone", f"{len(studio.session.document.stale())} frames stale again")
        self._do("edit.redo")
        self._shot("redone", f"{len(studio.session.document.stale())} frames stale")
        self._export()
        self.tour.j_f = before, self._score()
        self._shot("finished", f"J&F {100 * before:.1f} before the correction, {100 * self.tour.j_f[1]:.1f} after it")
        return self.tour

    def _correct(self) -> None:
        """Paint the frame that looks most doubtful, or else one in the middle, and make anew what became stale."""
        studio = self.studio
        if studio.window.actions["go.doubtful"].isEnabled():
            self._do("go.doubtful")
        else:
            studio.session.go_to(2 * self.frames // 3)
        self._until(lambda: not studio.session.is_waiting)
        frame = studio.session.shown
        self._shot("doubtful", f"frame {frame}")
        self._paint(frame)
        stale = len(studio.session.document.stale())
        self._shot("corrected", f"{stale} frames stale")
        if stale:
            self._do("propagate.update")
            self._until(lambda: not self._is_running)
        self._shot("updated", f"{stale} frames made anew")

    def _export(self) -> None:
        self._do("file.export")
        dialog = self.studio.exchanging.dialog
        assert dialog is not None
        target = self.tour.folder / "masks"
        dialog.choose("davis")
        dialog.path.setText(str(target))
        dialog.overwrite.setChecked(True)
        self._shot("export", over=dialog)
        dialog.button.click()
        self._until(lambda: dialog.cancel.isVisible())
        assert dialog.problem.isHidden(), dialog.problem.text()
        self._shot("exported", str(target), over=dialog)
        dialog.close()

    def _paint(self, frame: int) -> None:
        """The truth of a frame, object by object, as a brush would."""
        canvas, objects, truth = self.studio.window.canvas, self.studio.objects, self.sample.labels(frame).ids
        for number in OBJECTS:
            if all(info.id != number for info in objects.infos):
                objects.add()
            objects.choose(number)
            self._replace(number, truth == number)
        canvas.fit()

    def _replace(self, number: int, wanted: np.ndarray) -> None:
        """Erase what is too much of the current object, then paint all of it."""
        canvas = self.studio.window.canvas
        labels = self.studio.session.document.labels(self.studio.session.shown)
        surplus = np.zeros_like(wanted) if labels is None else (labels.ids == number) & ~wanted
        for mask, erase in ((surplus, True), (wanted, False)):
            if mask.any() and canvas.begin(erase=erase):
                assert canvas.draft is not None
                canvas.draft.mask |= mask
                canvas.touch(canvas.draft.add(Box.whole(mask.shape)))
                canvas.commit("Paint")

    def _score(self) -> float:
        """Mean J&F of what was propagated."""
        document = self.studio.session.document
        scores = []
        for frame in document.store:
            known, labels = document.store.get(frame), document.labels(frame)
            if known is not None and labels is not None and not known.is_human:
                scores.append(measure_frame(self.sample.labels(frame).ids, labels.ids, tuple(OBJECTS)))
        return float(np.mean(scores)) if scores else 0.0

    @property
    def _is_running(self) -> bool:
        return self.studio.propagating.is_running

    def _do(self, name: str) -> None:
        action = self.studio.window.actions[name]
        assert action.isEnabled(), f"{name}: {action.toolTip()}"
        action.trigger()

    def _until(self, condition: Callable[[], bool]) -> None:
        begun = time.monotonic()
        while not condition():
            errors = [notice.text for notice in self.studio.window.notices.notices if notice.level == "error"]
            if errors or time.monotonic() - begun > PATIENCE:
                raise ValueError(errors[0] if errors else "the window does not answer: try fewer frames")
            self.app.processEvents(QEventLoop.ProcessEventsFlag.AllEvents, 50)
            time.sleep(0.002)

    def _shot(self, name: str, result: str = "", over: QWidget | None = None) -> None:
        """A picture of the window, or of a dialog; first everything that waits is drawn."""
        for _ in range(10):
            self.app.processEvents()
            time.sleep(0.01)
        path = self.tour.folder / f"window-{len(self.tour.steps):02d}-{name}.png"
        (over or self.studio.window).grab().save(str(path))
        self.tour.steps.append(Step(name, path, result))
        self.tell(self.tour.steps[-1])
