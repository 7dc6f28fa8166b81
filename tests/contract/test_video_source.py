"""What every video source takes from its base: the cache, decoding ahead, and a way around damage."""

from __future__ import annotations

import time
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.types import UInt8Array
from model.video import open_video
from model.video.source import FRAMES_AHEAD, FrameCache, Reader
from tests.contract.clips import FRAME_BYTES, Clip, decoding_threads, number_of, picture
from tests.videos import MemoryVideo


def test_looking_into_the_cache_waits_for_no_decoder() -> None:
    video = MemoryVideo([np.zeros((2, 2, 3), np.uint8)] * 4)
    image = video[2].image
    with video._lock:  # held while a frame is decoded
        assert video.cache.get(2) is image
        assert 2 in video.cache
        assert 3 not in video.cache
        assert video.cache.frames() == [2]


def test_the_cache_keeps_the_latest_frames_within_its_bytes(clips: dict[str, Clip]) -> None:
    with open_video(clips["mixed"].path, cache_bytes=3 * FRAME_BYTES) as source:
        first = source[0].image
        assert source[0].image is first
        for index in (1, 2):
            source[index]
        assert source[0].image is first  # used again, so 1 is the eldest now
        source[3]
        assert source[0].image is first
        for index in (4, 5, 6):
            source[index]
        assert source[0].image is not first


@given(st.integers(0, 50), st.lists(st.tuples(st.integers(0, 9), st.integers(1, 30)), max_size=40))
def test_the_cache_never_exceeds_its_budget(budget: int, puts: list[tuple[int, int]]) -> None:
    cache = FrameCache(budget)
    for index, size in puts:
        cache.put(index, np.zeros(size, np.uint8))
        held = [image for image in map(cache.get, range(10)) if image is not None]
        assert sum(image.nbytes for image in held) == cache.used <= budget


class Faulty(MemoryVideo):
    """Frames in `damaged` cannot be decoded; reading `broken` fails altogether."""

    def __init__(self, count: int, damaged: set[int], broken: int = -1) -> None:
        super().__init__([picture(i) for i in range(count)])
        self.damaged = damaged
        self.broken = broken

    def _open_reader(self) -> Reader:
        return _FaultyReader(self)


class _FaultyReader(Reader):
    def __init__(self, video: Faulty) -> None:
        self.video = video

    def read(self, index: int) -> UInt8Array | None:
        self.position = index + 1
        self.video.reads += 1
        if index == self.video.broken:
            raise ValueError("the disk is gone")
        return None if index in self.video.damaged else self.video.images[index].copy()

    def close(self) -> None:
        pass


@settings(max_examples=25)
@given(st.sets(st.integers(1, 11)), st.permutations(range(12)))
def test_a_damaged_frame_is_replaced_by_the_good_one_before(damaged: set[int], order: list[int]) -> None:
    with Faulty(12, damaged) as source:
        expected = [max(j for j in range(i + 1) if j not in damaged) for i in range(12)]
        assert [number_of(source[i].image) for i in order] == [expected[i] for i in order]
        assert [number_of(frame.image) for frame in source.frames()] == expected
        assert [number_of(frame.image) for frame in source.frames(step=-1)] == expected[::-1]
        assert [source[i].index for i in order] == order
        assert source.notes == () if not damaged else f"{len(damaged)} damaged" in source.notes[0]


def test_a_source_without_any_good_frame_says_so() -> None:
    with Faulty(3, {0, 1, 2}) as source, pytest.raises(ValueError, match="can no longer be read"):
        source[2]


def test_a_failure_while_decoding_ahead_reaches_the_reader() -> None:
    with Faulty(12, set(), broken=8) as source:
        frames = source.frames()
        assert [next(frames).index for _ in range(8)] == list(range(8))
        with pytest.raises(ValueError, match="the disk is gone"):
            next(frames)
        assert decoding_threads() == 0


def test_decoding_runs_ahead_but_not_far() -> None:
    source = Faulty(50, set())
    with closing(source.frames()) as frames:
        next(frames)
        limit = time.monotonic() + 10
        while source.reads < 1 + FRAMES_AHEAD and time.monotonic() < limit:
            time.sleep(0.01)
        time.sleep(0.05)
        assert source.reads == 1 + FRAMES_AHEAD


def test_closing_a_source_stops_its_iterators_and_is_final() -> None:
    source = Faulty(50, set())
    frames = source.frames()
    next(frames)
    source.close()
    source.close()
    assert decoding_threads() == 0
    with pytest.raises(ValueError, match="closed"):
        list(frames)
    for use in (lambda: source[0], lambda: next(source.frames())):
        with pytest.raises(ValueError, match="closed"):
            use()
