"""Write an H.264 video frame by frame, at the frame times of the video it was made from."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np

from app.io.atomic import replacing
from model.types import UInt8Array

TICKS = 90_000  # time base of the file: 11 µs, fine enough for any rate
BT709 = 1  # the code of the ITU-R BT.709 matrix, primaries and transfer in H.264
QUALITY = "18"  # constant rate factor: visually close to lossless


def check_encoder() -> None:
    """ValueError with the remedy where H.264 cannot be written."""
    try:
        import av

        av.codec.Codec("h264", "w")
    except (ImportError, ValueError) as error:
        raise ValueError(f"video cannot be written ({error}): pip install av, or use --no-overlay") from error


class VideoWriter:
    """A context manager: `write` every frame in order; the file takes its name only when all went well.

    path:  an .mp4 file (H.264, 4:2:0, BT.709).
    size:  (height, width) of the frames. H.264 needs even sizes: an odd one is padded by repeating the last row or
           column, and `notes` says so.
    fps:   frame rate; gives the last frame its duration. The others last until the next one begins.
    """

    def __init__(self, path: Path, size: tuple[int, int], fps: float) -> None:
        self.path = path
        self.size = size
        height, width = size[0] + size[0] % 2, size[1] + size[1] % 2
        self._pad = ((0, height - size[0]), (0, width - size[1]), (0, 0))
        self._last_pts = -1
        self._rate = Fraction(fps).limit_denominator(1001)
        self._duration = max(1, round(TICKS / fps))
        self.notes: tuple[str, ...] = ()
        if (height, width) != size:
            self.notes = (
                f"{path.name} is {width}x{height}, not {size[1]}x{size[0]}: H.264 needs even sizes, "
                "so the last row or column is repeated",
            )

    def __enter__(self) -> VideoWriter:
        check_encoder()
        import av

        height, width = self.size[0] + self._pad[0][1], self.size[1] + self._pad[1][1]
        with ExitStack() as stack:
            temporary = stack.enter_context(replacing(self.path))
            self._container = stack.enter_context(av.open(str(temporary), "w"))
            stream = self._container.add_stream("h264", rate=self._rate)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, TICKS)
            # Frames that are stored out of order would make the file's duration wrong where the frame rate varies.
            stream.options = {"crf": QUALITY, "preset": "veryfast", "bf": "0"}
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = BT709
            self._stream = stream
            self._stack = stack.pop_all()
        return self

    def write(self, image: UInt8Array, time: float) -> None:
        """Add a frame: uint8 [H, W, 3] RGB, shown from `time` seconds on, later than the frame before it."""
        import av

        if image.shape != (*self.size, 3):
            raise ValueError(f"{self.path}: a {list(image.shape)} frame in a video of {list(self.size)}")
        padded = np.pad(image, self._pad, mode="edge") if self.notes else image
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(padded), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
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
