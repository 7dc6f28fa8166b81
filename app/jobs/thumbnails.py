"""The thumbnail thread: small pictures for the timeline, whenever nobody waits for a large one."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from PySide6.QtGui import QImage

from app.jobs.decoding import Steps
from app.jobs.latest import LatestThread, nobody
from model.types import UInt8Array
from model.video.source import VideoSource

PATIENCE = 0.25  # seconds to wait for the decode thread before looking whether this work is still wanted


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Frames whose pictures are wanted, `height` pixels high; each may be any of `step` frames from there on."""

    frames: tuple[int, ...]
    height: int
    step: int


class ThumbnailMaker(LatestThread[Batch]):
    """Makes thumbnails in a thread of its own, from a handle of the source of its own. A new batch replaces the old.

    The callbacks are called in that thread. turn: set while nobody waits for a frame to be shown.
    """

    def __init__(
        self,
        source: VideoSource,
        turn: threading.Event,
        made: Callable[[Batch, int, QImage], None],
        failed: Callable[[Batch, str], None],
    ) -> None:
        super().__init__("thumbnails")
        self._source = source.handle()
        self._steps = Steps(self._source)
        self._turn, self._made, self._failed = turn, made, failed
        self._thread.start()

    def close(self) -> None:
        """Stop after the step that is being decoded, and let go of the file."""
        super().close()
        self._source.close()
        self._made = self._failed = nobody

    def _do(self, batch: Batch) -> None:
        try:
            for frame in batch.frames:
                if (image := self._picture(batch, frame)) is None:
                    break
                self._made(batch, frame, thumbnail(image, batch.height))
        except Exception as error:  # as in the decode thread
            self._failed(batch, str(error) or type(error).__name__)

    def _picture(self, batch: Batch, frame: int) -> UInt8Array | None:
        """A picture for a frame; None if the batch is not wanted any more."""
        wanted = representative(self._source, frame, batch.step)
        steps = self._steps.towards(wanted)
        while not self._is_over(batch):
            if self._turn.wait(PATIENCE):
                picture = next(steps)
                if picture.index == wanted:
                    return picture.image
        return None


def representative(source: VideoSource, frame: int, step: int) -> int:
    """The frame, among `step` from `frame` on, that is soonest decoded: where decoding may begin, if there is one."""
    last = min(frame + step, len(source)) - 1
    middle = frame + (last - frame) // 2
    return next((entry for at in (middle, last) if (entry := source.entry(at)) >= frame), frame)


def thumbnail(image: UInt8Array, height: int) -> QImage:
    """uint8 [H, W, 3] -> a picture `height` high, never enlarged."""
    scale = min(1.0, height / image.shape[0])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    small = np.ascontiguousarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA))
    return QImage(small.tobytes(), *size, 3 * size[0], QImage.Format.Format_RGB888).copy()
