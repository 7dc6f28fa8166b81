"""Write a video frame by frame, at the frame times of the video it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from app.io.atomic import replacing
from model.types import UInt8Array

TICKS = 90_000  # time base of the file: 11 µs, fine enough for any rate
BT709 = 1  # the code of the ITU-R BT.709 matrix, primaries and transfer in H.264


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a video is written as. alpha: its frames are RGBA."""

    suffix: str
    codec: str
    pixels: str
    options: Mapping[str, str]
    alpha: bool = False


# Frames that are stored out of order would make the file's duration wrong where the frame rate varies: no B frames.
# Constant rate factor 18 is visually close to lossless.
H264 = VideoFormat(".mp4", "h264", "yuv420p", {"crf": "18", "preset": "veryfast", "bf": "0"})
VP9_ALPHA = VideoFormat(
    ".webm",
    "libvpx-vp9",
    "yuva420p",
    {"crf": "18", "b": "0", "deadline": "realtime", "cpu-used": "5", "auto-alt-ref": "0"},  # alpha allows none
    alpha=True,
)
PRORES_4444 = VideoFormat(".mov", "prores_ks", "yuva444p10le", {"profile": "4444", "vendor": "apl0"}, alpha=True)


def check_encoder(form: VideoFormat = H264) -> None:
    """ValueError with the remedy where a format cannot be written."""
    try:
        import av

        av.codec.Codec(form.codec, "w")
    except (ImportError, ValueError) as error:
        raise ValueError(f"video cannot be written ({error}): pip install av, or use --no-overlay") from error


class VideoWriter:
    """A context manager: `write` every frame in order; the file takes its name only when all went well.

    path:  a file with the suffix of its format (BT.709).
    size:  (height, width) of the frames. Chroma is stored at half the size: an odd one is padded by repeating the last
           row or column, and `notes` says so.
    fps:   frame rate; gives the last frame its duration. The others last until the next one begins.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float, form: VideoFormat = H264) -> None:
        self.path = path
        self.size = size
        self._form = form
        height, width = size[0] + size[0] % 2, size[1] + size[1] % 2
        self._pad = ((0, height - size[0]), (0, width - size[1]), (0, 0))
        self._last_pts = -1
        self._rate = Fraction(fps).limit_denominator(1001)
        self._duration = max(1, round(TICKS / fps))
        self.notes: tuple[str, ...] = ()
        if (height, width) != size:
            self.notes = (
                f"{path.name} is {width}x{height}, not {size[1]}x{size[0]}: video needs even sizes, "
                "so the last row or column is repeated",
            )

    def __enter__(self) -> VideoWriter:
        check_encoder(self._form)
        import av

        height, width = self.size[0] + self._pad[0][1], self.size[1] + self._pad[1][1]
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            self._container = stack.enter_context(av.open(str(temporary), "w"))
            stream = self._container.add_stream(self._form.codec, rate=self._rate)
            assert isinstance(stream, av.VideoStream)
            stream.width, stream.height, stream.pix_fmt = width, height, self._form.pixels
            stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
            stream.options = dict(self._form.options)
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = BT709
            self._stream = stream
            self._stack = stack.pop_all()
        return self

    def write(self, image: UInt8Array, time: float) -> None:
        """Add a frame: uint8 [H, W, 3] RGB (4: RGBA), shown from `time` seconds on, later than the one before it."""
        import av

        if image.shape != (*self.size, 4 if self._form.alpha else 3):
            raise ValueError(f"{self.path}: a {list(image.shape)} frame in a video of {list(self.size)}")
        padded = np.pad(image, self._pad, mode="edge") if self.notes else image
        form = "rgba" if self._form.alpha else "rgb24"
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format=form)
        frame = frame.reformat(format=self._form.pixels, dst_colorspace="ITU709")
        # Two frames can share a tick only where a container repeats a time stamp; the later one must still come later.
        frame.pts = max(round(time * TICKS), self._last_pts + 1)
        frame.time_base = Fraction(1, TICKS)
        frame.duration = self._duration
        self._last_pts = frame.pts
        self._container.mux(self._stream.encode(frame))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._container.mux(self._stream.encode(None))
        finally:
            self._stack.__exit__(kind, error, trace)
