"""Clips whose frames say which they are, so that decoding can be checked frame by frame.

A picture carries its number as black and white blocks, beside their negative: what survives coding, scaling of colours
and rotation by metadata is read back exactly, and a picture that is blended, torn or lying on its side is noticed.
"""

from __future__ import annotations

import struct
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.frame import PictureType
from PIL import Image

from model.types import UInt8Array

HEIGHT, WIDTH, BLOCK, BITS = 80, 96, 16, 12
FRAME_BYTES = 3 * HEIGHT * WIDTH
COUNT, GROUP, STEP = 40, 12, 40  # frames, frames from key to key, milliseconds per frame
MILLISECONDS = Fraction(1, 1000)
B_FRAMES = {"bf": "3", "b-pyramid": "normal", "b-adapt": "0", "sc_threshold": "0"}


def picture(number: int, height: int = HEIGHT, width: int = WIDTH) -> UInt8Array:
    """RGB: the number's bits, their negative, and a strip that is red on the left and blue on the right."""
    texture = np.random.default_rng(0).integers(90, 150, (height, 2 * width, 3), np.uint8)
    image = np.roll(texture, 2 * number, axis=1)[:, :width].copy()  # something for motion compensation to do
    for bit in range(BITS):
        y, x = (bit // 6) * BLOCK, (bit % 6) * BLOCK
        image[y : y + BLOCK, x : x + BLOCK] = 255 * (number >> bit & 1)
        image[y + 2 * BLOCK : y + 3 * BLOCK, x : x + BLOCK] = 255 * (~number >> bit & 1)
    image[4 * BLOCK :, : width // 2] = 200, 20, 20
    image[4 * BLOCK :, width // 2 :] = 20, 20, 200
    return image


def number_of(image: UInt8Array) -> int:
    """The number in a picture; AssertionError where it is not clearly there, upright and in the right colours."""
    grey = image.astype(float).mean(axis=2)
    number = 0
    for bit in range(BITS):
        y, x = (bit // 6) * BLOCK + 4, (bit % 6) * BLOCK + 4
        value, negative = (grey[t : t + 8, x : x + 8].mean() for t in (y, y + 2 * BLOCK))
        assert abs(value - negative) > 150, "no number can be read in this picture"
        number |= int(value > negative) << bit
    left, right = image[4 * BLOCK + 4 : -4, 4:40].mean((0, 1)), image[4 * BLOCK + 4 : -4, 56:92].mean((0, 1))
    assert left[0] > 150 > 80 > left[2], "red and blue are exchanged"
    assert right[2] > 150 > 80 > right[0], "red and blue are exchanged"
    return number


def decoding_threads() -> int:
    """Threads that decode ahead of a reader, now."""
    return sum(thread.name == "video decoding" for thread in threading.enumerate())


@dataclass(frozen=True)
class Clip:
    """A file or folder and what is in it. note: part of what the source must remark on."""

    path: Path
    numbers: Sequence[int]
    times: Sequence[float]
    size: tuple[int, int] = (HEIGHT, WIDTH)
    note: str = ""


def encode(
    path: Path,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    *,
    numbers: Sequence[int] = range(COUNT),
    times: Sequence[int] | None = None,
    size: tuple[int, int] = (HEIGHT, WIDTH),
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    rotation: int = 0,
    mirror: bool = False,
    intra: int = 0,
    rate: Fraction | int = 25,
) -> Path:
    """Write pictures as a video that is to be shown upright.

    times:  milliseconds, for a variable rate.
    intra:  frames at the beginning that are coded by themselves.
    """
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        assert isinstance(stream, av.VideoStream)
        upright = [picture(n, *size) for n in numbers]
        stored = [np.rot90(image[:, ::-1] if mirror else image, -rotation // 90) for image in upright]
        stream.height, stream.width = stored[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.gop_size = GROUP
        if rotation or mirror:
            stream.set_display_rotation(rotation, hflip=mirror)
        if times is not None:
            stream.time_base = stream.codec_context.time_base = MILLISECONDS
        for i, image in enumerate(stored):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            if i < intra:
                frame.pict_type = PictureType.I
            if times is not None:
                frame.pts, frame.time_base = times[i], MILLISECONDS
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def packet_places(path: Path) -> list[tuple[int, int]]:
    """(byte position, size) of every packet of a video."""
    with av.open(str(path)) as container:
        found = [(p.pos, p.size) for p in container.demux(video=0) if p.size]
    return [(pos, size) for pos, size in found if pos is not None]


def patch(path: Path, at: int, data: bytes) -> None:
    content = bytearray(path.read_bytes())
    content[at : at + len(data)] = data
    path.write_bytes(content)


def cut(path: Path, share: float = 0.55) -> Path:
    """Take the end off a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    return path


def _even(count: int) -> list[float]:
    return [i * STEP / 1000 for i in range(count)]


def _uneven() -> list[int]:
    """Milliseconds from 0, with gaps between 10 and 100; multiples of 10, so that GIF can keep them."""
    gaps = (40, 10, 100, 30, 20, 70)
    return [0, *np.cumsum([gaps[i % 6] for i in range(COUNT - 1)]).tolist()]


def _clip(path: Path, codec: str = "libx264", pix_fmt: str = "yuv420p", **how: Any) -> Clip:
    times = how.get("times")
    size = how.get("size", (HEIGHT, WIDTH))
    encode(path, codec, pix_fmt, **how)
    return Clip(path, range(COUNT), _even(COUNT) if times is None else [(t - times[0]) / 1000 for t in times], size)


def _edited(path: Path) -> Clip:
    """An edit list hides the first 7 frames, on which the eighth depends."""
    encode(path, options=B_FRAMES)
    content = path.read_bytes()
    at = content.index(b"elst") + 12
    duration, start = struct.unpack_from(">Ii", content, at)
    patch(path, at, struct.pack(">Ii", duration - 7 * STEP, start + 7 * 512))  # in 1/1000 s, and in 1/12800 s
    return Clip(path, range(7, COUNT), _even(COUNT - 7))


def _repeating(path: Path) -> Clip:
    """An edit list shows frames 12 to 23 once more after the last."""
    encode(path, options=B_FRAMES)
    content = bytearray(path.read_bytes())
    at = content.index(b"elst") + 12
    start = struct.unpack_from(">i", content, at + 4)[0]
    content[at + 12 : at + 12] = struct.pack(">IiI", GROUP * STEP, start + GROUP * 512, 1 << 16)
    content[at - 1] = 2  # entries
    for box in (b"moov", b"trak", b"edts", b"elst"):
        length = content.index(box) - 4
        content[length : length + 4] = struct.pack(">I", struct.unpack_from(">I", content, length)[0] + 12)
    path.write_bytes(content)
    numbers = [*range(COUNT), *range(GROUP, 2 * GROUP)]
    return Clip(path, numbers, _even(len(numbers)))


def _lying(path: Path) -> Clip:
    """The header promises 500 frames, the file holds 40."""
    encode(path, "mjpeg", "yuvj420p")
    content = path.read_bytes()
    patch(path, content.index(b"avih") + 24, struct.pack("<I", 500))
    patch(path, content.index(b"strh") + 40, struct.pack("<I", 500))
    return Clip(path, range(COUNT), _even(COUNT), note="40 of about 500")


def _cut(path: Path) -> Clip:
    encode(path, "libvpx-vp9", options={"cpu-used": "8"})
    whole = len(packet_places(cut(path)))
    return Clip(path, range(whole), _even(whole), note=f"{whole} of about {COUNT}")


def _hiding(path: Path) -> Clip:
    """Packet 9 decodes to a frame that is not to be shown (the show_frame bit of RFC 6386, 9.1, is cleared)."""
    encode(path, "libvpx", options={"cpu-used": "8"})
    at = packet_places(path)[9][0] + 4  # behind the head of the Matroska block
    patch(path, at, bytes([path.read_bytes()[at] & ~0x10]))
    return Clip(path, [n for n in range(COUNT) if n != 9], [t for i, t in enumerate(_even(COUNT)) if i != 9])


def _single(path: Path) -> Clip:
    return Clip(encode(path, numbers=[5]), [5], [0.0])


def _folder(path: Path, suffixes: Sequence[str], **options: Any) -> Clip:
    path.mkdir()
    for i in range(COUNT):
        Image.fromarray(picture(i)).save(path / f"frame {i + 1}{suffixes[i % len(suffixes)]}", **options)
    return Clip(path, range(COUNT), _even(COUNT))


# The name of a file tells its container.
FILES: dict[str, Callable[[Path], Clip]] = {
    "b-frames.mp4": lambda path: _clip(path, options=B_FRAMES),
    "fragments.mp4": lambda path: _clip(
        path, options=B_FRAMES, container_options={"movflags": "frag_keyframe+empty_moov"}
    ),
    "open-groups.mp4": lambda path: _clip(
        path, options=B_FRAMES | {"x264-params": f"open-gop=1:keyint={GROUP}:min-keyint={GROUP}"}
    ),
    "hevc.mp4": lambda path: _clip(path, "libx265", options={"x265-params": f"log-level=none:keyint={GROUP}"}),
    "gradual-refresh.mp4": lambda path: _clip(path, options={"x264-params": f"intra-refresh=1:keyint={GROUP}"}),
    "uneven.mp4": lambda path: _clip(path, times=_uneven(), options=B_FRAMES),
    "uneven.mkv": lambda path: _clip(path, times=_uneven(), options=B_FRAMES),
    "uneven.gif": lambda path: _clip(path, "gif", "rgb8", times=_uneven()),
    "late.mp4": lambda path: _clip(path, times=[t + 1500 for t in _uneven()], options=B_FRAMES),
    "late.mkv": lambda path: _clip(path, times=[t + 1500 for t in _uneven()], options=B_FRAMES),
    "edited.mp4": _edited,
    "repeating.mp4": _repeating,
    "turned.mov": lambda path: _clip(path, rotation=90, options=B_FRAMES),
    "upside-down.mp4": lambda path: _clip(path, rotation=180),
    "odd.mp4": lambda path: _clip(path, pix_fmt="yuv444p", size=(HEIGHT + 1, WIDTH + 1), options=B_FRAMES),
    "ten-bit.mkv": lambda path: _clip(path, pix_fmt="yuv420p10le", options=B_FRAMES),
    "vp9.webm": lambda path: _clip(path, "libvpx-vp9", options={"cpu-used": "8"}),
    "hiding.webm": _hiding,
    "mpeg4.avi": lambda path: _clip(path, "mpeg4", options={"bf": "2"}),
    # The container keeps times in decoding order only, and B-frames come late.
    "no-times.avi": lambda path: _clip(path, options=B_FRAMES, intra=28),
    "lying.avi": _lying,
    "cut.webm": _cut,
    "single.mp4": _single,
    "stream.ts": lambda path: _clip(path, options=B_FRAMES),
    "stream.mpg": lambda path: _clip(path, "mpeg1video", options={"bf": "2"}),
}
FOLDERS: dict[str, Callable[[Path], Clip]] = {
    "jpg": lambda path: _folder(path, [".jpg"], quality=95),
    "mixed": lambda path: _folder(path, [".png", ".JPG", ".bmp", ".tif", ".webp", ".jpeg", ".tiff"]),
}
