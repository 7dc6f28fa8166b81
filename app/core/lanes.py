"""One line per object over the whole video: what is known of it in every frame, and how sure that is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.core.annotations import FrameLabels
from app.core.changes import Change
from app.core.document import Document
from app.core.doubt import frame_certainty
from app.core.references import Subjects
from model.palette import PALETTE
from model.types import FloatArray, Origin, UInt8Array

KEYPOINTS = 0
"""The id of the lane that stands for all keypoints together."""

KEYPOINT_COLOUR = (150, 150, 150)  # seen on dark and on light grounds
_T = TypeVar("_T", bound=np.generic)
_READ, _MARKED = 1000, 10_000  # frames at a time
_NONE = -1  # no reference on this side
_UNKNOWN = -2  # nobody knows what these labels were made from


class LaneState(IntEnum):
    """Where an object's labels in one frame came from; STALE: propagated from references that changed since."""

    MISSING = 0
    HUMAN = 1
    CORRECTED = 2
    PROPAGATED = 3
    STALE = 4


_STATES = {
    Origin.HUMAN: LaneState.HUMAN,
    Origin.CORRECTED: LaneState.CORRECTED,
    Origin.PROPAGATED: LaneState.PROPAGATED,
}


@dataclass(frozen=True, slots=True, eq=False)
class Lane:
    """One object's line. The arrays are read-only and never change: an edit puts others in their place.

    id:         of the object; 0 for the keypoints, whose lane has no name of its own.
    colour:     (r, g, b), the palette's.
    states:     uint8 [N] of LaneState.
    certainty: float32 [N] in 0..1; NaN where nothing tells, as in a person's frames.
    """

    id: int
    name: str
    colour: tuple[int, int, int]
    states: UInt8Array
    certainty: FloatArray


class _Track:
    """What the frames say of one object: known and carried bool [N], certainty float32 [N], and states made of them.

    carried: it was propagated onto a person's frame.
    """

    def __init__(self, frames: int) -> None:
        self.known, self.carried = np.zeros(frames, np.bool_), np.zeros(frames, np.bool_)
        self.certainty: FloatArray = _frozen(np.full(frames, np.nan, np.float32))
        self.states: UInt8Array = _frozen(np.zeros(frames, np.uint8))

    def replace_certainty(self, frames: NDArray[np.int64], new: FloatArray) -> None:
        if not np.array_equal(self.certainty[frames], new, equal_nan=True):
            whole = self.certainty.copy()
            whole[frames] = new
            self.certainty = _frozen(whole)

    def replace_states(self, part: slice, new: UInt8Array) -> None:
        if not np.array_equal(self.states[part], new):
            whole = self.states.copy()
            whole[part] = new
            self.states = _frozen(whole)


