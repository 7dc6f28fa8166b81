"""The document: what a project holds, and every operation that changes it.

Each operation is one undo item and returns what it changed. Nothing here knows of windows, threads or files; whoever
wants to keep a journal listens to `on_change`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from app.core.annotations import AnnotationStore, Basis, FrameLabels, PackedMap
from app.core.changes import NOTHING, Change
from app.core.history import History, Item, Key
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from model.types import (
    BACKGROUND,
    MAX_OBJECT_ID,
    Anchor,
    Direction,
    KeypointSet,
    LabelMap,
    Origin,
    PropagationOptions,
    PropagationRequest,
)

OBJECTS, SKELETON, DROPPED, SPAN, OPTIONS, RETIRED = "objects", "skeleton", "dropped", "span", "options", "retired"


@dataclass(slots=True, eq=False)
class Job:
    """A propagation whose results arrive one by one. bases: what each frame's labels will have been made from."""

    name: str
    request: PropagationRequest
    weights: str
    bases: Callable[[int], Basis]
    changes: dict[Key, tuple[Any, Any]] = field(default_factory=dict)


class Document:
    """Objects, keypoints, labels and settings of one video, with undo.

    on_change: called after every change with the new values by key, and what they changed: for the journal.
    """

    def __init__(self, media: Media, history: History | None = None) -> None:
        self.media = media
        self.store = AnnotationStore()
        self.history = history or History()
        self.on_change: Callable[[Mapping[Key, Any], Change], None] = lambda values, change: None
        self._parts: dict[str, Any] = {
            OBJECTS: (),
            SKELETON: Skeleton(),
            DROPPED: frozenset(),
            SPAN: (0, media.frames),
            OPTIONS: PropagationOptions(),
            RETIRED: 0,
        }
        self._revision = 0
        self._job: Job | None = None

    # Reading

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        """Ascending by id."""
        parts: tuple[ObjectInfo, ...] = self._parts[OBJECTS]
        return parts

    @property
    def skeleton(self) -> Skeleton:
        skeleton: Skeleton = self._parts[SKELETON]
        return skeleton

    @property
    def span(self) -> tuple[int, int]:
        """First frame and the one after the last, between the in and the out point."""
        span: tuple[int, int] = self._parts[SPAN]
        return span

    @property
    def options(self) -> PropagationOptions:
        options: PropagationOptions = self._parts[OPTIONS]
        return options

    @property
    def dropped(self) -> frozenset[int]:
        """Frames that the user threw out of memory: nothing looks at them for votes."""
        dropped: frozenset[int] = self._parts[DROPPED]
        return dropped

    @property
    def revision(self) -> int:
        """Grows with every change."""
        return self._revision

    @property
    def references(self) -> tuple[int, ...]:
        """Human frames that serve as permanent references, ascending."""
        return tuple(f for f in self.store.human if f not in self.dropped)

    @property
    def is_empty(self) -> bool:
        return not len(self.store) and not self.objects and not self.skeleton.names

    def object(self, number: int) -> ObjectInfo:
        """ValueError if there is none of that id."""
        for info in self.objects:
            if info.id == number:
                return info
        raise ValueError(f"there is no object {number}")

    def labels(self, frame: int) -> LabelMap | None:
        """The frame's label map; objects that were removed are background."""
        known = self.store.get(frame)
        if known is None or known.labels is None:
            return None
        labels = known.labels.unpack()
        alive = {info.id for info in self.objects}
        if alive.issuperset(labels.objects):
            return labels
        table = np.array([i if i in alive else BACKGROUND for i in range(256)], np.uint8)
        return LabelMap(table[labels.ids], tuple(n for n in labels.objects if n in alive))

    def keypoints(self, frame: int) -> KeypointSet | None:
        """The frame's keypoints, one for every name of the skeleton."""
        known = self.store.get(frame)
        if known is None or known.keypoints is None or not self.skeleton.names:
            return None
        old = known.keypoints
        if old.names == self.skeleton.names:
            return old
        n = len(self.skeleton.names)
        xy, visible, confidence = np.full((n, 2), np.nan, np.float32), np.zeros(n, np.bool_), np.zeros(n, np.float32)
        for i, name in enumerate(self.skeleton.names):
            if name in old.names:
                at = old.names.index(name)
                xy[i], visible[i], confidence[i] = old.xy[at], old.visible[at], old.confidence[at]
        return KeypointSet(self.skeleton.names, xy, visible, confidence)

    def basis(self, frame: int) -> Basis:
        """The references around a frame, as they are now."""
        return self._bases(self.references)(frame)

    def is_stale(self, frame: int) -> bool:
        """Was this frame propagated from references that have changed since?"""
        known = self.store.get(frame)
        return known is not None and not known.is_human and known.basis != self.basis(frame)

    def stale(self) -> tuple[int, ...]:
        """All stale frames, ascending."""
        bases = self._bases(self.references)
        frames = ((f, self.store.get(f)) for f in self.store)
        return tuple(f for f, known in frames if known and not known.is_human and known.basis != bases(f))

    def anchors(self) -> tuple[Anchor, ...]:
        """The references as propagation wants them. A frame with nothing left on it is none."""
        found = []
        for frame in self.references:
            labels, points = self.labels(frame), self.keypoints(frame)
            if labels is not None and not labels.objects:
                labels = None
            if labels is not None or points is not None:
                found.append(Anchor(frame, labels, points))
        return tuple(found)

    def request(self, direction: Direction, start: int | None = None, stop: int | None = None) -> PropagationRequest:
        """A propagation over start..stop-1, by default between the in and the out point.

        ValueError if nothing is labelled.
        """
        first, last = self.span
        return PropagationRequest(
            self.anchors(),
            start=first if start is None else start,
            stop=last if stop is None else stop,
            direction=direction,
            options=self.options,
            excluded=tuple(sorted(self.dropped)),
            revision=self._revision,
        )

    # Objects and skeleton

    def next_id(self) -> int:
        """The id of the next object. Ids are not used twice while others are left. ValueError if none is free."""
        taken = {info.id for info in self.objects}
        retired: int = self._parts[RETIRED]
        highest = max(taken | {retired}, default=0)
        if highest < MAX_OBJECT_ID:
            return highest + 1
        raise ValueError(f"a project has at most {MAX_OBJECT_ID} objects; start another for more")

    def add_object(self, name: str | None = None, number: int | None = None) -> tuple[ObjectInfo, Change]:
        """A new object, and what changed. ValueError if the number is taken or there is no room for more."""
        number = self.next_id() if number is None else number
        if any(info.id == number for info in self.objects):
            raise ValueError(f"there is an object {number} already")
        info = ObjectInfo(number, name or f"object {number}")
        return info, self._commit("Add object", {OBJECTS: _by_id((*self.objects, info))})

    def change_object(self, number: int, **fields: Any) -> Change:
        """Rename, show, hide, lock or unlock an object (the fields of `ObjectInfo`)."""
        new = replace(self.object(number), **fields)
        name = "Rename object" if "name" in fields else "Change object"
        return self._commit(name, {OBJECTS: tuple(new if i.id == number else i for i in self.objects)})

    def remove_object(self, number: int) -> Change:
        """Forget an object in all frames. Its id is not used again."""
        info = self.object(number)
        rest = tuple(i for i in self.objects if i.id != number)
        retired = max(self._parts[RETIRED], number)
        return self._commit(f"Remove {info.name}", {OBJECTS: rest, RETIRED: retired})

    def set_skeleton(self, skeleton: Skeleton, renamed: Mapping[str, str] | None = None) -> Change:
        """Change the keypoints. renamed: old name to new name, so that placed points keep their place."""
        values: dict[Key, Any] = {SKELETON: skeleton}
        for frame in self.store if renamed else ():
            known = self.store.get(frame)
            if known and known.keypoints:
                p = known.keypoints
                names = tuple((renamed or {}).get(n, n) for n in p.names)
                if names != p.names:
                    points = KeypointSet(names, p.xy, p.visible, p.confidence)
                    values[frame] = replace(known, keypoints=points, revision=self._revision + 1)
        return self._commit("Change skeleton", values)

    # Labels

    def set_labels(self, frame: int, labels: LabelMap, name: str = "Paint") -> Change:
        """A person's label map for a frame. ValueError if it does not fit the video or names unknown objects."""
        self._check(frame)
        if labels.shape != self.media.size:
            (h, w), (height, width) = labels.shape, self.media.size
            raise ValueError(f"the mask of frame {frame} is {w}×{h}, the video {width}×{height}")
        alive = tuple(info.id for info in self.objects)
        if unknown := set(labels.objects) - set(alive):
            raise ValueError(f"frame {frame} has an object {min(unknown)} that the project does not know")
        old = self.store.get(frame)
        points = old.keypoints if old else None
        return self._commit(name, {frame: self._human(old, PackedMap.pack(labels), points)})

    def set_keypoints(self, frame: int, keypoints: KeypointSet, name: str = "Move keypoint") -> Change:
        """A person's keypoints for a frame; names are the skeleton's."""
        self._check(frame)
        if keypoints.names != self.skeleton.names:
            raise ValueError(f"keypoints {', '.join(keypoints.names)} are not those of the skeleton")
        old = self.store.get(frame)
        return self._commit(name, {frame: self._human(old, old.labels if old else None, keypoints)})

    def accept(self, frame: int) -> Change:
        """A person vouches for a propagated frame: it becomes a reference as it is."""
        old = self.store.get(frame)
        if old is None or old.is_human:
            return NOTHING
        return self._commit("Mark as reference", {frame: self._human(old, old.labels, old.keypoints)})

    def clear(self, frames: Iterable[int], name: str = "Clear frame") -> Change:
        """Forget the labels of frames."""
        return self._commit(name, {f: None for f in frames if f in self.store})

    def put_frames(self, frames: Mapping[int, FrameLabels], objects: Iterable[ObjectInfo], name: str) -> Change:
        """Many frames and the objects that they need at once: an import. Frames outside the video are errors."""
        for frame in frames:
            self._check(frame)
        known = {info.id: info for info in (*objects, *self.objects)}
        values: dict[Key, Any] = {OBJECTS: _by_id(known.values())}
        values |= {f: replace(labels, revision=self._revision + 1) for f, labels in frames.items()}
        return self._commit(name, values)

    # References, range, settings

    def drop_reference(self, frame: int, dropped: bool = True) -> Change:
        """Throw a frame out of memory, or take it back. Its labels stay as they are."""
        self._check(frame)
        new = self.dropped | {frame} if dropped else self.dropped - {frame}
        return self._commit("Drop reference" if dropped else "Restore reference", {DROPPED: new})

    def set_span(self, start: int, stop: int) -> Change:
        """The in point, and the frame after the out point."""
        if not 0 <= start < stop <= self.media.frames:
            raise ValueError(f"the video has frames 0..{self.media.frames - 1}; it has no range {start}..{stop - 1}")
        return self._commit("Set range", {SPAN: (start, stop)})

    def set_options(self, options: PropagationOptions) -> Change:
        return self._commit("Change settings", {OPTIONS: options})

    # Propagation

    def begin_job(self, name: str, request: PropagationRequest, weights: str) -> Job:
        """Results of a propagation follow. One runs at a time."""
        assert self._job is None, "one propagation at a time"
        self._job = Job(name, request, weights, self._bases(tuple(a.frame for a in request.anchors)))
        return self._job

    def apply_result(self, job: Job, frame: int, labels: FrameLabels) -> Change:
        """Take one propagated frame in. A person's frame stays as it is, and an ended job has no say."""
        old = self.store.get(frame)
        if job is not self._job or (old is not None and old.is_human):
            return NOTHING
        new = replace(labels, basis=job.bases(frame), weights=job.weights, revision=self._revision + 1)
        first = job.changes.get(frame, (old, None))[0]
        change = self._put({frame: new})
        job.changes[frame] = (first, new)
        return change

    def end_job(self, job: Job) -> None:
        """No more results. What arrived is one undo item."""
        if job is self._job:
            self._flush()
            self._job = None

    # Undo

    def undo(self) -> tuple[str, Change] | None:
        """Take the latest action back; its name and what changed, or None if there is none.

        A propagation that is still running must have been ended before.
        """
        return self._replay(self.history.undo)

    def redo(self) -> tuple[str, Change] | None:
        return self._replay(self.history.redo)

    # Loading

    def restore(self, values: Mapping[Key, Any]) -> Change:
        """Take over values by key without an undo item: what a project file or a journal tells."""
        self._revision = max(
            [self._revision, *(v.revision for v in values.values() if isinstance(v, FrameLabels))], default=0
        )
        return self._put(values, tell=False)

    def values(self) -> dict[Key, Any]:
        """Everything by key: what a project file keeps."""
        values: dict[Key, Any] = dict(self._parts.items())
        values.update((f, self.store.get(f)) for f in self.store)
        return values

    # Inside

    def _human(self, old: FrameLabels | None, labels: PackedMap | None, points: KeypointSet | None) -> FrameLabels:
        origin = Origin.HUMAN if old is None or old.origin is Origin.HUMAN else Origin.CORRECTED
        return FrameLabels(origin, labels, points, revision=self._revision + 1)

    def _bases(self, references: tuple[int, ...]) -> Callable[[int], Basis]:
        """The basis of any frame, for these references at their present revisions."""
        frames = np.array(references, np.int64)
        stamps = [(f, known.revision if (known := self.store.get(f)) else 0) for f in references]

        def basis(frame: int) -> Basis:
            before = int(np.searchsorted(frames, frame, side="left")) - 1
            after = int(np.searchsorted(frames, frame, side="right"))
            return Basis(
                stamps[before] if before >= 0 else None,
                stamps[after] if after < len(stamps) else None,
            )

        return basis

    def _check(self, frame: int) -> None:
        if not 0 <= frame < self.media.frames:
            raise ValueError(f"the video has frames 0..{self.media.frames - 1}; there is no frame {frame}")

    def _commit(self, name: str, values: Mapping[Key, Any]) -> Change:
        """Put values and note them as one undo item; what does not change is left out."""
        new = {key: value for key, value in values.items() if self._value(key) != value}
        if not new:
            return NOTHING
        self._flush()  # the part of a running propagation that came before this action comes before it in history
        changes = {key: (self._value(key), value) for key, value in new.items()}
        change = self._put(new)
        self.history.push(Item(name, changes))
        return change

    def _flush(self) -> None:
        if self._job is not None and self._job.changes:
            self.history.push(Item(self._job.name, self._job.changes))
            self._job.changes = {}

    def _value(self, key: Key) -> Any:
        return self.store.get(key) if isinstance(key, int) else self._parts[key]

    def _put(self, values: Mapping[Key, Any], tell: bool = True) -> Change:
        references = DROPPED in values
        for key, value in values.items():
            if isinstance(key, int):
                references |= any(v is not None and v.is_human for v in (self.store.get(key), value))
                self.store.put(key, value)
            else:
                self._parts[key] = value
        self._revision += 1
        change = Change(
            frames=frozenset(k for k in values if isinstance(k, int)),
            objects=OBJECTS in values,
            skeleton=SKELETON in values,
            references=references,
            span=SPAN in values,
            settings=OPTIONS in values,
        )
        if tell:
            self.on_change(values, change)
        return change

    def _replay(self, step: Callable[[Callable[[Key, Any], None]], Item | None]) -> tuple[str, Change] | None:
        assert self._job is None or not self._job.changes, "a running propagation ends before undo"
        values: dict[Key, Any] = {}
        item = step(values.__setitem__)
        return None if item is None else (item.name, self._put(values))


def _by_id(objects: Iterable[ObjectInfo]) -> tuple[ObjectInfo, ...]:
    return tuple(sorted(objects, key=lambda info: info.id))
