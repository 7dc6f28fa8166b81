"""Settings, keys, skeleton and the pages of the Help menu."""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from PySide6.QtCore import QObject

from app import __version__
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.keymap import KeyMap
from app.core.objects import Skeleton
from app.core.settings import BY_KEY, Settings, Topic
from app.jobs.queries import Engine
from app.program import is_bundled
from app.views.dialogs.about import AboutDialog
from app.views.dialogs.settings import SettingsDialog
from app.views.dialogs.skeleton import SkeletonDialog
from app.views.theme import Theme
from model.resources import resource

LICENCES = "THIRD_PARTY.md"  # `make bundle` writes it
LIBRARIES = ("torch", "numpy", "PySide6-Essentials", "opencv-python", "av")


class Preferences(QObject):
    """applied: what is done with a setting when it changes, by its key; the others are read when they are needed."""

    def __init__(self, session: Session, window: Shell, settings: Settings, theme: Theme | None) -> None:
        super().__init__()
        self._session, self._window, self._settings = session, window, settings
        self._engine: Engine | None = None
        self._dialog: SettingsDialog | None = None
        self.applied: dict[str, Callable[[Any], object]] = {}
        if theme is not None:
            theme.choose(settings["theme"])
            self.applied["theme"] = theme.choose
        for note in settings.notes:
            window.notify(note, "warning")
        window.actions["edit.settings"].triggered.connect(lambda: self.show())
        window.actions["help.about"].triggered.connect(lambda: self.show_about())
        window.actions["labels.skeleton"].triggered.connect(lambda: self.edit_skeleton())

    def know(self, engine: Engine) -> None:
        self._engine = engine

    def remember(self, key: str, value: Any) -> None:
        """Something was chosen elsewhere than in the dialog."""
        if self._settings[key] != value:
            self._keep(key, value)
            if self._dialog is not None:
                self._dialog.set_value(key, value)

    def show(self) -> None:
        if self._dialog is not None:
            self._dialog.close()
        values = {key: self._settings[key] for key, setting in BY_KEY.items() if setting.topic is not Topic.HIDDEN}
        auto = ("auto", self.tr("The quickest"))
        choices = {} if self._engine is None else {"device": (auto, *self._engine.devices)}
        keymap, _ = KeyMap.read(self._settings["keys"])
        self._dialog = SettingsDialog(values, keymap, choices, self._window)
        self._dialog.changed.connect(self._keep)
        self._dialog.keys_changed.connect(self._rebind)
        self._dialog.show()

    def _keep(self, key: str, value: Any) -> None:
        try:
            self._settings[key] = value
        except OSError as error:  # it counts all the same, until the program ends
            self._window.notify(str(error), "warning")
        except ValueError as error:
            self._window.notify(str(error), "warning")
            return
        if key in self.applied:
            self.applied[key](value)

    def _rebind(self, keymap: KeyMap) -> None:
        self._keep("keys", {name: list(keys) for name, keys in keymap.overrides.items()})
        self._window.set_keymap(keymap)

    def show_about(self) -> None:
        engine = self._engine
        facts = {
            self.tr("Encoder"): self.tr("not loaded yet") if engine is None else f"{engine.name}, {engine.sha256[:12]}",
            self.tr("Device"): "–" if engine is None else engine.device,
            self.tr("System"): f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
            self.tr("Libraries"): ", ".join(_version(name) for name in LIBRARIES),
        }
        licences = resource(LICENCES) if is_bundled() else None
        dialog = AboutDialog(__version__, facts, self._window, licences)
        dialog.diagnostics_wanted.connect(self._window.actions["help.diagnostics"].trigger)
        dialog.show()

    def edit_skeleton(self) -> None:
        dialog = SkeletonDialog(self._session.document.skeleton, self._window)
        if dialog.exec():
            self._put(dialog.skeleton, dialog.renamed)

    def _put(self, skeleton: Skeleton, renamed: Mapping[str, str]) -> None:
        try:
            self._session.document.set_skeleton(skeleton, renamed)
        except ValueError as error:
            self._window.notify(str(error), "warning")


def _version(name: str) -> str:
    try:
        return f"{name} {metadata.version(name)}"
    except metadata.PackageNotFoundError:
        return name
