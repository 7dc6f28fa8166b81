"""What a run will need, reckoned before it begins."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from app.core.annotations import AnnotationStore
from app.core.preflight import TIGHT, Need, Preflight, Resource
from app.runs.resume import reached
from model.types import PropagationRequest

_PACKED = 60_000  # bytes of a frame's labels, where none tell better
_WORKING = 400 << 20  # bytes that a step takes beside features
_STRIDE = 4
_FEWEST = 8  # frames whose features are kept, however short memory is: one frame looks at about so many
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
    cell: int,
    device: int | None = None,
) -> Preflight:
    """frames: of the video; size: (height, width); features: bytes that may be kept; rate: frames per second.

    cell: bytes of features that are kept of one cell of a frame; 0 = not known yet, so all that may be kept counts.
    device: bytes that are free on a device with a memory of its own, where features then lie.
    """
    total = sum(_frames(request, frames) for request in requests)
    side = requests[0].options.short_side
    scale = 1.0 if side is None else min(1.0, side / min(size))
    each = round(size[0] * size[1] * scale**2 / _STRIDE**2 * cell)
    labels = total * (store.nbytes // len(store) if len(store) else _PACKED)
    main, disk = psutil.virtual_memory().available, shutil.disk_usage(folder).free
    beside = _WORKING if device is not None else labels + _WORKING
    room = int(TIGHT * (main if device is None else device)) - beside
    wanted = min(features, total * each) if each else features
    kept = wanted if wanted <= room else min(wanted, max(room, _FEWEST * each))
    needs: tuple[Need, ...] = (Need(Resource.MEMORY, kept + beside, main),)
    if device is not None:
        needs = (Need(Resource.MEMORY, labels + _WORKING, main), Need(Resource.DEVICE, kept + beside, device))
    needs += (Need(Resource.DISK, 2 * labels, disk),)
    less = kept < wanted
    chunk = kept // each if less and each else None
    return Preflight(total, None if not rate else total / rate, needs, kept if less else None, chunk)


def device_room(name: str) -> int | None:
    """Bytes that are free on a device such as "cuda:1", or held there unused; None without a memory of its own."""
    kind, _, number = name.partition(":")
    torch = sys.modules.get("torch")
    if kind != "cuda" or torch is None:
        return None
    index = int(number or 0)
    unused = torch.cuda.memory_reserved(index) - torch.cuda.memory_allocated(index)
    return int(torch.cuda.mem_get_info(index)[0] + unused)


def _frames(request: PropagationRequest, frames: int) -> int:
    stop = frames if request.stop is None else request.stop
    return len(reached([anchor.frame for anchor in request.anchors], request.direction, request.start, stop))
