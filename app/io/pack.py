"""A pack: the blobs of a project (compressed label maps and the like) end to end in one file that only grows.

Saving after one changed frame adds that frame's blobs and leaves the other ten thousand alone; one file is copied,
synced and deleted quickly, where a file per frame is not. Blobs are told apart by their digests, so equal maps are
stored once. The index is not in the pack but in `project.json`, which is replaced whole: a pack that is written only
half is a pack with a tail that nobody knows of, and the next save writes over it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple

from pydantic import Field

from app.core.annotations import digest
from app.io.durable import naming, open_for_writing, sync_folder, write_all

MAGIC = b"MERPACK1"
_NAME = re.compile(r"labels-(\d{1,9})\.pack")
_PENDING = 4 << 20  # bytes that are gathered before they are written


class Blob(NamedTuple):
    """Where some bytes lie, and their digest."""

    offset: Annotated[int, Field(ge=0, lt=1 << 48)]
    length: Annotated[int, Field(ge=0, lt=1 << 48)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


def pack_number(name: str) -> int:
    """The number in a pack's name. ValueError if that is not how packs are called."""
    match = _NAME.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no name of a pack of labels")
    return int(match[1])


def is_pack(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def pack_name(number: int) -> str:
    return f"labels-{number}.pack"


def read_blobs(path: Path, blobs: set[Blob]) -> dict[Blob, bytes]:
    """Those of the blobs that are whole. ValueError, before anything is read, if they cannot be those of this file."""
    with naming(path), path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if file.read(len(MAGIC)) != MAGIC:
            raise ValueError(f"{path}: is not a pack of labels: take it from a copy of the project")
        if sum(blob.length for blob in blobs) > size:
            raise ValueError(f"{path}: is shorter than the project says: take it from a copy of the project")
        found = {}
        for blob in sorted(blobs):
            if blob.offset + blob.length <= size:
                file.seek(blob.offset)
                data = file.read(blob.length)
                if digest(data) == blob.digest:
                    found[blob] = data
        return found


class PackWriter:
    """Adds blobs to a pack; see `adding`. end: where the next one goes."""

    def __init__(self, path: Path, end: int, known: Mapping[str, Blob]) -> None:
        self.path = path
        self.end = end
        self._start = end
        self._known = dict(known)
        self._pending: list[bytes] = []
        self._waiting = 0
        self._file: int | None = None

    def put(self, data: bytes, name: str) -> Blob:
        """Where these bytes are from now on. name: their digest."""
        blob = self._known.get(name)
        if blob is None:
            if self.end == 0:
                self._add(MAGIC)
            blob = self._known[name] = Blob(self.end, len(data), name)
            self._add(data)
        return blob

    def finish(self) -> None:
        """Everything is on the disk after this."""
        if self.end == 0:
            self._add(MAGIC)
        if self._pending:
            self._write()
        if self._file is not None:
            os.fsync(self._file)
            if self._start == 0:
                sync_folder(self.path.parent)

    def close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _add(self, data: bytes) -> None:
        self._pending.append(data)
        self._waiting += len(data)
        self.end += len(data)
        if self._waiting >= _PENDING:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = open_for_writing(self.path)
            os.ftruncate(self._file, self._start)
        write_all(self._file, b"".join(self._pending))
        self._pending, self._waiting = [], 0


@contextmanager
def adding(path: Path, end: int, known: Mapping[str, Blob]) -> Iterator[PackWriter]:
    """A writer for the block; what it added is on the disk after it. OSError, naming the pack, if that fails.

    path:  the pack; made if there is none.
    end:   what lies behind it is not part of the pack; 0 for a new one.
    known: blobs that it holds, by digest.
    """
    writer = PackWriter(path, end, known)
    try:
        with naming(path):
            yield writer
            writer.finish()
    except BaseException:
        writer.close()
        cut(path, end)
        raise
    finally:
        writer.close()


def cut(path: Path, end: int) -> None:
    """Give back the room of what was added in vain: the disk may be full."""
    with suppress(OSError):
        if end == 0:
            os.unlink(path)
        else:
            os.truncate(path, end)
