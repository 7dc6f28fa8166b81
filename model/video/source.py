"""The contract of every video source, with what all of them share: cache, decoding ahead, damaged frames."""

from __future__ import annotations

import operator
import threading
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Generator, Iterator, Sequence
from copy import copy
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.types import Frame, UInt8Array

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".gif"})
CACHE_BYTES = 256 * 2**20
MAX_PIXELS = 2**27  # 16K video is 2**26.98; a header that claims more is damaged or hostile
NOMINAL_FPS = 25.0  # where nothing tells the rate
FRAMES_AHEAD = 4


class Reader(ABC):
    """Decodes the pictures of one source for one thread. It keeps its place, so that reading on never seeks."""

    position: int = 0  #: the frame that comes next without a seek

    @abstractmethod
    def read(self, index: int) -> UInt8Array | None:
        """The picture uint8 [H, W, 3] RGB upright, or None where the file is damaged."""

    def entry(self, index: int) -> int:
        """The frame, at or before `index`, where decoding begins when `index` is sought."""
        return index

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""


class VideoSource(ABC):
    """Frames of one video by index, in presentation order.

    path:  the file or folder.
    size:  (height, width) in pixels, upright.
    fps:   mean frame rate.
    times: float64 [N] presentation times in seconds, ascending from 0.
    notes: what the user should know about the file, one line each; damage met while decoding adds to it.

    Random access gives exactly the frames that decoding from the start gives. A frame that cannot be decoded is
    replaced by the good one before it, so indices never shift. Images are shared with the cache and read-only.
    Any thread may use a source; every running `frames` iterator has a decoder of its own.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        fps: float,
        times: NDArray[np.float64],
        notes: Sequence[str] = (),
        cache_bytes: int = CACHE_BYTES,
    ) -> None:
        self.path = path
        self.size = size
        self.fps = fps
        self.times = times
        self.times.flags.writeable = False
        self._notes = tuple(notes)
        self._damaged: set[int] = set()
        self._cache = FrameCache(cache_bytes)
        self._behind = self._room(cache_bytes)
        self._lock = threading.Lock()
        self._reader: Reader | None = None
        self._running: set[_Ahead] = set()
        self._closed = False

    @abstractmethod
    def _open_reader(self) -> Reader:
        """A new decoder that stands before frame 0."""

    @property
    def notes(self) -> tuple[str, ...]:
        if not self._damaged:
            return self._notes
        frames = sorted(self._damaged)
        some = ", ".join(map(str, frames[:5])) + (", …" if len(frames) > 5 else "")
        damage = f"{len(frames)} damaged frames ({some}) are replaced by the good frame before them"
        return *self._notes, damage

    @property
    def cache(self) -> FrameCache:
        """The pictures that random access keeps. Looking into it never waits for a decoder."""
        return self._cache

    def handle(self, cache_bytes: int = 0) -> Self:
        """The same video once more, with a decoder and a cache of its own; it is closed by itself."""
        other = copy(self)
        other._cache = FrameCache(cache_bytes)
        other._behind = other._room(cache_bytes)
        other._lock = threading.Lock()
        other._reader = None
        other._running = set()
        other._closed = False
        return other

    def entry(self, index: int) -> int:
        """The frame, at or before `index`, that decoding begins with to reach it, as far as is known beforehand."""
        with self._lock:
            return self._open().entry(index)

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, index: int) -> Frame:
        """Frame `index`, exactly. IndexError outside 0..N-1."""
        index = operator.index(index)
        if not 0 <= index < len(self):
            raise IndexError(f"{self.path.name} has frames 0..{len(self) - 1}, not {index}")
        with self._lock:
            return self._frame(self._open(), index)

    def frames(self, start: int = 0, stop: int | None = None, step: int = 1) -> Generator[Frame]:
        """Frames start..stop-1, first to last (step 1) or last to first (step -1), decoded ahead in a thread.

        Closing the generator stops the thread. ValueError for a range outside the video or another step.
        """
        stop = len(self) if stop is None else stop
        if not 0 <= start <= stop <= len(self):
            raise ValueError(f"{self.path.name} has frames 0..{len(self) - 1}: it has no range {start}..{stop - 1}")
        if step not in (1, -1):
            raise ValueError(f"frames are read with step 1 or -1, not {step}")
        return self._run(range(start, stop)[::step])

    def close(self) -> None:
        """Stop every iterator and let go of the file. Closing twice does nothing."""
        for ahead in tuple(self._running):
            ahead.stop()
        with self._lock:
            self._closed = True
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        self._cache.clear()  # somebody may hold on to a source that is closed

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _open(self) -> Reader:
        """The decoder of random access. Whoever calls this holds the lock."""
        if self._closed:
            raise ValueError(f"{self.path} was closed: open it again to read frames")
        if self._reader is None:
            self._reader = self._open_reader()
        return self._reader

    def _room(self, cache_bytes: int) -> int:
        """How many frames behind the one asked for are kept: they fill half of the cache."""
        return cache_bytes // (2 * 3 * self.size[0] * self.size[1])

    def _run(self, order: range) -> Generator[Frame]:
        if self._closed:
            raise ValueError(f"{self.path} was closed: open it again to read frames")
        ahead = _Ahead(self._decode(order))
        self._running.add(ahead)
        try:
            yield from ahead
        finally:
            ahead.stop()
            self._running.discard(ahead)

    def _decode(self, order: range) -> Generator[Frame]:
        reader = self._open_reader()
        try:
            for index in order:
                yield self._frame(reader, index)
        finally:
            reader.close()

    def _frame(self, reader: Reader, index: int) -> Frame:
        return Frame(index, float(self.times[index]), self._image(reader, index))

    def _image(self, reader: Reader, index: int) -> UInt8Array:
        for i in range(index, -1, -1):
            image = self._good(reader, i)
            if image is not None:
                if i < index:
                    self._cache.put(index, image)
                return image
        raise ValueError(f"{self.path} can no longer be read: check that it is still there and unchanged")

    def _good(self, reader: Reader, index: int) -> UInt8Array | None:
        image = self._cache.get(index)
        if image is not None or index in self._damaged:
            return image
        first = index
        if index < reader.position:  # who steps back mostly goes on stepping back: keep what is decoded on the way
            first = max(reader.entry(index), index - self._behind)
        for i in range(first, index + 1):
            image = reader.read(i)
            if image is None:
                self._damaged.add(i)
            else:
                image.flags.writeable = False
                self._cache.put(i, image)
        return image


class FrameCache:
    """Least-recently-used pictures by frame index, at most `budget` bytes of them. Any thread may use it."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._images: OrderedDict[int, UInt8Array] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, index: int) -> UInt8Array | None:
        with self._lock:
            if index in self._images:
                self._images.move_to_end(index)
            return self._images.get(index)

    def __contains__(self, index: int) -> bool:
        return index in self._images

    def frames(self) -> list[int]:
        """The frames that are kept, ascending."""
        with self._lock:
            return sorted(self._images)

    def clear(self) -> None:
        with self._lock:
            self._images.clear()
            self.used = 0

    def put(self, index: int, image: UInt8Array) -> None:
        with self._lock:
            old = self._images.pop(index, None)
            self.used += image.nbytes - (0 if old is None else old.nbytes)
            self._images[index] = image
            while self.used > self.budget:
                self.used -= self._images.popitem(last=False)[1].nbytes


