"""A timeline in a window of its own, for tests."""

from __future__ import annotations

import numpy as np
from PySide6.QtCore import QPoint
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from app.core.lanes import Lane, LaneState
from app.views.timeline.layout import BAR, NAMES
from app.views.timeline.timeline import Timeline

WIDTH = 1000  # of the frames
RULER_Y, PICTURES_Y, REFERENCES_Y, LANES_Y = 25, 50, 80, 92


def shown(qtbot: QtBot, frames: int, height: int = 208) -> Timeline:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.resize(NAMES + WIDTH + BAR, height)
    timeline.show()
    qtbot.waitExposed(timeline)
    timeline.set_video(frames, 25.0, np.arange(frames) / 25)
    return timeline


def lanes_of(frames: int, *numbers: int) -> tuple[Lane, ...]:
    def lane(number: int) -> Lane:
        states = np.full(frames, LaneState.PROPAGATED, np.uint8)
        states[0] = LaneState.HUMAN
        return Lane(number, f"object {number}", (128, 0, 0), states, np.full(frames, 0.83, np.float32))

    return tuple(lane(number) for number in numbers)


def at(frame: float, y: int = PICTURES_Y) -> QPoint:
    """A point over the middle of a frame of the 100."""
    return QPoint(NAMES + round(10 * frame + 5), y)


def colour_at(timeline: Timeline, x: float, y: int) -> QColor:
    return timeline.grab().toImage().pixelColor(round(NAMES + x), y)
