"""Frames for the window: the right ones, the latest first, and never in the way of the window."""

from __future__ import annotations

import gc
import itertools
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QEvent
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.jobs.decoding import STRIDE, way
from app.jobs.frames import FrameServer
from app.jobs.thumbnails import representative, thumbnail
from model.types import Frame, UInt8Array
from model.video import open_video
from model.video.source import Reader
from tests.contract.clips import FILES, GROUP, encode, number_of
from tests.qt_helpers import longest_gap
from tests.videos import MemoryVideo, texture

FRAME_BYTES = 80 * 96 * 3


class SlowVideo(MemoryVideo):
    """Decoding takes as long as the test says, and can be held up. begun, read_frames: in the order in which it did."""

    def __init__(self, frames: int = 60, seconds: float = 0.0, cached: int = 20) -> None:
        super().__init__([np.full((4, 6, 3), i, np.uint8) for i in range(frames)])
        self.seconds = seconds
        self.go = threading.Event()
        self.go.set()
        self.begun: list[int] = []
        self.read_frames: list[int] = []
        self.broken: set[int] = set()
        self._cache.budget = cached * 72

    def _open_reader(self) -> Reader:
        return _SlowReader(self)


class _SlowReader(Reader):
    def __init__(self, video: SlowVideo) -> None:
        self._video = video

    def read(self, index: int) -> UInt8Array | None:
        self._video.begun.append(index)
        self._video.go.wait(10)
        time.sleep(self._video.seconds)
        self._video.read_frames.append(index)
        self.position = index + 1
        if index in self._video.broken:
            raise ValueError("the disk is gone: plug it in again")
        return self._video.images[index].copy()

    def close(self) -> None:
        pass


def one_group(folder: Path) -> Path:
    """A video of 80 frames that can only be decoded from the beginning."""
    return encode(folder / "one-group.mp4", numbers=range(80), options={"x264-params": "keyint=80:min-keyint=80"})


class Answers:
    """What a server hands out, in order: (index, generation, frame)."""

    def __init__(self, server: FrameServer) -> None:
        self.all: list[tuple[int, int, Frame]] = []
        server.frame_ready.connect(lambda *answer: self.all.append(answer))

    @property
    def last(self) -> tuple[int, int] | None:
        return self.all[-1][:2] if self.all else None


Serve = Callable[..., FrameServer]


@pytest.fixture
def serve(qtbot: QtBot) -> Iterator[Serve]:
    """Makes servers, and sees that nothing of them is left."""
    before = set(threading.enumerate())
    servers: list[FrameServer] = []

    def make(source: MemoryVideo) -> FrameServer:
        servers.append(FrameServer(source))
        return servers[-1]

    yield make
    for server in servers:
        server.close()
    assert set(threading.enumerate()) <= before


def test_frames_come_whole_and_with_their_generation(qtbot: QtBot, serve: Serve, tmp_path: Path) -> None:
    clip = FILES["b-frames.mp4"](tmp_path / "b-frames.mp4")
    server = serve(open_video(clip.path, cache_bytes=6 * FRAME_BYTES))
    answers = Answers(server)
    for generation, frame in enumerate((30, 7, 39, 0, 11, 12, 13, 12, 11, 10)):
        server.request(frame, generation)
        qtbot.waitUntil(lambda frame=frame, generation=generation: answers.last == (frame, generation))
        picture = answers.all[-1][2]
        assert number_of(picture.image) == picture.index == frame
        assert picture.time == pytest.approx(clip.times[frame])


def test_a_cached_frame_is_there_before_request_returns(qtbot: QtBot, serve: Serve) -> None:
    server = serve(SlowVideo())
    answers = Answers(server)
    server.request(5, 1)
    assert answers.all == []  # decoding never happens in the caller's thread
    qtbot.waitUntil(lambda: answers.last == (5, 1))
    assert server.cached(5)
    server.request(5, 2)
    assert answers.last == (5, 2)


