"""The options of propagation that the window has a place for: a table like that of the settings, kept per project.

Texts are English here and are translated where they are shown, in the context "Settings". What is not in the table
keeps the value that the command line or the program gave it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from app.core.settings import Setting
from model.types import PropagationOptions

_WHOLE = "whole"
_SIDES = (1080, 720, 480, 360, 240)
_LISTS = ("long_term", "short_term")
_DEFAULT = PropagationOptions()


def _side(side: int | None) -> str:
    return _WHOLE if side is None else str(side)


def _listed(frames: tuple[int, ...]) -> str:
    return ", ".join(map(str, frames))


RUN_OPTIONS: tuple[Setting, ...] = (
    Setting(
        "short_side", _side(_DEFAULT.short_side), "Working size",
        "The short side of the pictures that the encoder sees; smaller is quicker and needs less memory",
        choices=((_WHOLE, "As the video"), *((str(side), f"{side} pixels") for side in _SIDES)),
    ),
    Setting(
        "radius", _DEFAULT.radius, "Reach",
        "How far a label may move between two frames, in cells of 4 working pixels; quick motion needs more",
        low=1, high=64, unit="cells",
    ),
    Setting(
        "top_k", _DEFAULT.top_k, "Votes",
        "So many of the best places decide about each cell; fewer keep labels crisper",
        low=1, high=100,
    ),
    Setting(
        "labels", _DEFAULT.labels, "Labels in memory",
        "Soft ones may be unsure on the way; hard ones belong to one object wholly, and cannot melt",
        choices=(("soft", "Soft"), ("hard", "Hard")),
    ),
    Setting(
        "edges", _DEFAULT.edges, "Outlines",
        "Bend them to the edges in the picture, or leave them smooth",
        choices=(("guided", "Along the picture"), ("bilinear", "Smooth")),
    ),
    Setting(
        "anchors", _DEFAULT.anchors, "References",
        "So many labelled frames, the nearest in time, are looked at for each frame",
        low=1, high=64,
    ),
    Setting(
        "short_term", _listed(_DEFAULT.short_term), "Short memory",
        "Frames that are looked at, counted back from the present one",
    ),
    Setting(
        "long_term", _listed(_DEFAULT.long_term), "Long memory",
        "Frames that are looked at for good, counted from the labelled one; or none",
    ),
)  # fmt: skip
BY_NAME: Mapping[str, Setting] = {setting.key: setting for setting in RUN_OPTIONS}


def shown(options: PropagationOptions) -> dict[str, Any]:
    """What the table's lines show of options, by key."""
    values: dict[str, Any] = {key: getattr(options, key) for key in BY_NAME}
    return values | {"short_side": _side(options.short_side)} | {key: _listed(values[key]) for key in _LISTS}


def chosen(options: PropagationOptions, values: Mapping[str, Any]) -> PropagationOptions:
    """Options with values of lines in place of their own. ValueError, in the words of the table, for what cannot be."""
    fields: dict[str, Any] = {}
    for key, value in values.items():
        if key == "short_side":
            fields[key] = None if value == _WHOLE else int(value)
        elif key in _LISTS:
            fields[key] = _frames(BY_NAME[key], value)
        else:
            fields[key] = BY_NAME[key].check(value)
    return replace(options, **fields)


def _frames(setting: Setting, text: str) -> tuple[int, ...]:
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    if not all(re.fullmatch(r"[1-9]\d{0,5}", part) for part in parts) or (not parts and setting.key == "short_term"):
        raise ValueError(f"{setting.label} is made of whole numbers from 1, such as {setting.default}; not “{text}”")
    return tuple(sorted({int(part) for part in parts}))
