"""The document: what a project holds, and every operation that changes it.

Each operation is one undo item and returns what it changed. Nothing here knows of windows, threads or files; whoever
wants to keep a journal listens to `on_change`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from app.core.annotations import AnnotationStore, Basis, FrameLabels, PackedMap
from app.core.changes import NOTHING, Change
from app.core.history import History, Item, Key
from app.core.keypoints import fitted, same
from app.core.keypoints import renamed as renamed_points
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from app.core.references import Job, Subjects, bases, serving
from model.types import (
    BACKGROUND,
    MAX_OBJECT_ID,
    VOID,
    Anchor,
    Direction,
    KeypointSet,
    LabelMap,
    Origin,
    PropagationOptions,
    PropagationRequest,
)

OBJECTS, SKELETON, DROPPED, SPAN, OPTIONS, RETIRED = "objects", "skeleton", "dropped", "span", "options", "retired"
ENCODER = "encoder"


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
            RETIRED: frozenset(),
            ENCODER: "",
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
    def encoder(self) -> str:
        """The name of the encoder that was adapted to this video, among the user's; "" = whichever the user chose."""
        encoder: str = self._parts[ENCODER]
        return encoder

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
        """Human frames that serve as permanent references, ascending: not dropped, and with something left on them."""
        return tuple(serving(self.store, self.dropped, self._subjects))

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
        return self._alive(None if known is None else known.whole_labels())

    def _alive(self, labels: LabelMap | None) -> LabelMap | None:
        if labels is None:
            return None
        alive = {info.id for info in self.objects}
        if alive.issuperset(labels.objects):
            return labels
        table = np.array([i if i in alive or i == VOID else BACKGROUND for i in range(256)], np.uint8)
        return LabelMap(table[labels.ids], tuple(n for n in labels.objects if n in alive))

    def keypoints(self, frame: int) -> KeypointSet | None:
        """The frame's keypoints, one for every name of the skeleton."""
        known = self.store.get(frame)
        return self._fitted(None if known is None else known.whole_keypoints())

    def _fitted(self, points: KeypointSet | None) -> KeypointSet | None:
        return None if points is None or not self.skeleton.names else fitted(points, self.skeleton.names)

    def basis(self, frame: int) -> Basis:
        """The references around a frame, as they are now."""
        return bases(self.store, self.references)(frame)

    def is_stale(self, frame: int) -> bool:
        """Was this frame, or what is carried onto it, propagated from references that have changed since?"""
        known = self.store.get(frame)
        made = None if known is None else known.made
        return made is not None and made.basis != self.basis(frame)

    def stale(self) -> tuple[int, ...]:
        """All stale frames, ascending."""
        basis = bases(self.store, self.references)
        frames = ((f, known.made) for f in self.store if (known := self.store.get(f)))
        return tuple(f for f, made in frames if made is not None and made.basis != basis(f))

    def lacks(self, frame: int, other: int) -> bool:
        """Is there an object, or a keypoint, that a person knows of on the other frame, and not on this one?"""
        one, two = self.store.get(frame), self.store.get(other)
        return one is not None and two is not None and bool(self._subjects.on(two) - self._subjects.on(one))

    def anchors(self) -> tuple[Anchor, ...]:
        """The references as propagation wants them."""
        subjects = self._subjects
        return tuple(
            Anchor(
                frame,
                self._alive(known.labels.unpack()) if known.labels and subjects.has_objects(known) else None,
                self._fitted(known.keypoints) if subjects.has_keypoints(known) else None,
            )
            for frame, known in serving(self.store, self.dropped, subjects).items()
        )

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
        """The id of the next object. No id is used twice. ValueError if none is left."""
        used = self._retired | {info.id for info in self.objects}
        highest = max(used, default=0)
        if highest < MAX_OBJECT_ID:
            return highest + 1
        for number in range(1, MAX_OBJECT_ID):
            if number not in used:
                return number
        raise ValueError(f"a project has at most {MAX_OBJECT_ID} objects, removed ones included; start another project")

    def add_object(self, name: str | None = None, number: int | None = None) -> tuple[ObjectInfo, Change]:
        """A new object, and what changed. ValueError if the number was ever taken or there is no room for more."""
        number = self.next_id() if number is None else number
        if any(info.id == number for info in self.objects):
            raise ValueError(f"there is an object {number} already")
        self._check_fresh(number)
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
        return self._commit(f"Remove {info.name}", {OBJECTS: rest, RETIRED: self._retired | {number}})

    def set_skeleton(self, skeleton: Skeleton, renamed: Mapping[str, str] | None = None) -> Change:
        """Change the keypoints. renamed: old name to new name, so that placed points keep their place.

        Points of a name that goes are gone from all frames. Nothing becomes stale by it. ValueError while a propagation
        runs, for its results would come under the old names.
        """
        self._check_idle()
        renamed = renamed or {}
        names = {old: new for old, new in renamed.items() if new in skeleton.names}
        names |= {n: n for n in skeleton.names if n not in renamed and n not in renamed.values()}
        values: dict[Key, Any] = {SKELETON: skeleton}
        for frame in self.store:
            known = self.store.get(frame)
            if known and (points := known.keypoints) and any(names.get(n) != n for n in points.names):
                values[frame] = known = replace(known, keypoints=renamed_points(points, names))
            more = known.carried if known else None
            if known and more and (points := more.keypoints) and any(names.get(n) != n for n in points.names):
                values[frame] = replace(known, carried=replace(more, keypoints=renamed_points(points, names)))
        return self._commit("Change skeleton", values)

    # Labels

    def set_labels(self, frame: int, labels: LabelMap, name: str = "Paint") -> Change:
        """A person's label map for a frame. ValueError if it does not fit the video or names unknown objects."""
        self._check(frame)
        self._check_map(frame, labels.shape, labels.objects, {info.id for info in self.objects})
        old, new = self.store.get(frame), PackedMap.pack(labels)
        if old and old.is_human and old.labels == new:
            return NOTHING
        rest = None if old is None or old.carried is None else old.carried.without(labels.objects, keypoints=False)
        return self._commit(name, {frame: self._human(old, new, old.keypoints if old else None, rest)})

    def set_keypoints(self, frame: int, keypoints: KeypointSet, name: str = "Move keypoint") -> Change:
        """A person's keypoints for a frame; names are the skeleton's."""
        self._check(frame)
        if keypoints.names != self.skeleton.names:
            raise ValueError(f"keypoints {', '.join(keypoints.names)} are not those of the skeleton")
        old = self.store.get(frame)
        if old and old.is_human and old.keypoints and same(old.keypoints, keypoints):
            return NOTHING
        rest = None if old is None or old.carried is None else old.carried.without((), keypoints=True)
        return self._commit(name, {frame: self._human(old, old.labels if old else None, keypoints, rest)})

    def accept(self, frame: int) -> Change:
        """A person vouches for what was propagated: the frame becomes a reference as it is."""
        old = self.store.get(frame)
        if old is None or old.made is None:
            return NOTHING
        labels = old.labels if old.carried is None else _packed(old.whole_labels())
        return self._commit("Mark as reference", {frame: self._human(old, labels, old.whole_keypoints(), None)})

    def clear(self, frames: Iterable[int], name: str = "Clear frame") -> Change:
        """Forget the labels of frames."""
        return self._commit(name, {f: None for f in frames if f in self.store})

    def put_frames(
        self,
        frames: Mapping[int, FrameLabels],
        objects: Iterable[ObjectInfo],
        name: str,
        skeleton: Skeleton | None = None,
    ) -> Change:
        """Many frames and the objects (and skeleton) that they need at once: an import.

        ValueError for frames outside the video, maps of another size, unknown objects, and ids of removed ones; for
        another skeleton while a propagation runs.
        """
        known = {info.id: info for info in (*objects, *self.objects)}
        for number in known:
            self._check_fresh(number)
        for frame, labels in frames.items():
            self._check(frame)
            if labels.labels is not None:
                self._check_map(frame, labels.labels.shape, labels.labels.objects, known)
        values: dict[Key, Any] = {OBJECTS: _by_id(known.values())}
        if skeleton not in (None, self.skeleton):
            self._check_idle()
            values[SKELETON] = skeleton
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
        return self._commit("Change options", {OPTIONS: options})

    def set_encoder(self, name: str) -> Change:
        """Propagate with the adapted encoder of this name from now on, or with the user's, ""."""
        return self._commit("Use adapted encoder" if name else "Use usual encoder", {ENCODER: name})

    # Propagation

    def begin_job(self, name: str, request: PropagationRequest, weights: str) -> Job:
        """Results of a propagation follow. One runs at a time."""
        assert self._job is None, "one propagation at a time"
        self._job = Job(name, request, weights, bases(self.store, (a.frame for a in request.anchors)))
        return self._job

    def apply_result(self, job: Job, frame: int, labels: FrameLabels) -> Change:
        """Take one propagated frame in; an ended job has no say.

        What a person labelled stays as it is. Objects and keypoints that it says nothing about are carried beside it
        (`FrameLabels.beyond`); as a reference it is the same as before.
        """
        old = self.store.get(frame)
        human = old is not None and old.is_human
        if job is not self._job or human is (labels.carried is None):
            return NOTHING
        made = replace(labels.carried or labels, basis=job.bases(frame), weights=job.weights)
        new = replace(made, revision=self._revision + 1)
        if old is not None and human:
            own = old.labels.objects if old.labels else ()
            rest = made.without(own, old.keypoints is not None)  # a person may have labelled more of it meanwhile
            if rest is None:
                return NOTHING
            new = replace(old, carried=replace(rest, revision=old.revision))
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

    def restore(self, values: Mapping[Key, Any], revision: int = 0) -> Change:
        """Take over values by key without an undo item: what a project file or a journal tells.

        revision: of the document that they come from. No later change may bear a number that was in use before, or
        labels made from what is gone would look fresh.
        """
        frames = (v.revision for v in values.values() if isinstance(v, FrameLabels))
        self._revision = max(self._revision, revision, *frames)
        return self._put(values, tell=False)

    def values(self) -> dict[Key, Any]:
        """Everything by key: what a project file keeps."""
        values: dict[Key, Any] = dict(self._parts.items())
        values.update((f, self.store.get(f)) for f in self.store)
        return values

    # Inside

    @property
    def _subjects(self) -> Subjects:
        return Subjects(frozenset(info.id for info in self.objects), frozenset(self.skeleton.names))

    @property
    def _retired(self) -> frozenset[int]:
        """Ids of removed objects. Maps of other frames may still hold them."""
        retired: frozenset[int] = self._parts[RETIRED]
        return retired

    def _human(
        self, old: FrameLabels | None, labels: PackedMap | None, points: KeypointSet | None, carried: FrameLabels | None
    ) -> FrameLabels:
        origin = Origin.HUMAN if old is None or old.origin is Origin.HUMAN else Origin.CORRECTED
        return FrameLabels(origin, labels, points, revision=self._revision + 1, carried=carried)

    def _check(self, frame: int) -> None:
        if not 0 <= frame < self.media.frames:
            raise ValueError(f"the video has frames 0..{self.media.frames - 1}; there is no frame {frame}")

    def _check_map(self, frame: int, shape: tuple[int, int], objects: Iterable[int], known: Container[int]) -> None:
        if shape != self.media.size:
            (h, w), (height, width) = shape, self.media.size
            raise ValueError(f"the mask of frame {frame} is {w}×{h}, the video {width}×{height}")
        for number in objects:
            if number not in known:
                raise ValueError(f"frame {frame} has an object {number} that the project does not know")

    def _check_idle(self) -> None:
        if self._job is not None:
            raise ValueError("keypoints cannot be changed while a propagation runs; stop it first")

    def _check_fresh(self, number: int) -> None:
        if number in self._retired:
            raise ValueError(f"object {number} was removed and its id is not used again; undo that, or take another id")

    def _commit(self, name: str, values: Mapping[Key, Any]) -> Change:
        """Put values and note them as one undo item; what does not change is left out."""
        new = {key: value for key, value in values.items() if self._value(key) != value}
        if not new:
            return NOTHING
        self._flush()  # the part of a running propagation that came before this action comes before it in history
        changes = {key: (self._value(key), value) for key, value in new.items()}
        self.history.push(Item(name, changes))  # first, so that whoever is told of the change can undo it
        return self._put(new)

    def _flush(self) -> None:
        if self._job is not None and self._job.changes:
            self.history.push(Item(self._job.name, self._job.changes))
            self._job.changes = {}

    def _value(self, key: Key) -> Any:
        return self.store.get(key) if isinstance(key, int) else self._parts[key]

    def _put(self, values: Mapping[Key, Any], tell: bool = True) -> Change:
        before = self.references if values.keys() & {OBJECTS, SKELETON} else None
        references = DROPPED in values
        for key, value in values.items():
            if isinstance(key, int):
                references |= any(v is not None and v.is_human for v in (self.store.get(key), value))
                self.store.put(key, value)
            else:
                self._parts[key] = value
        references |= before is not None and before != self.references
        self._revision += 1
        change = Change(
            frames=frozenset(k for k in values if isinstance(k, int)),
            objects=OBJECTS in values,
            skeleton=SKELETON in values,
            references=references,
            span=SPAN in values,
            settings=OPTIONS in values or ENCODER in values,
        )
        if tell:
            self.on_change(values, change)
        return change

    def _replay(self, step: Callable[[Callable[[Key, Any], None]], Item | None]) -> tuple[str, Change] | None:
        assert self._job is None, "a running propagation ends before undo"
        values: dict[Key, Any] = {}
        item = step(values.__setitem__)
        return None if item is None else (item.name, self._put(values))


def _packed(labels: LabelMap | None) -> PackedMap | None:
    return None if labels is None else PackedMap.pack(labels)


def _by_id(objects: Iterable[ObjectInfo]) -> tuple[ObjectInfo, ...]:
    return tuple(sorted(objects, key=lambda info: info.id))
