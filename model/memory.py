"""What the propagator remembers: labels of reference frames, and features of visited ones."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.features import EncoderFeatures, FeatureExtractor, MotionFeatures, as_key, cell_colours, without_colour
from model.grid import by_cell
from model.labels import Channels
from model.shelf import Shelf
from model.timing import Stopwatch
from model.types import Anchor, FloatArray, PropagationOptions, UInt8Array
from model.video import VideoSource

_LOOKS_BACK = (1, 3, 5)  # frames


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The labels of one frame: values float32 [L, 2h, 2w] on the grid of labels; known bool [L]."""

    values: Tensor
    known: Tensor

    @property
    def shares(self) -> Tensor:
        """How much of each cell is each label's, float32 [L, h, w]."""
        return by_cell(self.values)

    @classmethod
    def of(cls, channels: Channels, labelled: Anchor, device: torch.device) -> Entry:
        """What a person's labels say, where the features are."""
        values, known = channels.encode(labelled)
        return cls(values.to(device), known)


def trusted(references: Mapping[int, Entry], anchors: Collection[int]) -> list[bool]:
    """Which of the references have the head start of an anchor, in their order.

    One that does not know of every object has none: its votes would keep out those of the ones that do.
    """
    known = torch.stack([entry.known for entry in references.values()])
    whole = known[:, known.any(dim=0)].all(dim=1)
    return [frame in anchors and bool(all_known) for frame, all_known in zip(references, whole, strict=True)]


@dataclass(slots=True)
class Memory:
    """Label memory of one walk through the video, in one direction.

    Permanent: the anchors, met or still ahead, of which the nearest in time are used. Long-term: frames at fixed
    distances behind the latest anchor. Short-term: frames at fixed distances behind the current one. All but the
    permanent ones are forgotten at the next anchor, where a person's labels take over from whatever had drifted.

    step:     +1 forward, -1 backward.
    excluded: frames that nobody looks at.
    anchors:  frames that are not met yet, but can be looked at; encode gives the labels of one when it is wanted.
    """

    options: PropagationOptions
    step: int
    excluded: Collection[int] = ()
    anchors: Collection[int] = ()
    encode: Callable[[int], Entry] | None = None
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
        anchors = self._permanent.keys() | set(self.anchors)
        nearest = nsmallest(self.options.anchors, anchors, key=lambda f: (abs(frame - f), f))
        for ahead in [f for f in nearest if f not in self._permanent]:
            assert self.encode is not None
            self._permanent[ahead] = self.encode(ahead)
        wanted = {f for f in self._passing if self._is_long_term(f)}
        wanted |= {frame - self.step * offset for offset in self.options.short_term}
        found = {f: self._passing[f] for f in wanted if f in self._passing and f not in self.excluded}
        return dict(sorted({**found, **{f: self._permanent[f] for f in nearest}}.items()))

    def _is_long_term(self, frame: int) -> bool:
        return self._latest_anchor is not None and (frame - self._latest_anchor) * self.step in self.options.long_term