class _Ahead:
    """Runs an iterator in a thread, never more than FRAMES_AHEAD items ahead of whoever takes them."""

    def __init__(self, items: Generator[Frame]) -> None:
        self._items = items
        self._ready: SimpleQueue[Frame | Exception | None] = SimpleQueue()
        self._room = threading.Semaphore(FRAMES_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._work, name="video decoding", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[Frame]:
        while (item := self._ready.get()) is not None:
            if isinstance(item, Exception):
                raise item
            self._room.release()
            yield item

    def stop(self) -> None:
        self._stopped.set()
        self._room.release()
        if threading.current_thread() is not self._thread:  # the garbage collector may call this from anywhere
            self._thread.join()

    def _work(self) -> None:
        try:
            while self._room.acquire():
                if self._stopped.is_set():
                    raise ValueError("the video was closed while its frames were being read")
                item = next(self._items, None)
                self._ready.put(item)
                if item is None:
                    break
        except Exception as error:
            self._ready.put(error)
        finally:
            self._items.close()


def check_size(path: Path, height: int, width: int) -> None:
    """ValueError for a declared picture size that no video has; decoding it could fill the memory."""
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise ValueError(f"{path} declares pictures of {width}×{height} pixels: it is damaged, use another copy")


def frame_rate(times: NDArray[np.float64], declared: float) -> float:
    """Mean frames per second. A declared rate is exact (30000/1001) but may lie: it holds where the times agree."""
    measured = (len(times) - 1) / float(times[-1]) if times[-1] > 0 else declared or NOMINAL_FPS
    return declared if abs(declared - measured) < 0.02 * measured else measured


def cut_note(times: NDArray[np.float64], end: float, declared_end: float) -> tuple[str, ...]:
    """A note where the last frame ends well before a header says so (all in seconds), else nothing."""
    gaps = np.diff(times, append=end)
    if gaps.max() <= 0 or declared_end - end <= 2 * gaps.max():
        return ()
    declared = len(times) + round((declared_end - end) / gaps.mean())
    return (
        f"{len(times)} of about {declared} declared frames can be read: the file is cut off or its header is wrong",
    )


def over_black(rgba: UInt8Array) -> UInt8Array:
    """uint8 [H, W, 4] with straight alpha -> uint8 [H, W, 3] over a black background."""
    return np.rint(rgba[..., :3] * (rgba[..., 3:] / np.float32(255))).astype(np.uint8)