class LaneBook:
    """Keeps the lanes of a document up to date, at a cost that goes with what changed, not with what there is.

    Hand every `Change` of the document to `update`; several may be joined first (`a | b`). To build one for a long
    video that is all labelled takes about a second: `fill` does it in steps that are over in an instant.
    """

    def __init__(self, document: Document, whole: bool = True) -> None:
        """whole: read all frames now; otherwise `fill` has to. Changes may come at any time."""
        self._document = document
        self._frames = n = document.media.frames
        self._tracks: dict[int, _Track] = {KEYPOINTS: _Track(n)}
        self._states = np.zeros(n, np.uint8)  # of each frame, whoever is on it; never STALE
        self._stamps = np.full(n, _NONE, np.int64)  # revision of each reference
        # What propagated labels were made from: frame and revision of the reference before, and of the one after.
        self._bases = np.full((4, n), _UNKNOWN, np.int64)
        self._dropped: frozenset[int] = frozenset()
        self._certain = np.full(n, np.nan)
        self._lanes: tuple[Lane, ...] = ()
        if whole:
            for _ in self.fill():
                pass

    def fill(self) -> Iterator[None]:
        """Read all frames, piece by piece. Until the end, lanes tell of what changed meanwhile alone."""
        frames = np.fromiter(self._document.store, np.int64)
        for start in range(0, len(frames), _READ):
            self._read(frames[start : start + _READ])
            yield
        self._touched(np.fromiter(self._document.store, np.int64))
        yield
        for start in range(0, self._frames, _MARKED):
            self._mark(start, min(start + _MARKED, self._frames))
            yield
        self._dropped = self._document.dropped
        self._lanes = self._made()

    @property
    def certain(self) -> NDArray[np.float64]:
        """The mean certainty of each frame, [N]; NaN where nothing tells: see `app.core.doubt`."""
        return self._certain

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Objects by id, then the keypoints if there is a skeleton."""
        return self._lanes

    def update(self, change: Change) -> tuple[Lane, ...]:
        """The lanes after a change of the document. Arrays of lanes that it did not touch stay the same ones."""
        frames = np.fromiter(sorted(change.frames), np.int64, len(change.frames))
        if len(frames):
            self._read(frames)
        if change.skeleton:
            self._read_keypoints(np.flatnonzero(self._states))
        touched = self._touched(self._moved(change, frames))
        self._mark(*(0, self._frames) if change.skeleton else touched)
        self._lanes = self._made()
        return self._lanes

    # What the frames say

    def _read(self, frames: NDArray[np.int64]) -> None:
        """Take over what the store says of frames."""
        known = [self._document.store.get(int(frame)) for frame in frames]
        self._states[frames] = [LaneState.MISSING if k is None else _STATES[k.origin] for k in known]
        self._bases[:, frames] = np.array([_basis(k) for k in known], np.int64).reshape(-1, 4).T
        self._certain[frames] = [np.nan if k is None or (c := frame_certainty(k)) is None else c for k in known]
        self._read_objects(frames, known)
        self._read_keypoints(frames)

    def _read_objects(self, frames: NDArray[np.int64], known: list[FrameLabels | None]) -> None:
        """Which objects are on which frames, and how sure. Frames that tell of the same ones are taken together."""
        alike: dict[tuple[tuple[int, ...], ...], list[int]] = defaultdict(list)
        for i, k in enumerate(known):
            alike[_subjects(k)].append(i)
        for number in {n for subjects in alike for n in set().union(*subjects)} - self._tracks.keys():
            self._tracks[number] = _Track(self._frames)
        certainty = {n: np.full(len(frames), np.nan, np.float32) for n in self._tracks if n != KEYPOINTS}
        for number in certainty:
            self._tracks[number].known[frames] = self._tracks[number].carried[frames] = False
        for (own, sure, carried), places in alike.items():
            for number in (*own, *carried):
                self._tracks[number].known[frames[places]] = True
            for number in carried:
                self._tracks[number].carried[frames[places]] = True
            made = (k.made for i in places if (k := known[i]))
            values = np.array([[m.certainty[n] for n in sure] for m in made if m], np.float32)
            for number, column in zip(sure, values.T, strict=True):
                certainty[number][places] = column
        for number, new in certainty.items():
            self._tracks[number].replace_certainty(frames, new)

    def _read_keypoints(self, frames: NDArray[np.int64]) -> None:
        names = self._document.skeleton.names
        told = [_keypoints(self._document.store.get(int(frame)), names) for frame in frames]
        track = self._tracks[KEYPOINTS]
        track.known[frames] = [known for known, *_ in told]
        track.carried[frames] = [carried for _, carried, _ in told]
        track.replace_certainty(frames, np.array([certainty for *_, certainty in told], np.float32))

    # Which of them are stale

    def _moved(self, change: Change, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """Frames, ascending, that may have become a reference or ceased to be one, or are another one than before."""
        dropped = self._document.dropped
        moved = np.union1d(frames, np.fromiter(dropped ^ self._dropped, np.int64))
        self._dropped = dropped
        if change.references and (change.objects or change.skeleton):  # a frame with nothing left on it is none
            human = (self._states == LaneState.HUMAN) | (self._states == LaneState.CORRECTED)
            moved = np.union1d(moved, np.flatnonzero(human))
        return moved

    def _touched(self, moved: NDArray[np.int64]) -> tuple[int, int]:
        """Put the references among these frames right; the range start, stop of the frames whose state may change."""
        if not len(moved):
            return 0, 0
        subjects = Subjects({info.id for info in self._document.objects}, self._document.skeleton.names)
        old = self._stamps[moved]
        new = self._stamps[moved] = np.array([self._stamp(frame, subjects) for frame in moved.tolist()], np.int64)
        changed = moved[old != new]
        start, stop = int(moved[0]), int(moved[-1]) + 1
        if len(changed):
            references = np.flatnonzero(self._stamps != _NONE)
            before = int(np.searchsorted(references, changed[0], "left")) - 1
            after = int(np.searchsorted(references, changed[-1], "right"))
            start = min(start, int(references[before]) if before >= 0 else 0)
            stop = max(stop, int(references[after]) + 1 if after < len(references) else self._frames)
        return start, stop

    def _stamp(self, frame: int, subjects: Subjects) -> int:
        """The revision of a reference; _NONE for a frame that is none."""
        known = self._document.store.get(frame)
        if known is None or not known.is_human or frame in self._dropped:
            return _NONE
        return known.revision if subjects.has_objects(known) or subjects.has_keypoints(known) else _NONE

    def _mark(self, start: int, stop: int) -> None:
        """Work the states out again for start..stop-1."""
        if start == stop:
            return
        part = slice(start, stop)
        states = self._states[part].copy()
        now = np.stack(self._around(start, stop))
        moved = (self._bases[:, part] != now).any(axis=0)
        states[moved & (states == LaneState.PROPAGATED)] = LaneState.STALE
        made = np.where(moved, LaneState.STALE, LaneState.PROPAGATED).astype(np.uint8)
        for track in self._tracks.values():
            kept = track.known[part]
            carried = track.carried[part]
            track.replace_states(part, (np.where(carried, made, states) if carried.any() else states) * kept)

    def _around(self, start: int, stop: int) -> tuple[NDArray[np.int64], ...]:
        """For frames start..stop-1, frame and revision of the nearest reference before, and of that after."""
        references = np.flatnonzero(self._stamps != _NONE)
        stamps = np.append(self._stamps[references], _NONE)
        ends = np.append(references, _NONE)  # the last one stands for "none", on either side
        frames = np.arange(start, stop)
        before = np.searchsorted(references, frames, "left") - 1
        after = np.searchsorted(references, frames, "right")
        return ends[before], stamps[before], ends[after], stamps[after]

    def _made(self) -> tuple[Lane, ...]:
        names = {info.id: info.name for info in self._document.objects}
        for number in names.keys() - self._tracks.keys():
            self._tracks[number] = _Track(self._frames)
        lanes = [_lane(number, name, _colour(number), self._tracks[number]) for number, name in names.items()]
        if self._document.skeleton.names:
            lanes.append(_lane(KEYPOINTS, "", KEYPOINT_COLOUR, self._tracks[KEYPOINTS]))
        return tuple(lanes)


def _lane(number: int, name: str, colour: tuple[int, int, int], track: _Track) -> Lane:
    return Lane(number, name, colour, track.states, track.certainty)


def _colour(number: int) -> tuple[int, int, int]:
    red, green, blue = PALETTE[number].tolist()
    return red, green, blue


def _basis(known: FrameLabels | None) -> tuple[int, int, int, int]:
    made = None if known is None else known.made
    if made is None or made.basis is None:
        return (_UNKNOWN,) * 4
    nothing = _NONE, _NONE
    return (*(made.basis.before or nothing), *(made.basis.after or nothing))


def _subjects(known: FrameLabels | None) -> tuple[tuple[int, ...], ...]:
    """The objects that a frame knows of, those whose certainty it tells, in its order, and those carried onto it."""
    if known is None:
        return (), (), ()
    own, made = known.labels, known.made
    carried = () if known.carried is None or known.carried.labels is None else known.carried.labels.objects
    return () if own is None else own.objects, () if made is None else tuple(made.certainty), carried


def _keypoints(known: FrameLabels | None, names: tuple[str, ...]) -> tuple[bool, bool, float]:
    """Whether a frame knows of the skeleton's keypoints, whether they were carried onto it, their lowest confidence."""
    points = None if known is None else known.whole_keypoints()
    if known is None or points is None:
        return False, False, np.nan
    carried = known.is_human and known.keypoints is None
    wanted = np.array([name in names for name in points.names], np.bool_)
    placed = wanted & ~np.isnan(points.xy).any(axis=1)
    if (known.is_human and not carried) or not placed.any():
        return bool(wanted.any()), carried, np.nan
    return True, carried, float(points.confidence[placed].min())


def _frozen(array: NDArray[_T]) -> NDArray[_T]:
    array.flags.writeable = False
    return array
