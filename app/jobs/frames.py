"""Frames for the window: from the cache at once, from the decode thread as soon as may be."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from PySide6.QtCore import QObject, Qt, QTimer, Signal
from PySide6.QtGui import QImage

from app.jobs.decoding import Decoder, Order
from app.jobs.thumbnails import Batch, ThumbnailMaker
from model.types import Frame
from model.video.source import VideoSource

TELL_EVERY = 100  # milliseconds between two `cache_changed`


class FrameServer(QObject):
    """Decodes for whoever shows frames, never in the caller's thread. It takes its source over, and closes it.

    frame_ready(index, generation, Frame): an answer to the latest request. index is the frame's own: it differs from
                                           the one asked for where `exact` was False and this is the nearest so far.
    thumbnail_ready(frame, picture):       frame as it was asked for.
    failed(text):                          a line for the user.
    cache_changed():                       `cached_ranges` are other ones.
    """

    frame_ready = Signal(int, int, object)
    thumbnail_ready = Signal(int, QImage)
    failed = Signal(str)
    cache_changed = Signal()

    _arrived = Signal(object)  # from here on: out of the threads into the caller's
    _missed = Signal(object, str)
    _stored = Signal()
    _made = Signal(object, int, QImage)

    def __init__(self, source: VideoSource, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._source = source
        self._order: Order | None = None  # the latest, while it is unanswered
        self._generation = 0
        self._wanted = 0  # the frame asked for last
        self._direction = 1
        self._shown: int | None = None  # the frame handed out last
        self._batch: Batch | None = None
        self._closed = False
        self._telling = QTimer(self, singleShot=True, interval=TELL_EVERY)
        self._telling.timeout.connect(self.cache_changed)
        queued = Qt.ConnectionType.QueuedConnection
        self._arrived.connect(self._on_arrived, queued)
        self._missed.connect(self._on_missed, queued)
        self._stored.connect(self._on_stored, queued)
        self._made.connect(self._on_made, queued)
        self._decoder = Decoder(source, self._arrived.emit, self._missed.emit, self._stored.emit)
        self._thumbnails = ThumbnailMaker(source, self._decoder.idle, self._made.emit, self._missed.emit)

    def request(self, frame: int, generation: int, exact: bool = True) -> None:
        """Ask for a frame in place of all that were asked for before. If it is cached, it is handed out right now.

        exact=False is for dragging and for playing: whatever comes nearer to the frame than what was handed out last
        is handed out, the nearest cached frame at once, and last the frame itself.
        """
        self._check(frame)
        if frame != self._wanted:
            self._direction = 1 if frame > self._wanted else -1
        self._wanted, self._generation = frame, generation
        cached = self._cached(frame)
        order = Order(frame, exact, self._direction, answered=cached is not None)
        self._order = None if cached else order
        self._decoder.ask(order)
        if cached is None and not exact:
            near = min(self._source.cache.frames(), key=lambda f: abs(f - frame), default=None)
            cached = self._cached(near) if near is not None and self._is_nearer(near) else None
        if cached is not None:
            self._hand_out(cached)

    def request_thumbnails(self, frames: Iterable[int], height: int, step: int = 1) -> None:
        """Ask for small pictures in place of those asked for before.

        height: in pixels. step: each may show any of so many frames from its own on, whichever is soonest to be had.
        """
        wanted = tuple(frames)
        for frame in wanted:
            self._check(frame)
        self._batch = Batch(wanted, height, max(1, step))
        self._thumbnails.ask(self._batch)

    def cached(self, frame: int) -> bool:
        """Would a request be answered at once?"""
        return frame in self._source.cache

    def cached_ranges(self) -> list[tuple[int, int]]:
        """What is cached, as (start, stop), ascending."""
        runs = groupby(enumerate(self._source.cache.frames()), key=lambda pair: pair[1] - pair[0])
        ranges = []
        for _, run in runs:
            frames = [frame for _, frame in run]
            ranges.append((frames[0], frames[-1] + 1))
        return ranges

    def close(self) -> None:
        """Stop both threads and let go of the video. Nothing is handed out afterwards. Closing twice does nothing."""
        if self._closed:
            return
        self._closed = True
        self._telling.stop()
        self._decoder.close()
        self._thumbnails.close()
        self._source.close()

    def _check(self, frame: int) -> None:
        if not 0 <= frame < len(self._source):
            raise ValueError(f"the video has frames 0..{len(self._source) - 1}; there is no frame {frame}")
        assert not self._closed, "a closed frame server answers nothing"

    def _cached(self, frame: int) -> Frame | None:
        image = self._source.cache.get(frame)
        return None if image is None else Frame(frame, float(self._source.times[frame]), image)

    def _is_nearer(self, frame: int) -> bool:
        """Is it nearer to the frame that is wanted than the one handed out last?"""
        return self._shown is None or abs(frame - self._wanted) < abs(self._shown - self._wanted)

    def _hand_out(self, picture: Frame) -> None:
        self._shown = picture.index
        self.frame_ready.emit(picture.index, self._generation, picture)

    def _on_arrived(self, picture: Frame) -> None:
        """A picture is judged by what is wanted now, whatever it was decoded for."""
        order = self._order
        if self._closed or order is None:
            return
        if picture.index == order.frame:
            self._order = None
            self._hand_out(picture)
        elif not order.exact and self._is_nearer(picture.index):
            self._hand_out(picture)

    def _on_missed(self, asked: Order | Batch, text: str) -> None:
        if not self._closed and (asked is self._order or asked is self._batch):
            self.failed.emit(text)

    def _on_stored(self) -> None:
        if not self._closed and not self._telling.isActive():
            self._telling.start()

    def _on_made(self, batch: Batch, frame: int, picture: QImage) -> None:
        if not self._closed and batch is self._batch:
            self.thumbnail_ready.emit(frame, picture)
