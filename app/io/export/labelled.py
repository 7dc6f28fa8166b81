"""What an exporter sees of a project: its labels between the in and the out point, and where each frame's came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from app.core.document import Document
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from model.types import BoolArray, KeypointSet, LabelMap, Origin


class Labelled:
    """A read-only view. human_only: frames that were propagated and never corrected are left out."""

    def __init__(self, document: Document, name: str | None = None, human_only: bool = False) -> None:
        self._document = document
        self.name = name or document.media.path.stem
        self.span = start, stop = document.span
        known = ((f, document.store.get(f)) for f in document.store if start <= f < stop)
        self.frames: tuple[int, ...] = tuple(f for f, k in known if k is not None and (k.is_human or not human_only))

    @property
    def media(self) -> Media:
        return self._document.media

    @property
    def objects(self) -> tuple[ObjectInfo, ...]:
        return self._document.objects

    @property
    def skeleton(self) -> Skeleton:
        return self._document.skeleton

    def labels(self, frame: int) -> LabelMap:
        """The frame's label map; empty where it has keypoints alone."""
        labels = self._document.labels(frame)
        return labels if labels is not None else LabelMap(np.zeros(self.media.size, np.uint8))

    def masks(self, frame: int) -> Iterator[tuple[ObjectInfo, BoolArray]]:
        """Every object that shows in the frame, with its mask."""
        labels = self.labels(frame)
        for info in self.objects:
            mask = labels.ids == info.id
            if mask.any():
                yield info, mask

    def keypoints(self, frame: int) -> KeypointSet | None:
        return self._document.keypoints(frame)

    def origin(self, frame: int) -> Origin:
        known = self._document.store.get(frame)
        assert known is not None, "only labelled frames are exported"
        return known.origin

    def provenance(self) -> dict[str, Any]:
        """JSON-ready: the video, the objects, and for every frame where its labels came from."""
        height, width = self.media.size
        frames = {}
        for frame in self.frames:
            known = self._document.store.get(frame)
            assert known is not None
            entry: dict[str, Any] = {"origin": known.origin.value}
            for part, told in ((known, entry), (known.carried, entry.setdefault("carried", {}))):
                if part is not None and part.weights:
                    told["weights_sha256"] = part.weights
                if part is not None and part.certainty:
                    told["certainty"] = {str(n): round(c, 4) for n, c in part.certainty.items()}
            frames[str(frame)] = {name: value for name, value in entry.items() if value}
        return {
            "video": {
                "name": self.media.path.name,
                "width": width,
                "height": height,
                "frames": self.media.frames,
                "fps": self.media.fps,
            },
            "objects": {str(info.id): info.name for info in self.objects},
            "frames_count_from": 0,
            "frames": frames,
        }
