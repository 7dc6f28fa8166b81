"""How one run goes: its losses, what the encoder makes of a sample, pace, time left, memory."""

from __future__ import annotations

from PySide6.QtCore import Qt, QUrl, Signal, SignalInstance
from PySide6.QtGui import QDesktopServices, QImage
from PySide6.QtWidgets import QGridLayout, QLabel, QVBoxLayout, QWidget

from app.core.runs import Run, State
from app.core.training import SAMPLES, Progress
from app.views import wording
from app.views.theme import UNIT, mark
from app.views.training.curves import Curves
from app.views.training.pictures import Picture
from app.views.widgets import Elided, Meter, make_primary, push_button, row


class RunPage(QWidget):
    """pause, stop, resume, prove: what the user wants with the run that is shown."""

    pause = Signal()
    stop = Signal()
    resume = Signal()
    prove = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._run: Run | None = None
        self._sampled: tuple[object, int] | None = None
        self._ending = False
        self.title, self.says = QLabel(), Elided(tone="quiet")
        font = self.title.font()
        font.setPointSizeF(font.pointSizeF() * 1.4)
        self.title.setFont(font)
        self.message = QLabel(wordWrap=True)
        self.bar = Meter(UNIT, 6)
        self.bar.setMinimumWidth(0)
        self.bar.setMaximumWidth(1 << 16)
        self.figures: dict[str, QLabel] = {}
        figures = QGridLayout()
        figures.setHorizontalSpacing(4 * UNIT)
        figures.setVerticalSpacing(0)
        for column, (name, words) in enumerate(
            (
                ("step", self.tr("step")),
                ("pace", self.tr("steps per minute")),
                ("elapsed", self.tr("trained for")),
                ("left", self.tr("left")),
                ("memory", self.tr("memory")),
            )
        ):
            figure, label = QLabel("–"), QLabel(words)
            figure.setFont(font)
            label.setProperty("tone", "quiet")
            figures.addWidget(figure, 0, column)
            figures.addWidget(label, 1, column)
            self.figures[name] = figure
        figures.setColumnStretch(5, 1)
        self.curves = Curves()
        captions = {
            "truth": self.tr("Truth"),
            "reconstruction": self.tr("Reconstruction"),
            "value": self.tr("Value map"),
            "flow": self.tr("Flow"),
        }
        self.pictures = {name: Picture(captions[name], 22 * UNIT) for name in SAMPLES}
        self.explains = QLabel(self.tr("Colours are copied from another frame, to where the encoder finds the same."))
        self.explains.setProperty("tone", "faint")
        self.pause_button = push_button(self.tr("Pause"), "ph.pause")
        self.pause_button.setToolTip(self.tr("Write a checkpoint and give the memory back; resume whenever you like"))
        self.stop_button = push_button(self.tr("Stop"), "ph.stop")
        self.stop_button.setToolTip(self.tr("End here; the encoder as it is can be compared and used"))
        self.resume_button = push_button(self.tr("Resume"), "ph.play", primary=True)
        self.resume_button.setToolTip(self.tr("Go on from the last checkpoint"))
        self.prove_button = push_button(self.tr("Compare encoders"), "ph.scales")
        self.folder_button = push_button(self.tr("Show folder"), "ph.folder-open")
        self._lay_out(figures)
        self.pause_button.clicked.connect(lambda: self._finish(self.pause))
        self.stop_button.clicked.connect(lambda: self._finish(self.stop))
        self.resume_button.clicked.connect(self.resume)
        self.prove_button.clicked.connect(self.prove)
        self.folder_button.clicked.connect(lambda: self._show_folder())

    def set_run(self, run: Run, progress: Progress, has_weights: bool, busy: str = "") -> None:
        """The run and how far it is. has_weights: there is an encoder that can be compared.

        busy: why it can be neither stopped nor resumed at the moment, if so.
        """
        fresh = self._run is None or self._run.folder != run.folder or self._run.state is not run.state
        self._run = run
        if fresh:
            self._ending = False
        running = run.state is State.RUNNING
        self.title.setText(run.folder.name)
        self.says.set_text(self._words(run, progress, busy))
        self.message.setText(run.message)
        self.message.setVisible(bool(run.message))
        mark(self.message, tone="error" if run.state is State.FAILED else "warning")
        self.bar.setVisible(run.state is not State.FINISHED)
        preparing = progress.preparing
        share = preparing[0] / max(1, preparing[1]) if running and preparing else progress.share
        self.bar.set_share(share)
        self._show_figures(progress, running)
        self.curves.set_curves(progress.curves)
        self._show_samples(run, progress)
        for button in (self.pause_button, self.stop_button):
            button.setVisible(running and not busy)
            button.setEnabled(not self._ending)
        self.resume_button.setVisible(run.state.can_resume and not busy)
        self.prove_button.setVisible(not running)
        self.prove_button.setEnabled(has_weights)
        over = run.state in (State.FINISHED, State.STOPPED)  # else going on is what comes next
        make_primary(self.prove_button, "ph.scales", over)
        make_primary(self.resume_button, "ph.play", not over)
        reason = "" if has_weights else self.tr("There is no encoder yet: resume the run")
        self.prove_button.setToolTip(reason or self.tr("Is the new encoder better than the one in use? Measure both"))

    # Inside

    def _words(self, run: Run, progress: Progress, busy: str) -> str:
        start = self.tr("from scratch") if run.setup.weights is None else self.tr("from the encoder of MER Studio")
        parts = [self.tr("Recipe {0}, {1}").format(run.setup.recipe, start)]
        if progress.corpus:
            videos = int(progress.corpus.get("videos", 0))
            parts.append(self.tr("%n videos", "", videos) if videos != 1 else self.tr("1 video"))
        if busy:
            parts.append(busy)
        elif self._ending:
            parts.append(self.tr("finishing the step at hand…"))
        elif run.state is State.RUNNING and progress.preparing is not None:
            parts.append(self.tr("reading videos, {0} of {1}").format(*progress.preparing))
        elif run.state is State.RUNNING and progress.memory is None:
            parts.append(self.tr("starting…"))
        return " · ".join(parts)

    def _show_figures(self, progress: Progress, running: bool) -> None:
        left = progress.left if running else None
        values = {
            "step": str(progress.step) if progress.step else "–",
            "pace": "–" if progress.pace is None else f"{progress.pace:.3g}",
            "elapsed": wording.span(progress.elapsed) if progress.elapsed else "–",
            "left": "–" if left is None else wording.span(left),
            "memory": wording.amount(progress.memory) if running and progress.memory else "–",
        }
        for name, value in values.items():
            self.figures[name].setText(value)

    def _show_samples(self, run: Run, progress: Progress) -> None:
        if self._sampled == (run.folder, progress.sampled):
            return
        self._sampled = run.folder, progress.sampled
        for name, picture in self.pictures.items():
            image = QImage(str(run.folder / progress.samples[name])) if name in progress.samples else QImage()
            picture.set_image(None if image.isNull() else image)
            picture.setVisible(name in progress.samples or name in SAMPLES[:2])

    def _finish(self, wanted: SignalInstance) -> None:
        self._ending = True
        for button in (self.pause_button, self.stop_button):
            button.setEnabled(False)
        wanted.emit()

    def _show_folder(self) -> None:
        if self._run is not None:
            QDesktopServices.openUrl(QUrl.fromLocalFile(str(self._run.folder)))

    def _lay_out(self, figures: QGridLayout) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(3 * UNIT, 2 * UNIT, 3 * UNIT, 2 * UNIT)
        layout.setSpacing(2 * UNIT)
        head = QVBoxLayout()
        head.setSpacing(UNIT // 2)
        head.addWidget(self.title)
        head.addWidget(self.says)
        head.addWidget(self.message)
        layout.addLayout(head)
        layout.addLayout(figures)
        layout.addWidget(self.bar)
        layout.addWidget(self.curves, 1)
        samples = row(*self.pictures.values(), None)
        samples.setSpacing(2 * UNIT)
        samples.setAlignment(Qt.AlignmentFlag.AlignTop)
        layout.addLayout(samples)
        layout.addWidget(self.explains)
        layout.addLayout(
            row(self.folder_button, None, self.resume_button, self.pause_button, self.stop_button, self.prove_button)
        )
