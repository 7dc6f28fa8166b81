"""What every video source must do, on every kind of file; then what is particular to one backend."""

from __future__ import annotations

import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from model.types import UInt8Array
from model.video import VideoSource, open_video
from model.video.index import PROBED, decode, packets
from model.video.source import FRAMES_AHEAD, FrameCache, Reader, cut_note, frame_rate
from tests.contract.clips import (
    COUNT,
    FILES,
    FOLDERS,
    GROUP,
    Clip,
    cut,
    encode,
    number_of,
    packet_places,
    patch,
    picture,
)
from tests.videos import MemoryVideo

FRAME_BYTES = 80 * 96 * 3
CASES = [(name, backend) for name in FILES for backend in ("pyav", "opencv")] + [(name, None) for name in FOLDERS]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Clip]:
    folder = tmp_path_factory.mktemp("clips")
    return {name: make(folder / name) for name, make in (FILES | FOLDERS).items()}


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
    assert _decoding_threads() == 0


def _decoding_threads() -> int:
    return sum(thread.name == "video decoding" for thread in threading.enumerate())


# --- what every source takes from its base ---------------------------------------------------------------------------


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
        assert _decoding_threads() == 0


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
    assert _decoding_threads() == 0
    with pytest.raises(ValueError, match="closed"):
        list(frames)
    for use in (lambda: source[0], lambda: next(source.frames())):
        with pytest.raises(ValueError, match="closed"):
            use()


# --- video files -----------------------------------------------------------------------------------------------------


