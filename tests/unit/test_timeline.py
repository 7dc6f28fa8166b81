"""The timeline as a user finds it: what the mouse does, and what follows."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QHelpEvent, QImage, QWheelEvent
from PySide6.QtWidgets import QApplication, QMenu, QToolTip
from pytestqt.qtbot import QtBot

from app.core.lanes import KEYPOINTS
from app.views.timeline.layout import BAR, NAMES
from app.views.timeline.timeline import Timeline
from tests.timelines import LANES_Y, PICTURES_Y, REFERENCES_Y, RULER_Y, WIDTH, at, colour_at, lanes_of, shown

NO_KEYS, CTRL, SHIFT = (
    Qt.KeyboardModifier.NoModifier,
    Qt.KeyboardModifier.ControlModifier,
    Qt.KeyboardModifier.ShiftModifier,
)


@pytest.fixture
def timeline(qtbot: QtBot) -> Timeline:
    """100 frames of 10 pixels each."""
    return shown(qtbot, 100)


def wheel(timeline: Timeline, x: float, y: int, turn: int, keys: Qt.KeyboardModifier = NO_KEYS) -> None:
    place = QPointF(NAMES + x, y)
    event = QWheelEvent(
        place,
        timeline.mapToGlobal(place),
        QPoint(),
        QPoint(0, turn),
        Qt.MouseButton.NoButton,
        keys,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(timeline, event)


class Heard:
    """What a timeline says, in order."""

    def __init__(self, timeline: Timeline) -> None:
        self.scrubbed: list[int] = []
        self.spans: list[tuple[int, int]] = []
        self.dropped: list[int] = []
        self.selected: list[int] = []
        self.wanted: list[list[int]] = []
        timeline.scrubbed.connect(self.scrubbed.append)
        timeline.span_changed.connect(lambda start, stop: self.spans.append((start, stop)))
        timeline.reference_dropped.connect(self.dropped.append)
        timeline.object_selected.connect(self.selected.append)
        timeline.thumbnails_wanted.connect(self.wanted.append)


# Scrubbing


@pytest.mark.parametrize("y", [RULER_Y, PICTURES_Y, REFERENCES_Y, LANES_Y, 180])
def test_a_drag_anywhere_over_the_frames_scrubs(qtbot: QtBot, timeline: Timeline, y: int) -> None:
    timeline.set_lanes(lanes_of(100, 1, 2))
    heard = Heard(timeline)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=at(20, y))
    for frame in (20, 21, 30, 29):
        qtbot.mouseMove(timeline, at(frame, y))
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=at(29, y))
    qtbot.mouseMove(timeline, at(50, y))
    assert heard.scrubbed == [20, 21, 30, 29]
    assert not heard.spans


def test_the_playhead_follows_the_pointer_without_waiting_for_anybody(qtbot: QtBot, timeline: Timeline) -> None:
    before = colour_at(timeline, 405, 170)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at(40))
    assert colour_at(timeline, 405, 170) != before


def test_another_video_leaves_the_current_object_to_whoever_says_it(timeline: Timeline) -> None:
    timeline.set_current(1)
    timeline.set_video(100, 25.0, np.arange(100) / 25)
    timeline.set_lanes(lanes_of(100, 1))
    chosen = colour_at(timeline, 1 - NAMES, LANES_Y + 8)
    timeline.set_current(None)
    assert colour_at(timeline, 1 - NAMES, LANES_Y + 8) != chosen


def test_a_click_on_the_current_frame_still_says_so(qtbot: QtBot, timeline: Timeline) -> None:
    heard = Heard(timeline)
    timeline.set_playhead(40)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at(40))
    assert heard.scrubbed == [40]


def test_a_drag_beyond_an_end_goes_on_scrolling(qtbot: QtBot) -> None:
    timeline = shown(qtbot, 10_000)
    timeline.zoom_by(200)
    heard = Heard(timeline)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=at(50))
    timeline.cursor().setPos(timeline.mapToGlobal(QPoint(NAMES + WIDTH + 60, PICTURES_Y)))
    qtbot.mouseMove(timeline, QPoint(NAMES + WIDTH + 60, PICTURES_Y))
    first = timeline.visible_frames
    qtbot.waitUntil(lambda: timeline.visible_frames.start > first.start + 3)
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES + WIDTH + 60, PICTURES_Y))
    assert heard.scrubbed == sorted(heard.scrubbed)
    assert heard.scrubbed[-1] >= timeline.visible_frames[-2]
    stopped = timeline.visible_frames
    qtbot.wait(100)
    assert timeline.visible_frames == stopped


def test_nothing_happens_without_a_video(qtbot: QtBot) -> None:
    timeline = Timeline()
    qtbot.addWidget(timeline)
    timeline.show()
    heard = Heard(timeline)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at(20))
    qtbot.mouseMove(timeline, at(30))
    wheel(timeline, 100, PICTURES_Y, 120, CTRL)
    timeline.zoom_by(2)
    timeline.grab()
    qtbot.wait(100)
    assert not heard.scrubbed and not heard.wanted


# In and out points


def test_the_handles_move_the_range_once_they_are_let_go(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_span(20, 60)
    heard = Heard(timeline)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES + 203, 5))
    qtbot.mouseMove(timeline, QPoint(NAMES + 352, 40))
    assert not heard.spans
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES + 352, 40))
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES + 597, 5))
    qtbot.mouseMove(timeline, QPoint(NAMES - 50, 5))
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES - 50, 5))
    assert heard.spans == [(35, 60), (35, 36)]  # the out point stops behind the in point
    assert not heard.scrubbed


def test_a_handle_that_comes_back_to_its_place_changes_nothing(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_span(20, 60)
    heard = Heard(timeline)
    qtbot.mousePress(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES + 203, 5))
    qtbot.mouseMove(timeline, QPoint(NAMES + 300, 5))
    qtbot.mouseMove(timeline, QPoint(NAMES + 203, 5))
    qtbot.mouseRelease(timeline, Qt.MouseButton.LeftButton, pos=QPoint(NAMES + 203, 5))
    assert not heard.spans


def test_what_lies_outside_the_range_is_shaded(timeline: Timeline) -> None:
    timeline.set_lanes(lanes_of(100, 1))
    timeline.set_playhead(99)
    line = next(y for y in range(90, 180) if colour_at(timeline, 305, y).red() > 100)
    plain = colour_at(timeline, 105, line)
    timeline.set_span(20, 60)
    assert colour_at(timeline, 105, line) != plain
    assert colour_at(timeline, 705, line) != plain
    assert colour_at(timeline, 305, line) == plain


# Lanes and references


def test_a_click_on_a_name_selects_its_object(qtbot: QtBot, timeline: Timeline) -> None:
    heard = Heard(timeline)
    timeline.set_lanes(lanes_of(100, 4, 7, KEYPOINTS))
    for y in (LANES_Y, LANES_Y + 40, LANES_Y + 75):
        qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=QPoint(20, y))
    assert heard.selected == [4, 7]
    assert not heard.scrubbed


def test_many_lanes_are_scrolled_by_the_wheel(qtbot: QtBot, timeline: Timeline) -> None:
    heard = Heard(timeline)
    timeline.set_lanes(lanes_of(100, *range(1, 41)))
    wheel(timeline, 100, LANES_Y, -4800)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=QPoint(20, 208 - BAR - 4))
    assert heard.selected == [40]


@pytest.mark.qt_log_ignore("grabbing the keyboard")  # which the offscreen window system cannot do
def test_a_reference_is_gone_to_by_a_click_and_dropped_by_its_menu(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_references([30, 70], dropped=[70])
    heard = Heard(timeline)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=at(30, REFERENCES_Y) + QPoint(5, 0))
    assert heard.scrubbed == [30]  # exactly, though the pointer was over the next frame
    for frame, text in ((30, "Drop reference 30"), (70, "Restore reference 70")):
        place = at(frame, REFERENCES_Y)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, place, timeline.mapToGlobal(place))
        QApplication.sendEvent(timeline, event)
        menu = next(menu for menu in timeline.findChildren(QMenu) if menu.isVisible())
        assert menu.actions()[0].text() == text
        menu.actions()[0].trigger()
        menu.close()
    assert heard.dropped == [30, 70]


def test_lanes_of_the_wrong_length_are_noticed(timeline: Timeline) -> None:
    with pytest.raises(AssertionError, match="as long as the video"):
        timeline.set_lanes(lanes_of(99, 1))


# Zooming, scrolling, following


def test_ctrl_wheel_zooms_about_the_pointer(timeline: Timeline) -> None:
    for _ in range(4):
        wheel(timeline, 605, PICTURES_Y, 120, CTRL)
    seen = timeline.visible_frames
    assert len(seen) == pytest.approx(100 / 1.25**4, abs=2)
    assert (60 - seen.start) / len(seen) == pytest.approx(0.6, abs=0.05)
    for _ in range(9):
        wheel(timeline, 605, PICTURES_Y, -120, CTRL)
    assert timeline.visible_frames == range(100)


def test_the_wheel_scrolls_along_the_video_where_no_lanes_are_hidden(timeline: Timeline) -> None:
    timeline.set_lanes(lanes_of(100, *range(1, 41)))
    timeline.zoom_by(4)
    start = timeline.visible_frames.start
    wheel(timeline, 100, LANES_Y, -120)
    assert timeline.visible_frames.start == start
    wheel(timeline, 100, PICTURES_Y, -120)
    assert timeline.visible_frames.start > start
    wheel(timeline, 100, LANES_Y, 120, SHIFT)
    assert timeline.visible_frames.start == start


def test_the_playhead_is_brought_into_sight_when_it_jumps(timeline: Timeline) -> None:
    timeline.zoom_by(4)
    for frame in (99, 0, 57):
        timeline.set_playhead(frame)
        assert frame in timeline.visible_frames


def test_while_playing_the_view_turns_like_a_page(timeline: Timeline) -> None:
    timeline.zoom_by(4)
    timeline.set_playing(True)
    starts = []
    for frame in range(100):
        timeline.set_playhead(frame)
        starts.append(timeline.visible_frames.start)
        assert frame in timeline.visible_frames
    assert len(set(starts)) <= 6


def test_while_playing_the_user_may_look_elsewhere(timeline: Timeline) -> None:
    timeline.zoom_by(4)
    timeline.set_playing(True)
    timeline.set_playhead(10)
    wheel(timeline, 100, PICTURES_Y, -1200)
    elsewhere = timeline.visible_frames
    timeline.set_playhead(11)
    assert timeline.visible_frames == elsewhere
    timeline.set_playing(False)
    timeline.set_playhead(12)
    assert 12 in timeline.visible_frames


def test_the_view_keeps_its_place_when_the_window_is_resized(timeline: Timeline) -> None:
    timeline.resize(NAMES + 500 + BAR, 208)
    assert timeline.visible_frames == range(100)
    timeline.zoom_by(4)
    start = timeline.visible_frames.start
    timeline.resize(NAMES + 700 + BAR, 208)
    assert timeline.visible_frames.start == start


# Thumbnails


def picture(colour: str) -> QImage:
    image = QImage(71, 40, QImage.Format.Format_RGB32)
    image.fill(QColor(colour))
    return image


def test_thumbnails_are_asked_for_where_one_looks_and_only_once(qtbot: QtBot) -> None:
    timeline = shown(qtbot, 6400)
    heard = Heard(timeline)
    qtbot.waitUntil(lambda: len(heard.wanted) == 1)
    step = timeline.thumbnail_step
    assert heard.wanted[0] == list(range(0, 6400, step))
    assert 6400 / step <= 2 * WIDTH / 67 + 2
    for frame in heard.wanted[0]:
        timeline.set_thumbnail(frame, picture("red"))
    timeline.zoom_by(1)
    wheel(timeline, 0, PICTURES_Y, 0, CTRL)
    qtbot.wait(100)
    assert len(heard.wanted) == 1

    timeline.zoom_by(8)
    qtbot.waitUntil(lambda: len(heard.wanted) == 2)
    # Those that are there stood for a longer stretch, and may show another frame of it: they are asked for again.
    seen, step = timeline.visible_frames, timeline.thumbnail_step
    assert heard.wanted[1] == list(range(seen.start // step * step, seen.stop, step))


def test_thumbnails_are_shown_and_stand_in_for_their_neighbours(qtbot: QtBot, timeline: Timeline) -> None:
    heard = Heard(timeline)
    qtbot.waitUntil(lambda: bool(heard.wanted))
    timeline.set_playhead(99)
    timeline.set_thumbnail(heard.wanted[0][2], picture("#00ff00"))
    step = timeline.thumbnail_step
    own = colour_at(timeline, (heard.wanted[0][2] + step / 2) * 10, PICTURES_Y)
    near = colour_at(timeline, (heard.wanted[0][3] + step / 2) * 10, PICTURES_Y)
    far = colour_at(timeline, (heard.wanted[0][9] + step / 2) * 10, PICTURES_Y)
    assert own == QColor("#00ff00")
    assert far.green() < near.green() < 255


def test_another_video_forgets_the_pictures_and_lanes_of_the_last(qtbot: QtBot, timeline: Timeline) -> None:
    timeline.set_lanes(lanes_of(100, 1))
    timeline.set_references([5])
    timeline.set_thumbnail(0, picture("red"))
    timeline.zoom_by(4)
    heard = Heard(timeline)
    timeline.set_video(50, 25.0, np.arange(50) / 25)
    assert timeline.visible_frames == range(50)
    qtbot.waitUntil(lambda: bool(heard.wanted) and heard.wanted[-1][0] == 0)
    qtbot.mouseClick(timeline, Qt.MouseButton.LeftButton, pos=QPoint(20, LANES_Y))
    assert not heard.selected


# What is told


def tooltip_at(timeline: Timeline, place: QPoint) -> str:
    QToolTip.hideText()
    QApplication.sendEvent(timeline, QHelpEvent(QEvent.Type.ToolTip, place, timeline.mapToGlobal(place)))
    return QToolTip.text()


def test_the_tooltip_tells_frame_time_state_and_certainty(timeline: Timeline) -> None:
    timeline.set_lanes(lanes_of(100, 3))
    timeline.set_references([50, 60], dropped=[60])
    assert tooltip_at(timeline, at(32, LANES_Y)) == "Frame 32 · 0:01.28\nobject 3: propagated, certainty 0.83"
    assert tooltip_at(timeline, at(32, PICTURES_Y)) == "Frame 32 · 0:01.28"
    assert "right-click to drop" in tooltip_at(timeline, at(50, REFERENCES_Y))
    assert "right-click to restore" in tooltip_at(timeline, at(60, REFERENCES_Y))
    assert tooltip_at(timeline, QPoint(20, LANES_Y)) == "object 3"
    assert "In point" in tooltip_at(timeline, QPoint(NAMES + 3, 4))
