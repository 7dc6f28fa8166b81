"""What cannot be opened as a video is refused in one line."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from model.video import open_video
from tests.contract.clips import Clip, cut, encode, packet_places, patch, picture


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


def _a_video(path: Path) -> None:
    path.mkdir()
    (path / "film.MOV").touch()


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
        ("a-video", _a_video, "holds no images, but the video film.MOV: open that"),
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
