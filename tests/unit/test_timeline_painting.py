"""What the timeline paints, and what it does not paint again."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QRect
from PySide6.QtGui import QColor, QPalette
from pytestqt.qtbot import QtBot

from app.core.lanes import Lane, LaneState
from app.views.timeline import painting
from app.views.timeline.layout import NAMES
from app.views.timeline.timeline import Timeline
from tests.timelines import LANES_Y, at, colour_at, lanes_of, shown


@pytest.fixture
def timeline(qtbot: QtBot) -> Timeline:
    """100 frames of 10 pixels each."""
    return shown(qtbot, 100)


def test_a_mark_looks_the_same_under_the_playhead(timeline: Timeline) -> None:
    """A line across it would make a human frame look like a corrected one."""
    timeline.set_lanes(lanes_of(100, 1))
    timeline.set_playhead(50)
    before = timeline.grab(QRect(NAMES + 2, LANES_Y, 7, 40)).toImage()
    timeline.set_playhead(0)
    under = timeline.grab(QRect(NAMES + 2, LANES_Y, 7, 40)).toImage()
    fill = QColor(128, 0, 0).hsvHue()
    rows = [y for y in range(40) if before.pixelColor(3, y).hsvHue() == fill and before.pixelColor(3, y).value() > 90]
    assert rows and all(under.pixelColor(3, y) == before.pixelColor(3, y) for y in rows)


def test_no_mark_is_cut_out_of_many_that_lie_side_by_side(timeline: Timeline) -> None:
    states = np.full(100, LaneState.HUMAN, np.uint8)
    timeline.set_lanes((Lane(1, "swan", (128, 0, 0), states, np.full(100, np.nan, np.float32)),))
    timeline.set_playhead(50)
    near, far = (timeline.grab(QRect(NAMES + x, LANES_Y, 1, 40)).toImage() for x in (512, 540))
    assert near == far


def test_references_that_are_told_again_paint_nothing_again(
    timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    timeline.set_references(range(100), dropped=[3])
    timeline.grab()
    drawn: list[int] = []
    monkeypatch.setattr(painting, "_draw_references", lambda *given, **more: drawn.append(1))
    timeline.set_references(range(100), dropped=[3])
    timeline.grab()
    assert not drawn
    timeline.set_references(range(100))
    timeline.grab()
    assert drawn


def test_a_moving_playhead_paints_neither_ruler_nor_lanes_again(
    qtbot: QtBot, timeline: Timeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This is what keeps playing and scrubbing at the rate of the screen, however long the video is."""
    drawn: list[str] = []
    for name in ("draw_ruler", "draw_lanes"):
        draw = getattr(painting, name)
        monkeypatch.setattr(painting, name, lambda *a, _draw=draw, _name=name: (drawn.append(_name), _draw(*a)))
    timeline.set_lanes(lanes_of(100, 1))
    timeline.changeEvent(QEvent(QEvent.Type.FontChange))
    timeline.grab()
    assert sorted(drawn) == ["draw_lanes", "draw_ruler"]
    drawn.clear()
    for frame in range(10):
        timeline.set_playhead(frame)
        timeline.set_cached([(0, frame)])
        qtbot.mouseMove(timeline, at(frame))
        timeline.grab()
    assert drawn == []
    timeline.set_lanes(lanes_of(100, 1))
    timeline.grab()
    assert drawn == ["draw_lanes"]


def test_a_first_stroke_paints_no_ruler_again(timeline: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lane of a new object and the mark of a new reference are all that there is to paint, and are waited for."""
    timeline.grab()
    drawn: list[str] = []
    for name in ("draw_ruler", "draw_references", "draw_lanes"):
        draw = getattr(painting, name)
        monkeypatch.setattr(painting, name, lambda *a, _draw=draw, _name=name: (drawn.append(_name), _draw(*a)))
    timeline.set_lanes(lanes_of(100, 5))
    timeline.grab()
    assert drawn == ["draw_lanes"]
    timeline.set_references([7])
    timeline.grab()
    assert drawn == ["draw_lanes", "draw_references"]


def test_colours_follow_the_palette(timeline: Timeline) -> None:
    for ground in ("#ffffff", "#101010"):
        palette = QPalette()
        palette.setColor(QPalette.ColorRole.Window, QColor(ground))
        timeline.setPalette(palette)
        assert colour_at(timeline, -10, 180) == QColor(ground)


def test_cached_frames_have_a_bar_under_the_ruler(timeline: Timeline) -> None:
    timeline.set_playhead(99)
    before = colour_at(timeline, 305, 31), colour_at(timeline, 505, 31)
    timeline.set_cached([(20, 40)])
    assert colour_at(timeline, 305, 31) != before[0]
    assert colour_at(timeline, 505, 31) == before[1]


@pytest.mark.parametrize("frames", [1, 2, 100_000])
def test_videos_of_any_length_are_painted(qtbot: QtBot, frames: int) -> None:
    timeline = shown(qtbot, frames)
    timeline.set_lanes(lanes_of(frames, 1, 2))
    timeline.set_references(range(0, frames, 7))
    for factor in (1, 30, 1e9):
        timeline.zoom_by(factor)
        timeline.grab()
    timeline.resize(300, 60)
    timeline.grab()
    timeline.clear()
    timeline.grab()
