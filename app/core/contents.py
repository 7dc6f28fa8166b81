"""What a document holds: values by key, and everything that can be asked of them. `app.core.document` changes them."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Any

import numpy as np

from app.core.annotations import AnnotationStore, Basis
from app.core.history import Key
from app.core.keypoints import fitted
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from app.core.references import Subjects, bases, serving
from model.types import (
    BACKGROUND,
    MAX_OBJECT_ID,
    VOID,
    Anchor,
    Direction,
    KeypointSet,
    LabelMap,
    PropagationOptions,
    PropagationRequest,
)

OBJECTS, SKELETON, DROPPED, SPAN, OPTIONS, RETIRED = "objects", "skeleton", "dropped", "span", "options", "retired"
ENCODER = "encoder"


class Contents:
    """Objects, keypoints, labels and settings of one video, to be read."""

    def __init__(self, media: Media) -> None:
        self.media = media
        self.store = AnnotationStore()
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

    # Parts

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

    def values(self) -> dict[Key, Any]:
        """Everything by key: what a project file keeps."""
        values: dict[Key, Any] = dict(self._parts.items())
        values.update((f, self.store.get(f)) for f in self.store)
        return values

    # Frames

    def labels(self, frame: int) -> LabelMap | None:
        """The frame's label map; objects that were removed are background."""
        known = self.store.get(frame)
        return self._alive(None if known is None else known.whole_labels())

    def keypoints(self, frame: int) -> KeypointSet | None:
        """The frame's keypoints, one for every name of the skeleton."""
        known = self.store.get(frame)
        return self._fitted(None if known is None else known.whole_keypoints())

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

    def carried_onto(self, direction: Direction) -> set[int]:
        """The references onto which a propagation carries something: what they do not know of, and others do."""
        references, subjects = self.references, self._subjects
        known = {frame: subjects.on(k) for frame in references if (k := self.store.get(frame)) is not None}
        found: set[int] = set()
        for way, order in ((Direction.FORWARD, references), (Direction.BACKWARD, references[::-1])):
            if direction in (way, Direction.BOTH):
                passed: frozenset[int] = frozenset()
                for frame in order:
                    passed |= known[frame]
                    if passed > known[frame]:
                        found.add(frame)
        return found

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

    # Inside

    @property
    def _subjects(self) -> Subjects:
        return Subjects(frozenset(info.id for info in self.objects), frozenset(self.skeleton.names))

    @property
    def _retired(self) -> frozenset[int]:
        """Ids of removed objects. Maps of other frames may still hold them."""
        retired: frozenset[int] = self._parts[RETIRED]
        return retired

    def _alive(self, labels: LabelMap | None) -> LabelMap | None:
        if labels is None:
            return None
        alive = {info.id for info in self.objects}
        if alive.issuperset(labels.objects):
            return labels
        table = np.array([i if i in alive or i == VOID else BACKGROUND for i in range(256)], np.uint8)
        return LabelMap(table[labels.ids], tuple(n for n in labels.objects if n in alive))

    def _fitted(self, points: KeypointSet | None) -> KeypointSet | None:
        return None if points is None or not self.skeleton.names else fitted(points, self.skeleton.names)

    def _value(self, key: Key) -> Any:
        return self.store.get(key) if isinstance(key, int) else self._parts[key]

    # Checks

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

    def _check_fresh(self, number: int) -> None:
        if number in self._retired:
            raise ValueError(f"object {number} was removed and its id is not used again; undo that, or take another id")
