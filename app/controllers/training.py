"""Training runs beside the work: how they begin, go on and end, and the window that shows them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.controllers.encoders import Encoders
from app.controllers.retraining import Retraining, shares
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.runs import Run, RunList, State, new_folder, trains
from app.core.settings import Settings
from app.core.training import TUNING_RATE, Progress, Setup, Wish, read_progress
from app.jobs.training import TrainingProcess
from app.views import wording
from app.views.training.dialog import TrainDialog
from app.views.training.window import TrainingWindow
from model.resources import resource

if TYPE_CHECKING:
    from app.jobs.queries import Engine

REFRESH_MS = 500
ROOM = 300_000_000
"""Bytes that a run needs at least: weights, and checkpoints of which the next is written before the last one goes."""


class Training(QObject):
    """One run at a time. `encoders` tells which encoder is in use, and when another one is.

    To join it to the window: build it with session, window and settings; call `know` when the encoder is ready, `offer`
    once the window is shown, `close` at the end; use `encoders.weights()` at the start, and again after
    `encoders.changed`.
    """

    finished = Signal(object)

    def __init__(self, session: Session, window: Shell, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self.runs = RunList(alive=self._is_alive)
        self.view: TrainingWindow | None = None
        self._process: TrainingProcess | None = None
        self._running: Path | None = None
        self._waiting: Path | None = None  # goes on when its process, which finishes a step, has ended
        self._foreign: Path | None = None  # what is looked at is run by a process of which nothing is heard
        self._progress = Progress()
        self._shown: tuple[Path, Progress] | None = None
        self.retraining = Retraining(session, window, settings)
        self.retraining.wished.connect(self.begin)
        self.retraining.is_busy = lambda: self._running is not None
        self.encoders = Encoders(session, window, settings)
        self.encoders.show = self.show_proof
        self._refreshing = QTimer(self, interval=REFRESH_MS)
        self._refreshing.timeout.connect(self._refresh)
        window.actions["train.retrain"].triggered.connect(lambda: self.open())
        window.actions["train.runs"].triggered.connect(lambda: self.show_runs())

    def know(self, engine: Engine) -> None:
        """The encoder was loaded: these are the machine's devices."""
        self.retraining.devices = engine.devices

    def offer(self) -> None:
        """Tell of a run that this window's end, or a crash, broke off."""
        runs = self.runs.read()
        run = runs[0] if runs else None
        broken_off = (State.RUNNING, State.INTERRUPTED)  # running: it is finishing its last step
        if run is not None and (run.state in broken_off or (run.state is State.PAUSED and run.pid is not None)):
            text = self.tr("The training run {0} is not finished.").format(run.folder.name)
            self._window.notify(text, "info", self.tr("Show it"), lambda: self.show_runs(run.folder))

    def close(self) -> None:
        """A run that goes on is paused: its process finishes the step at hand by itself."""
        self._refreshing.stop()
        self.retraining.close()
        if self._process is not None and self._running is not None:
            self._process.leave()
            self._change(self._running, state=State.PAUSED)
            self._process = self._running = None
        self.encoders.close()
        if self.view is not None:
            self.view.close()
            self.view.deleteLater()
            self.view = None

    def open(self) -> TrainDialog:
        """Show the dialog for another run."""
        return self.retraining.open()

    # Runs

    def begin(self, wish: Wish) -> None:
        """Start a run as the dialog wishes it."""
        if self._running is not None:
            return self.retraining.fail(self.tr("A run is going on already: pause or stop it first."))
        when = datetime.now(UTC)
        home = wish.home.expanduser().absolute()
        if (free := _free(home)) < ROOM:
            text = self.tr("{0}: only {1} are free, and a run needs about {2}; make room or choose another folder.")
            return self.retraining.fail(text.format(home, wording.amount(free), wording.amount(ROOM)))
        left_out, held_out = shares(self.retraining.scan)
        setup = Setup(
            tuple(folder.absolute() for folder in wish.folders),
            new_folder(home, datetime.now()),
            wish.recipe,
            None if wish.scratch else resource("encoder.pt"),
            wish.steps,
            wish.minutes,
            wish.device,
            wish.precision,
            (*left_out, *held_out),
            rate=None if wish.scratch else TUNING_RATE,
        )
        if self._start(Run(setup, State.RUNNING, when, held_out=held_out), resume=False):
            self.retraining.begun()
            self.show_runs(setup.out)

    def pause(self) -> None:
        """The run ends after the step at hand, and gives back what it uses."""
        if self._process is not None:
            self._process.pause()

    def stop(self) -> None:
        """The same, for good: its encoder can be compared."""
        if self._process is not None:
            self._process.stop()

    def resume(self, folder: Path) -> None:
        """Go on with a run, from its last checkpoint; as soon as the process that it had has finished its step."""
        run = self.runs.find(folder)
        self._waiting = None
        if run is None or not run.state.can_resume or self._running is not None:
            return
        if run.pid is not None and trains(run.pid):
            self._waiting = folder
            self._refreshing.start()
        else:
            self._start(replace(run, state=State.RUNNING, message=""), resume=True)
        self._list()

    def _is_alive(self, pid: int) -> bool:
        """Is that a run's process? Its own is one until it has said how it ended."""
        return (self._process is not None and self._process.pid == pid) or trains(pid)

    def _start(self, run: Run, resume: bool) -> bool:
        process = TrainingProcess()
        process.told.connect(self._told)
        process.ended.connect(self._ended)
        try:
            process.start(run.setup, resume)
            self.runs.put(replace(run, pid=process.pid))
        except OSError as error:
            process.stop()
            self.retraining.fail(str(error))
            return False
        self._process, self._running = process, run.folder
        self._progress = read_progress(run.folder, run.setup) if resume else Progress(run.setup)
        self._refreshing.start()
        return True

    def _told(self, event: dict[str, Any]) -> None:
        self._progress.take(event)

    def _ended(self, state: str, why: str) -> None:
        folder = self._running
        assert folder is not None
        self._refresh()
        run = self.runs.find(folder)
        if state == State.FINISHED and run is not None and self._progress.elapsed:
            self.retraining.keep_pace(run.setup, 60 * self._progress.step / self._progress.elapsed)
        self._refreshing.stop()
        self._process = self._running = None
        self._change(folder, state=State(state), message=why, pid=None)
        self._shown = None
        self._list()
        name = folder.name
        if state == State.FINISHED:
            self.finished.emit(folder)
            if self.view is not None and self.view.isVisible():
                self.view.choose(folder)
                self.prove(folder)
            else:
                text = self.tr("The training run {0} is finished. Is the new encoder better?").format(name)
                self._window.notify(text, "info", self.tr("Compare"), lambda: self.prove(folder))
        elif state in (State.FAILED, State.INTERRUPTED) and (self.view is None or not self.view.isVisible()):
            text = self.tr("The training run {0} ended: {1}").format(name, why)
            self._window.notify(text, "error", self.tr("Show it"), lambda: self.show_runs(folder))

    # The window of runs

    def show_runs(self, folder: Path | None = None) -> TrainingWindow:
        """Show all runs, and one of them."""
        if self.view is None:
            self.view = TrainingWindow()
            self.view.chosen.connect(lambda folder: self._show(folder))
            self.view.new_wanted.connect(lambda: self.open())
            page, proof = self.view.page, self.view.proof
            page.pause.connect(self.pause)
            page.stop.connect(self.stop)
            page.resume.connect(lambda: self._with_current(self.resume))
            page.prove.connect(lambda: self._with_current(self.prove))
            self.encoders.join(proof)
        self._list()
        if folder is not None:
            self.view.choose(folder)
        self.view.show()
        self.view.raise_()
        self.view.activateWindow()
        return self.view

    def prove(self, folder: Path) -> None:
        """Compare the run's encoder with the one in use."""
        run = self.runs.find(folder)
        if run is not None and run.weights.exists():
            self.show_runs(folder)
            self.encoders.prove(run)

    def _with_current(self, do: Callable[[Path], None]) -> None:
        if self.view is not None and self.view.current is not None:
            do(self.view.current)

    def show_proof(self) -> None:
        if self.view is not None:
            self.view.show_proof(True)

    def _list(self) -> None:
        if self.view is not None:
            self.view.set_runs(self.runs.read())
            if self.view.current is not None:
                self._show(self.view.current)

    def _refresh(self) -> None:
        if self._waiting is not None:
            run = self.runs.find(self._waiting)
            if run is None or run.pid is None or not trains(run.pid):
                return self.resume(self._waiting)
        if self._foreign is not None:
            run = self.runs.find(self._foreign)
            if run is None or run.state is not State.RUNNING:  # it has ended
                self._foreign = None
                self._list()
        if self.view is not None and self.view.isVisible() and self._running == self.view.current is not None:
            self._show(self.view.current)
        if self._running is self._waiting is self._foreign is None:
            self._refreshing.stop()

    def _show(self, folder: Path) -> None:
        run = self.runs.find(folder)
        if run is None or self.view is None:
            return
        if folder == self._running:
            progress = self._progress
        else:
            if self._shown is None or self._shown[0] != folder:
                self._shown = folder, read_progress(folder, run.setup)
            progress = self._shown[1]
        busy = ""
        self._foreign = folder if run.state is State.RUNNING and folder != self._running else None
        if self._foreign is not None:
            busy = self.tr("finishing its last step, or followed by another window")
            self._refreshing.start()
        elif folder == self._waiting:
            busy = self.tr("still finishing a step: going on after it")
        self.view.page.set_run(run, progress, run.weights.exists(), busy)

    def _change(self, folder: Path, **fields: Any) -> None:
        try:
            self.runs.change(folder, **fields)
        except OSError as error:
            self._complain(str(error))

    def _complain(self, text: str) -> None:
        self._window.notify(text, "error")


def _free(folder: Path) -> int:
    """Bytes, where the folder lies or will lie. What cannot be asked is said when something is written."""
    existing = next((place for place in (folder, *folder.parents) if place.exists()), None)
    try:
        return ROOM if existing is None else shutil.disk_usage(existing).free
    except OSError:
        return ROOM
