"""The window with everything that makes it work."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QObject
from PySide6.QtGui import QCloseEvent

from app.controllers.adapting import Adapting
from app.controllers.background import Background
from app.controllers.crashes import Crashes
from app.controllers.diagnostics import Diagnostics
from app.controllers.editing import Editing
from app.controllers.exchanging import Exchanging, holds_labels
from app.controllers.going import Going
from app.controllers.inspecting import Inspecting
from app.controllers.objects import Objects
from app.controllers.opening import Opening
from app.controllers.overview import Overview
from app.controllers.playback import Playback
from app.controllers.preferences import Preferences
from app.controllers.propagating import Propagating
from app.controllers.questions import Questions
from app.controllers.run_options import RunOptions
from app.controllers.sample import Sampling
from app.controllers.saving import Saving
from app.controllers.segmenting import Segmenting
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.controllers.tidying import Tidying
from app.controllers.training import Training
from app.controllers.viewing import Viewing
from app.core.keymap import KeyMap
from app.core.settings import Settings
from app.jobs.inference import InferenceThread
from app.views.drawing import OverlayStyle
from app.views.theme import Theme


class Studio(QObject):
    """Builds the window and its controllers, and joins what they cannot know of each other."""

    def __init__(
        self,
        settings: Settings | None = None,
        weights: str | None = None,
        device: str | None = None,
        theme: Theme | None = None,
    ) -> None:
        """weights, device: as `model.features.load_extractor` takes them; without a device, the settings say."""
        super().__init__()
        self.settings = settings = settings or Settings()
        keymap, notes = KeyMap.read(settings["keys"])
        self.window = window = Shell(keymap)
        for note in notes:
            window.notify(note, "warning")
        chosen = device or (None if settings["device"] == "auto" else settings["device"])
        self.session = session = Session()
        self.training = Training(session, window, settings)
        self.adapting = Adapting(session, window, settings)
        self._given = weights
        self._own: Path | None = None  # encoder, adapted to the open video
        self.inference = InferenceThread(
            self._weights(), chosen, settings["cache.features"] << 20, settings["cache.disk"] << 20
        )
        self.background = Background()
        self.crashes = Crashes(window)
        self.diagnostics = Diagnostics(session, window, self.inference, self.crashes)
        questions = Questions(self.inference)
        self.objects = Objects(session, window)
        self.editing = Editing(session, window, self.objects)
        self.tidying = Tidying(session, window, self.objects)
        self.segmenting = Segmenting(session, window, self.objects, questions)
        style = OverlayStyle(settings["overlay.opacity"], settings["overlay.contours"])
        self.viewing = Viewing(session, window, questions, style)
        self.inspecting = Inspecting(session, window, questions)
        self.playback = Playback(session)
        self.going = Going(session, window, self.playback)
        self.propagating = Propagating(session, window, self.inference, settings)
        self.run_options = RunOptions(session, window, self.propagating.preview)
        self.overview = Overview(session, window)
        self.saving = Saving(session, window, settings, self.background)
        self.opening = Opening(session, window, self.saving, settings, self.background)
        self.sample = Sampling(window, self.opening, self.background)
        self.exchanging = Exchanging(session, window, settings)
        self.preferences = Preferences(session, window, settings, theme)
        self._questions = questions
        self._join()
        self._join_settings()

    def _join(self) -> None:
        session, window, settings = self.session, self.window, self.settings
        for controller in (self.objects, self.editing, self.tidying, self.propagating, self.saving, self.exchanging):
            controller.settle = self.segmenting.settle
        self.editing.step_back = self.segmenting.undo
        self.editing.halt = self.tidying.halt = self.propagating.halt
        self.overview.is_running = lambda: self.propagating.is_running
        self.propagating.running.connect(lambda on: self.overview.allow())
        self.propagating.running.connect(lambda on: self.playback.stop())
        window.actions["go.doubtful"].triggered.connect(lambda: self.playback.jumped())
        self.saving.saved.connect(self.overview.show_title)
        self.exchanging.exported.connect(self.overview.exported)
        session.opened.connect(lambda: self.inference.open(session.source.handle() if session.source else None))
        session.closing.connect(self._questions.forget)
        session.closed.connect(lambda: self.inference.open(None))
        session.failed.connect(lambda text: window.notify(text, "error"))
        self.training.encoders.changed.connect(lambda: self._use(settings["device"]))
        self.adapting.weights = self._weights
        for moment in (session.opened, session.closed, session.changed):
            moment.connect(lambda *_: self._follow_encoder())
        for know in (self.viewing.know, self.overview.know, self.preferences.know, self.training.know):
            self.inference.ready.connect(know)
        self.inference.failed.connect(lambda job, text: self.overview.miss() if job < 0 else None)
        window.dropped.connect(self._dropped)
        window.closing.connect(self._closing)

    def _join_settings(self) -> None:
        """What is chosen in the window is remembered; what is chosen in the dialog is done."""
        settings, window, remember = self.settings, self.window, self.preferences.remember
        panel, canvas, follow = window.view_panel, window.canvas, window.actions["propagate.follow"]
        canvas.set_brush(settings["brush.size"])
        follow.setChecked(settings["propagation.follow"])
        canvas.brush_changed.connect(lambda size: remember("brush.size", size))
        panel.opacity_changed.connect(lambda opacity: remember("overlay.opacity", opacity))
        panel.contours_changed.connect(lambda on: remember("overlay.contours", on))
        follow.toggled.connect(lambda on: remember("propagation.follow", on))
        self.preferences.applied |= {
            "brush.size": canvas.set_brush,
            "overlay.opacity": panel.set_opacity,
            "overlay.contours": panel.set_contours,
            "propagation.follow": follow.setChecked,
            "autosave.minutes": self.saving.set_minutes,
            "device": self._use,
        }

    def _weights(self) -> str | None:
        """The project's own; or those that the program was started with, or else those that the user chose."""
        chosen = self.adapting.encoder() or self._given or self.training.encoders.weights()
        return None if chosen is None else str(chosen)

    def _follow_encoder(self) -> None:
        """The open project has an encoder of its own, or has none any more."""
        own = self.adapting.encoder()
        if own != self._own:
            self._own = own
            self._use(self.settings["device"])

    def _use(self, device: str) -> None:
        """Another encoder, or another device, from the next propagation on."""
        self.inference.use(self._weights(), None if device == "auto" else device)

    def show(self, path: Path | None = None) -> None:
        """Show the window, and open what is to be opened; the encoder is loaded when there is something to look at."""
        self.window.show()
        if path is not None:
            self.session.pictured.connect(self._warm_up)
            self.opening.open(path)
        else:
            self.inference.warm_up()
            self.opening.offer_unsaved()
            self.training.offer()

    def _warm_up(self) -> None:
        self.session.pictured.disconnect(self._warm_up)
        self.inference.warm_up()
        self.training.offer()  # not before: opening takes notices away

    def close(self, keep: bool = False) -> None:
        """End everything, without asking. keep: what was not saved is offered next time."""
        self.overview.close()
        self.saving.set_minutes(0)
        self.exchanging.stop()
        self.training.close()
        self.adapting.close()
        self.tidying.close()
        self.session.close(keep)
        self.inference.close()
        self.background.close()
        self.diagnostics.close()
        self.exchanging.close()

    def _closing(self, event: QCloseEvent) -> None:
        if self.saving.may_leave():
            self.close()
        else:
            event.ignore()

    def _dropped(self, paths: list[Path]) -> None:
        path = paths[0]
        if self.session.is_open and holds_labels(path):
            self.exchanging.take(path)
        else:
            self.opening.open(path)
