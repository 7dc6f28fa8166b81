"""The decode thread: the frame that was asked for last, and then those that will be asked for next. No Qt here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from app.jobs.latest import LatestThread, nobody
from model.types import Frame
from model.video.source import VideoSource

STRIDE = 8  # frames decoded at a time; then whoever asked for something else is heard
AHEAD = 1.5  # seconds of video that are decoded before they are asked for
SHOW_EVERY = 0.1  # seconds between two pictures on a long way to the one that is wanted


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A frame that is wanted. exact: pictures on the way to it are of no use. direction: 1 or -1, where to go on.

    answered: it is there already, and only what comes next is to be decoded.
    """

    frame: int
    exact: bool
    direction: int
    answered: bool


class Decoder(LatestThread[Order]):
    """Decodes in a thread of its own. A new order takes the place of an older one, answered or not.

    The callbacks are called in that thread. arrived: with the frame that is wanted, or with one on the way to it.
    failed: with a line for the user. stored: more frames are in the source's cache.
    """

    def __init__(
        self,
        source: VideoSource,
        arrived: Callable[[Frame], None],
        failed: Callable[[Order, str], None],
        stored: Callable[[], None],
    ) -> None:
        super().__init__("frames")
        self.idle = threading.Event()  # nobody waits for a frame
        self.idle.set()
        self._source = source
        self._steps = Steps(source)
        self._arrived, self._failed, self._stored = arrived, failed, stored
        self._thread.start()

    def ask(self, order: Order) -> None:
        with self._changed:
            if not order.answered:
                self.idle.clear()
            super().ask(order)

    def close(self) -> None:
        """Stop after the step that is being decoded. The source stays open."""
        super().close()
        self.idle.set()
        self._arrived = self._failed = self._stored = nobody

    def _do(self, order: Order) -> None:
        try:
            if not order.answered:
                self._reach(order)
        except Exception as error:  # whatever a damaged file or a lost disk comes up with is the user's to know
            self._failed(order, str(error) or type(error).__name__)
            return
        finally:
            with self._changed:
                if self._order is order:
                    self.idle.set()
        self._look_ahead(order)

    def _reach(self, order: Order) -> None:
        """The first picture of the way is always decoded: who drags fast must see something."""
        shown = float("-inf")
        for picture in self._steps.towards(order.frame):
            self._stored()
            now = time.monotonic()
            if picture.index == order.frame or (not order.exact and now - shown >= SHOW_EVERY):
                self._arrived(picture)
                shown = now
            if self._is_over(order):
                return

    def _look_ahead(self, order: Order) -> None:
        try:
            for _ in self._steps.ahead(order.frame, order.direction, round(AHEAD * self._source.fps)):
                self._stored()
                if self._is_over(order):
                    return
        except Exception:  # nobody asked for it; who does is told
            return


class Steps:
    """The way through a source in small steps: it is known where decoding has to begin and where the decoder stands."""

    def __init__(self, source: VideoSource) -> None:
        self._source = source
        self._position = 0
        height, width = source.size
        self._room = source.cache.budget // (2 * 3 * height * width)

    def towards(self, frame: int, keep_from: int | None = None) -> Iterator[Frame]:
        """Some pictures on the way to a frame, and at last its own; all from `keep_from` on."""
        for index in way(frame, self._source.entry(frame), self._position, frame if keep_from is None else keep_from):
            yield self._read(index)

    def ahead(self, frame: int, direction: int, count: int) -> Iterator[Frame]:
        """The frames behind (1) or before (-1) one that is shown, as many as half of the cache has room for."""
        count = max(1, min(count, self._room))
        if direction > 0:
            for index in range(frame + 1, min(frame + 1 + count, len(self._source))):
                yield self._read(index)
            return
        first = max(0, frame - count)
        for index in range(frame - 1, first - 1, -1):
            if index not in self._source.cache:
                yield from self.towards(index, max(first, self._source.entry(index)))

    def _read(self, index: int) -> Frame:
        image = self._source.cache.get(index)
        if image is not None:
            return Frame(index, float(self._source.times[index]), image)
        self._position = index + 1
        return self._source[index]


def way(frame: int, entry: int, position: int, keep_from: int) -> Iterator[int]:
    """Indices to read one after the other to reach a frame, each at most STRIDE behind the one before.

    entry: where decoding has to begin. position: where the decoder stands; if that is between, it goes on from there.
    """
    index = entry
    if entry <= position <= frame:
        index = min(position + STRIDE - 1, max(keep_from, position), frame)
    while index < frame:
        yield index
        index = min(index + STRIDE, max(keep_from, index + 1), frame)
    yield frame
