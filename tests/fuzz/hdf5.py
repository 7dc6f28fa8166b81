"""DeepLabCut's HDF5, spoilt as a tree: nodes, types, shapes, chunks, links and attributes; and read quickly.

A process for each file would take seconds. Here the worker forks itself: the child does what `mer apart` does.
"""

from __future__ import annotations

import io
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np

from app.io import apart
from tests.fuzz.mutation import NUMBERS, STRINGS, spoil_bytes

SECONDS = 20.0
MEMORY = 512 << 20  # bytes that reading may take; the program allows more, but none of these files has so much in it
TYPES = ("i1", ">i8", "u8", "f2", "f8", "c16", "S7", "V5", "?", [("a", "f8"), ("b", "S3", (2,))], "M8[ns]")
HUGE = ((1 << 40,), (1 << 31, 6), (6, 1 << 45), (1 << 20, 1 << 20, 1 << 20), (0, 6), (), (1,) * 20)


def make(rng: Random, folder: Path) -> Path:
    """One of the two forms that pandas writes, with one to three things changed; now and then a few bytes as well."""
    import h5py

    from tests.fuzz.seeds import gallery

    path = folder / "CollectedData.h5"
    shutil.copy(gallery() / "hdf5" / rng.choice(("fixed.h5", "table.h5")), path)
    with h5py.File(path, "r+") as file:
        changes = rng.choices(CHANGES, k=rng.choice((1, 1, 2, 3)))
        for change in sorted(changes, key=lambda change: change is _link):  # whoever follows links may hang
            with suppress(ValueError, TypeError, KeyError, RuntimeError, OSError, OverflowError):  # it cannot be so
                change(rng, file)
    if rng.random() < 0.1:
        path.write_bytes(spoil_bytes(rng, path.read_bytes()))
    return path


def _nodes(file: Any) -> list[Any]:
    found: list[Any] = []
    file.visititems(lambda _, node: found.append(node))
    return found


def _dataset(rng: Random, file: Any) -> Any:
    return rng.choice([node for node in _nodes(file) if hasattr(node, "shape")])


def _instead(node: Any, **how: Any) -> Any:
    """Another dataset in its place, with its attributes."""
    parent, name, attributes = node.parent, node.name, dict(node.attrs)
    del parent[name]
    made = parent.create_dataset(name, **how)
    for key, value in attributes.items():
        made.attrs[key] = value
    return made


def _retype(rng: Random, file: Any) -> None:
    node = _dataset(rng, file)
    _instead(node, shape=node.shape, dtype=np.dtype(rng.choice(TYPES)))


def _reshape(rng: Random, file: Any) -> None:
    """Sizes that are declared, with nothing behind them."""
    node, shape = _dataset(rng, file), rng.choice(HUGE)
    chunks = tuple(min(side, 64) or 1 for side in shape) or None
    filters = {"compression": "gzip"} if rng.random() < 0.5 and chunks else {}
    _instead(node, shape=shape, dtype=node.dtype, chunks=chunks, **filters)


def _wide_chunks(rng: Random, file: Any) -> None:
    """A few numbers, in a chunk of gigabytes."""
    node = _dataset(rng, file)
    shape = node.shape or (1,)
    side = int((3 << 28) ** (1 / len(shape)))
    made = _instead(node, shape=shape, maxshape=(None,) * len(shape), dtype="i4", chunks=(side,) * len(shape))
    made.id.write_direct_chunk((0,) * len(shape), b"\0" * 100)


