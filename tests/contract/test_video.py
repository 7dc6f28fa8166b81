"""What every video source must do, on every kind of file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.types import UInt8Array
from model.video import VideoSource, open_video
from tests.contract.clips import FILES, FOLDERS, FRAME_BYTES, Clip, decoding_threads, number_of

CASES = [(name, backend) for name in FILES for backend in ("pyav", "opencv")] + [(name, None) for name in FOLDERS]


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{case[1] or 'folder'}")
def case(request: pytest.FixtureRequest, clips: dict[str, Clip]) -> tuple[Clip, str | None]:
    name, backend = request.param
    return clips[name], backend


@pytest.fixture(scope="module")
def clip(case: tuple[Clip, str | None]) -> Clip:
    return case[0]


@pytest.fixture(scope="module")
def source(case: tuple[Clip, str | None]) -> Iterator[VideoSource]:
    """With a cache so small that frames are decoded again and again."""
    with open_video(case[0].path, backend=case[1], cache_bytes=4 * FRAME_BYTES) as opened:
        yield opened


@pytest.fixture(scope="module")
def images(source: VideoSource) -> list[UInt8Array]:
    return [frame.image for frame in source.frames()]


def test_frames_come_in_order_whole_and_upright(clip: Clip, source: VideoSource, images: list[UInt8Array]) -> None:
    assert [number_of(image) for image in images] == list(clip.numbers)
    assert len(source) == len(clip.numbers)
    assert source.size == clip.size
    for image in images:
        assert image.shape == (*clip.size, 3)
        assert image.dtype == np.uint8
        assert image.flags.c_contiguous
        assert not image.flags.writeable  # it is shared with the cache


def test_times_are_those_of_the_file(clip: Clip, source: VideoSource) -> None:
    assert source.times == pytest.approx(np.array(clip.times), abs=2e-3)
    frames = list(source.frames())
    assert [frame.time for frame in frames] == source.times.tolist()
    assert [frame.index for frame in frames] == list(range(len(source)))
    mean = (len(clip.times) - 1) / clip.times[-1] if len(clip.times) > 1 else 25
    assert source.fps == pytest.approx(mean, rel=1e-3)


def test_notes_tell_of_missing_frames(clip: Clip, source: VideoSource, case: tuple[Clip, str | None]) -> None:
    assert clip.note in " ".join(source.notes)
    if case[1] == "pyav" and not clip.note:
        assert source.notes == ()


def test_random_access_gives_what_decoding_in_order_gives(source: VideoSource, images: list[UInt8Array]) -> None:
    @settings(max_examples=8)
    @given(st.lists(st.integers(0, len(images) - 1), min_size=3, max_size=6))
    def check(indices: list[int]) -> None:
        for index in indices:
            frame = source[index]
            assert frame.index == index
            assert np.array_equal(frame.image, images[index])

    check()


def test_backwards(source: VideoSource, images: list[UInt8Array]) -> None:
    frames = list(source.frames(step=-1))
    assert [frame.index for frame in frames] == list(range(len(images)))[::-1]
    assert all(np.array_equal(frame.image, images[frame.index]) for frame in frames)


def test_a_part_both_ways(source: VideoSource, images: list[UInt8Array]) -> None:
    n = len(images)
    start, stop = n // 2, n - n // 4
    assert [f.index for f in source.frames(start, stop)] == list(range(start, stop))
    assert [f.index for f in source.frames(start, stop, -1)] == list(range(start, stop))[::-1]
    assert list(source.frames(start, start)) == []
    for frame in source.frames(start, stop):
        assert np.array_equal(frame.image, images[frame.index])


def test_two_iterators_and_random_access_at_once(source: VideoSource, images: list[UInt8Array]) -> None:
    n = len(images)
    with closing(source.frames()) as forth, closing(source.frames(step=-1)) as back:
        for i in range(n):
            for frame, index in ((next(forth), i), (source[(i * 7) % n], (i * 7) % n), (next(back), n - 1 - i)):
                assert frame.index == index
                assert np.array_equal(frame.image, images[index])


def test_another_handle_gives_the_same_frames_and_is_closed_by_itself(
    source: VideoSource, images: list[UInt8Array]
) -> None:
    kept = source.cache.frames()
    with source.handle(2 * FRAME_BYTES) as handle:
        for index in (len(images) - 1, 0, len(images) // 2):
            assert np.array_equal(handle[index].image, images[index])
        assert source.cache.frames() == kept
        assert set(handle.cache.frames()) >= {len(images) // 2}
    assert np.array_equal(source[0].image, images[0])


def test_decoding_begins_at_the_entry_of_a_frame(source: VideoSource, images: list[UInt8Array]) -> None:
    for index in range(len(images)):
        entry = source.entry(index)
        assert 0 <= entry <= index
        assert source.entry(entry) == entry  # so that the way to it is as short as can be
    for index in range(len(images) - 1, -1, -5):
        assert np.array_equal(source[source.entry(index)].image, images[source.entry(index)])
        assert np.array_equal(source[index].image, images[index])


def test_no_frame_lies_outside(source: VideoSource) -> None:
    n = len(source)
    for index in (-1, n, 10**9):
        with pytest.raises(IndexError, match=f"frames 0..{n - 1}"):
            source[index]
    for start, stop in ((-1, 1), (0, n + 1), (1, 0)):
        with pytest.raises(ValueError, match=f"frames 0..{n - 1}"):
            source.frames(start, stop)
    with pytest.raises(ValueError, match="step"):
        source.frames(step=2)


def test_closing_an_iterator_ends_its_thread(source: VideoSource) -> None:
    frames = source.frames()
    next(frames)
    frames.close()
    assert decoding_threads() == 0
