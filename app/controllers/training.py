"""Retraining from the window: the dialog, the run beside the work, and its place in the list of runs."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, QTimer, Signal

from app.controllers.encoders import Encoders
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.runs import Run, RunList, State, new_folder, trains
from app.core.settings import Settings
from app.core.training import Footage, Progress, Setup, Wish, read_progress
from app.core.user_files import data_folder
from app.jobs.training import TrainingProcess
from app.jobs.work import Work
from app.views.training.dialog import TrainDialog
from app.views.training.window import TrainingWindow
from model.resources import resource

if TYPE_CHECKING:
    from app.jobs.queries import Engine
    from model.training.scan import Scan

REFRESH_MS = 500
_HELD_OUT = 3  # videos that are kept for the proof, at most


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
        self.runs = RunList()
        self.dialog: TrainDialog | None = None
        self.view: TrainingWindow | None = None
        self._devices: tuple[tuple[str, str], ...] = ()
        self._process: TrainingProcess | None = None
        self._measuring: TrainingProcess | None = None
        self._running: Path | None = None
        self._progress = Progress()
        self._shown: tuple[Path, Progress] | None = None
        self._scan: Scan | None = None
        self._scanning = Work()
        self._scanning.stepped.connect(self._scanned)
        self._scanning.failed.connect(self._scan_failed)
        self.encoders = Encoders(session, window, settings)
        self.encoders.show = self.show_proof
        self._refreshing = QTimer(self, interval=REFRESH_MS)
        self._refreshing.timeout.connect(self._refresh)
        window.actions["train.retrain"].triggered.connect(lambda: self.open())
        window.actions["train.runs"].triggered.connect(lambda: self.show_runs())

    def know(self, engine: Engine) -> None:
        """The encoder was loaded: these are the machine's devices."""
        self._devices = engine.devices

    def offer(self) -> None:
        """Tell of a run that this window's end, or a crash, broke off."""
        runs = self.runs.read()
        run = runs[0] if runs else None
        if run is not None and (run.state is State.INTERRUPTED or (run.state is State.PAUSED and run.pid is not None)):
            text = self.tr("The training run {0} is not finished.").format(run.folder.name)
            self._window.notify(text, "info", self.tr("Show it"), lambda: self.show_runs(run.folder))

    def close(self) -> None:
        """A run that goes on is paused: its process finishes the step at hand by itself."""
        self._refreshing.stop()
        self._scanning.close()
        if self._measuring is not None:
            self._measuring.kill()
        if self._process is not None and self._running is not None:
            self._process.leave()
            self._change(self._running, state=State.PAUSED)
            self._process = self._running = None
        self.encoders.close()
        for view in (self.dialog, self.view):
            if view is not None:
                view.close()
                view.deleteLater()
        self.dialog = self.view = None

    # The dialog

    def open(self) -> TrainDialog:
        """Show the dialog, with the folders of the last time or of the open video."""
        last = dict(self._settings["train.last"])
        self.dialog = TrainDialog(self._recipes(), self._devices, data_folder() / "runs", last, self._window)
        self.dialog.folders_changed.connect(self._look)
        self.dialog.pace_wanted.connect(self._measure)
        self.dialog.requested.connect(self.begin)
        self.dialog.finished.connect(lambda: self._leave_dialog())
        folders = [Path(folder) for folder in last.get("folders", []) if Path(folder).is_dir()]
        if not folders and self._session.is_open:
            folders = [self._session.document.media.path.parent]
        if folders:
            self.dialog.set_folders(folders)
        self.dialog.open()
        return self.dialog

    def _recipes(self) -> tuple[tuple[str, str], ...]:
        return (
            ("dense", self.tr("dense – colours, and exact places in photos: the shipped one")),
            ("mast", self.tr("mast – colours alone")),
            ("liir", self.tr("liir – colours, other videos as counter-examples")),
            ("mer", self.tr("mer – colours and motion; slower")),
            ("mer_faithful", self.tr("mer_faithful – as in the paper; slowest")),
        )

    def _look(self, folders: list[Path]) -> None:
        self._scan = None
        if not folders:
            return self._scanning.stop()

        def steps() -> Generator[Scan, None, None]:
            from model.training.scan import scan

            yield from scan(folders)

        self._scanning.start(steps)

    def _scanned(self, scan: Scan) -> None:
        self._scan = scan
        if self.dialog is not None:
            self.dialog.set_footage(footage(scan))

    def _scan_failed(self, why: str) -> None:
        if self.dialog is not None:
            self.dialog.set_footage(Footage(1, 1))
            self.dialog.fail(why)

    def _measure(self) -> None:
        assert self.dialog is not None
        dialog = self.dialog
        if self._measuring is not None:
            self._measuring.kill()
        self._measuring = measuring = TrainingProcess()

        def ended(state: str, why: str) -> None:
            if state != State.FINISHED and self.dialog is dialog:
                dialog.fail(why or self.tr("It could not be measured."))

        def told(event: dict[str, Any]) -> None:
            if event["event"] == "estimate" and self.dialog is dialog:
                dialog.set_pace(event["steps_per_minute"])

        measuring.told.connect(told)
        measuring.ended.connect(ended)
        wish = dialog.wish()
        setup = Setup(wish.folders, data_folder() / "estimate", wish.recipe, None, 1, None, wish.device, wish.precision)
        try:
            measuring.start(setup, estimate=True)
        except OSError as error:
            dialog.fail(str(error))

    def _leave_dialog(self) -> None:
        self._scanning.stop()
        if self._measuring is not None:
            self._measuring.kill()
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None

    # Runs

    def begin(self, wish: Wish) -> None:
        """Start a run as the dialog wishes it."""
        if self._running is not None:
            if self.dialog is not None:
                self.dialog.fail(self.tr("A run is going on already: pause or stop it first."))
            return
        when = datetime.now(UTC)
        home = wish.home.expanduser().absolute()
        left_out, held_out = shares(self._scan)
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
        )
        if self._start(Run(setup, State.RUNNING, when, held_out=held_out), resume=False):
            if self.dialog is not None:
                self._settings["train.last"] = self.dialog.state()
                self.dialog.accept()
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
        """Go on with a run, from its last checkpoint."""
        run = self.runs.find(folder)
        if run is None or not run.state.can_resume or self._running is not None:
            return
        if run.pid is not None and trains(run.pid):
            self._change(folder, message=self.tr("It is still finishing a step: try again in a moment."))
        else:
            self._start(replace(run, state=State.RUNNING, message=""), resume=True)
        self._list()

    def _start(self, run: Run, resume: bool) -> bool:
        process = TrainingProcess()
        process.told.connect(self._told)
        process.ended.connect(self._ended)
        try:
            process.start(run.setup, resume)
            self.runs.put(replace(run, pid=process.pid))
        except OSError as error:
            process.stop()
            (self.dialog.fail if self.dialog is not None else self._complain)(str(error))
            return False
        self._process, self._running = process, run.folder
        self._progress = read_progress(run.folder) if resume else Progress()
        self._refreshing.start()
        return True

    def _told(self, event: dict[str, Any]) -> None:
        self._progress.take(event)

    def _ended(self, state: str, why: str) -> None:
        folder = self._running
        assert folder is not None
        self._refresh()
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
        if self.view is not None and self.view.isVisible() and self._running == self.view.current:
            assert self._running is not None
            self._show(self._running)

    def _show(self, folder: Path) -> None:
        run = self.runs.find(folder)
        if run is None or self.view is None:
            return
        if folder == self._running:
            progress = self._progress
        else:
            if self._shown is None or self._shown[0] != folder:
                self._shown = folder, read_progress(folder)
            progress = self._shown[1]
        self.view.page.set_run(run, progress, run.weights.exists())

    def _change(self, folder: Path, **fields: Any) -> None:
        try:
            self.runs.change(folder, **fields)
        except OSError as error:
            self._complain(str(error))

    def _complain(self, text: str) -> None:
        self._window.notify(text, "error")


def footage(scan: Scan) -> Footage:
    """A scan, as the dialog shows it."""
    return Footage(
        len(scan.looks),
        scan.total,
        len(scan.videos),
        scan.seconds,
        scan.photos,
        tuple(look.problem for look in scan.unreadable),
        tuple(path.name for path in scan.repeated),
        tuple(path.name for path in scan.still),
    )


def shares(scan: Scan | None) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """What is not worth learning from, and what is held out for the proof; something always remains to learn from."""
    if scan is None:
        return (), ()
    poor = {*scan.still, *scan.repeated}
    grouped = {path for group in scan.duplicates for path in group}
    good = [look.path for look in scan.videos if look.path not in poor]
    if not good:
        return (), ()
    free = [path for path in good if path not in grouped]
    count = min(_HELD_OUT, len(free), len(good) // 4 if len(good) >= 4 else len(good) // 2)
    held_out = tuple(free[(2 * n + 1) * len(free) // (2 * count)] for n in range(count))
    return tuple(Path(os.path.abspath(p)) for p in sorted(poor)), tuple(Path(os.path.abspath(p)) for p in held_out)
