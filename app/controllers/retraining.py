"""Retrain on my videos: the dialog, what it finds in the folders, and how quick this machine is."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.runs import State
from app.core.settings import Settings
from app.core.training import Footage, Setup, Wish
from app.core.user_files import data_folder
from app.jobs.training import TrainingProcess
from app.jobs.work import Work
from app.views.training.dialog import TrainDialog

if TYPE_CHECKING:
    from model.training.scan import Scan

_HELD_OUT = 3  # videos that are kept for the proof, at most


class Retraining(QObject):
    """wished(Wish): begin a run. devices: of this machine, id and words. is_busy: asked whether a run is going on.

    scan: what is known of the chosen folders; None: nothing.
    """

    wished = Signal(object)

    def __init__(self, session: Session, window: Shell, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self.dialog: TrainDialog | None = None
        self.devices: tuple[tuple[str, str], ...] = ()
        self.is_busy: Callable[[], bool] = lambda: False
        self.scan: Scan | None = None
        self._measuring: TrainingProcess | None = None
        self._scanning = Work()
        self._scanning.stepped.connect(self._scanned)
        self._scanning.failed.connect(self._scan_failed)

    def close(self) -> None:
        self._scanning.close()
        self._measure_no_more()
        if self.dialog is not None:
            self.dialog.close()
            self.dialog = None

    def fail(self, why: str) -> None:
        """A run cannot be begun, or gone on with: say so where the user looks."""
        if self.dialog is not None:
            self.dialog.fail(why)
        else:
            self._window.notify(why, "error")

    def begun(self) -> None:
        """The run that was wished for is on its way."""
        if self.dialog is not None:
            self._remember("train.last", self.dialog.state())
            self.dialog.accept()

    def open(self) -> TrainDialog:
        """Show the dialog, with the folders of the last time or of the open video."""
        last = dict(self._settings["train.last"])
        self.dialog = TrainDialog(self._recipes(), self.devices, data_folder() / "runs", last, self._window)
        self.dialog.folders_changed.connect(self._look)
        self.dialog.pace_wanted.connect(self._tell_pace)
        self.dialog.requested.connect(self.wished)
        self.dialog.finished.connect(lambda: self._leave())
        folders = [Path(folder) for folder in last.get("folders", []) if Path(folder).is_dir()]
        if not folders and self._session.is_open:
            folders = [self._session.document.media.path.parent]
        if folders:
            self.dialog.set_folders(folders)
        self.dialog.open()
        return self.dialog

    def _recipes(self) -> tuple[tuple[str, str], ...]:
        return (
            ("tracked", self.tr("tracked – colours, and where motion leads: the shipped one")),
            ("dense", self.tr("dense – colours, and exact places in photos")),
            ("mast", self.tr("mast – colours alone")),
            ("liir", self.tr("liir – colours, other videos as counter-examples")),
            ("mer", self.tr("mer – colours and motion; slower")),
            ("mer_faithful", self.tr("mer_faithful – as in the paper; slowest")),
        )

    def _look(self, folders: list[Path]) -> None:
        self.scan = None
        if not folders:
            return self._scanning.stop()

        def steps() -> Generator[Scan, None, None]:
            from model.training.scan import scan

            yield from scan(folders)

        self._scanning.start(steps)

    def _scanned(self, scan: Scan) -> None:
        self.scan = scan
        if self.dialog is not None:
            self.dialog.set_footage(footage(scan))

    def _scan_failed(self, why: str) -> None:
        if self.dialog is not None:
            self.dialog.set_footage(Footage(1, 1))
            self.dialog.fail(why)

    def _tell_pace(self, again: bool) -> None:
        """As it was measured before, or by measuring it now."""
        assert self.dialog is not None
        self._measure_no_more()
        wish = self.dialog.wish()
        known = self._settings["train.pace"].get(_kind(wish))
        if isinstance(known, int | float) and known > 0 and not again:
            self.dialog.set_pace(known)
        elif self.is_busy() and not again:  # beside a run one would measure that
            self.dialog.set_pace(None)
        else:
            self._measure(self.dialog, wish)

    def _measure(self, dialog: TrainDialog, wish: Wish) -> None:
        self._measuring = measuring = TrainingProcess()

        def ended(state: str, why: str) -> None:
            if state != State.FINISHED and self.dialog is dialog and self._measuring is measuring:
                dialog.fail(why or self.tr("It could not be measured."))

        def told(event: dict[str, Any]) -> None:
            if event["event"] == "estimate" and self._measuring is measuring:
                self.keep_pace(wish, event["steps_per_minute"])
                if self.dialog is dialog:
                    dialog.set_pace(event["steps_per_minute"])

        measuring.told.connect(told)
        measuring.ended.connect(ended)
        setup = Setup(wish.folders, data_folder() / "estimate", wish.recipe, None, 1, None, wish.device, wish.precision)
        try:
            measuring.start(setup, estimate=True)
        except OSError as error:
            dialog.fail(str(error))

    def _measure_no_more(self) -> None:
        measuring, self._measuring = self._measuring, None
        if measuring is not None:
            measuring.kill()

    def keep_pace(self, what: Wish | Setup, pace: float) -> None:
        """For the next time."""
        self._remember("train.pace", self._settings["train.pace"] | {_kind(what): round(pace, 2)})

    def _remember(self, key: str, value: Any) -> None:
        try:
            self._settings[key] = value
        except OSError as error:
            self._window.notify(str(error), "error")

    def _leave(self) -> None:
        self._scanning.stop()
        self._measure_no_more()
        if self.dialog is not None:
            self.dialog.deleteLater()
            self.dialog = None


def footage(scan: Scan) -> Footage:
    """A scan, as the dialog shows it."""
    left_out, held_out = shares(scan if len(scan.looks) == scan.total else None)
    return Footage(
        len(scan.looks),
        scan.total,
        len(scan.videos),
        scan.seconds,
        scan.photos,
        tuple(look.problem for look in scan.unreadable),
        tuple(path.name for path in scan.repeated),
        tuple(path.name for path in scan.still),
        len(scan.videos) - len(left_out) - len(held_out),
        len(held_out),
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


def _kind(what: Wish | Setup) -> str:
    """What the pace of a run depends on, besides the machine."""
    return " ".join((what.recipe, what.device or "auto", what.precision))
