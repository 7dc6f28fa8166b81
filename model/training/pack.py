"""Packing a corpus into shards: tars of a few hundred megabytes that a training reads by stream.

Sources are decoded one after the other and go straight into the shard, so neither memory nor disk has to hold more
than that. The JPEGs are those of the frame cache, byte by byte. Videos are cut into stretches of about a second, the
unit that training draws. A stretch, or a photo, is what WebDataset calls a sample: `KEY.json`, `KEY.000.jpg`, ….
"""

from __future__ import annotations

import hashlib
import json
import tarfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from model.files import replacing
from model.training.cache import add_member, jpegs
from model.training.corpus import find_sources
from model.training.shard_index import NAME, Index, Shard, add_shard, begin_index, end_index, read_index

SHARD_BYTES = 256 * 2**20
_FEWEST = 16  # frames of a stretch, whatever the frame rate: no recipe's pairs are further apart at 30 a second
_START = [0, 0]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A stretch or a photo on its way into a shard. first: its frame or number; next: as of `Shard`."""

    kind: str
    source: int
    name: str
    fps: float
    first: int
    images: list[bytes]
    next: list[int]


def pack(
    folders: Iterable[Path],
    out: Path,
    *,
    shard_bytes: int = SHARD_BYTES,
    short_side: int = 256,
    without: Iterable[Path] = (),
    resume: bool = False,
    told: Callable[[Shard, int], None] = lambda shard, sources: None,
) -> Index:
    """Pack everything under `folders` into shards of about `shard_bytes` in `out`, with an index.

    A shard ends with the first stretch that reaches its size. Interrupted, it keeps the finished shards, and with
    `resume` goes on behind them; what is complete stays as it is. told: is shown every shard when it is finished, and
    how many sources there are. ValueError if nothing is usable, `out` is in use, or `resume` is of something else;
    OSError, naming the file, if one cannot be written.
    """
    sources = find_sources(folders, without)
    digest = hashlib.sha256("\n".join(str(source.resolve()) for source in sources).encode()).hexdigest()
    job = {"sources": len(sources), "sha256": digest, "short_side": short_side, "shard_bytes": shard_bytes}
    done: tuple[Shard, ...] = ()
    if (out / NAME).exists():
        if not resume:
            raise ValueError(f"{out}: holds shards already; go on with --resume or choose another folder")
        before = read_index(out)
        if before.job != job:
            raise ValueError(f"{out}: holds shards of other sources, or of another size; choose another folder")
        if before.complete:
            return before
        done = before.shards
        for partial in out.glob(".*.partial"):  # of a packing that was killed
            partial.unlink()

    skipped: list[str] = []
    units = _units(sources, done[-1].next if done else _START, short_side, skipped)
    unit = next(units, None)
    if unit is None and not done:
        reason = f" ({skipped[0]})" if skipped else ""
        raise ValueError(f"no usable video or photo under the sources{reason}; name a folder that holds some")
    out.mkdir(parents=True, exist_ok=True)
    begin_index(out, job, done)
    number = len(done)
    while unit is not None:
        shard, unit = _write(out, number, unit, units, shard_bytes, skipped)
        add_shard(out, shard)
        skipped.clear()
        told(shard, len(sources))
        number += 1
    end_index(out, skipped)
    return read_index(out)


def _write(
    out: Path, number: int, unit: _Unit | None, units: Iterator[_Unit], shard_bytes: int, skipped: list[str]
) -> tuple[Shard, _Unit | None]:
    """One shard, and the unit that begins the next one."""
    name = f"shard-{number:05d}.tar"
    places: dict[str, list[list[int]]] = {"video": [], "photos": []}
    frames, after = 0, _START
    with replacing(out / name) as partial:
        with tarfile.open(partial, "w") as tar:
            while unit is not None and tar.offset < shard_bytes:
                begin, key = tar.offset, f"{number:05d}-{sum(map(len, places.values())):06d}"
                meta = {"source": unit.name, "kind": unit.kind, "fps": unit.fps, "first": unit.first}
                add_member(tar, f"{key}.json", json.dumps(meta).encode())
                for n, data in enumerate(unit.images):
                    add_member(tar, f"{key}.{n:03d}.jpg", data)
                places[unit.kind].append([begin, tar.offset - begin, unit.source])
                frames += len(unit.images) if unit.kind == "video" else 0
                after, unit = unit.next, next(units, None)
        size = partial.stat().st_size
    return Shard(name, size, places["video"], places["photos"], frames, after, list(skipped)), unit


def _units(sources: list[Path], start: list[int], short_side: int, skipped: list[str]) -> Iterator[_Unit]:
    """Everything that is to be packed, from `start` on; what cannot be read is added to `skipped`."""
    for number in range(start[0], len(sources)):
        source, begin = sources[number], start[1] if number == start[0] else 0
        empty = begin == 0
        try:
            with jpegs(source, short_side, begin) as (kind, fps, images):
                pieces = _single(images) if kind == "photos" else _cut(images, max(_FEWEST, round(fps)))
                for first, piece, last in pieces:
                    if kind == "video" and len(piece) < 2:
                        raise ValueError(f"{source}: a single frame is no video")
                    after = [number + 1, 0] if last else [number, first + len(piece)]
                    yield _Unit(kind, number, source.name, fps, first, piece, after)
                    empty = False
            if empty:
                raise ValueError(f"{source}: no picture in it can be read")
        except ValueError as error:
            skipped.append(str(error))


_Piece = tuple[int, list[bytes], bool]  # number of the first picture, the pictures, is nothing left behind them?


def _single(images: Iterator[tuple[int, bytes]]) -> Iterator[_Piece]:
    for number, data in images:
        yield number, [data], False


def _cut(images: Iterator[tuple[int, bytes]], length: int) -> Iterator[_Piece]:
    """Stretches of `length` frames; the last one has up to twice as many, so that none is shorter but of a short clip.

    Where they are cut depends on nothing but the number of the first frame, so going on cuts as before.
    """
    held: list[bytes] = []
    first = 0
    for number, data in images:
        first = number if not held else first
        held.append(data)
        if len(held) == 2 * length:
            yield first, held[:length], False
            held, first = held[length:], first + length
    if held:
        yield first, held, True
