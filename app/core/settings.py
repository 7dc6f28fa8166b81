"""The user's settings: one table, and what the user chose instead of its defaults.

The settings dialog is made from the table. Texts are English here and are translated where they are shown, in the
context "Settings". To add a setting, add a line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.core.user_files import config_folder, read_json, write_json


class Topic(StrEnum):
    """A page of the dialog. HIDDEN: what the program remembers by itself."""

    LOOK = "Look"
    EDITING = "Editing"
    PROPAGATION = "Propagation"
    PROJECTS = "Projects"
    MEMORY = "Memory"
    HIDDEN = ""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the table. Its type is that of the default: bool, int, float, str or dict.

    key:     for good: settings are kept under it.
    label:   a few words; help: one sentence without its full stop.
    choices: of a text, each with the words to show for it; any text if there are none.
    low, high: of a number, inclusive. unit: behind the number.
    """

    key: str
    default: Any
    label: str = ""
    help: str = ""
    topic: Topic = Topic.HIDDEN
    choices: tuple[tuple[str, str], ...] = ()
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""

    def check(self, value: Any) -> Any:
        """The value, as the setting's type. ValueError, naming setting, value and what can be, if it cannot be."""
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind:
            raise ValueError(f"setting {self.key} is {_KINDS[kind]}, not {value!r}")
        if kind in (int, float) and not self.low <= value <= self.high:
            raise ValueError(f"setting {self.key} is from {self.low:g} to {self.high:g}, not {value}")
        if self.choices and value not in (choice for choice, _ in self.choices):
            raise ValueError(f"setting {self.key} is one of {', '.join(c for c, _ in self.choices)}, not {value!r}")
        return value


_KINDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", dict: "an object"}

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "theme", "system", "Theme", "Dark or light, or whatever the system is at the moment",
        Topic.LOOK, (("system", "As the system"), ("dark", "Dark"), ("light", "Light")),
    ),
    Setting(
        "language", "system", "Language", "Of menus and messages; takes effect at the next start",
        Topic.LOOK, (("system", "As the system"), ("en", "English")),
    ),
    Setting(
        "overlay.opacity", 0.5, "Opacity of labels", "How much of the picture the labels hide",
        Topic.LOOK, low=0.0, high=1.0,
    ),
    Setting("overlay.contours", True, "Outlines", "Draw a line around every object", Topic.LOOK),
    Setting(
        "brush.size", 24, "Brush size", "Diameter of brush and eraser in pixels of the video",
        Topic.EDITING, low=1, high=1000, unit="px",
    ),
    Setting(
        "undo.memory", 256, "Memory for undo", "The oldest actions are forgotten beyond it",
        Topic.EDITING, low=16, high=65536, unit="MB",
    ),
    Setting(
        "propagation.follow", True, "Follow a propagation", "Show each frame as it is finished",
        Topic.PROPAGATION,
    ),
    Setting(
        "device", "auto", "Device",
        "Where propagation runs: auto takes the quickest; others are cpu, cuda, cuda:1 and mps", Topic.PROPAGATION,
    ),
    Setting(
        "autosave.minutes", 5, "Save every",
        "Saved projects are saved again so often; 0 leaves it to you; a crash loses nothing either way",
        Topic.PROJECTS, low=0, high=120, unit="min",
    ),
    Setting(
        "recent.length", 12, "Recent projects", "So many are listed on the welcome page",
        Topic.PROJECTS, low=0, high=100,
    ),
    Setting(
        "cache.frames", 512, "Memory for frames", "Decoded pictures that are kept for scrubbing",
        Topic.MEMORY, low=64, high=65536, unit="MB",
    ),
    Setting(
        "cache.features", 1024, "Memory for features",
        "What the network has seen of frames; a second run over them is quicker",
        Topic.MEMORY, low=64, high=1048576, unit="MB",
    ),
    Setting(
        "cache.disk", 4096, "Disk for features",
        "What does not fit into that memory, until the video is closed; never more than a quarter of the free disk",
        Topic.MEMORY, low=0, high=1048576, unit="MB",
    ),
    Setting("keys", {}),  # keys by action, where they differ from the table: see app.core.keymap
    Setting("export.last", {}),  # what the export dialog was left with
    Setting("encoder", ""),  # weights in use; the shipped ones if empty
    Setting("encoder.before", ""),  # those to go back to
    Setting("train.last", {}),  # what the training dialog was left with
    Setting("train.pace", {}),  # steps per minute of this machine, by what is trained how
    Setting("folder.last", ""),  # where files were last chosen
)  # fmt: skip

BY_KEY: Mapping[str, Setting] = {setting.key: setting for setting in SETTINGS}


class Settings:
    """The user's choices. Every change is written at once.

    notes: what could not be used of the file, in words. Such a value is left out; the others count.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = config_folder() / "settings.json" if path is None else path
        self.notes: tuple[str, ...] = ()
        self._chosen: dict[str, Any] = {}
        content, note = read_json(self.path)
        notes = [note] if note else []
        for key, value in content.items():
            if key in BY_KEY:
                try:
                    self._chosen[key] = BY_KEY[key].check(value)
                except ValueError as error:
                    notes.append(f"{self.path}: {error}; it is {BY_KEY[key].default!r} now")
        self.notes = tuple(notes)

    def __getitem__(self, key: str) -> Any:
        """The user's choice, or the default."""
        return deepcopy(self._chosen.get(key, BY_KEY[key].default))

    def __setitem__(self, key: str, value: Any) -> None:
        """Choose. ValueError if that cannot be; OSError if it cannot be kept: it counts until the program ends."""
        self.update({key: value})

    def update(self, values: Mapping[str, Any]) -> None:
        """Choose several at once. Errors as above; after a ValueError nothing has changed."""
        checked = {key: BY_KEY[key].check(value) for key, value in values.items()}
        changed = {key: value for key, value in checked.items() if self[key] != value}
        self._chosen |= deepcopy(changed)
        if changed:
            self._write(changed)

    def reset(self, key: str) -> None:
        """Back to the default. OSError as above."""
        if key in self._chosen:
            del self._chosen[key]
            self._write({key: BY_KEY[key].default})

    def _write(self, changed: Mapping[str, Any]) -> None:
        """What is in the file and is not ours, or was changed by another window meanwhile, stays."""
        content, _ = read_json(self.path)
        content |= changed
        defaults = {key for key in changed if changed[key] == BY_KEY[key].default}
        write_json(self.path, {key: value for key, value in content.items() if key not in defaults})
