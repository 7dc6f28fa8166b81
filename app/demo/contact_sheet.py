"""Pictures of a finished demo: a contact sheet for checking, and one wide picture for showing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.io.overlay import LINE, compose
from app.page import BRIGHT, QUIET, TEXT, Colour, Page
from model.pictures import RAMP, ramp_colours
from model.types import FloatArray, KeypointSet, LabelMap, UInt8Array

WIDTH = 1800
MARGIN, GAP = 32, 10


@dataclass(frozen=True, slots=True, eq=False)
class Shot:
    """One frame of the demo. sureness: [h, w] in 0..1 on the feature grid; j: mean J of the objects, 0..1."""

    frame: int
    time: float
    image: UInt8Array
    truth: LabelMap
    labels: LabelMap
    keypoints: KeypointSet
    sureness: FloatArray
    j: float


def write_contact_sheet(
    path: Path, shots: Sequence[Shot], title: str, subtitle: str, legend: Mapping[int, str]
) -> None:
    """A column per shot; rows: the picture, the truth, what was carried, and how sure that is.

    legend: what to say of every object id.
    """
    label_width = 132
    width = (WIDTH - 2 * MARGIN - label_width - GAP * (len(shots) - 1)) // len(shots)
    height = round(width * shots[0].image.shape[0] / shots[0].image.shape[1])
    rows = {
        "video": [s.image for s in shots],
        "truth": [compose(s.image, s.truth) for s in shots],
        "carried": [compose(s.image, s.labels, s.keypoints) for s in shots],
        "sureness": [_heat(s.sureness, s.image.shape[:2]) for s in shots],
    }
    top = 150
    bottom = top + len(rows) * (height + GAP)
    page = Page(WIDTH, bottom + 58)
    page.text(MARGIN, 58, title, 30, BRIGHT)
    page.text(MARGIN, 90, subtitle, 17, QUIET)
    left = MARGIN + label_width
    for column, shot in enumerate(shots):
        x = left + column * (width + GAP)
        length = page.text(x + 2, top - 14, f"frame {shot.frame}", 17, BRIGHT)
        page.text(x + length + 12, top - 14, clock(shot.time), 15, QUIET)
        page.text(x + width - 4, top - 14, f"J {100 * shot.j:.1f}" if shot.frame else "given", 17, TEXT, "rs")
    for row, (name, pictures) in enumerate(rows.items()):
        y = top + row * (height + GAP)
        page.text(MARGIN, y + height / 2, name, 17, TEXT, "lm")
        for column, picture in enumerate(pictures):
            page.picture(left + column * (width + GAP), y, (width, height), picture)
    y = bottom + 28
    at = float(left)
    for number, words in legend.items():
        page.swatch(at, y, _line(number))
        at += 20 + page.text(at + 20, y, words, 15, TEXT) + 32
    right = WIDTH - MARGIN
    page.text(right, y, "1", 15, QUIET, "rs")
    page.ramp(right - 178, y, 160, RAMP)
    page.text(right - 188, y, "sureness  0", 15, QUIET, "rs")
    page.save(path)


def write_hero(path: Path, shots: Sequence[Shot]) -> None:
    """The shots side by side, labels and keypoints drawn in, for a page's head."""
    margin, gap = 20, 12
    width = (WIDTH - 2 * margin - gap * (len(shots) - 1)) // len(shots)
    height = round(width * shots[0].image.shape[0] / shots[0].image.shape[1])
    page = Page(WIDTH, margin + height + 52)
    for column, shot in enumerate(shots):
        x = margin + column * (width + gap)
        page.picture(x, margin, (width, height), compose(shot.image, shot.labels, shot.keypoints, 0.36))
        y = margin + height + 34
        length = page.text(x + 2, y, f"frame {shot.frame}", 20, BRIGHT)
        page.text(x + length + 14, y, "carried by the program" if shot.frame else "labelled", 20, QUIET)
    page.save(path)


def clock(seconds: float) -> str:
    """m:ss.hh"""
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _heat(sureness: FloatArray, size: tuple[int, ...]) -> UInt8Array:
    large = cv2.resize(sureness, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return ramp_colours(np.asarray(large, np.float32))


def _line(number: int) -> Colour:
    r, g, b = (int(v) for v in LINE[number, 0])
    return r, g, b
