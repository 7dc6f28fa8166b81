"""Which encoder is in use: the shipped one, or one that the user trained, measured first and never taken silently."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.proof import Measure, Proof
from app.core.runs import Run
from app.core.settings import Settings
from app.core.user_files import data_folder
from app.io.atomic import replacing
from app.jobs.work import Work
from app.views.notice_bar import Notice
from app.views.training.proof import ProofPage

if TYPE_CHECKING:  # these bring torch, which the window does without until it is needed
    from app.runs.proof import Labelled, Step

_SCORES = "own videos"
_SOON = 5.0  # seconds of measuring before it can be said how long the rest takes


class Encoders(QObject):
    """changed(): another encoder is in use; `weights` says which. show: called when a proof is to be seen."""

    changed = Signal()

    def __init__(self, session: Session, window: Shell, settings: Settings) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self._page: ProofPage | None = None
        self._run: Run | None = None
        self._notice: Notice | None = None  # of what was changed last
        self._began = 0.0
        self.show: Callable[[], object] = lambda: None
        self._work = Work()
        self._work.stepped.connect(self._step)
        self._work.done.connect(self._proved)
        self._work.failed.connect(self._fail)
        window.actions["train.restore"].triggered.connect(lambda: self.restore())
        window.actions["train.shipped"].triggered.connect(lambda: self.restore(shipped=True))
        self._allow()

    def weights(self) -> Path | None:
        """Those in use; None: the shipped ones, also where the user's own are gone."""
        chosen = str(self._settings["encoder"])
        if chosen and not Path(chosen).is_file():
            self._window.notify(self.tr("{0} is gone: the shipped encoder is in use.").format(chosen), "warning")
            return None
        return Path(chosen) if chosen else None

    def join(self, page: ProofPage) -> None:
        """Show proofs on this page, and do what is wanted there."""
        self._page = page
        page.use.connect(lambda: self.use())
        page.undo.connect(lambda: self.restore())
        page.stop.connect(lambda: self.stop())
        page.left.connect(lambda: self._work.stop())
        self._allow()

    def prove(self, run: Run) -> None:
        """Measure the encoder of a run against the one in use, on the open project and on what was held out."""
        from app.runs.proof import Labelled, prove

        self._run = run
        present, device = self.weights(), self._settings["device"]
        labelled = [Labelled.of(self._session.document)] if self._session.is_open else []
        labelled = [video for video in labelled if video.anchors]
        held_out, notes = self._held_out(run, labelled)
        words = self.tr

        def steps() -> Generator[Step, None, Proof]:
            from model.features import load_extractor

            where = None if device == "auto" else str(device)
            old, new = (load_extractor(path, where) for path in (present, run.weights))
            proof = yield from prove(old, new, labelled, held_out, words)
            return Proof(proof.old, proof.new, proof.measures, proof.pictures, (*notes, *proof.notes))

        if self._page is not None:
            self._page.set_in_use(self._is_used(run), self._can_restore())
            self._page.set_progress(self.tr("Loading both encoders"), 0.0)
            self.show()
        self._began = time.monotonic()
        self._work.start(steps)

    def stop(self) -> None:
        """Measure no further."""
        self._work.stop()
        if self._page is not None:
            self._page.left.emit()

    def use(self) -> None:
        """Take the encoder of the run that was measured; the one before is kept."""
        assert self._run is not None
        try:
            kept = self._keep(self._run)
            self._settings.update({"encoder.before": self._settings["encoder"], "encoder": str(kept)})
        except OSError as error:
            return self._fail(str(error))
        text = self.tr("The encoder of run {0} is in use.").format(self._run.folder.name)
        self._tell(text)

    def restore(self, shipped: bool = False) -> None:
        """Back to the encoder before this one, or to the shipped one; once more, and it is this one again."""
        now = self._settings["encoder"]
        before = "" if shipped else self._settings["encoder.before"]
        try:
            self._settings.update({"encoder": before, "encoder.before": now})
        except OSError as error:
            return self._fail(str(error))
        words = (
            self.tr("The encoder before is in use again.") if before else self.tr("The shipped one is in use again.")
        )
        self._tell(words)

    def close(self) -> None:
        self._work.close()

    # Inside

    def _held_out(self, run: Run, labelled: list[Labelled]) -> tuple[list[Path], tuple[str, ...]]:
        """What to measure on without labels; with labels, and nothing held out, that is not needed."""
        if run.held_out or any(len(video.anchors) > 1 for video in labelled):
            return list(run.held_out), ()
        own = next(_learned_from(run), None)
        note = self.tr(
            "Nothing was held out: measured on a video that it learned from, which flatters the new encoder."
        )
        return ([own], (note,)) if own is not None else ([], ())

    def _keep(self, run: Run) -> Path:
        """A copy among the user's own files: the run may go on, or be thrown away."""
        target = data_folder() / "encoders" / f"{run.folder.name} {int(run.weights.stat().st_mtime)}.pt"
        with replacing(target) as partial:
            shutil.copyfile(run.weights, partial)
        return target

    def _step(self, step: Step) -> None:
        if self._page is not None:
            spent = time.monotonic() - self._began
            known = spent > _SOON and step.share > 0.02
            self._page.set_progress(step.what, step.share, spent * (1 / step.share - 1) if known else None)

    def _proved(self, proof: Proof) -> None:
        assert self._run is not None
        if self._page is not None:
            self._page.set_proof(proof)
            self._page.set_in_use(self._is_used(self._run), self._can_restore())
        from model.training.run import add_scores

        scores = {measure.name: _figures(measure) for measure in proof.measures if not measure.where}
        try:
            add_scores(self._run.folder / "card.json", {_SCORES: scores})
        except (ValueError, OSError) as error:  # the figures are shown all the same
            self._window.notify(str(error), "warning")

    def _fail(self, why: str) -> None:
        self._window.notify(why, "error")
        if self._page is not None:
            self._page.left.emit()

    def _tell(self, text: str) -> None:
        self._allow()
        if self._notice is not None:  # its undo would do something else by now
            self._window.notices.close_notice(self._notice)
        self._notice = self._window.notify(text, "info", self.tr("Undo"), lambda: self.restore())
        self.changed.emit()

    def _allow(self) -> None:
        can = self._can_restore()
        self._window.set_enabled("train.restore", can, self.tr("No other encoder was in use yet"))
        own = bool(self._settings["encoder"])
        self._window.set_enabled("train.shipped", own, self.tr("It is in use"))
        if self._page is not None:
            self._page.set_in_use(self._run is not None and self._is_used(self._run), can)

    def _can_restore(self) -> bool:
        return bool(self._settings["encoder"] != self._settings["encoder.before"])

    def _is_used(self, run: Run) -> bool:
        present = str(self._settings["encoder"])
        if not present or not run.weights.exists():
            return False
        return Path(present).name == f"{run.folder.name} {int(run.weights.stat().st_mtime)}.pt"


def _learned_from(run: Run) -> Iterator[Path]:
    """The videos of a training, files and folders of frames."""
    from model.training.corpus import find_sources
    from model.training.frame_folder import holds_frames
    from model.video import VIDEO_SUFFIXES

    try:
        sources = find_sources(run.setup.sources, run.setup.without)
    except ValueError:  # the folders are gone
        return
    yield from (p for p in sources if (holds_frames(p) if p.is_dir() else p.suffix.lower() in VIDEO_SUFFIXES))


def _figures(measure: Measure) -> dict[str, float]:
    return {"before": measure.before, "after": measure.after, "places": measure.places}
