"""Which frames serve as references, and what labels are made from."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.core.annotations import AnnotationStore, Basis, FrameLabels
from app.core.history import Key
from model.types import PropagationRequest


@dataclass(slots=True, eq=False)
class Job:
    """A propagation whose results arrive one by one. bases: what each frame's labels will have been made from."""

    name: str
    request: PropagationRequest
    weights: str
    bases: Callable[[int], Basis]
    changes: dict[Key, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Subjects:
    """What a project is about at present: frames may still hold more, which was removed since."""

    objects: Collection[int]
    keypoints: Collection[str]

    def has_objects(self, known: FrameLabels) -> bool:
        """Is any object left on the frame, be it only to say that it is not there?"""
        return known.labels is not None and any(number in self.objects for number in known.labels.objects)

    def has_keypoints(self, known: FrameLabels) -> bool:
        return known.keypoints is not None and any(name in self.keypoints for name in known.keypoints.names)

    def on(self, known: FrameLabels) -> frozenset[int]:
        """The objects that a person labelled on a frame, and 0 for keypoints."""
        objects = frozenset(known.labels.objects if known.labels else ()).intersection(self.objects)
        return objects | {0} if self.has_keypoints(known) else objects


def serving(store: AnnotationStore, dropped: Collection[int], subjects: Subjects) -> dict[int, FrameLabels]:
    """Human frames, ascending, that were not dropped and have something left on them."""
    human = ((f, store.get(f)) for f in store.human if f not in dropped)
    return {f: known for f, known in human if known and (subjects.has_objects(known) or subjects.has_keypoints(known))}


def bases(store: AnnotationStore, references: Iterable[int]) -> Callable[[int], Basis]:
    """The basis of any frame, for these references (ascending) at their present revisions."""
    stamps = [(f, known.revision if (known := store.get(f)) else 0) for f in references]
    frames = np.array([f for f, _ in stamps], np.int64)

    def basis(frame: int) -> Basis:
        before = int(np.searchsorted(frames, frame, side="left")) - 1
        after = int(np.searchsorted(frames, frame, side="right"))
        return Basis(
            stamps[before] if before >= 0 else None,
            stamps[after] if after < len(stamps) else None,
        )

    return basis