def _wrong_chunk(rng: Random, file: Any) -> None:
    """Bytes that are no deflated chunk, or of another size than it has."""
    import zlib

    node = _dataset(rng, file)
    shape = node.shape or (1,)
    filters = {"compression": "gzip", "shuffle": rng.random() < 0.5, "fletcher32": rng.random() < 0.3}
    made = _instead(node, shape=shape, dtype=node.dtype, chunks=tuple(side or 1 for side in shape), **filters)
    whole = zlib.compress(bytes(made.dtype.itemsize * made.size * rng.choice((0, 1, 2, 1000))))
    data = rng.choice((b"", b"x", rng.randbytes(50), whole, whole[: len(whole) // 2], zlib.compress(bytes(1 << 27))))
    made.id.write_direct_chunk((0,) * len(shape), data, filter_mask=rng.choice((0, 1, 7)))


def _numbers(rng: Random, file: Any) -> None:
    """Other values, such as labels that point beyond their levels."""
    node = _dataset(rng, file)
    flat = np.asarray(node[()]).copy()
    flat.reshape(-1)[: rng.choice((1, 3, 1000))] = np.array(rng.choice((-1, -5, 127, 2**31 - 1))).astype(flat.dtype)
    node[...] = flat


def _attribute(rng: Random, file: Any) -> None:
    node = rng.choice([file, *_nodes(file)])
    names = list(node.attrs)
    name = rng.choice([*names, "pandas_type", "nblocks"])
    if name in names and rng.random() < 0.5:
        del node.attrs[name]
        return
    odd: list[Any] = [
        *NUMBERS[:-1],
        0.5,
        float("nan"),
        *STRINGS,
        b"cos\nsystem\n(S'true'\ntR.",
        b"\x80\x04.",
        "frame_table",
    ]
    odd += [np.zeros(0), np.zeros(5000), np.array([b"a", b"b"]), np.bool_(True), "series", "utf-7", "VLARRAY", "EARRAY"]
    node.attrs[name] = rng.choice(odd)


def _move(rng: Random, file: Any) -> None:
    nodes = _nodes(file)
    node = rng.choice(nodes)
    match rng.randrange(3):
        case 0:
            del file[node.name]
        case 1:
            file.move(node.name, rng.choice(("/x", "/a/b/c/d", node.name + "_", "/_i_x", "/df_with_missing/CLASS")))
        case _:
            other = rng.choice(nodes).name
            file.copy(node, "/aside")
            del file[other]
            file.move("/aside", other)


def _deep(rng: Random, file: Any) -> None:
    """Groups in groups; the table at their end, or not."""
    depth = rng.choice((5, 60, 600))
    group = file
    for _ in range(depth):
        group = group.create_group("g")
    if rng.random() < 0.5:
        file.move(next(iter(set(file) - {"g"})), group.name + "/df")


def _many(rng: Random, file: Any) -> None:
    for number in range(rng.choice((3, 600))):
        file.create_group(f"df{number}").attrs["pandas_type"] = rng.choice(("frame", "frame_table", "series", "wide"))


def _link(rng: Random, file: Any) -> None:
    """Circles, nothing, and other files."""
    import h5py

    node = rng.choice([n for n in _nodes(file) if n.name.count("/") > 1] or _nodes(file))
    parent, name = node.parent, node.name
    del parent[name]
    parent[name] = rng.choice(
        (
            file["/"],
            parent,
            h5py.SoftLink(name),
            h5py.SoftLink("/nowhere"),
            h5py.SoftLink("/"),
            h5py.ExternalLink("/etc/passwd", "/"),
            h5py.ExternalLink(file.filename, "/"),
            h5py.ExternalLink("/dev/zero", "/"),
        )
    )


def _outside(rng: Random, file: Any) -> None:
    """Numbers that lie in another file."""
    node = _dataset(rng, file)
    outside = rng.choice(("/etc/passwd", "/dev/zero", "../../nowhere", "/dev/stdin"))
    _instead(node, shape=node.shape or (1,), dtype="f8", external=[(outside, 0, 1 << 40)])


CHANGES: tuple[Callable[[Random, Any], None], ...] = (
    *(_retype, _reshape, _wide_chunks, _wrong_chunk, _numbers, _attribute, _attribute),
    *(_move, _deep, _many, _link, _outside),
)


def read(importing: Callable[[Path], None]) -> Callable[[Path], None]:
    """Import it, in a child of this process in the place of a program of its own."""

    def run(path: Path) -> None:
        with mock.patch("app.io.imports.apart.run", forked):
            importing(path)

    return run


def forked(work: str, arguments: Sequence[str], given: bytes, seconds: float) -> bytes:
    """As `app.io.apart.run`. MemoryError or TimeoutError, which are defects, where it takes too much."""
    for library in ("pandas", "tables"):  # once, and not in every child
        import_module(library)
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        child = os.fork()
        if child == 0:
            os._exit(_serve(work, list(arguments), given, out.fileno(), errors.fileno()))
        until = time.monotonic() + SECONDS
        while True:
            ended, status, used = os.wait4(child, os.WNOHANG)
            if ended:
                break
            if time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                raise TimeoutError(f"not done within {SECONDS:g} s")
            time.sleep(0.005)
        taken = (used.ru_maxrss << 10) - _memory("VmRSS")
        if taken > MEMORY:
            raise MemoryError(f"took {taken >> 20} MB")
        out.seek(0), errors.seek(0)
        code = os.waitstatus_to_exitcode(status)
        if code == apart._MISTAKE:
            raise ValueError(errors.read().decode("utf-8", "replace").strip().splitlines()[-1])
        if code:
            raise apart.DiedError(f"ended with code {code}")
        return out.read()


def _serve(work: str, arguments: list[str], given: bytes, out: int, errors: int) -> int:
    """In the child."""
    try:
        os.dup2(out, 1)
        os.dup2(errors, 2)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        apart._MEMORY = _memory("VmSize") + (2 << 30)  # the parent's libraries are here as well
        sys.stdin = io.TextIOWrapper(io.BytesIO(given))
        return apart.serve(work, arguments)
    except BaseException:
        return 1


def _memory(name: str) -> int:
    """Bytes, of this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) << 10
    raise LookupError(name)
