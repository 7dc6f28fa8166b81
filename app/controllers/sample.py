"""The sample: a short film that the program paints itself, once, when it is first asked for."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject

from app.controllers.background import Background
from app.controllers.opening import Opening
from app.controllers.shell import Shell
from app.core.user_files import data_folder
from app.demo.sample import Sample
from app.demo.scene import Scene

FRAMES, SIZE = 48, 480


class Sampling(QObject):
    """size: height of the film."""

    def __init__(
        self, window: Shell, opening: Opening, background: Background, frames: int = FRAMES, size: int = SIZE
    ) -> None:
        super().__init__()
        self._window, self._opening, self._background = window, opening, background
        self._frames, self._size = frames, size
        self._painting = False
        window.actions["file.sample"].triggered.connect(lambda: self.open())
        window.welcome.sample_requested.connect(lambda: self.open())

    def open(self) -> None:
        sample = Sample(data_folder() / "sample")
        if sample.video.exists():
            self._opening.open(sample.video)
        elif not self._painting:
            self._painting = True
            self._tell(0)
            self._background.do(lambda: self._paint(sample), self._painted, self._failed)

    def _paint(self, sample: Sample) -> Path:
        sample.video.parent.mkdir(parents=True, exist_ok=True)
        sample.film(Scene(self._size), self._frames, lambda done: self._background.say(lambda: self._tell(done)))
        return sample.video

    def _tell(self, done: int) -> None:
        if self._painting:
            words = self.tr("Painting the sample film, frame {0} of {1}")
            self._window.set_status(words.format(done, self._frames), done / self._frames)

    def _painted(self, video: Path) -> None:
        self._painting = False
        self._window.set_status("")
        self._opening.open(video)

    def _failed(self, error: Exception) -> None:
        self._painting = False
        self._window.set_status("")
        self._window.notify(str(error), "error")