@pytest.fixture
def demuxed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every packet that a reader takes from a file."""
    taken: list[int] = []

    def counting(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet | None]:
        for packet in packets(container, stream):
            taken.append(1)
            yield packet

    monkeypatch.setattr("model.video.file.packets", counting)
    return taken


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("b-frames.mp4", 1),
        ("fragments.mp4", 1),
        ("open-groups.mp4", 1),
        ("late.mkv", 1),
        ("vp9.webm", 1),
        ("mpeg4.avi", 1),
        ("turned.mov", 1),
        ("stream.ts", 2),
    ],
)
def test_a_seek_decodes_hardly_more_than_a_group(
    name: str, groups: int, clips: dict[str, Clip], demuxed: list[int]
) -> None:
    delay = 8  # packets that the decoder takes in before it gives a frame out
    with open_video(clips[name].path, backend="pyav") as source:
        source[3 * GROUP + 1]
        assert len(demuxed) <= groups * GROUP + delay
        demuxed.clear()
        source[2 * GROUP - 1]
        assert len(demuxed) <= groups * GROUP + 1 + delay


@pytest.mark.parametrize("name", ["b-frames.mp4", "uneven.mkv", "edited.mp4", "mpeg4.avi", "stream.ts", "uneven.gif"])
def test_opening_decodes_the_beginning_only(name: str, clips: dict[str, Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = []

    def counting(*arguments: Any) -> Iterator[tuple[int, av.VideoFrame | None]]:
        for pair in decode(*arguments):
            decoded.append(pair[0])
            yield pair

    monkeypatch.setattr("model.video.index.decode", counting)
    open_video(clips[name].path, backend="pyav").close()
    assert len(decoded) == PROBED < COUNT


def test_a_demuxer_that_loses_a_packet_shifts_nothing(clips: dict[str, Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    def losing(container: av.container.InputContainer, stream: av.VideoStream) -> Iterator[av.Packet | None]:
        taken = list(packets(container, stream))
        from_the_start = len(taken) > COUNT
        yield from taken if from_the_start else taken[:3] + taken[4:]

    monkeypatch.setattr("model.video.file.packets", losing)
    with open_video(clips["uneven.mkv"].path, backend="pyav") as source:
        assert [number_of(source[i].image) for i in (35, 20, 30, 13)] == [35, 20, 30, 13]


def test_reading_on_takes_every_packet_once(clips: dict[str, Clip], demuxed: list[int]) -> None:
    with open_video(clips["b-frames.mp4"].path, backend="pyav") as source:
        for index in range(len(source)):
            source[index]
    assert len(demuxed) == COUNT + 1


def test_stepping_back_decodes_a_group_once(clips: dict[str, Clip], demuxed: list[int]) -> None:
    with open_video(clips["b-frames.mp4"].path, backend="pyav") as source:
        for index in reversed(range(GROUP)):
            source[index]
    assert len(demuxed) <= 2 * (GROUP + 8)


@pytest.mark.parametrize(
    ("backend", "rotation", "mirror"),
    [("pyav", 270, False), ("opencv", 270, False), ("pyav", 0, True), ("pyav", 90, True)],  # OpenCV does not mirror
)
def test_orientation(backend: str, rotation: int, mirror: bool, tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mp4", numbers=range(3), rotation=rotation, mirror=mirror)
    with open_video(path, backend=backend) as source:
        assert [number_of(frame.image) for frame in source.frames()] == [0, 1, 2]


@pytest.mark.parametrize(
    ("name", "codec", "container_options"),
    [
        ("faststart.mp4", "libx264", {"movflags": "faststart"}),
        ("fragments.mp4", "libx264", {"movflags": "frag_keyframe+empty_moov"}),
        ("x.mkv", "libx264", {}),
        ("x.avi", "mjpeg", {}),
        ("x.ts", "libx264", {}),
    ],
)
def test_a_cut_file_gives_the_frames_that_are_whole(
    name: str, codec: str, container_options: dict[str, str], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = encode(tmp_path / name, codec, pix_fmt, options={"bf": "0"}, container_options=container_options)
    cut(path, 0.8)
    for backend in ("pyav", "opencv"):
        with open_video(path, backend=backend) as source:
            whole = len(source) - (backend == "opencv")  # which takes half a frame for one
            assert 5 < whole < COUNT
            assert [number_of(source[i].image) for i in range(whole)] == list(range(whole))
            assert name == "x.ts" or f"{len(source)} of about" in source.notes[0]
    assert capfd.readouterr().err == ""


def test_damage_in_the_middle_shifts_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = encode(tmp_path / "clip.avi", "mjpeg", "yuvj420p")
    for packet in (5, 25, 30, 31):
        at, size = packet_places(path)[packet]
        patch(path, at + 8, bytes(size - 8))  # behind the head of the AVI chunk, and not into the next
    expected = [{5: 4, 25: 24, 30: 29, 31: 29}.get(i, i) for i in range(COUNT)]
    with open_video(path, backend="pyav") as source:
        assert not source.notes
        assert [number_of(frame.image) for frame in source.frames()] == expected
        assert source.notes == ("4 damaged frames (5, 25, 30, 31) are replaced by the good frame before them",)
    for order in (range(COUNT), reversed(range(COUNT)), [31, 5, 25, 26, 24, 30]):
        with open_video(path, backend="pyav", cache_bytes=2 * FRAME_BYTES) as source:
            for i in order:
                assert number_of(source[i].image) == expected[i]
    assert capfd.readouterr().err == ""


def test_a_fractional_rate_is_exact(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.mkv", numbers=range(20), rate=Fraction(30000, 1001))
    for backend in ("pyav", "opencv"):
        with open_video(path, backend=backend) as source:
            assert source.fps == pytest.approx(30000 / 1001, abs=1e-9)


def test_times_that_stand_still_break_nothing() -> None:
    still = np.zeros(3)
    assert frame_rate(still, 30.0) == 30
    assert frame_rate(still, 0.0) == 25
    assert cut_note(still, 0.0, 9.0) == ()


def test_transparency_is_laid_over_black(tmp_path: Path) -> None:
    rgba = np.full((16, 16, 4), (200, 100, 50, 255), np.uint8)
    rgba[:, 8:, 3] = 0
    with av.open(str(tmp_path / "clip.mov"), "w") as container:
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgba"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(rgba, format="rgba")))
        container.mux(stream.encode(None))
    with open_video(tmp_path / "clip.mov", backend="pyav") as source:
        assert np.array_equal(source[0].image, rgba[..., :3] * (rgba[..., 3:] // 255))


def test_opencv_stands_in_where_pyav_is_missing(clips: dict[str, Clip], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.video.find_spec", lambda name: None)
    with open_video(clips["b-frames.mp4"].path) as source:
        assert type(source).__name__ == "OpenCVSource"


@pytest.mark.slow
def test_random_damage_is_survived(clips: dict[str, Clip], tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    rng = np.random.default_rng(0)
    opened = 0
    for name in FILES:
        content = np.frombuffer(clips[name].path.read_bytes(), np.uint8)
        for hits in (1, 5, 100):
            damaged = content.copy()
            damaged[rng.integers(0, len(content), hits)] = rng.integers(0, 256, hits)
            path = tmp_path / name
            path.write_bytes(damaged.tobytes())
            try:
                with open_video(path, backend="pyav") as source:
                    assert [frame.index for frame in source.frames()] == list(range(len(source)))
                    assert source[len(source) // 2].image.shape == (*source.size, 3)
                    opened += 1
            except ValueError as error:
                assert str(path) in str(error)
                assert "\n" not in str(error)
    assert opened > len(FILES)
    assert capfd.readouterr().err == ""


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_folder_is_in_natural_order_whatever_the_suffix(tmp_path: Path) -> None:
    folder = tmp_path / "Bilder ü 日本"
    folder.mkdir()
    for number, name in enumerate(["img1.png", "img2.JPG", "img09.bmp", "img10.webp", "img100.tiff"]):
        Image.fromarray(picture(number)).save(folder / name)
    (folder / "notes.txt").write_text("not an image")
    (folder / "._img1.png").write_bytes(b"what macOS leaves behind")
    with open_video(folder) as source:
        assert [number_of(frame.image) for frame in source.frames()] == [0, 1, 2, 3, 4]
        assert source.fps == 25
        assert source.times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    with open_video(folder, fps=10) as source:
        assert source.fps == 10
        assert source.times[-1] == pytest.approx(0.4)


def test_all_kinds_of_images_become_8_bit_rgb(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    colour = np.stack([ramp, ramp[:, ::-1], ramp[::-1]], axis=-1)
    half = np.where(np.indices((8, 32))[1] < 8, 255, 51).astype(np.uint8)
    palette = Image.fromarray(ramp).convert("P")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(colour).save(tmp_path / "0.png")
    Image.fromarray(np.dstack([colour, half])).save(tmp_path / "1.png")
    Image.fromarray(ramp).save(tmp_path / "2.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "3.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "4.tif")
    Image.fromarray(np.dstack([ramp, half])).save(tmp_path / "5.png")
    palette.save(tmp_path / "6.png")
    Image.fromarray(np.rot90(colour)).save(tmp_path / "7.webp", lossless=True, exif=turned)
    grey = np.dstack([ramp] * 3)
    expected = [
        colour,
        np.rint(colour * (half[..., None] / 255)),
        grey,
        grey,
        grey,
        np.rint(grey * (half[..., None] / 255)),
        np.asarray(palette.convert("RGB")),
        colour,
    ]
    with open_video(tmp_path) as source:
        for frame, image in zip(source.frames(), expected, strict=True):
            assert np.array_equal(frame.image, image), f"image {frame.index}"


def test_a_damaged_image_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
    cut(tmp_path / "2.png")
    with open_video(tmp_path) as source:
        assert [number_of(frame.image) for frame in source.frames()] == [0, 1, 1, 3]
        assert "1 damaged frames (2)" in source.notes[0]
        (tmp_path / "3.png").unlink()
    with open_video(tmp_path) as source:
        (tmp_path / "1.png").unlink()
        with pytest.raises(ValueError, match=r"1\.png can no longer be read"):
            source[1]


# --- what cannot be opened -------------------------------------------------------------------------------------------


def _sound(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), format="fltp", layout="mono")
        frame.rate = 44100
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _no_frames(path: Path) -> None:
    """A header and the first half of the first frame."""
    encode(path, container_options={"movflags": "faststart"})
    at, size = packet_places(path)[0]
    path.write_bytes(path.read_bytes()[: at + size // 2])


def _no_index(path: Path) -> None:
    cut(encode(path))  # this kind of mp4 keeps its index at the end


def _huge(path: Path) -> None:
    encode(path, "rawvideo", "bgr24", numbers=[0])
    at = path.read_bytes().index(b"strf") + 12
    patch(path, at, (14_000).to_bytes(4, "little") * 2)


def _huge_image(path: Path) -> None:
    path.mkdir()
    Image.fromarray(picture(0)).save(path / "0.png")
    content = (path / "0.png").read_bytes()
    head = b"IHDR" + (60_000).to_bytes(4, "big") * 2 + content[24:29]
    patch(path / "0.png", 12, head + zlib.crc32(head).to_bytes(4, "big"))


def _two_sizes(path: Path) -> None:
    path.mkdir()
    for number, size in enumerate([(80, 96), (80, 96), (81, 96)]):
        Image.fromarray(picture(number, *size)).save(path / f"{number}.png")


def _twins(path: Path) -> None:
    path.mkdir()
    for name in ("7.jpg", "7.png"):
        Image.fromarray(picture(7)).save(path / name)


def _no_images(path: Path) -> None:
    path.mkdir()
    (path / "readme.txt").write_text("nothing here")


def _text_image(path: Path) -> None:
    path.mkdir()
    (path / "0.png").write_text("this is text")


@pytest.mark.parametrize("backend", ["pyav", "opencv"])
@pytest.mark.parametrize(
    ("name", "make", "says"),
    [
        ("missing.mp4", lambda path: None, "does not exist"),
        ("empty.mp4", lambda path: path.touch(), "is empty"),
        ("text.mp4", lambda path: path.write_text("this is text\n" * 99), "cannot be read as a video"),
        ("sound.m4a", _sound, "video"),
        ("no-frames.mp4", _no_frames, "holds no frame"),
        ("no-index.mp4", _no_index, "cannot be read as a video"),
        ("huge.avi", _huge, "14000×14000"),
        ("huge", _huge_image, "0.png cannot be read"),
        ("two-sizes", _two_sizes, "2.png has 96×81 pixels, but 0.png has 96×80"),
        ("twins", _twins, "both 7.jpg and 7.png"),
        ("no-images", _no_images, "holds no images"),
        ("text", _text_image, "0.png cannot be read"),
    ],
)
def test_what_cannot_be_shown_is_refused_in_one_line(
    name: str,
    make: Callable[[Path], object],
    says: str,
    backend: str,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / name
    make(path)
    with pytest.raises(ValueError, match=says) as refusal:
        open_video(path, backend=backend)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr().err == ""


def test_a_text_file_is_no_film(tmp_path: Path) -> None:
    """FFmpeg would render it as a terminal."""
    (tmp_path / "notes.txt").write_text("this is text\n" * 99)
    with pytest.raises(ValueError, match=r"notes\.txt is a text file"):
        open_video(tmp_path / "notes.txt", backend="pyav")


def test_senseless_options_are_refused(clips: dict[str, Clip]) -> None:
    with pytest.raises(ValueError, match="for folders of images only"):
        open_video(clips["b-frames.mp4"].path, fps=25)
    for fps in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="frame rate"):
            open_video(clips["jpg"].path, fps=fps)
    with pytest.raises(ValueError, match="backend 'magic'"):
        open_video(clips["b-frames.mp4"].path, backend="magic")
