"""Whole files or none: what is written appears under its name only when it is complete."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_LONG = 150  # bytes of a name; file systems take 255


def short(name: str) -> str:
    """A name, or what stands for it where it is so long that nothing can be put before and behind it."""
    coded = os.fsencode(name)
    return name if len(coded) <= _LONG else hashlib.blake2b(coded, digest_size=16).hexdigest()


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, to be written in the block; it takes the place of `path` if the block ends well.

    Otherwise `path` stays as it was and the temporary file is removed. OSError, naming `path`, if writing fails.
    """
    partial = path.with_name(f".{short(path.name)}.{os.getpid()}.partial")
    try:
        yield partial
        os.replace(partial, path)
    except OSError as error:  # a full disk names no file, and the temporary name would puzzle
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    finally:
        with suppress(OSError):
            partial.unlink()
