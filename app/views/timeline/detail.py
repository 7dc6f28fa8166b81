"""What of a lane fits into one pixel column, and the pixels of a lane. Pure: arrays in, arrays out.

Where many frames share a column, the worst of them is shown, so that nothing that needs a look is lost however far one
zooms out: stale before missing (there is something to update) before propagated before a person's frames, and the
lowest certainty. A person's frames are drawn over the line as marks of their own and do not get lost either.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.lanes import Lane, LaneState
from app.views.timeline.geometry import Axis
from model.types import FloatArray, UInt8Array

FULL_DOUBT = 0.5
"""This much doubt fills a lane's height: from half a certainty down, all are equally bad."""

BELOW = 7  # pixels from the bottom of a lane to the middle of its line
DASH, GAP = 5, 3  # of stale stretches, in pixels


@dataclass(frozen=True, slots=True)
class Columns:
    """A lane by pixel column, C of them from the left. phase: place of the first one in the whole, for dashes.

    states: uint8 [C] of LaneState. doubt: float32 [C] in 0..1, 0 where nothing tells.
    """

    states: UInt8Array
    doubt: FloatArray
    phase: int = 0


def columns(lane: Lane, axis: Axis, starts: NDArray[np.int64], stop: int) -> Columns:
    """The visible part of a lane; see above for what counts. starts, stop: the axis's columns."""
    if not len(starts):
        return Columns(np.zeros(0, np.uint8), np.zeros(0, np.float32))
    first = int(starts[0])
    states, certainty, places = lane.states[first:stop], lane.certainty[first:stop], starts - first
    worst: UInt8Array = np.maximum.reduceat(states, places)  # but for MISSING, the worse have the higher numbers
    gaps = np.minimum.reduceat(states, places) == LaneState.MISSING
    worst[gaps & (worst != LaneState.STALE)] = LaneState.MISSING
    doubt = np.fmax(1 - np.fmin.reduceat(certainty, places), np.float32(0))  # fmax takes the 0 where the other is NaN
    return Columns(worst, doubt, round(axis.first * axis.scale))


def marks(lane: Lane, axis: Axis, apart: float) -> dict[LaneState, list[tuple[float, float]]]:
    """Where a person's frames lie, as `groups`, by their states."""
    margin = int(apart / axis.scale) + 1
    first, stop = max(0, axis.visible.start - margin), axis.visible.stop + margin
    states = lane.states[first:stop]
    frames = np.flatnonzero((states - np.uint8(LaneState.HUMAN)) <= LaneState.CORRECTED - LaneState.HUMAN)
    kinds = states[frames]
    by_person = (LaneState.HUMAN, LaneState.CORRECTED)
    return {state: groups(frames[kinds == state] + first, axis, apart) for state in by_person}


def groups(frames: NDArray[np.int64], axis: Axis, apart: float) -> list[tuple[float, float]]:
    """Ascending frames as groups by their middles: x of the first and the last of each, nearer than `apart` pixels."""
    if not len(frames):
        return []
    x = (frames + 0.5 - axis.first) * axis.scale
    breaks = np.flatnonzero(np.diff(x) >= apart)
    firsts, lasts = np.concatenate(([0], breaks + 1)), np.concatenate((breaks, [len(x) - 1]))
    return [(float(a), float(b)) for a, b in zip(x[firsts], x[lasts], strict=True)]


def pixels(part: Columns, height: int, line: int, edge: int, hair: int, doubt: int) -> NDArray[np.uint32]:
    """The picture of a lane, premultiplied ARGB uint32 [height, C].

    The line is `line` along the bottom with `edge` around it, dashed where stale; a hairline of `hair` where there is
    nothing. Above it, the doubt.
    """
    image = np.zeros((height, len(part.states)), np.uint32)
    middle = height - BELOW
    base, top = middle - 3, 2
    levels = np.rint((part.doubt / FULL_DOUBT).clip(0, 1) * (base - top))
    above_base = np.arange(base - top, 0, -1)[:, None]
    np.multiply(above_base <= levels, np.uint32(doubt), out=image[top:base])
    kinds = _kinds(part)  # nothing, hairline, dash, line
    image[middle] = np.array([0, hair, line, line], np.uint32)[kinds]
    image[middle - 1] = image[middle + 1] = np.array([0, 0, edge, line], np.uint32)[kinds]
    image[middle - 2] = image[middle + 2] = np.array([0, 0, 0, edge], np.uint32)[kinds]
    return image


def _kinds(part: Columns) -> UInt8Array:
    """What is drawn in each column: 0 nothing, for it lies between two dashes, 1 hairline, 2 dash, 3 line."""
    kinds = np.array([1, 3, 3, 3, 2], np.uint8)[part.states]
    kinds[(kinds == 2) & ((np.arange(len(kinds)) + part.phase) % (DASH + GAP) >= DASH)] = 0
    return kinds
