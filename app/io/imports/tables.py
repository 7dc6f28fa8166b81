"""Keypoints of other programs: DeepLabCut's CSV and HDF5, SLEAP's .slp.

Of several animals, each has points of its own in the one skeleton, named after it: "female head".

What reads HDF5 is only called by way of `app.io.imports.apart`.
"""

from __future__ import annotations

import csv
import io
import math
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.objects import Skeleton
from app.io.text import read_text, shortened
from model.types import FloatArray, KeypointSet

Bones = tuple[tuple[int, int], ...]
Table = tuple[dict[int, NDArray[np.float64]], tuple[str, ...], Bones]
"""float64 [N, 2] by frame, the N names, and the bones."""


_FAR = 1e6  # pixels
_NODES, _DEPTH = 500, 6  # groups and arrays of a file, and how deep they lie: pandas makes about twenty, two deep
_DECLARED = 1 << 29  # bytes of them in memory: hours of video with many points


def is_deeplabcut(path: Path) -> bool:
    """Does this CSV begin as DeepLabCut's do?"""
    with path.open("rb") as file:
        return file.read(10).removeprefix(b"\xef\xbb\xbf").lower().startswith(b"scorer")


def read_deeplabcut_csv(path: Path) -> tuple[dict[int, KeypointSet], Skeleton]:
    """Frames by the number in the image's name. Read without pandas, so that it needs no extra. ValueError as ever."""
    try:
        rows = [row for row in csv.reader(io.StringIO(read_text(path), newline="")) if row]
    except csv.Error as error:
        raise ValueError(f"{path}: cannot be read as a DeepLabCut table: {error}") from None
    heads = {row[0].lower(): row for row in rows[:4]}
    if "bodyparts" not in heads or "coords" not in heads:
        raise ValueError(f"{path}: no DeepLabCut table: rows 'bodyparts' and 'coords' are missing")
    parts, coords = heads["bodyparts"], heads["coords"]
    first = next((i for i, c in enumerate(coords[1:], start=1) if c.lower() == "x"), 0)
    columns = [i for i in range(first, len(coords)) if first and coords[i].lower() == "x"]
    if not columns:
        raise ValueError(f"{path}: no DeepLabCut table: there is no column of x coordinates")
    animals = heads.get("individuals", [""] * len(parts))
    if columns[-1] >= min(len(parts), len(animals)):
        raise ValueError(f"{path}: no DeepLabCut table: a row above 'coords' is shorter than that")
    names = _named([animals[i] for i in columns], [parts[i] for i in columns])
    skeleton = Skeleton(names)
    frames = {}
    for row in rows[rows.index(coords) + 1 :]:
        frame = _frame_number("/".join(row[:first]), path)
        try:
            xy = [[float(row[i] or "nan"), float(row[i + 1] or "nan")] for i in columns]
        except (ValueError, IndexError):
            raise ValueError(f"{path}: the row of frame {frame} holds something that is not a number") from None
        frames[frame] = points_of(names, np.array(xy, np.float64))
    return frames, skeleton


def read_deeplabcut_h5(path: Path) -> Table:
    """A table of numbers. ValueError for anything else."""
    try:
        import pandas as pd
        import tables
    except ImportError:
        raise ValueError(f"{path}: pip install 'mer-studio[deeplabcut]', or import the .csv beside it") from None
    # PyTables hands bytes that look like a pickle to `pickle`, and pandas keeps lists of names so.
    tables.attributeset.pickle = tables.atom.pickle = PlainPickle
    try:
        with tables.open_file(str(path)) as file:
            _look_over(file)
        table: Any = pd.read_hdf(path)
        heads = {level: [str(n) for n in table.columns.get_level_values(level)] for level in table.columns.names}
        columns = [i for i, coordinate in enumerate(heads["coords"]) if coordinate == "x"]
        animals = heads.get("individuals", heads["coords"])
        names = _named([animals[i] for i in columns], [heads["bodyparts"][i] for i in columns])
        numbers = table.to_numpy(np.float64)
        values = np.stack([numbers[:, columns], numbers[:, [i + 1 for i in columns]]], axis=-1)
        where = ["/".join(map(str, i)) if isinstance(i, tuple) else str(i) for i in table.index]
    except Exception as error:  # a stranger's HDF5 can trip the reader anywhere
        raise ValueError(f"{path}: cannot be read as a DeepLabCut table ({_cause(error)}); import the .csv") from None
    return {_frame_number(w, path): xy for w, xy in zip(where, values, strict=True)}, names, ()


