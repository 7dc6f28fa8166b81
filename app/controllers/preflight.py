"""What a run will need, reckoned before it begins."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import psutil

from app.core.annotations import AnnotationStore
from app.core.preflight import Need, Preflight, Resource
from app.resume import reached
from model.types import PropagationRequest

_PACKED = 60_000  # bytes of a frame's labels, where none tell better
_WORKING = 400 << 20  # bytes that a step takes beside features
_CELL_BYTES = 4 * 80  # of one cell's matching vector, and what is made on the way to it
_STRIDE = 4
LONG = 120.0
"""Seconds; what takes longer is asked about first."""


def reckon(
    requests: Sequence[PropagationRequest],
    frames: int,
    size: tuple[int, int],
    store: AnnotationStore,
    folder: Path,
    features: int,
    rate: float | None,
) -> Preflight:
    """frames: of the video; size: (height, width); features: bytes that may be kept; rate: frames per second."""
    total = sum(_frames(request, frames) for request in requests)
    side = requests[0].options.short_side
    scale = 1.0 if side is None else min(1.0, side / min(size))
    cells = size[0] * size[1] * scale**2 / _STRIDE**2
    kept = min(features, round(total * cells * _CELL_BYTES))
    labels = total * (store.nbytes // len(store) if len(store) else _PACKED)
    needs = (
        Need(Resource.MEMORY, kept + labels + _WORKING, psutil.virtual_memory().available),
        Need(Resource.DISK, 2 * labels, shutil.disk_usage(folder).free),
    )
    return Preflight(total, None if not rate else total / rate, needs)


def _frames(request: PropagationRequest, frames: int) -> int:
    stop = frames if request.stop is None else request.stop
    return len(reached([anchor.frame for anchor in request.anchors], request.direction, request.start, stop))
