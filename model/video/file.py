"""Video files through PyAV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.packet import Packet
from av.sidedata.sidedata import SideData, Type
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from model.types import UInt8Array
from model.video.index import Index, build_index, decode, open_stream, packets
from model.video.source import CACHE_BYTES, Reader, VideoSource, check_size, frame_rate, over_black


class FileSource(VideoSource):
    """A video file: mp4, mov, avi, mkv, webm, gif and what else FFmpeg reads. Pixels are taken as square."""

    def __init__(self, path: Path, cache_bytes: int = CACHE_BYTES) -> None:
        index, first = build_index(path)
        self._index = index
        self._picture = picture = _Picture.of(first)
        check_size(path, *picture.size)
        fps = frame_rate(index.times, index.rate)
        super().__init__(path, picture.size, fps, index.times, index.notes, cache_bytes)

    def _open_reader(self) -> Reader:
        return _FileReader(self.path, self._index, self._picture)


@dataclass(frozen=True)
class _Picture:
    """How the decoder's pictures become upright RGB.

    width, height: of the first frame as coded; a frame of another size is resized to it.
    transpose, flip_x, flip_y: to be applied in this order (ISO/IEC 14496-12, 8.3.2: the track's matrix).
    """

    width: int
    height: int
    transpose: bool
    flip_x: bool
    flip_y: bool

    @classmethod
    def of(cls, frame: VideoFrame) -> _Picture:
        side = cast(Mapping[Type, SideData], frame.side_data).get(Type.DISPLAYMATRIX)
        # x' = ax + cy, y' = bx + dy, as rows (a b u) (c d v) (x y w)
        a, b, _, c, d = np.frombuffer(bytes(side), np.int32)[:5].tolist() if side else (1, 0, 0, 0, 1)
        if abs(b) + abs(c) > abs(a) + abs(d):
            return cls(frame.width, frame.height, True, c < 0, b < 0)
        return cls(frame.width, frame.height, False, a < 0, d < 0)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width), upright."""
        return (self.width, self.height) if self.transpose else (self.height, self.width)

    def rgb(self, frame: VideoFrame, reformatter: VideoReformatter) -> UInt8Array:
        """uint8 [H, W, 3]. A reformatter of one's own, and one thread for it: setting either up costs more."""
        alpha = any(component.is_alpha for component in frame.format.components)
        kind = "rgba" if alpha else "rgb24"
        packed = reformatter.reformat(frame, self.width, self.height, kind, threads=1)
        pixels = cast(UInt8Array, packed.to_ndarray())
        image = over_black(pixels) if alpha else pixels
        if self.transpose:
            image = image.swapaxes(0, 1)
        if self.flip_x:
            image = image[:, ::-1]
        if self.flip_y:
            image = image[::-1]
        return np.ascontiguousarray(image)


class _FileReader(Reader):
    _frames: Iterator[tuple[int, VideoFrame | None]]  # from the decoder, each with its place in the video
    _frame: VideoFrame | None  # the one taken last
    _place: int

    def __init__(self, path: Path, index: Index, picture: _Picture) -> None:
        self._path = path
        self._index = index
        self._picture = picture
        self._reformatter = VideoReformatter()
        self._open()

    def entry(self, index: int) -> int:
        k = self._index.key_before(index)
        return int(self._index.entries[k]) if k >= 0 else 0

    def read(self, index: int) -> UInt8Array | None:
        if index < self.position or self.entry(index) > self.position:
            self._seek(index)
        while not self._decode_to(index):
            self._index.duds.add(self._key)
            self._seek(index)
        self.position = index + 1
        if self._place > index or self._frame is None:
            return None
        return self._picture.rgb(self._frame, self._reformatter)

    def close(self) -> None:
        self._frames, self._frame = iter(()), None  # they hold the decoder, its threads and pictures
        self._container.close()

    def _decode_to(self, index: int) -> bool:
        """Decode until a frame is reached or passed. False where it is passed although nothing came before it."""
        while self._place < index:
            try:
                self._place, self._frame = next(self._frames, (len(self._index.times), None))
            except _LostError:
                self.close()
                self._open()
            self._sound |= self._entry <= self._place <= index
        return self._sound

    def _seek(self, index: int) -> None:
        k = self._index.key_before(index)
        for aim in range(k, max(k - 2, -1), -1):  # containers that seek by decoding time may land behind the first
            try:
                self._container.seek(int(self._index.key_times[aim]), stream=self._stream)
            except av.FFmpegError:
                break
            source = packets(self._container, self._stream)
            landed = next(source)
            ordinal = self._index.packet_at(landed.pos if landed else None)
            if ordinal <= self._index.keys[k]:
                self._start(k, ordinal, self._known(chain([landed], source), ordinal))
                return
        self.close()
        self._open()

    def _open(self) -> None:
        self._container, self._stream = open_stream(self._path)
        self._start(-1, 0, packets(self._container, self._stream))

    def _start(self, key: int, first: int, source: Iterable[Packet[VideoStream] | None]) -> None:
        """Decode from packet `first` on, aiming at one of the index's keys, or at the start of the file (-1)."""
        self._key = key
        self._entry = self.position = int(self._index.entries[key]) if key >= 0 else 0
        self._sound = key < 0  # whether the frames that come from there can be relied on
        self._place, self._frame = -1, None
        self._frames = (
            (int(self._index.frame[packet]), picture)
            for packet, picture in decode(self._stream, source, first)
            if packet < len(self._index.frame)  # a file may grow
        )

    def _known(self, source: Iterable[Packet[VideoStream] | None], first: int) -> Iterator[Packet[VideoStream] | None]:
        for packet, position in zip_longest(source, self._index.positions[first:]):
            if packet is not None and packet.pos != position:
                raise _LostError
            yield packet


class _LostError(Exception):
    """After a seek, a packet turned up that the index does not have there."""
