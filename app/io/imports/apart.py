"""Keypoints out of HDF5 files (DeepLabCut's .h5, SLEAP's .slp), read in a process of their own."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np

from app.core.objects import Skeleton
from app.io.apart import DiedError, run
from app.io.imports.tables import Table, points_of, read_deeplabcut_h5, read_sleap
from model.types import KeypointSet

_READERS = {"deeplabcut": read_deeplabcut_h5, "sleap": read_sleap}
_SECONDS, _SECONDS_PER_MB = 60, 2.0


def read_apart(kind: str, path: Path) -> tuple[dict[int, KeypointSet], Skeleton]:
    """Keypoints by frame, and the skeleton. kind: "deeplabcut" or "sleap". ValueError for what cannot be used."""
    seconds = _SECONDS + _SECONDS_PER_MB * path.stat().st_size / (1 << 20)
    try:
        frames, names, bones = _unpacked(run("read", [kind, str(path)], b"", seconds))
    except DiedError as error:
        raise ValueError(f"{path}: is damaged, it cannot be read ({error}): use another copy") from None
    return {frame: points_of(names, xy) for frame, xy in frames.items()}, Skeleton(names, bones)


def work(arguments: list[str], given: bytes) -> bytes:
    """In that process."""
    kind, path = arguments
    return _packed(_READERS[kind](Path(path)))


def _packed(table: Table) -> bytes:
    frames, names, bones = table
    head = np.frombuffer(json.dumps({"names": names, "bones": bones}).encode(), np.uint8)
    xy = np.array(list(frames.values()), np.float64).reshape(len(frames), len(names), 2)
    data = io.BytesIO()
    np.savez(data, head=head, frames=np.array(list(frames), np.int64), xy=xy)
    return data.getvalue()


def _unpacked(data: bytes) -> Table:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        head = json.loads(arrays["head"].tobytes())
        frames = dict(zip(arrays["frames"].tolist(), arrays["xy"], strict=True))
    return frames, tuple(head["names"]), tuple((int(a), int(b)) for a, b in head["bones"])
