"""Keypoints as tables: our own CSV, DeepLabCut's CSV and HDF5, SLEAP's .slp."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from app.io.atomic import write_text
from app.io.export.base import Exporter, Option, Options, expect
from app.io.export.hdf5 import Points, deeplabcut_csv, write_apart
from app.io.export.labelled import Labelled
from app.io.keypoints_csv import read_keypoints, write_keypoints
from model.types import FloatArray, KeypointSet, Origin
from model.video import VideoSource


class KeypointsCsv(Exporter):
    """One row per point and frame: frame, name, x, y, visible, confidence."""

    id, title, suffix, needs = "keypoints-csv", "Keypoints CSV", ".csv", "keypoints"

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        frames = {}
        for frame in labelled.frames:
            points = labelled.keypoints(frame)
            if points is not None:
                frames[frame] = points
            yield
        write_keypoints(target, frames)

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        written = read_keypoints(target)
        for frame, points in _placed(labelled):
            expect(frame in written, f"frame {frame} is missing")
            close = np.allclose(written[frame].xy, points.xy, atol=1e-3, equal_nan=True)
            expect(close and np.array_equal(written[frame].visible, points.visible), f"frame {frame} has other points")


class DeepLabCut(Exporter):
    """`CollectedData_SCORER.csv` and `.h5` as DeepLabCut's labelling tool writes them; hidden points are missing."""

    id, title, needs = "deeplabcut", "DeepLabCut CSV and HDF5", "keypoints"
    options = (Option("scorer", "Name of the scorer", "MER"),)

    def missing(self) -> str | None:
        lacking = [name for name in ("pandas", "tables") if find_spec(name) is None]
        return f"pip install 'mer-studio[deeplabcut]' ({', '.join(lacking)} missing)" if lacking else None

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        scorer = _file_word(options["scorer"])
        points = yield from _gathered(labelled, scorer)
        write_text(target / f"CollectedData_{scorer}.csv", deeplabcut_csv(points))
        write_apart("deeplabcut", points, target / f"CollectedData_{scorer}.h5")

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        import pandas as pd

        name = f"CollectedData_{_file_word(options['scorer'])}"
        wanted = [np.where(p.visible[:, None], p.xy, np.nan).ravel() for _, p in _placed(labelled)]
        tables = {
            ".csv": pd.read_csv(target / f"{name}.csv", header=[0, 1, 2], index_col=[0, 1, 2]),
            ".h5": pd.read_hdf(target / f"{name}.h5"),
        }
        for suffix, table in tables.items():
            expect(list(table.columns.get_level_values(1)[::2]) == list(labelled.skeleton.names), f"{suffix}: names")
            same = table.shape[0] == len(wanted) and np.allclose(table.to_numpy(), wanted, atol=1e-3, equal_nan=True)
            expect(same, f"{suffix} has other points")


class Sleap(Exporter):
    """A `.slp` file: a person's frames as instances, propagated ones as predicted instances. (0, 0) is mid-pixel."""

    id, title, suffix, needs = "sleap", "SLEAP .slp", ".slp", "keypoints"

    def missing(self) -> str | None:
        return None if find_spec("sleap_io") else "pip install 'mer-studio[sleap]' (sleap-io missing)"

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        write_apart("sleap", (yield from _gathered(labelled)), target)

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        import sleap_io as sio

        labels: Any = sio.load_slp(str(target), open_videos=False)
        written = {found.frame_idx: found.instances[0].numpy() for found in labels.labeled_frames}
        placed = list(_placed(labelled))
        expect(len(written) == len(placed), "another number of frames")
        for frame, points in placed:
            wanted: FloatArray = np.where(points.visible[:, None], points.xy, np.nan)
            close = frame in written and np.allclose(written[frame], wanted, atol=1e-3, equal_nan=True)
            expect(close, f"frame {frame} has other points")


def _gathered(labelled: Labelled, scorer: str = "") -> Generator[None, None, Points]:
    """All points of all frames, frame by frame; hidden ones are not seen."""
    frames, xy, scores, propagated = [], [], [], []
    for frame, points in _placed(labelled):
        frames.append(frame)
        xy.append(np.where(points.visible[:, None], points.xy, np.nan))
        scores.append(points.confidence)
        propagated.append(labelled.origin(frame) is Origin.PROPAGATED)
        yield
    return Points(
        np.array(xy, np.float64),
        np.array(scores, np.float64),
        np.array(propagated, np.bool_),
        np.array(frames, np.int64),
        labelled.skeleton.names,
        labelled.skeleton.bones,
        labelled.name,
        str(labelled.media.path),
        scorer,
    )


def _placed(labelled: Labelled) -> Iterator[tuple[int, KeypointSet]]:
    for frame in labelled.frames:
        points = labelled.keypoints(frame)
        if points is not None:
            yield frame, points


def _file_word(text: str) -> str:
    word = "".join(c for c in str(text) if c.isalnum() or c in "-_")
    if not word:
        raise ValueError(f"scorer {text!r} gives no file name; use letters or digits")
    return word
