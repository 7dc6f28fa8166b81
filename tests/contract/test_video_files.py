"""What is particular to video files: seeking, damage, rates, orientation."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from model.video import open_video
from model.video.index import PROBED, decode, packets
from model.video.source import cut_note, frame_rate
from tests.contract.clips import (
    COUNT,
    FILES,
    FRAME_BYTES,
    GROUP,
    Clip,
    cut,
    encode,
    number_of,
    packet_places,
    patch,
)


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
