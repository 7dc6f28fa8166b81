"""The labels of a whole video, compressed: what a person made, what was propagated, and from what."""

from __future__ import annotations

import hashlib
import zlib
from bisect import bisect_left, bisect_right, insort
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from model.types import (
    BACKGROUND,
    Anchor,
    FloatArray,
    KeypointSet,
    LabelMap,
    Origin,
    PropagationResult,
    UInt8Array,
)

_LEVEL = 1  # label maps are mostly flat: the quickest level already shrinks them a hundredfold


def digest(data: bytes) -> str:
    """Tells these bytes from all others: 32 hexadecimal digits."""
    return hashlib.blake2b(data, digest_size=16).hexdigest()


_latest: tuple[PackedMap, LabelMap] | None = None
"""What was packed last: after each stroke it is shown at once."""


class _Packed:
    """What packed maps have in common. data may come from a stranger's file: nothing in it is believed."""

    shape: tuple[int, int]
    data: bytes

    @property
    def nbytes(self) -> int:
        return len(self.data)

    @cached_property
    def digest(self) -> str:
        """Of the data; reckoned once."""
        return digest(self.data)

    def _inflated(self) -> UInt8Array:
        """uint8 `shape`. ValueError if the data says otherwise; no more memory is taken than `shape` tells."""
        height, width = self.shape
        inflater = zlib.decompressobj()
        try:
            raw = inflater.decompress(self.data, max(1, height * width))
            whole = len(raw) == height * width and not inflater.decompress(inflater.unconsumed_tail, 1)
        except zlib.error:
            whole = False
        if not (whole and inflater.eof):
            raise ValueError(f"a stored map of {width}×{height} is damaged: undo, or label this frame again")
        return np.frombuffer(raw, np.uint8).reshape(self.shape)


@dataclass(frozen=True)
class PackedMap(_Packed):
    """A `LabelMap`, compressed. Equal maps pack to equal values."""

    shape: tuple[int, int]
    objects: tuple[int, ...]
    data: bytes = field(repr=False)

    @classmethod
    def pack(cls, labels: LabelMap) -> PackedMap:
        global _latest
        packed = cls(labels.shape, labels.objects, zlib.compress(np.ascontiguousarray(labels.ids).data, _LEVEL))
        _latest = packed, labels
        return packed

    def unpack(self) -> LabelMap:
        """ValueError if the data is damaged."""
        latest = _latest  # another thread may put another there
        if latest is not None and latest[0] is self:
            return latest[1]
        return LabelMap(self._inflated(), self.objects)


@dataclass(frozen=True)
class PackedGrid(_Packed):
    """A map of values in 0..1 (sureness) on the feature grid, in 256 steps, compressed."""

    shape: tuple[int, int]
    data: bytes = field(repr=False)

    @classmethod
    def pack(cls, values: FloatArray) -> PackedGrid:
        steps = np.rint(values.clip(0, 1) * 255).astype(np.uint8)
        return cls((values.shape[0], values.shape[1]), zlib.compress(steps.tobytes(), _LEVEL))

    def unpack(self) -> FloatArray:
        """float32 [h, w]. ValueError if the data is damaged."""
        return self._inflated().astype(np.float32) / np.float32(255)


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

    certainty: of each propagated object, 0..1; grid: the largest share per cell, for showing where.
    weights:   sha256 of the encoder that propagated it; "" for what a person made.
    basis:     of propagated labels; None for a person's.
    revision:  set by the store; grows with every change in the project.
    carried:   on a person's frame, what propagation adds to it: objects and keypoints that the person said nothing
               about, such as an object that was painted first in a later frame. It gives way to the person's pixels,
               and is no part of the reference: nothing is propagated from it that did not come there by propagation.
    """

    origin: Origin
    labels: PackedMap | None = None
    keypoints: KeypointSet | None = None
    certainty: Mapping[int, float] = field(default_factory=dict)
    grid: PackedGrid | None = None
    weights: str = ""
    basis: Basis | None = None
    revision: int = 0
    carried: FrameLabels | None = None

    @classmethod
    def of(cls, result: PropagationResult) -> FrameLabels:
        """What a propagation says of a frame; the document adds basis, weights and revision."""
        return cls(
            result.origin,
            None if result.labels is None else PackedMap.pack(result.labels),
            result.keypoints,
            dict(result.certainty),
            None if result.sureness is None else PackedGrid.pack(result.sureness),
        )

    @classmethod
    def beyond(cls, result: PropagationResult, anchor: Anchor) -> FrameLabels | None:
        """What a propagation adds to the frame of an anchor, as `carried` of a person's labels; None if nothing."""
        own = () if anchor.labels is None else anchor.labels.objects
        added = cls.of(result).without(own, anchor.keypoints is not None)
        return None if added is None else cls(Origin.HUMAN, carried=replace(added, origin=Origin.PROPAGATED))

    def without(self, objects: Collection[int], keypoints: bool) -> FrameLabels | None:
        """The same without these objects, and without its keypoints; None if that leaves nothing to know of."""
        labels, points = None, None if keypoints else self.keypoints
        if self.labels is not None and (rest := set(self.labels.objects).difference(objects)):
            labels = self.labels
            if len(rest) < len(labels.objects):
                ids = labels.unpack().ids
                labels = PackedMap.pack(
                    LabelMap(np.where(np.isin(ids, list(rest)), ids, 0).astype(np.uint8), tuple(rest))
                )
        if labels is None and points is None:
            return None
        certainty = {number: value for number, value in self.certainty.items() if number not in objects}
        return replace(self, labels=labels, keypoints=points, certainty=certainty)

    def whole_labels(self) -> LabelMap | None:
        """The label map with what is carried, which shows only where the person's says background."""
        own = None if self.labels is None else self.labels.unpack()
        more = None if self.carried is None or self.carried.labels is None else self.carried.labels.unpack()
        if own is None or more is None:
            return more if own is None else own
        ids = np.where(own.ids == BACKGROUND, more.ids, own.ids)
        return LabelMap(ids, (*own.objects, *more.objects))

    def whole_keypoints(self) -> KeypointSet | None:
        """The person's keypoints, or else those that are carried."""
        return self.keypoints if self.keypoints is not None or self.carried is None else self.carried.keypoints

    @property
    def is_human(self) -> bool:
        """A person made or corrected it: it is never overwritten by propagation."""
        return self.origin is not Origin.PROPAGATED

    @property
    def made(self) -> FrameLabels | None:
        """What of it was propagated: all, or what is carried onto a person's labels."""
        return self.carried if self.is_human else self

    @property
    def nbytes(self) -> int:
        return 200 + sum(part.nbytes for part in (self.labels, self.grid, self.carried) if part is not None)


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
