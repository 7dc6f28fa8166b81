"""Readers of keypoint benchmarks, each with its own scale (see `keypoints`).

JHMDB: 0.6 x the diagonal of the box round the frame's visible joints.
BADJA: the square root of the area of the object's mask in the frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from model.evaluation.keypoints import KeypointSequence
from model.evaluation.layout import find_sequences
from model.types import BACKGROUND, VOID, BoolArray, FloatArray

BadjaFrames = dict[str, dict[str, tuple[float, float]]]  # frame name -> joint -> (x, y)

JHMDB_BOX = 0.6
JHMDB_JOINTS = (
    "neck",
    "belly",
    "face",
    "right shoulder",
    "left shoulder",
    "right hip",
    "left hip",
    "right elbow",
    "left elbow",
    "right knee",
    "left knee",
    "right wrist",
    "left wrist",
    "right ankle",
    "left ankle",
)


def read_jhmdb(root: Path, names: Iterable[str] | None = None) -> tuple[KeypointSequence, ...]:
    """The videos of a JHMDB folder: joint_positions/, Rename_Images/ and, optionally, splits/.

    names: videos as "class/video"; None = the test videos of split 1, or every video where there are no splits.
    A joint is visible where it lies inside the frame. Needs SciPy.
    Raises ValueError on a folder or file that is not as JHMDB publishes it.
    """
    positions = root / "joint_positions"
    files = {f"{p.parent.parent.name}/{p.parent.name}": p for p in sorted(positions.glob("*/*/joint_positions.mat"))}
    if not files:
        raise ValueError(f"{root} is not a JHMDB folder: no joint_positions/<class>/<video>/joint_positions.mat")
    wanted = _jhmdb_test_videos(root) or list(files) if names is None else list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in files]:
        raise ValueError(f"{positions} has no video {unknown[0]!r}; a video is named <class>/<video>")
    return tuple(_read_jhmdb_video(name, files[name], root / "Rename_Images" / name) for name in wanted)


def _jhmdb_test_videos(root: Path) -> list[str]:
    """Lines "<video>.avi 2" of splits/<class>_test_split1.txt; 1 would be a training video."""
    ending = "_test_split1.txt"
    videos = []
    for path in sorted((root / "splits").glob(f"*{ending}")):
        for line in path.read_text().splitlines():
            video, _, part = line.strip().rpartition(" ")
            if part == "2":
                videos.append(f"{path.name.removesuffix(ending)}/{video.strip().removesuffix('.avi')}")
    return videos


def _read_jhmdb_video(name: str, path: Path, frames: Path) -> KeypointSequence:
    try:
        from scipy.io import loadmat  # type: ignore[import-untyped]
    except ImportError as error:
        raise ValueError("reading JHMDB needs SciPy: pip install scipy") from error
    try:
        positions = np.asarray(loadmat(path)["pos_img"])
    except Exception as error:  # SciPy's reader raises all sorts of things on a broken file
        raise ValueError(f"{path} is not a joint_positions.mat of JHMDB: {error}") from error
    if positions.ndim != 3 or positions.shape[:2] != (2, len(JHMDB_JOINTS)):
        raise ValueError(f"{path}: pos_img is {list(positions.shape)}, expected [2, {len(JHMDB_JOINTS)}, T]")
    pictures = sorted(p for p in frames.glob("*.png") if not p.name.startswith("."))
    if not pictures:
        raise ValueError(f"{frames} holds no PNG frames of {name}")
    with Image.open(pictures[0]) as image:
        size = np.array(image.size)
    xy = positions.transpose(2, 1, 0)[: len(pictures)].astype(np.float32) - 1  # Matlab counts pixels from 1
    visible = np.all((xy >= 0) & (xy <= size - 1), axis=2)
    if not visible.any():
        raise ValueError(f"{path}: no joint lies inside the {size[0]}x{size[1]} frames of {frames}")
    return KeypointSequence(name, frames, JHMDB_JOINTS, xy, visible, JHMDB_BOX * _box_diagonal(xy, visible))


def _box_diagonal(xy: FloatArray, visible: BoolArray) -> FloatArray:
    """float32 [T], pixels: the diagonal of the box round the visible points of each frame; 0 without any."""
    frames = zip(xy, visible, strict=True)
    diagonals = [np.linalg.norm(np.ptp(points[seen], axis=0)) if seen.any() else 0.0 for points, seen in frames]
    return np.array(diagonals, np.float32)


def read_badja(path: Path, davis: Path, names: Iterable[str] | None = None) -> tuple[KeypointSequence, ...]:
    """The sequences of a BADJA file, whose frames and masks lie in a DAVIS folder.

    path: JSON {"sequences": {name: {frame name: {joint: [x, y]}}}}, in pixels of the DAVIS frames; a joint
    that is left out of a frame is hidden there.
    Raises ValueError on a file of another form, a missing sequence, or points outside the frame.
    """
    labelled = _parse_badja(path)
    wanted = list(labelled) if names is None else list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in labelled]:
        raise ValueError(f"{path} has no sequence {unknown[0]!r}; it has {', '.join(labelled)}")
    return tuple(_read_badja_sequence(path, davis, name, labelled[name]) for name in wanted)


def _parse_badja(path: Path) -> dict[str, BadjaFrames]:
    form = '{"sequences": {name: {frame: {joint: [x, y]}}}}'
    try:
        return {
            name: {
                frame: {joint: (float(x), float(y)) for joint, (x, y) in points.items()}
                for frame, points in frames.items()
            }
            for name, frames in json.loads(path.read_text(encoding="utf-8"))["sequences"].items()
        }
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"{path} cannot be read as joints, {form}: {error}") from error


def _read_badja_sequence(path: Path, davis: Path, name: str, labelled: BadjaFrames) -> KeypointSequence:
    (sequence,) = find_sequences(davis, [name])
    frame_of = {mask.stem: frame for frame, mask in enumerate(sequence.masks)}
    joints = tuple(sorted({joint for points in labelled.values() for joint in points}, key=lambda j: (len(j), j)))
    xy = np.full((len(sequence.masks), len(joints), 2), np.nan, np.float32)
    scale = np.full(len(sequence.masks), np.nan, np.float32)
    for stem, points in labelled.items():
        if stem not in frame_of:
            raise ValueError(f"{path}: {name} has no frame {stem!r} among the masks in {sequence.masks[0].parent}")
        frame = frame_of[stem]
        mask = sequence.truth(frame)
        scale[frame] = np.sqrt(np.count_nonzero((mask != BACKGROUND) & (mask != VOID)))
        height, width = mask.shape
        for joint, (x, y) in points.items():
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                raise ValueError(
                    f"{path}: {name} {stem}: joint {joint} at ({x}, {y}) is outside the {width}x{height} mask"
                )
            xy[frame, joints.index(joint)] = x, y
    visible = np.all(np.isfinite(xy), axis=2)
    if not visible.any():
        raise ValueError(f"{path}: {name} has no labelled point")
    return KeypointSequence(name, sequence.frames, joints, xy, visible, scale)
