"""The document: what a project holds, and every operation that changes it.

Each operation is one undo item and returns what it changed. Nothing here knows of windows, threads or files; whoever
wants to keep a journal listens to `on_change`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from app.core.annotations import FrameLabels, PackedMap
from app.core.changes import NOTHING, Change
from app.core.contents import DROPPED, ENCODER, OBJECTS, OPTIONS, RETIRED, SKELETON, SPAN, Contents
from app.core.history import History, Item, Key
from app.core.keypoints import renamed as renamed_points
from app.core.keypoints import same
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from app.core.references import Job, bases
from model.types import KeypointSet, LabelMap, Origin, PropagationOptions, PropagationRequest


class Document(Contents):
    """Objects, keypoints, labels and settings of one video, with undo.

    on_change: called after every change with the new values by key, and what they changed: for the journal.
    """

    def __init__(self, media: Media, history: History | None = None) -> None:
        super().__init__(media)
        self.history = history or History()
        self.on_change: Callable[[Mapping[Key, Any], Change], None] = lambda values, change: None
        self._job: Job | None = None

    # Objects and skeleton

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

    # Inside

    def _human(
        self, old: FrameLabels | None, labels: PackedMap | None, points: KeypointSet | None, carried: FrameLabels | None
    ) -> FrameLabels:
        origin = Origin.HUMAN if old is None or old.origin is Origin.HUMAN else Origin.CORRECTED
        return FrameLabels(origin, labels, points, revision=self._revision + 1, carried=carried)

    def _check_idle(self) -> None:
        if self._job is not None:
            raise ValueError("keypoints cannot be changed while a propagation runs; stop it first")

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
