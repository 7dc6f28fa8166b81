"""The overlay video: frames, times, colours, odd sizes, and nothing half-written."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from app.io.video_writer import VideoWriter
from model.video import open_video

STAMPS = [0.0, 0.04, 0.08, 0.28, 0.32, 0.353, 0.553, 0.593]


def picture(i: int, height: int = 64, width: int = 96) -> np.ndarray:
    image = np.empty((height, width, 3), np.uint8)
    image[:] = (200, 60, 30)
    image[:, 8 * i : 8 * i + 16] = (20, 180, 90)
    return image


def write(path: Path, height: int = 64, width: int = 96, stamps: list[float] = STAMPS) -> VideoWriter:
    with VideoWriter(path, (height, width), 25) as video:
        for i, stamp in enumerate(stamps):
            video.write(picture(i, height, width), stamp)
    return video


def test_every_frame_comes_back_at_its_time_in_its_colours(tmp_path: Path) -> None:
    video = write(tmp_path / "o.mp4")
    assert video.notes == ()
    with open_video(tmp_path / "o.mp4") as source:
        assert source.size == (64, 96)
        np.testing.assert_allclose(source.times, STAMPS, atol=1e-4)
        for frame in source.frames():
            x = 8 * frame.index
            assert np.abs(frame.image[30, x + 4 : x + 12].astype(int) - (20, 180, 90)).max() < 10
            assert np.abs(frame.image[30, x + 24 :].astype(int) - (200, 60, 30)).max(initial=0) < 10


def test_the_file_is_what_players_expect(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4")
    with av.open(str(tmp_path / "o.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.codec_context.extradata[3] <= 40  # level 4 and below play everywhere
        assert float(stream.duration * stream.time_base) == pytest.approx(STAMPS[-1] + 0.04, abs=1e-3)


def test_an_odd_size_is_padded_by_its_edge(tmp_path: Path) -> None:
    video = write(tmp_path / "o.mp4", 63, 95)
    assert video.notes == ("o.mp4 is 96x64, not 95x63: video needs even sizes, so the last row or column is repeated",)
    with open_video(tmp_path / "o.mp4") as source:
        image = source[0].image.astype(int)
        assert image.shape == (64, 96, 3)
        assert np.abs(image[:, 95] - image[:, 94]).max() < 12
        assert np.abs(image[63] - image[62]).max() < 12


def test_two_frames_of_one_time_stay_two_frames(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4", stamps=[0.0, 0.04, 0.04, 0.08])
    with open_video(tmp_path / "o.mp4") as source:
        assert len(source) == 4


def test_a_failure_leaves_the_old_video_and_no_other_file(tmp_path: Path) -> None:
    write(tmp_path / "o.mp4")
    before = (tmp_path / "o.mp4").read_bytes()
    with pytest.raises(RuntimeError), VideoWriter(tmp_path / "o.mp4", (64, 96), 25) as video:
        video.write(picture(0), 0.0)
        raise RuntimeError
    assert (tmp_path / "o.mp4").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["o.mp4"]


def test_a_frame_of_another_size_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=r"o\.mp4: a \[32, 96, 3\] frame"),
        VideoWriter(tmp_path / "o.mp4", (64, 96), 25) as video,
    ):
        video.write(picture(0, 32), 0.0)
    assert list(tmp_path.iterdir()) == []
