"""Writes that have reached the disk when they return: for what must outlive a crash of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BINARY = getattr(os, "O_BINARY", 0)  # Windows
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)  # what a stranger's folder links to is not written


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Has every OSError of the block name `path`: a full disk names no file."""
    try:
        yield
    except OSError as error:
        error.filename = str(path)
        del error.filename2  # None would be said as well
        raise


def open_for_writing(path: Path, new: bool = False) -> int:
    """A file descriptor that writes at the end of `path`. new: it must not exist yet. OSError if it is a link."""
    how = os.O_RDWR | os.O_APPEND | os.O_CREAT | (os.O_EXCL if new else 0)
    return os.open(path, how | _BINARY | _NO_LINK, 0o666)


def write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def replace_file(path: Path, data: bytes) -> None:
    """Put `data` in the place of `path`: whoever looks sees the old content or the new, also after a power cut."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    with naming(path):
        try:
            with suppress(FileNotFoundError):  # of a process of this number that was killed
                os.unlink(partial)
            descriptor = open_for_writing(partial, new=True)
            try:
                write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(partial, path)
        except BaseException:
            with suppress(OSError):
                os.unlink(partial)
            raise
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make new names in a folder last, where folders can be synced: not on Windows, nor on every network."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
