"""Keypoints of other programs: DeepLabCut's CSV and HDF5, SLEAP's .slp."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

import numpy as np

from app.core.objects import Skeleton
from model.types import FloatArray, KeypointSet


def is_deeplabcut(path: Path) -> bool:
    """Does this CSV begin as DeepLabCut's do?"""
    with path.open(newline="", encoding="utf-8-sig") as file:
        return file.readline().lower().startswith("scorer")


def read_deeplabcut_csv(path: Path) -> tuple[dict[int, KeypointSet], Skeleton]:
    """Frames by the number in the image's name. Read without pandas, so that it needs no extra. ValueError as ever."""
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = [row for row in csv.reader(file) if row]
    heads = {row[0].lower(): row for row in rows[:4]}
    if "bodyparts" not in heads or "coords" not in heads:
        raise ValueError(f"{path}: no DeepLabCut table: rows 'bodyparts' and 'coords' are missing")
    if "individuals" in heads and len({c for c in heads["individuals"][1:] if c}) > 1:
        raise ValueError(f"{path}: holds several individuals; export one of them, a project has one skeleton")
    parts, coords = heads["bodyparts"], heads["coords"]
    first = next((i for i, c in enumerate(coords[1:], start=1) if c.lower() == "x"), 0)
    columns = [(i, parts[i]) for i in range(first, len(coords)) if first and coords[i].lower() == "x"]
    if not columns:
        raise ValueError(f"{path}: no DeepLabCut table: there is no column of x coordinates")
    frames = {}
    for row in rows[rows.index(coords) + 1 :]:
        frame = _frame_number("/".join(row[:first]), path)
        try:
            xy = [[float(row[i] or "nan"), float(row[i + 1] or "nan")] for i, _ in columns]
        except (ValueError, IndexError):
            raise ValueError(f"{path}: the row of frame {frame} holds something that is not a number") from None
        frames[frame] = _points(tuple(name for _, name in columns), np.array(xy, np.float32))
    return frames, Skeleton(tuple(name for _, name in columns))


def read_deeplabcut_h5(path: Path) -> tuple[dict[int, KeypointSet], Skeleton]:
    """A table of numbers alone: one that holds pickled objects is refused. ValueError for anything else."""
    try:
        import pandas as pd
        import tables
    except ImportError:
        raise ValueError(f"{path}: pip install 'mer-studio[deeplabcut]', or import the .csv beside it") from None
    try:
        with tables.open_file(str(path)) as file:
            for node in file.walk_nodes("/", "VLArray"):
                if isinstance(node.atom, tables.ObjectAtom) and not node._v_name.startswith("axis"):
                    raise ValueError("it holds pickled objects")
        table: Any = pd.read_hdf(path)
    except Exception as error:  # a stranger's HDF5 can trip the reader anywhere
        raise ValueError(f"{path}: cannot be read as a DeepLabCut table ({error}); import the .csv") from None
    names = tuple(dict.fromkeys(str(n) for n in table.columns.get_level_values("bodyparts")))
    values = table.to_numpy(np.float32).reshape(len(table), len(names), -1)[..., :2]
    where = ["/".join(map(str, i)) if isinstance(i, tuple) else str(i) for i in table.index]
    frames = {_frame_number(w, path): _points(names, xy) for w, xy in zip(where, values, strict=True)}
    return frames, Skeleton(names)


def read_sleap(path: Path) -> tuple[dict[int, KeypointSet], Skeleton]:
    """The first instance of every frame of the first video. ValueError for anything else."""
    try:
        import sleap_io as sio
    except ImportError:
        raise ValueError(f"{path}: pip install 'mer-studio[sleap]' to read it") from None
    try:
        labels: Any = sio.load_slp(str(path), open_videos=False)
        skeleton = labels.skeletons[0]
        names = tuple(node.name for node in skeleton.nodes)
        bones = tuple((names.index(e.source.name), names.index(e.destination.name)) for e in skeleton.edges)
        frames = {
            int(found.frame_idx): _points(names, np.asarray(found.instances[0].numpy(), np.float32)[:, :2])
            for found in labels.labeled_frames
            if found.instances and found.video is labels.videos[0]
        }
    except Exception as error:
        raise ValueError(f"{path}: cannot be read as a SLEAP file ({error})") from None
    return frames, Skeleton(names, bones)


def _points(names: tuple[str, ...], xy: FloatArray) -> KeypointSet:
    seen = np.asarray(~np.isnan(xy).any(axis=1))
    return KeypointSet(names, np.where(seen[:, None], xy, np.float32(np.nan)), seen, seen.astype(np.float32))


def _frame_number(text: str, path: Path) -> int:
    numbers = re.findall(r"\d+", Path(text).stem) or re.findall(r"\d+", text)
    if not numbers:
        raise ValueError(f"{path}: {text!r} names no frame; DeepLabCut's images are called img00005.png")
    return int(numbers[-1])
