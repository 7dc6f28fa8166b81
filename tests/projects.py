"""Small documents and projects, and a way to compare them whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.core.annotations import FrameLabels, PackedGrid, PackedMap
from app.core.document import Document
from app.core.media import Media
from app.core.references import Job
from app.io.media import fingerprint
from model.types import Direction, KeypointSet, LabelMap, Origin, UInt8Array

SIZE = (6, 8)


def video(folder: Path, name: str = "swan.mp4", content: bytes = b"not decoded by these tests") -> Path:
    """A file that stands for a video wherever nobody decodes it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content)
    return path


def document(path: Path = Path("/nowhere/swan.mp4"), frames: int = 10, size: tuple[int, int] = SIZE) -> Document:
    return Document(Media(path, size, frames, 25.0, fingerprint(path) if path.exists() else ""))


@pytest.fixture
def doc() -> Document:
    """Ten frames, objects 1 and 2."""
    made = document()
    made.add_object("swan")
    made.add_object("shadow")
    return made


def ids(*rows: tuple[int, int], size: tuple[int, int] = SIZE) -> UInt8Array:
    """A map where each (row, object) is painted from edge to edge."""
    values = np.zeros(size, np.uint8)
    for row, number in rows:
        values[row] = number
    return values


def labels(*rows: tuple[int, int], objects: tuple[int, ...] = ()) -> LabelMap:
    return LabelMap(ids(*rows), objects)


def propagated(*rows: tuple[int, int], points: KeypointSet | None = None) -> FrameLabels:
    """What a propagation would hand in."""
    grid = PackedGrid.pack(np.full((2, 2), 0.5, np.float32))
    return FrameLabels(Origin.PROPAGATED, PackedMap.pack(labels(*rows)), points, {1: 0.75}, grid)


def begin(doc: Document, weights: str = "w") -> Job:
    """A propagation of all references over the whole span."""
    return doc.begin_job("Propagate", doc.request(Direction.BOTH), weights)


def propagate(doc: Document, *frames: int) -> None:
    """A whole propagation that reaches these frames."""
    job = begin(doc)
    for frame in frames:
        doc.apply_result(job, frame, propagated((1, 1)))
    doc.end_job(job)


def state(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """A document's `values()` in a form that can be compared, down to the last pixel."""
    return {key: _plain(value) if isinstance(value, FrameLabels) else value for key, value in values.items()}


def _plain(known: FrameLabels) -> tuple[Any, ...]:
    points = known.keypoints
    return (
        known.origin,
        known.labels,
        points and (points.names, points.xy.tobytes(), points.visible.tobytes(), points.confidence.tobytes()),
        dict(known.certainty),
        known.grid,
        known.weights,
        known.basis,
        known.revision,
        None if known.carried is None else _plain(known.carried),
    )
