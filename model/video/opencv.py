"""Video files through OpenCV, for where PyAV is missing.

OpenCV gives no packets to index, so opening decodes the whole file once; and its seeks are rough, so one counts only
where the time it reaches proves the place.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
from cv2.utils import logging

from model.types import UInt8Array
from model.video.source import CACHE_BYTES, NOMINAL_FPS, Reader, VideoSource, check_size, cut_note, frame_rate

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # quiet; OpenCV looks when it opens its first video
SEEK_BEYOND = 64  # frames; what lies nearer is reached sooner by decoding on


class OpenCVSource(VideoSource):
    """A video file. Rotation is applied, mirroring is not; frames that OpenCV cannot decode are not counted."""

    def __init__(self, path: Path, cache_bytes: int = CACHE_BYTES) -> None:
        capture = _open(path)
        declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        rate = capture.get(cv2.CAP_PROP_FPS)
        rate = rate if np.isfinite(rate) and rate > 0 else NOMINAL_FPS
        milliseconds: list[float] = []
        size: tuple[int, int] | None = None
        while capture.grab():
            milliseconds.append(capture.get(cv2.CAP_PROP_POS_MSEC))
            if size is None:
                height, width = capture.retrieve()[1].shape[:2]
                size = height, width
        capture.release()
        if size is None:
            raise ValueError(
                f"{path} holds no frame that OpenCV can decode: install PyAV (pip install av) or convert it"
            )
        self._places = {time: frame for frame, time in enumerate(milliseconds)}
        times = (np.array(milliseconds) - milliseconds[0]) / 1000
        if (np.diff(times) <= 0).any():  # times in decoding order, as from AVI: of no use
            self._places = {}
            times = np.arange(len(milliseconds)) / rate
        note = cut_note(times, float(times[-1]) + 1 / rate, declared / rate)
        super().__init__(path, size, frame_rate(times, rate), times, note, cache_bytes)

    def entry(self, index: int) -> int:
        return index  # whatever OpenCV does to get there, nobody else can do it in smaller steps

    def _open_reader(self) -> Reader:
        return _OpenCVReader(self.path, self._places)


class _OpenCVReader(Reader):
    def __init__(self, path: Path, places: dict[float, int]) -> None:
        self._path = path
        self._places = places
        self._capture = _open(path)

    def entry(self, index: int) -> int:
        return 0  # OpenCV does not say

    def read(self, index: int) -> UInt8Array | None:
        if not self.position - 1 <= index <= self.position + SEEK_BEYOND:
            self._seek(index)
        while self.position <= index:
            if not self._capture.grab():
                return None
            self.position += 1
        good, picture = self._capture.retrieve()
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8) if good else None

    def close(self) -> None:
        self._capture.release()

    def _seek(self, index: int) -> None:
        if self._places:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, index)
            if self._capture.grab():
                place = self._places.get(self._capture.get(cv2.CAP_PROP_POS_MSEC))
                if place is not None and place <= index:
                    self.position = place + 1
                    return
        self._capture.release()
        self._capture = _open(self._path)
        self.position = 0


def _open(path: Path) -> cv2.VideoCapture:
    level = logging.getLogLevel()
    logging.setLogLevel(logging.LOG_LEVEL_SILENT)
    try:
        capture = cv2.VideoCapture(str(path.absolute()), cv2.CAP_FFMPEG)
    finally:
        logging.setLogLevel(level)
    if not capture.isOpened():
        raise ValueError(
            f"{path} cannot be read as a video: it is cut off or of another kind; use another copy or convert it to mp4"
        )
    try:
        check_size(path, int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)))
    except ValueError:
        capture.release()
        raise
    capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return capture
