"""The labels of a whole video, compressed: what a person made, what was propagated, and from what."""

from __future__ import annotations

import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from model.types import FloatArray, KeypointSet, LabelMap, Origin

_LEVEL = 1  # label maps are mostly flat: the quickest level already shrinks them a hundredfold


@dataclass(frozen=True, slots=True)
class PackedMap:
    """A `LabelMap`, compressed. Equal maps pack to equal values."""

    shape: tuple[int, int]
    objects: tuple[int, ...]
    data: bytes = field(repr=False)

    @classmethod
    def pack(cls, labels: LabelMap) -> PackedMap:
        return cls(labels.shape, labels.objects, zlib.compress(labels.ids.tobytes(), _LEVEL))

    def unpack(self) -> LabelMap:
        ids = np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(self.shape)
        return LabelMap(ids, self.objects)

    @property
    def nbytes(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class PackedGrid:
    """A map of values in 0..1 (confidence) on the feature grid, in 256 steps, compressed."""

    shape: tuple[int, int]
    data: bytes = field(repr=False)

    @classmethod
    def pack(cls, values: FloatArray) -> PackedGrid:
        steps = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
        return cls((values.shape[0], values.shape[1]), zlib.compress(steps.tobytes(), _LEVEL))

    def unpack(self) -> FloatArray:
        """float32 [h, w]."""
        steps = np.frombuffer(zlib.decompress(self.data), np.uint8).reshape(self.shape)
        return steps.astype(np.float32) / np.float32(255)

    @property
    def nbytes(self) -> int:
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Basis:
    """What propagated labels were made from: the nearest reference on each side, as (frame, revision).

    Labels are stale when the references around them are no longer these.
    """

    before: tuple[int, int] | None = None
    after: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class FrameLabels:
    """Everything known about one frame. Immutable: an edit puts another one in its place.

    confidence: of each propagated object, 0..1; grid: the same per cell, for showing where.
    weights:    sha256 of the encoder that propagated it; "" for what a person made.
    basis:      of propagated labels; None for a person's.
    revision:   set by the store; grows with every change in the project.
    """

    origin: Origin
    labels: PackedMap | None = None
    keypoints: KeypointSet | None = None
    confidence: Mapping[int, float] = field(default_factory=dict)
    grid: PackedGrid | None = None
    weights: str = ""
    basis: Basis | None = None
    revision: int = 0

    @property
    def is_human(self) -> bool:
        """A person made or corrected it: it is never overwritten by propagation."""
        return self.origin is not Origin.PROPAGATED

    @property
    def nbytes(self) -> int:
        return 200 + sum(part.nbytes for part in (self.labels, self.grid) if part is not None)


class AnnotationStore:
    """Frame labels by frame. Only `put` changes it; whoever wants undo goes through `Document`."""

    def __init__(self) -> None:
        self._frames: dict[int, FrameLabels] = {}
        self._human: list[int] = []

    def __len__(self) -> int:
        return len(self._frames)

    def __iter__(self) -> Iterator[int]:
        """Labelled frames, ascending."""
        return iter(sorted(self._frames))

    def __contains__(self, frame: int) -> bool:
        return frame in self._frames

    def get(self, frame: int) -> FrameLabels | None:
        return self._frames.get(frame)

    def put(self, frame: int, labels: FrameLabels | None) -> None:
        """Replace what is known of a frame; None forgets it."""
        old = self._frames.get(frame)
        if old is not None and old.is_human:
            del self._human[bisect_left(self._human, frame)]
        if labels is None:
            self._frames.pop(frame, None)
            return
        self._frames[frame] = labels
        if labels.is_human:
            insort(self._human, frame)

    @property
    def human(self) -> tuple[int, ...]:
        """Frames that a person made or corrected, ascending."""
        return tuple(self._human)

    def human_before(self, frame: int) -> int | None:
        at = bisect_left(self._human, frame)
        return self._human[at - 1] if at else None

    def human_after(self, frame: int) -> int | None:
        at = bisect_right(self._human, frame)
        return self._human[at] if at < len(self._human) else None

    @property
    def nbytes(self) -> int:
        return sum(labels.nbytes for labels in self._frames.values())