def _look_over(file: Any) -> None:
    """ValueError if a file declares what no table of keypoints has. Sizes and chunks may be without anything behind
    them, groups may go on without end: reading them would take all memory, or for ever."""
    from tables import Leaf
    from tables.link import Link

    declared = 0
    for count, node in enumerate(file.walk_nodes("/")):
        if isinstance(node, Link):
            raise ValueError(f"{shortened(node._v_pathname)} is a link to something else")
        if count >= _NODES or node._v_depth > _DEPTH:
            raise ValueError("it has more groups than a table of keypoints")
        if isinstance(node, Leaf):
            each = node.dtype.itemsize if getattr(node, "dtype", None) is not None else 1
            shapes = node.shape, getattr(node, "chunkshape", None) or ()
            declared += each * sum(math.prod(map(int, shape)) for shape in shapes)
        if declared > _DECLARED:
            raise ValueError(f"it declares {declared >> 20} MB or more, which is no table of keypoints")


def read_sleap(path: Path) -> Table:
    """The frames of the first video: what a person placed, else what was predicted. ValueError for anything else."""
    try:
        import sleap_io as sio
    except ImportError:
        raise ValueError(f"{path}: pip install 'mer-studio[sleap]' to read it") from None
    try:
        labels: Any = sio.load_slp(str(path), open_videos=False)
        skeleton = labels.skeletons[0]
        names = tuple(str(node.name) for node in skeleton.nodes)
        bones = tuple((names.index(e.source.name), names.index(e.destination.name)) for e in skeleton.edges)
        found = {
            int(frame.frame_idx): [
                ("" if i.track is None else str(i.track.name), np.asarray(i.numpy(), np.float64)[:, :2])
                for i in frame.user_instances or frame.instances
            ]
            for frame in labels.labeled_frames
            if frame.instances and frame.video is labels.videos[0]
        }
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as a SLEAP file ({_cause(error)})") from None
    tracks = {track for instances in found.values() for track, _ in instances} - {""}
    if len(tracks) < 2 and all(len(instances) == 1 for instances in found.values()):
        return {frame: instances[0][1] for frame, instances in found.items()}, names, bones
    return _side_by_side(path, found, names, bones)


def _side_by_side(
    path: Path, found: dict[int, list[tuple[str, NDArray[np.float64]]]], names: tuple[str, ...], bones: Bones
) -> Table:
    """The points of several animals in one skeleton. found: by frame, each animal's track and points."""
    animals = tuple(dict.fromkeys(track for instances in found.values() for track, _ in instances))
    for frame, instances in found.items():
        tracks = [track for track, _ in instances]
        if "" in tracks or len(set(tracks)) < len(tracks):
            raise ValueError(f"{path}: frame {frame} does not tell its animals apart; give each a track of its own")
    missing = np.full((len(names), 2), np.nan)
    frames = {
        frame: np.concatenate([dict(instances).get(animal, missing) for animal in animals])
        for frame, instances in found.items()
    }
    starts = [len(names) * k for k in range(len(animals))]
    owners = [animal for animal in animals for _ in names]
    joined = tuple((a + start, b + start) for start in starts for a, b in bones)
    return frames, _named(owners, list(names) * len(animals)), joined


def _named(animals: list[str], parts: list[str]) -> tuple[str, ...]:
    """The points' names; of several animals, with the animal's before."""
    if len(set(animals)) < 2:
        return tuple(parts)
    return tuple(f"{animal} {part}".strip() for animal, part in zip(animals, parts, strict=True))


class PlainPickle(pickle.Unpickler):
    """Reads what is made of lists, texts and numbers, and refuses everything that would run code.

    It stands in for the module `pickle`: see `read_deeplabcut_h5`.
    """

    UnpicklingError = pickle.UnpicklingError

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it holds pickled objects ({module}.{name})")

    @classmethod
    def loads(cls, data: bytes, **how: Any) -> Any:
        return cls(io.BytesIO(data), **how).load()


def points_of(names: tuple[str, ...], xy: NDArray[np.float64]) -> KeypointSet:
    """float [N, 2]; a point that is not a number, or beyond all pictures, is missing."""
    near: FloatArray = np.where(np.abs(xy) < _FAR, xy, np.nan).astype(np.float32)
    seen = np.asarray(~np.isnan(near).any(axis=1))
    return KeypointSet(names, np.where(seen[:, None], near, np.float32(np.nan)), seen, seen.astype(np.float32))


def _cause(error: Exception) -> str:
    """HDF5 tells a whole story, and the point of it comes last."""
    return shortened(([line for line in str(error).splitlines() if line.strip()] or [type(error).__name__])[-1])


def _frame_number(text: str, path: Path) -> int:
    numbers = re.findall(r"\d+", Path(text).stem) or re.findall(r"\d+", text)
    if not numbers:
        raise ValueError(f"{path}: {shortened(text)} names no frame; DeepLabCut's images are called img00005.png")
    return int(numbers[-1])
