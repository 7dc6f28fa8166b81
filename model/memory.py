"""What the propagator remembers: labels of reference frames, and features of visited ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field

import cv2
import torch
from torch import Tensor

from model.features import FeatureExtractor, as_key, cell_colours
from model.timing import Stopwatch
from model.types import PropagationOptions, UInt8Array
from model.video import VideoSource


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The labels of one frame on the feature grid: values float32 [L, h, w]; known bool [L]."""

    values: Tensor
    known: Tensor


@dataclass(slots=True)
class Memory:
    """Label memory of one walk through the video, in one direction.

    Permanent: the anchors met so far, of which the nearest in time are used. Long-term: frames at fixed distances
    behind the latest anchor. Short-term: frames at fixed distances behind the current one. All but the permanent
    ones are forgotten at the next anchor, where a person's labels take over from whatever had drifted.
    """

    options: PropagationOptions
    step: int  # +1 forward, -1 backward
    excluded: Collection[int] = ()  # frames that nobody looks at
    _permanent: dict[int, Entry] = field(default_factory=dict)
    _passing: dict[int, Entry] = field(default_factory=dict)
    _latest_anchor: int | None = None

    def add(self, frame: int, entry: Entry, *, anchor: bool) -> None:
        """Remember a frame just labelled; an anchor restarts the long- and short-term memory."""
        if anchor:
            self._passing.clear()
            self._permanent[frame] = entry
            self._latest_anchor = frame
        else:
            self._passing[frame] = entry
        reach = max(self.options.short_term)
        for old in [f for f in self._passing if abs(frame - f) >= reach and not self._is_long_term(f)]:
            del self._passing[old]

    def references(self, frame: int) -> dict[int, Entry]:
        """The entries to look at from `frame`, ascending by frame."""
        nearest = sorted(self._permanent, key=lambda f: abs(frame - f))[: self.options.anchors]
        wanted = {f for f in self._passing if self._is_long_term(f)}
        wanted |= {frame - self.step * offset for offset in self.options.short_term}
        found = {f: self._passing[f] for f in wanted if f in self._passing and f not in self.excluded}
        return dict(sorted({**found, **{f: self._permanent[f] for f in nearest}}.items()))

    def _is_long_term(self, frame: int) -> bool:
        return self._latest_anchor is not None and (frame - self._latest_anchor) * self.step in self.options.long_term


class FeatureStore:
    """Features of frames, computed when first asked for, the least recently used dropped beyond a byte budget.

    A correction looks at frames again that were visited before; what is still here is not encoded twice.
    """

    def __init__(
        self,
        source: VideoSource,
        extractor: FeatureExtractor,
        working_size: tuple[int, int],
        stopwatch: Stopwatch,
        budget: int = 1 << 30,
    ) -> None:
        self._source, self._extractor, self._size = source, extractor, working_size
        self._stopwatch, self._budget = stopwatch, budget
        self._kept: OrderedDict[int, Tensor] = OrderedDict()
        self._bytes = 0

    @property
    def device(self) -> torch.device:
        """Where features, and so all work on them, live."""
        return self._extractor.device

    def get(self, frame: int, image: UInt8Array | None = None) -> Tensor:
        """The matching vectors of a frame (`as_key`), float32 [C + 4, h, w]; `image` spares decoding it once more."""
        features = self._kept.get(frame)
        if features is None:
            features = self._encode(image if image is not None else self._source[frame].image)
            self._kept[frame] = features
            self._bytes += features.nbytes
        self._kept.move_to_end(frame)
        while self._bytes > self._budget and len(self._kept) > 1:
            self._bytes -= self._kept.popitem(last=False)[1].nbytes
        return features

    def _encode(self, image: UInt8Array) -> Tensor:
        with self._stopwatch("encode"):
            if image.shape[:2] != self._size:
                height, width = self._size
                image = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
            pixels = torch.tensor(image).permute(2, 0, 1)[None]  # a copy: cached images are read-only
            features = self._extractor(pixels)[0]
            return as_key(features, cell_colours(pixels.to(self.device))[0])
