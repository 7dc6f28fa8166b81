"""Which packet of a video file becomes which frame.

The order of presentation follows from the packets' times, without decoding. A packet is named by its ordinal in the
file, and the decoder hands that name on to the frame, so a frame's place never rests on a frame rate; after a seek the
byte position tells which packet it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
from av.codec.context import ThreadType
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from model.video.source import MAX_PIXELS, NOMINAL_FPS, check_size, cut_note

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
UNKNOWN = np.iinfo(np.int64).min  # a time or position that a packet does not have
PROBED = 24  # frames decoded at once, to see that packets become frames as expected


@dataclass(frozen=True)
class Index:
    """A file of P packets (in decoding order), N frames (in presentation order) and K keys.

    frame:     int64 [P], the frame that each packet becomes, or -1.
    positions: int64 [P], byte positions.
    times:     float64 [N], presentation times in seconds, ascending from 0.
    keys:      int64 [K], the packets that a seek may aim at; none where positions do not tell packets apart.
    key_times: int64 [K], the time to seek for each of them, in ticks of the stream.
    entries:   int64 [K], for each of them, the frame from which on all come out whole.
    rate:      declared frames per second, 0 where unknown.
    notes:     see VideoSource.
    duds:      keys that proved of no use: the decoder leaves out what follows them (damage, gradual refresh).
    """

    frame: Ints
    positions: Ints
    times: NDArray[np.float64]
    keys: Ints
    key_times: Ints
    entries: Ints
    rate: float
    notes: tuple[str, ...]
    duds: set[int] = field(default_factory=set)

    def key_before(self, frame: int) -> int:
        """The last of the K keys from which a frame can be reached, or -1: only from the start of the file."""
        k = int(np.searchsorted(self.entries, frame, "right")) - 1
        while k in self.duds:
            k -= 1
        return k

    def packet_at(self, position: int | None) -> int:
        """The packet at a byte position, or P."""
        found = np.flatnonzero(self.positions == (UNKNOWN if position is None else position))
        return int(found[0]) if len(found) else len(self.positions)


@dataclass(frozen=True)
class _Packets:
    """One value per packet, in decoding order. hidden: an edit list cuts it, it only serves to decode others."""

    pts: Ints
    dts: Ints
    positions: Ints
    duration: Ints
    key: Bools
    hidden: Bools

    @classmethod
    def of(cls, container: InputContainer, stream: VideoStream) -> _Packets:
        rows = [
            (p.pts, p.dts, p.pos, p.duration or 0, p.is_keyframe, p.is_discard)
            for p in packets(container, stream)
            if p is not None
        ]
        known = [[UNKNOWN if value is None else int(value) for value in row] for row in rows]
        pts, dts, positions, duration, key, hidden = np.array(known, np.int64).reshape(-1, 6).T
        return cls(pts, dts, positions, duration, key != 0, hidden != 0)


def build_index(path: Path) -> tuple[Index, VideoFrame]:
    """The index of a file, and its first frame. ValueError, in one line, where nothing can be shown."""
    container, stream = open_stream(path)
    with container:
        found = _Packets.of(container, stream)
        time_base, rate = float(stream.time_base or 1), float(stream.average_rate or 0)
        declared_end = _declared_end(container, stream)
        reorders_avi = container.format.name == "avi" and stream.codec_context.has_b_frames
    shown = np.flatnonzero(~found.hidden)
    pts, dts = found.pts[shown], found.dts[shown]
    # AVI stores no presentation times. Where FFmpeg cannot work them out, its pts merely count the packets.
    if _distinct(pts) and not (reorders_avi and (np.diff(pts) > 0).all()):
        ticks, order = found.pts, shown[np.argsort(pts)]
    else:
        ticks, order = found.dts, shown[:0]
        if not _distinct(dts):
            ticks, time_base = np.arange(len(found.dts)), 1 / (rate or NOMINAL_FPS)
    order, first = _as_decoded(path, order)
    seconds = np.sort(ticks[order]) * time_base
    end = (ticks + found.duration)[order].max() * time_base
    times = seconds - seconds[0]
    frame = np.full(len(found.pts), -1)
    frame[order] = np.arange(len(order))
    keys = np.flatnonzero(found.key & (frame >= 0)) if _distinct(found.positions) else order[:0]
    reached = np.maximum.accumulate(frame)[keys]
    index = Index(
        frame=frame,
        positions=found.positions,
        times=times,
        keys=keys,
        key_times=np.where(found.pts == UNKNOWN, found.dts, found.pts)[keys],
        entries=np.where(reached == frame[keys], reached, reached + 1),
        rate=rate,
        notes=cut_note(times, end - seconds[0], declared_end - seconds[0]),
    )
    return index, first


def open_stream(path: Path) -> tuple[InputContainer, VideoStream]:
    """The file and its main video stream, ready to decode. ValueError, in one line, where there is none."""
    try:
        # The absolute path keeps a colon in a name from being taken for a protocol.
        container = av.open(str(path.absolute()), options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read as a video ({error.strerror}): it is cut off or of another kind; "
            "use another copy or convert it to mp4"
        ) from None
    try:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream) or stream.disposition & Disposition.attached_pic:
            raise ValueError(f"{path} has no video in it: choose a video file or a folder of images")
        if container.format.name == "tty":  # FFmpeg would film the text
            raise ValueError(f"{path} is a text file: choose a video file or a folder of images")
        if stream.codec_context is None:
            raise ValueError(f"{path} is coded in a way that cannot be decoded here: convert it to mp4")
        check_size(path, stream.height, stream.width)
    except ValueError:
        container.close()
        raise
    stream.thread_type = ThreadType.AUTO
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    return container, stream


def packets(container: InputContainer, stream: VideoStream) -> Iterator[Packet[VideoStream] | None]:
    """The packets from where the container stands, then None, which empties the decoder."""
    held: list[Packet[VideoStream]] = []
    try:
        for packet in container.demux(stream):
            if packet.size:
                held.append(packet)
                if not packet.is_corrupt:  # a damaged one that nothing follows is where the file was cut off
                    yield from held
                    held.clear()
    except (av.FFmpegError, IndexError):  # damage that FFmpeg cannot pass, or streams that PyAV did not expect
        pass
    yield None


def decode(
    stream: VideoStream, source: Iterable[Packet[VideoStream] | None], first: int
) -> Iterator[tuple[int, VideoFrame | None]]:
    """Pairs of packet ordinal and frame, in presentation order; None instead of a frame tells of a decoding error.

    first: the ordinal of the first packet in `source`. The ordinals travel as pts, which every decoder hands on.
    (Packet.opaque would seem the place, but PyAV frees it under the GIL from decoding threads: closing deadlocks.)
    """
    for ordinal, packet in enumerate(source, first):
        if packet is not None:
            packet.pts = ordinal
        try:
            frames = stream.decode(packet)
        except av.FFmpegError:
            yield ordinal, None
        else:
            yield from ((frame.pts, frame) for frame in frames if frame.pts is not None)


def _as_decoded(path: Path, expected: Ints) -> tuple[Ints, VideoFrame]:
    """The packets in presentation order, after a look at what the decoder makes of them; and the first frame.

    Where a sound file differs from what is expected (nothing, for want of usable times; or a packet has but one field
    of a frame, or nothing to be shown), the whole file is decoded to learn the order.
    """
    head: list[int] = []
    first, errors = None, False
    for packet, picture in _decode_file(path):
        errors |= picture is None
        if picture is not None and packet not in head:
            first = first or picture
            head.append(packet)
        if len(head) == PROBED:
            break
    if first is None:
        raise ValueError(f"{path} holds no frame that can be decoded: it is empty or cut off, use another copy")
    if head[0] in expected:
        expected = expected[np.flatnonzero(expected == head[0])[0] :]  # no decoder gives what comes before
        if errors or expected[:PROBED].tolist() == head:
            return expected, first
    decoded = dict.fromkeys(packet for packet, picture in _decode_file(path) if picture is not None)
    return np.array(list(decoded), np.int64), first


def _decode_file(path: Path) -> Iterator[tuple[int, VideoFrame | None]]:
    container, stream = open_stream(path)
    with container:
        yield from decode(stream, packets(container, stream), 0)


def _declared_end(container: InputContainer, stream: VideoStream) -> float:
    """When the last frame ends according to the header, in seconds; 0 where it does not say."""
    time_base = float(stream.time_base or 1)
    if container.format.name == "avi":  # FFmpeg mends the duration of a cut file, not the count
        return max(stream.frames, stream.duration or 0) * time_base
    if stream.duration is not None:
        return ((stream.start_time or 0) + stream.duration) * time_base
    tag = re.fullmatch(r"(\d+):(\d+):(\d+\.?\d*)", stream.metadata.get("DURATION", ""))
    return int(tag[1]) * 3600 + int(tag[2]) * 60 + float(tag[3]) if tag else 0.0


def _distinct(values: Ints) -> bool:
    return bool((values != UNKNOWN).all()) and len(np.unique(values)) == len(values)