class FeatureStore:
    """Features of frames, computed when first asked for, the least recently used dropped beyond a byte budget.

    A correction looks at frames again that were visited before; what is still here, or on the shelf, is not encoded
    twice. What an encoder computed in bf16 is kept in bf16; colours keep their digits, since they weigh many times as
    much.

    shelf: takes what goes beyond the budget.
    """

    def __init__(
        self,
        source: VideoSource,
        extractor: FeatureExtractor,
        working_size: tuple[int, int],
        stopwatch: Stopwatch,
        budget: int = 1 << 30,
        shelf: Shelf | None = None,
    ) -> None:
        self._source, self._extractor, self._size = source, extractor, working_size
        self._engine = extractor if isinstance(extractor, MotionFeatures) else None
        self._stopwatch, self._budget, self._shelf = stopwatch, budget, shelf
        self._compact = _is_compact(extractor)
        self._kept: OrderedDict[tuple[str, int], tuple[Tensor, ...]] = OrderedDict()
        self._bytes = 0

    @property
    def device(self) -> torch.device:
        """Where features, and so all work on them, live."""
        return self._extractor.device

    def get(self, frame: int, image: UInt8Array | None = None, value: str = "cached") -> Tensor:
        """The matching vectors of a frame (`as_key`), float32 [C + 4, h, w]; `image` spares decoding it once more.

        value: as in `PropagationOptions`. With "cached" and "per_target" alike, an encoder with value extraction takes
        the frame for its own target here, and the frames before it for its references.
        """
        return _joined([self._key(frame, image, value)])[0]

    def match(
        self, frame: int, references: Iterable[int], image: UInt8Array | None = None, value: str = "cached"
    ) -> tuple[Tensor, Tensor]:
        """The matching vectors of a frame, as the query, and of R references [R, C + 4, h, w]."""
        if value == "per_target" and self._engine is not None and self._engine.value is not None:
            looked_at = list(references)
            keys = self._extract(frame, image, looked_at, 1 + len(looked_at))[0]
            return keys[0], keys[1:]
        return self.get(frame, image, value), _joined([self._key(r, None, value) for r in references])

    def value_map(self, frame: int) -> Tensor | None:
        """What value extraction takes for valuable in a frame, [h, w] in 0..1; None if the encoder has none."""
        if self._engine is None or self._engine.value is None:
            return None
        return self._extract(frame, None, self._before(frame), 0)[1]

    def motion(self, frame: int, image: UInt8Array | None = None) -> FloatArray | None:
        """What moves in a frame, as of `model.flow.Motion` at the working size; None if the encoder is not told."""
        if self._engine is None or self._engine.flow is None:
            return None

        def read(index: int) -> UInt8Array:
            return self._picture(index, image if index == frame else None)

        return self._engine.flow.of(read, frame, len(self._source))

    def _key(self, frame: int, image: UInt8Array | None, value: str) -> tuple[Tensor, ...]:
        """What `get` joins: parts of the matching vectors."""
        if self._engine is None:
            return self._keep("key", frame, lambda: self._parts(self._encode(frame, image)))
        if value == "off" or self._engine.value is None:
            return self._keep("plain key", frame, lambda: self._parts(_matching(self._plain(frame, image))))
        return self._keep("key", frame, lambda: self._parts(self._extract(frame, image, self._before(frame), 1)[0][0]))

    def _parts(self, key: Tensor) -> tuple[Tensor, ...]:
        return _parts(key, self._compact)

    def _keep(self, kind: str, frame: int, make: Callable[[], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
        key = (kind, frame)
        parts = self._kept.get(key)
        if parts is None:
            parts = self._shelf.get(key, self.device) if self._shelf is not None else None
            parts = self._kept[key] = make() if parts is None else parts
            self._bytes += _size(parts)
        self._kept.move_to_end(key)
        while self._bytes > self._budget and len(self._kept) > 1:
            old, dropped = self._kept.popitem(last=False)
            self._bytes -= _size(dropped)
            if self._shelf is not None and old[0] != "plain":  # that is asked for only while a key is made
                self._shelf.put(old, dropped)
        return parts

    def _picture(self, frame: int, image: UInt8Array | None) -> UInt8Array:
        """The frame at the working size."""
        image = image if image is not None else self._source[frame].image
        if image.shape[:2] == self._size:
            return image
        height, width = self._size
        return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)

    def _encode(self, frame: int, image: UInt8Array | None) -> Tensor:
        picture = self._picture(frame, image)
        with self._stopwatch("encode"):
            pixels = torch.tensor(picture).permute(2, 0, 1)[None]  # a copy: cached images are read-only
            return as_key(self._extractor(pixels)[0], cell_colours(pixels.to(self.device))[0])

    def _plain(self, frame: int, image: UInt8Array | None = None) -> Tensor:
        """Features before value extraction, of any length, and the colours of the cells: [C + 3, h, w]."""

        def make() -> tuple[Tensor]:
            assert self._engine is not None
            picture = self._picture(frame, image)
            with self._stopwatch("flow"):
                motion = self.motion(frame, picture)
            with self._stopwatch("encode"):
                pixels = torch.tensor(picture).permute(2, 0, 1)[None]
                moved = None if motion is None else torch.from_numpy(motion)[None]
                return (torch.cat([self._engine.encode(pixels, moved)[0], cell_colours(pixels.to(self.device))[0]]),)

        return self._keep("plain", frame, make)[0]

    def _extract(
        self, frame: int, image: UInt8Array | None, references: list[int], count: int
    ) -> tuple[Tensor, Tensor]:
        """Value extraction with a frame for the target: its value map, and before it matching vectors [count, ...].

        These are of the first `count` of the frame and its references.
        """
        assert self._engine is not None
        plain = torch.stack([self._plain(frame, image), *map(self._plain, references)])
        with self._stopwatch("value"):
            features, value = self._engine.extract(plain[0, :-3], plain[1:, :-3], plain[:count, :-3])
            keys = [as_key(f, p[-3:]) for f, p in zip(features, plain, strict=False)]
            return torch.stack(keys) if keys else features, value

    def _before(self, frame: int) -> list[int]:
        """The references of a frame that is its own target: as short-term memory has them when going forward.

        At the start of the video those after it stand in; a single frame has itself alone.
        """
        last = len(self._source) - 1
        before = [frame - offset for offset in _LOOKS_BACK if frame >= offset]
        return before or [frame + offset for offset in _LOOKS_BACK if frame + offset <= last] or [frame]


def cell_bytes(extractor: FeatureExtractor) -> int:
    """Bytes that a store keeps of one cell of a frame, at most."""
    features, colours = torch.zeros(extractor.channels, 1, 1), torch.zeros(3, 1, 1)
    made_from = _size((features, colours)) if isinstance(extractor, MotionFeatures) else 0  # that is kept as well
    return made_from + _size(_parts(as_key(features, colours), _is_compact(extractor)))


def _is_compact(extractor: FeatureExtractor) -> bool:
    return isinstance(extractor, EncoderFeatures) and extractor.bf16


def _parts(key: Tensor, compact: bool) -> tuple[Tensor, ...]:
    """A matching vector [C + 4, h, w] as it is kept. compact: the features in bf16, the colours as they are."""
    if not compact:
        return (key,)
    return without_colour(key).bfloat16(), key[-4:].clone(memory_format=torch.contiguous_format)


def _matching(plain: Tensor) -> Tensor:
    return as_key(F.normalize(plain[:-3], dim=0), plain[-3:])


def _joined(keys: list[tuple[Tensor, ...]]) -> Tensor:
    """N matching vectors in parts [some of C, h, w] -> float32 [N, C, h, w], channels last."""
    first = keys[0][0]
    channels = sum(len(part) for part in keys[0])
    out = torch.empty(len(keys), *first.shape[1:], channels, device=first.device)
    for row, parts in zip(out, keys, strict=True):
        for place, part in zip(row.split([len(part) for part in parts], dim=2), parts, strict=True):
            place.copy_(part.permute(1, 2, 0))
    return out.permute(0, 3, 1, 2)


def _size(parts: tuple[Tensor, ...]) -> int:
    return sum(part.nbytes for part in parts)
