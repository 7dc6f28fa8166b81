"""The session and playback, with frames that arrive when the test says so."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QObject, Signal

from app.controllers.playback import Playback
from app.controllers.session import GATHER_MS, Session
from app.core.document import Document
from app.core.media import Media
from model.types import Frame, LabelMap

FRAMES = 10


class FakeFrames(QObject):
    """Remembers what was asked for; `deliver` answers."""

    frame_ready = Signal(int, int, object)
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int, bool]] = []
        self.closed = False

    def request(self, frame: int, generation: int, exact: bool = True) -> None:
        self.asked.append((frame, generation, exact))

    def close(self) -> None:
        self.closed = True

    def deliver(self, frame: int, generation: int | None = None) -> None:
        latest = self.asked[-1][1] if generation is None else generation
        self.frame_ready.emit(frame, latest, Frame(frame, frame / 10, np.full((4, 6, 3), frame, np.uint8)))


class FakeProject:
    def __init__(self) -> None:
        self.document = Document(Media(Path("/film.mp4"), (4, 6), FRAMES, 10.0))
        self.journal: list[Any] = []
        self.document.on_change = lambda values, change: self.journal.append(values)
        self.closed: list[bool] = []

    def close(self, keep: bool = False) -> None:
        self.closed.append(keep)


class Stage:
    def __init__(self, times: np.ndarray | None = None) -> None:
        self.session = Session()
        self.frames, self.project = FakeFrames(), FakeProject()
        self.source = SimpleNamespace(times=np.arange(FRAMES) / 10 if times is None else times)
        self.pictures: list[int] = []
        self.session.pictured.connect(lambda picture: self.pictures.append(picture.index))
        self.session.open(self.project, self.source, self.frames)  # type: ignore[arg-type]


@pytest.fixture
def stage(qapp) -> Stage:
    return Stage()


def ids(value: int) -> LabelMap:
    return LabelMap(np.full((4, 6), value, np.uint8), (1,))


def test_opening_shows_frame_0(stage: Stage) -> None:
    assert stage.frames.asked == [(0, 1, True)] and stage.session.is_waiting
    stage.frames.deliver(0)
    assert stage.pictures == [0] and not stage.session.is_waiting


def test_an_answer_that_is_no_longer_wanted_is_dropped(stage: Stage) -> None:
    stage.session.go_to(3)
    stage.session.go_to(5)
    stage.frames.deliver(3, generation=stage.frames.asked[-2][1])
    assert stage.pictures == []
    stage.frames.deliver(5)
    assert stage.pictures == [5] and stage.session.shown == 5


def test_what_is_seen_is_what_is_edited_while_the_next_frame_is_on_its_way(stage: Stage) -> None:
    stage.frames.deliver(0)
    stage.session.go_to(7)
    assert (stage.session.frame, stage.session.shown) == (7, 0)
    stage.frames.deliver(7)
    assert stage.session.shown == 7


@pytest.mark.parametrize(("asked", "shown"), [(-5, 0), (99, FRAMES - 1)])
def test_beyond_the_ends_is_the_last_frame_there(stage: Stage, asked: int, shown: int) -> None:
    stage.session.go_to(asked)
    assert stage.frames.asked[-1][0] == shown


def test_changes_reach_the_journal_and_whoever_listens(stage: Stage) -> None:
    heard: list[Any] = []
    stage.session.changed.connect(heard.append)
    stage.project.document.add_object()
    stage.project.document.set_labels(2, ids(1))
    assert [change.objects for change in heard] == [True, False]
    assert heard[1].frames == {2} and len(stage.project.journal) == 2


def test_while_labels_pour_in_listeners_are_told_together(stage: Stage, qtbot) -> None:
    heard: list[Any] = []
    stage.project.document.add_object()
    stage.session.changed.connect(heard.append)
    stage.session.gather(True)
    for frame in range(5):
        stage.project.document.set_labels(frame, ids(1))
    assert heard == [] and len(stage.project.journal) == 6  # the journal waits for nothing
    qtbot.waitUntil(lambda: len(heard) == 1, timeout=20 * GATHER_MS)
    assert heard[0].frames == {0, 1, 2, 3, 4}
    stage.project.document.set_labels(7, ids(1))
    stage.session.gather(False)
    assert heard[1].frames == {7}


def test_closing_lets_go_of_everything_once_everybody_was_told(stage: Stage) -> None:
    order: list[str] = []
    stage.session.closing.connect(lambda: order.append(f"closing {stage.session.is_open}"))
    stage.session.closed.connect(lambda: order.append(f"closed {stage.session.is_open}"))
    stage.session.close(keep=True)
    stage.session.close()
    assert order == ["closing True", "closed False"]
    assert stage.frames.closed and stage.project.closed == [True]
    stage.frames.deliver(0)
    assert stage.pictures == []


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def playing(times: np.ndarray | None = None, start: int = 0) -> tuple[Stage, Playback, Clock]:
    stage, clock = Stage(times), Clock()
    stage.session.go_to(start)
    stage.frames.deliver(start)
    playback = Playback(stage.session, clock)
    playback.play()
    return stage, playback, clock


def test_frames_are_shown_at_their_times_even_where_these_vary(qapp) -> None:
    stage, playback, clock = playing(np.array([0, 0.1, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2]))
    for later, due in ((0.05, 0), (0.11, 1), (0.3, 1), (0.49, 1), (0.51, 2), (0.61, 3)):
        clock.now = 100 + later
        playback.tick()
        assert stage.session.frame == due, later
        if stage.session.is_waiting:
            stage.frames.deliver(due)


def test_a_slow_machine_leaves_frames_out_and_keeps_time(qapp) -> None:
    stage, playback, clock = playing()
    clock.now = 100.1
    playback.tick()
    asked = len(stage.frames.asked)
    for later in (0.2, 0.3, 0.4):  # the picture of frame 1 takes that long
        clock.now = 100 + later
        playback.tick()
    assert len(stage.frames.asked) == asked
    stage.frames.deliver(1)
    clock.now = 100.45
    playback.tick()
    assert stage.session.frame == 4


def test_playing_ends_with_the_video_and_begins_again_from_there(qapp) -> None:
    stage, playback, clock = playing(start=8)
    clock.now = 105
    playback.tick()
    assert stage.session.frame == 9 and not playback.is_playing
    stage.frames.deliver(9)
    playback.play()
    assert stage.session.frame == 0 and playback.is_playing


def test_a_jump_goes_on_from_there(qapp) -> None:
    stage, playback, clock = playing()
    clock.now = 100.15
    stage.session.go_to(6)
    playback.jumped()
    stage.frames.deliver(6)
    clock.now = 100.26
    playback.tick()
    assert stage.session.frame == 7


def test_closing_stops_it(qapp) -> None:
    stage, playback, _ = playing()
    stage.session.close()
    assert not playback.is_playing
