"""The journal: what happened in a project since it was saved, written as it happens.

A record holds the new values of what one operation changed, by key. Records that are replayed a second time, or on top
of a project that has them already, change nothing: the last value of each key counts. So it does not matter at which
moment of a save a program dies.

A journal is a row of segments, `journal-1`, `journal-2`, …; `project.json` names the first that is younger than itself.
A record is the length of its payload (8 bytes), a checksum of it (4), a checksum of these 12 bytes (4), and the
payload: a line of JSON, then blobs. Records go to the operating system at once, so that they outlive the program; a
thread syncs them to the disk, so that they outlive the machine.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from zlib import crc32

from app.core.annotations import digest
from app.core.history import Key
from app.core.media import Media
from app.io.durable import naming, open_for_writing, replace_file, sync_folder, write_all
from app.io.pack import Blob
from app.io.project_migration import migrated_values
from app.io.project_schema import SCHEMA, blobs_of, decode, encode, values_json, values_of

MAGIC = b"MERJRNL%d" % SCHEMA
_OLDER = {b"MERJRNL%d" % schema: schema for schema in range(1, SCHEMA)}
_HEAD, _CHECK = struct.Struct("<QI"), struct.Struct("<I")
_NAME = re.compile(r"journal-(\d{1,9})")


class Journal:
    """The running journal of one project. Its methods are for one thread.

    first:    the segment to begin with, or a later one: what `project.json` says.
    on_error: called, from any thread, when writing fails, and again only after it worked in between. What could not be
              written is kept, and tried again with the next record.
    """

    def __init__(self, folder: Path, first: int, on_error: Callable[[OSError], None] = lambda error: None) -> None:
        self.folder = folder
        self.on_error = on_error
        self._next = next_segment(folder, first)
        self._file: int | None = None
        self._waiting: list[bytes] = []
        self._failed = False
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._pool.submit(lambda: None)  # its thread starts now, and not in the middle of the first stroke
        self._synced: Future[None] | None = None

    def append(self, values: Mapping[Key, Any]) -> None:
        """Note new values by key, as `Document.on_change` gives them. Errors go to `on_error`."""
        self._waiting.append(_record(values))
        try:
            self._write()
        except OSError as error:
            self._leave()
            self._fail(error)

    def rotate(self) -> int:
        """Go on in a new segment, and its number: a snapshot that is taken now holds all that came before."""
        self._leave()
        return self._next

    def clear(self) -> None:
        """Forget everything."""
        self._leave()
        self._waiting.clear()
        forget(self.folder, self._next)

    def sync(self) -> None:
        """Wait until all records are on the disk."""
        self._pool.submit(lambda: None).result()

    def close(self) -> None:
        """Sync and stop. Nothing may be appended any more."""
        self._leave()
        self._pool.shutdown()

    def _write(self) -> None:
        if self._file is not None and os.fstat(self._file).st_nlink == 0:  # somebody removed it
            self._leave()
        with naming(self.folder):
            if self._file is None:
                number = next_segment(self.folder, self._next)
                self._file = open_for_writing(_segment(self.folder, number), new=True)
                self._next = number + 1
                write_all(self._file, MAGIC)
                self._pool.submit(sync_folder, self.folder)
            write_all(self._file, b"".join(self._waiting))
        self._waiting.clear()
        self._failed = False
        # A sync that has not begun yet will see to this record as well.
        if self._synced is None or self._synced.running() or self._synced.done():
            self._synced = self._pool.submit(self._sync, self._file)

    def _sync(self, file: int) -> None:
        try:
            with naming(self.folder):
                os.fsync(file)
        except OSError as error:
            self._fail(error)

    def _leave(self) -> None:
        """The next record begins a new segment. One that was cut off at the end of this one is not read."""
        if self._file is not None:
            self._pool.submit(os.close, self._file)
            self._file = self._synced = None

    def _fail(self, error: OSError) -> None:
        if not self._failed:
            self._failed = True
            self.on_error(error)


@dataclass(frozen=True, slots=True)
class Replay:
    """What a journal tells.

    records: values by key, oldest first.
    damage:  the segment where reading had to stop before the end, and how much of it was good; None if all is well.
    """

    records: tuple[dict[Key, Any], ...] = ()
    damage: tuple[Path, int] | None = None

    @property
    def notes(self) -> tuple[str, ...]:
        if self.damage is None:
            return ()
        return (f"{self.damage[0]}: is damaged; {len(self.records)} unsaved changes before the damage are kept",)


def replay(folder: Path, media: Media, first: int) -> Replay:
    """Read the segments from `first` on. OSError if they cannot be read.

    A record that was cut off at the end is left out without a word: it was never finished. Damage before the end ends
    the reading, for later records may build on what is lost.
    """
    records: list[dict[Key, Any]] = []
    for number in segments(folder):
        path = _segment(folder, number)
        if number >= first and path.is_file():  # reading a pipe would wait for ever
            with naming(path), path.open("rb") as file:
                good = _read(file, media, records)
            if good is not None:
                return Replay(tuple(records), (path, good))
    return Replay(tuple(records))


def set_aside(damage: tuple[Path, int]) -> None:
    """Cut the damage off, so that the journal can go on; the damaged segment and those after it are kept as copies."""
    path, good = damage
    content = path.read_bytes()
    replace_file(path.with_name(f"{path.name}.damaged"), content)
    replace_file(path, content[:good])
    number = int(path.name.removeprefix("journal-"))
    for later in segments(path.parent):
        if later > number:
            after = _segment(path.parent, later)
            os.replace(after, after.with_name(f"{after.name}.damaged"))


def segments(folder: Path) -> list[int]:
    """Numbers of the segments, ascending."""
    return sorted(int(match[1]) for path in folder.iterdir() if (match := _NAME.fullmatch(path.name)))


def next_segment(folder: Path, first: int) -> int:
    """The first number from `first` on behind all segments."""
    return max([first, *(number + 1 for number in segments(folder))])


def forget(folder: Path, before: int) -> None:
    """Remove the segments before this one. What cannot be removed is harmless: the project does not ask for it."""
    with suppress(OSError):
        for number in segments(folder):
            if number < before:
                os.unlink(_segment(folder, number))


def _segment(folder: Path, number: int) -> Path:
    return folder / f"journal-{number}"


def _record(values: Mapping[Key, Any]) -> bytes:
    body = bytearray()

    def put(data: bytes, name: str) -> Blob:
        body.extend(data)
        return Blob(len(body) - len(data), len(data), name)

    payload = values_json(encode(values, put)) + b"\n" + body
    head = _HEAD.pack(len(payload), crc32(payload))
    return head + _CHECK.pack(crc32(head)) + payload


def _read(file: BinaryIO, media: Media, records: list[dict[Key, Any]]) -> int | None:
    """Add the records of one segment; how much of it is good if there is damage before its end."""
    size = os.fstat(file.fileno()).st_size
    if (magic := file.read(len(MAGIC))) not in (MAGIC, *_OLDER):
        return None if MAGIC.startswith(magic) else 0
    schema = _OLDER.get(magic, SCHEMA)
    while True:
        good = file.tell()
        head, check = file.read(_HEAD.size), file.read(_CHECK.size)
        if len(check) < _CHECK.size:
            return None
        length, checksum = _HEAD.unpack(head)
        if _CHECK.unpack(check) != (crc32(head),):
            zeros = not any(head) and not any(check) and not any(file.read())  # a power cut may leave such an end
            return None if zeros else good
        if length > size - file.tell():
            return None
        payload = file.read(length)
        if crc32(payload) != checksum:
            return None if file.tell() == size else good
        try:
            records.append(_values(payload, media, schema))
        except ValueError:
            return good


def _values(payload: bytes, media: Media, schema: int) -> dict[Key, Any]:
    line, _, body = payload.partition(b"\n")
    values = values_of(line if schema == SCHEMA else migrated_values(line, schema))
    if sum(blob.length for blob in blobs_of(values.frames)) > len(body):
        raise ValueError("more blobs than bytes")

    def get(blob: Blob) -> bytes | None:
        data = body[blob.offset : blob.offset + blob.length]
        return data if digest(data) == blob.digest else None

    found, damaged = decode(values, media, get)
    if damaged:
        raise ValueError(f"frames {damaged} are damaged")
    return found
