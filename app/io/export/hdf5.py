"""Keypoints into HDF5 files, written in a process of their own: a full disk may end it."""

from __future__ import annotations

import errno
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.io.apart import DiedError, run

_SECONDS, _SECONDS_PER_FRAME = 60, 0.02


@dataclass(frozen=True, slots=True)
class Points:
    """N frames with P points each.

    xy:         float64 [N, P, 2], NaN where a point is not seen. scores: float64 [N, P].
    propagated: bool [N]; frames: int64 [N].
    name, video: of the sequence, and where it lies. scorer: whose labels they are. bones: pairs of positions in names.
    """

    xy: NDArray[np.float64]
    scores: NDArray[np.float64]
    propagated: NDArray[np.bool_]
    frames: NDArray[np.int64]
    names: tuple[str, ...]
    bones: tuple[tuple[int, int], ...]
    name: str
    video: str
    scorer: str = ""


def write_apart(kind: str, points: Points, target: Path) -> None:
    """kind: "deeplabcut" or "sleap". OSError, naming the target, if it cannot be written."""
    try:
        run("write", [kind, str(target)], _packed(points), _SECONDS + _SECONDS_PER_FRAME * len(points.frames))
    except (DiedError, ValueError):
        raise OSError(errno.EIO, "cannot be written, maybe for want of room", str(target)) from None


def work(arguments: list[str], given: bytes) -> bytes:
    """In that process."""
    kind, target = arguments
    _WRITERS[kind](_unpacked(given), Path(target))
    return b""


def _write_deeplabcut(points: Points, target: Path) -> None:
    _table(points).to_hdf(target, key="df_with_missing", mode="w")


def deeplabcut_csv(points: Points) -> str:
    """The same table as text."""
    text: str = _table(points).to_csv()
    return text


def _table(points: Points) -> Any:
    import pandas as pd

    columns = pd.MultiIndex.from_product(
        [[points.scorer], list(points.names), ["x", "y"]], names=["scorer", "bodyparts", "coords"]
    )
    index = pd.MultiIndex.from_tuples(
        [("labeled-data", points.name, f"img{frame:05d}.png") for frame in points.frames.tolist()]
    )
    return pd.DataFrame(points.xy.reshape(len(points.xy), -1), index, columns)


def _write_sleap(points: Points, target: Path) -> None:
    import sleap_io as sio

    skeleton = sio.Skeleton(nodes=[sio.Node(name) for name in points.names], name=points.name)
    for a, b in points.bones:
        skeleton.add_edge(skeleton.nodes[a], skeleton.nodes[b])
    video = sio.Video(filename=points.video, open_backend=False)
    frames = []
    for frame, shown, scores, propagated in zip(
        points.frames.tolist(), points.xy, points.scores, points.propagated, strict=True
    ):
        if propagated:
            instance = sio.PredictedInstance.from_numpy(shown, skeleton, scores, float(scores.mean()))
        else:
            instance = sio.Instance.from_numpy(shown, skeleton)
        frames.append(sio.LabeledFrame(video=video, frame_idx=frame, instances=[instance]))
    sio.save_slp(sio.Labels(frames, videos=[video], skeletons=[skeleton]), str(target), verbose=False)


_WRITERS = {"deeplabcut": _write_deeplabcut, "sleap": _write_sleap}
_ARRAYS = ("xy", "scores", "propagated", "frames")


def _packed(points: Points) -> bytes:
    data = io.BytesIO()
    words = {name: getattr(points, name) for name in ("names", "bones", "name", "video", "scorer")}
    head = np.frombuffer(json.dumps(words).encode(), np.uint8)
    np.savez(data, head=head, **{name: getattr(points, name) for name in _ARRAYS})
    return data.getvalue()


def _unpacked(data: bytes) -> Points:
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        words = json.loads(arrays["head"].tobytes())
        bones = tuple((int(a), int(b)) for a, b in words.pop("bones"))
        return Points(**{name: arrays[name] for name in _ARRAYS}, names=tuple(words.pop("names")), bones=bones, **words)