def test_of_many_requests_the_latest_is_answered_and_no_other(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo()
    video.go.clear()
    server = serve(video)
    answers = Answers(server)
    for generation, frame in enumerate((10, 20, 30, 40)):
        server.request(frame, generation)
    video.go.set()
    qtbot.waitUntil(lambda: answers.last == (40, 3))
    qtbot.wait(50)
    assert [answer[:2] for answer in answers.all] == [(40, 3)]
    assert not {20, 30} & set(video.read_frames)  # nobody waited for them when their turn came


def test_what_was_decoded_for_an_older_request_serves_a_newer_one_for_the_same_frame(
    qtbot: QtBot, serve: Serve
) -> None:
    video = SlowVideo()
    video.go.clear()
    server = serve(video)
    answers = Answers(server)
    server.request(10, 1)
    server.request(10, 2)
    video.go.set()
    qtbot.waitUntil(lambda: answers.last == (10, 2))
    assert video.read_frames.count(10) == 1


def test_frames_are_decoded_ahead_in_the_direction_of_travel(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo(cached=20)
    server = serve(video)
    server.request(30, 1)
    qtbot.waitUntil(lambda: server.cached_ranges() == [(30, 41)])  # half of the cache
    server.request(29, 2)
    qtbot.waitUntil(lambda: all(map(server.cached, range(19, 30))))
    assert not server.cached(18)
    server.request(0, 3)
    qtbot.waitUntil(lambda: server.cached(0))
    server.request(1, 4)
    qtbot.waitUntil(lambda: all(map(server.cached, range(12))))


def test_decoding_ahead_gives_way_to_a_request(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo(seconds=0.02, cached=40)
    server = serve(video)
    answers = Answers(server)
    server.request(0, 1)
    qtbot.waitUntil(lambda: server.cached(2))
    server.request(50, 2)
    qtbot.waitUntil(lambda: answers.last == (50, 2))
    assert video.read_frames.index(50) < 8


def test_the_cache_keeps_to_its_budget_and_its_ranges_are_told(qtbot: QtBot, serve: Serve) -> None:
    server = serve(SlowVideo(cached=8))
    with qtbot.waitSignal(server.cache_changed):
        server.request(20, 1)
    qtbot.waitUntil(lambda: server.cached_ranges() == [(20, 25)])
    server.request(50, 2)
    qtbot.waitUntil(lambda: server.cached(54))
    assert server.cached_ranges()[-1] == (50, 55)
    assert sum(stop - start for start, stop in server.cached_ranges()) <= 8


def test_dragging_shows_the_nearest_picture_first_and_never_a_worse_one(
    qtbot: QtBot, serve: Serve, tmp_path: Path
) -> None:
    server = serve(open_video(one_group(tmp_path), cache_bytes=20 * FRAME_BYTES))
    answers = Answers(server)
    server.request(60, 1)
    qtbot.waitUntil(lambda: server.cached(70))
    server.request(2, 2)
    qtbot.waitUntil(lambda: answers.last == (2, 2))
    answers.all.clear()

    server.request(75, 3, exact=False)
    assert answers.last == (70, 3)  # at once, from the cache; the decoder stands at the beginning
    qtbot.waitUntil(lambda: answers.last == (75, 3))
    distances = [abs(index - 75) for index, _, _ in answers.all]
    assert distances == sorted(set(distances), reverse=True)
    assert all(number_of(frame.image) == index for index, _, frame in answers.all)


def test_a_long_way_to_a_frame_is_broken_off_when_another_is_wanted(
    qtbot: QtBot, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_video(one_group(tmp_path))
    first, go_on, taken = threading.Event(), threading.Event(), []
    decode = source._frame

    def held_up(reader: Reader, index: int) -> Frame:
        frame = decode(reader, index)
        taken.append(index)
        first.set()
        go_on.wait(10)
        return frame

    monkeypatch.setattr(source, "_frame", held_up)
    server = serve(source)
    answers = Answers(server)
    server.request(79, 1)
    assert first.wait(10)
    server.request(3, 2)
    go_on.set()
    qtbot.waitUntil(lambda: answers.last == (3, 2))
    assert taken[:2] == [STRIDE - 1, 0]  # the next thing done is the way to the other


def test_a_fast_drag_over_uncached_frames_keeps_showing_something(qtbot: QtBot, serve: Serve, tmp_path: Path) -> None:
    """Each request is replaced before it is answered; what was decoded for it is shown where it comes near."""
    path = encode(tmp_path / "groups.mp4", numbers=range(240))
    source = open_video(path)
    decode = source._frame

    def slowly(reader: Reader, index: int) -> Frame:
        time.sleep(0.02)
        return decode(reader, index)

    source._frame = slowly  # type: ignore[method-assign]
    server = serve(source)
    answers = Answers(server)
    server.request(0, 0)
    qtbot.waitUntil(lambda: answers.last == (0, 0))
    for generation, frame in enumerate(range(30, 240, 10)):
        server.request(frame, generation, exact=False)
        qtbot.wait(10)
    during = len(answers.all)
    qtbot.waitUntil(lambda: answers.last == (230, 20))
    assert during > 5


def test_errors_are_told_and_the_next_request_is_answered(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo()
    video.broken = {10}
    server = serve(video)
    answers = Answers(server)
    with qtbot.waitSignal(server.failed) as told:
        server.request(10, 1)
    assert told.args == ["the disk is gone: plug it in again"]
    server.request(20, 2)
    qtbot.waitUntil(lambda: answers.last == (20, 2))


def test_an_error_ahead_is_nobodys_until_somebody_asks(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo()
    video.broken = {12}
    server = serve(video)
    with qtbot.assertNotEmitted(server.failed, wait=100):
        server.request(10, 1)
    with qtbot.waitSignal(server.failed):
        server.request(12, 2)


def test_a_frame_outside_the_video_is_refused_with_the_range(serve: Serve) -> None:
    server = serve(SlowVideo(frames=60))
    with pytest.raises(ValueError, match=r"frames 0\.\.59; there is no frame 60"):
        server.request(60, 1)
    with pytest.raises(ValueError, match="there is no frame -1"):
        server.request_thumbnails([-1], 40)


def test_closing_joins_the_threads_closes_the_video_and_silences_the_server(qtbot: QtBot) -> None:
    before = set(threading.enumerate())
    video = SlowVideo(seconds=0.01)
    server = FrameServer(video)
    answers = Answers(server)
    server.request(10, 1)
    server.request_thumbnails(range(40), 8)
    time.sleep(0.05)  # answers are waiting in the event queue by now
    server.close()
    server.close()
    assert set(threading.enumerate()) == before
    with pytest.raises(ValueError, match="was closed"):
        video[0]
    with qtbot.assertNotEmitted(server.thumbnail_ready, wait=50):
        pass
    assert answers.all == []


# Thumbnails


def test_thumbnails_come_for_every_frame_in_the_height_that_was_asked_for(qtbot: QtBot, serve: Serve) -> None:
    images = [texture(i, 90, 120) for i in range(8)]
    server = serve(MemoryVideo(images))
    made: dict[int, QImage] = {}
    server.thumbnail_ready.connect(made.__setitem__)
    server.request_thumbnails([1, 3, 5], 30)
    qtbot.waitUntil(lambda: len(made) == 3)
    assert set(made) == {1, 3, 5}
    assert {(picture.width(), picture.height()) for picture in made.values()} == {(40, 30)}
    colour = made[3].pixelColor(20, 15)
    expected = images[3][45:48, 60:63].mean((0, 1))
    assert np.abs(np.array([colour.red(), colour.green(), colour.blue()]) - expected).max() < 2


def test_new_thumbnails_replace_those_that_are_not_wanted_any_more(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo()
    video.go.clear()
    server = serve(video)
    made: list[int] = []
    server.thumbnail_ready.connect(lambda frame, _: made.append(frame))
    server.request_thumbnails(range(30), 4)
    server.request_thumbnails([50, 51], 4)
    video.go.set()
    qtbot.waitUntil(lambda: made[-1:] == [51])
    assert made == [50, 51]


def test_thumbnails_leave_the_frames_cache_alone_and_wait_for_requests(qtbot: QtBot, serve: Serve) -> None:
    video = SlowVideo(seconds=0.01, cached=4)
    video.go.clear()
    server = serve(video)
    answers = Answers(server)
    server.request(3, 1)
    server.request_thumbnails([40, 41, 42], 4)
    qtbot.wait(100)
    assert video.begun == [3]
    with qtbot.waitSignals([server.thumbnail_ready] * 3):
        video.go.set()
    assert answers.last == (3, 1)
    assert not any(server.cached(frame) for frame in (40, 41, 42))


def test_a_long_slot_shows_the_frame_in_it_that_is_decoded_soonest(tmp_path: Path) -> None:
    clip = FILES["b-frames.mp4"](tmp_path / "b-frames.mp4")
    with open_video(clip.path) as source:
        assert representative(source, 0, GROUP) == 0
        assert representative(source, 1, 2 * GROUP) == GROUP
        assert representative(source, GROUP + 1, GROUP) == 2 * GROUP
        assert representative(source, 5, 4) == 5  # no group begins in it
        assert representative(source, 5, 1) == 5
        assert representative(source, 39, 64) == 39
    assert representative(MemoryVideo([np.zeros((2, 2, 3), np.uint8)] * 20), 8, 8) == 11


def test_a_thumbnail_is_never_enlarged() -> None:
    picture = thumbnail(texture(0, 20, 30), 40)
    assert (picture.width(), picture.height()) == (30, 20)


# The way to a frame


@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 400), st.integers(0, 320))
def test_the_way_goes_in_small_steps_and_keeps_what_is_to_be_kept(
    frame: int, back: int, position: int, keep_back: int
) -> None:
    entry, keep_from = max(0, frame - back), max(0, frame - keep_back)
    taken = list(way(frame, entry, position, keep_from))
    assert taken[-1] == frame
    begin = position if entry <= position <= frame else entry
    stops = [begin - 1, *taken]
    assert all(0 < b - a <= STRIDE for a, b in zip(stops, taken, strict=False))
    assert set(range(max(keep_from, begin), frame + 1)) <= set(taken)


# The window stays alive


def test_decoding_never_holds_the_event_loop_up(qtbot: QtBot, serve: Serve, tmp_path: Path) -> None:
    """Drag over a 720p film of one long group while thumbnails are made; every picture is looked at."""
    path = encode(
        tmp_path / "film.mp4", numbers=range(60), size=(720, 1280), options={"g": "60", "preset": "ultrafast"}
    )
    server = serve(open_video(path, cache_bytes=12 * 720 * 1280 * 3))
    answers = Answers(server)
    generations = itertools.count()

    def drag() -> None:
        server.request_thumbnails(range(0, 60, 7), 40)
        for frame in (0, 10, 35, 59, 40, 12, 13, 14, 50, 3):
            generation = next(generations)
            server.request(frame, generation, exact=False)
            qtbot.wait(20)
        qtbot.waitUntil(lambda: answers.last == (3, generation), timeout=20_000)

    assert longest_gap(drag) < 0.05


def test_a_closed_server_and_its_pictures_are_forgotten(qtbot: QtBot) -> None:
    """With a real video they are half a gigabyte."""
    source = SlowVideo()
    server = FrameServer(source)
    with qtbot.waitSignal(server.frame_ready):
        server.request(5, 1)
    held = [weakref.ref(part) for part in (server, server._decoder, server._thumbnails)]
    server.close()
    assert source.cache.frames() == [] and source.cache.used == 0
    server.deleteLater()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    del server
    gc.collect()
    assert [part() for part in held] == [None, None, None]
