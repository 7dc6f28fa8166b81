"""Propagation: carry the anchors' labels through a video, one affinity per frame for masks and keypoints alike."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.affinity import Affinity
from model.features import FeatureExtractor, fill_in
from model.following import windows
from model.grid import by_cell
from model.labels import Channels
from model.likeness import Likeness, LikenessModel
from model.mask_decoder import MaskDecoder
from model.matching import carry, confidence, frame_affinity
from model.memory import Entry, FeatureStore, Memory, trusted
from model.merging import fuse, merge_keypoints, merge_labels, overrule
from model.refinement import Refiner, find_decoder
from model.shelf import Shelf
from model.spool import Spool
from model.timing import Stopwatch
from model.types import (
    Anchor,
    Direction,
    KeypointSet,
    LabelMap,
    Origin,
    PropagationOptions,
    PropagationRequest,
    PropagationResult,
    UInt8Array,
)
from model.video import VideoSource

LOST = 0.5
"""No object that vanished without a person saying so is more certain than this."""


class Propagator:
    """Runs requests on one video. Features of visited frames are kept between requests of one working size.

    timings: seconds spent so far in decode, encode, affinity and labels.
    """

    def __init__(
        self,
        source: VideoSource,
        extractor: FeatureExtractor,
        budget: int = 1 << 30,
        disk: int = 0,
        folder: Path | None = None,
    ) -> None:
        """budget: bytes of features that are kept in memory; disk: bytes of others in a temporary file in `folder`."""
        self._source, self._extractor, self._budget = source, extractor, budget
        self._disk, self._folder = disk, folder
        self._stopwatch = Stopwatch()
        self._stores: dict[tuple[int, int], FeatureStore] = {}
        self._decoders: dict[str | None, MaskDecoder | None] = {}

    @property
    def timings(self) -> dict[str, float]:
        return dict(self._stopwatch.seconds)

    def run(self, request: PropagationRequest) -> Generator[PropagationResult]:
        """Yield one result per frame of the range that the labels reach, anchors included.

        FORWARD comes in ascending, BACKWARD in descending order. BOTH yields the frames behind the last anchor
        first, then the rest in descending order, each frame between two anchors fused from both sides.
        Closing the generator stops the work. ValueError if an anchor does not fit the video or cannot reach the range.
        """
        with closing(self.steps(request)) as steps:
            yield from (result for result in steps if result is not None)

    def steps(self, request: PropagationRequest) -> Generator[PropagationResult | None]:
        """The same, with None for each frame that is passed without a result: whoever iterates can look up from it."""
        yield from self._walk(request).steps()

    def count(self, request: PropagationRequest) -> int:
        """How many steps `steps` makes, known frames included. The same errors."""
        return sum(len(way) for way in self._walk(request).ways())

    def _walk(self, request: PropagationRequest) -> _Walk:
        request = replace(request, options=fill_in(request.options, self._extractor))
        options = request.options
        if options.decoder not in self._decoders:
            self._decoders[options.decoder] = find_decoder(options, self._extractor)
        decoder = self._decoders[options.decoder]
        return _Walk(self._source, self.store(options), self._stopwatch, request, decoder)

    def store(self, options: PropagationOptions) -> FeatureStore:
        """The features that a run with these options uses."""
        size = working_size(self._source.size, options.short_side)
        if size not in self._stores:
            self._stores.clear()  # one working size at a time, or the memory bound would not hold
            shelf = Shelf(self._disk, self._folder) if self._disk else None
            self._stores[size] = FeatureStore(self._source, self._extractor, size, self._stopwatch, self._budget, shelf)
        return self._stores[size]


def working_size(source_size: tuple[int, int], short_side: int | None) -> tuple[int, int]:
    """(height, width) that frames are worked on: the short side scaled down to `short_side`, never up."""
    scale = 1.0 if short_side is None else min(1.0, short_side / min(source_size))
    height, width = (max(1, round(side * scale)) for side in source_size)
    return height, width


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    """One frame worked out: what memory keeps of its labels, what is shown of them (the same without a decoder), and
    the result (none for known frames)."""

    frame: int
    entry: Entry
    shown: Entry
    confidence: Tensor
    result: PropagationResult | None


class _Walk:
    """One request on one video: the sweeps through it and what they share."""

    def __init__(
        self,
        source: VideoSource,
        store: FeatureStore,
        stopwatch: Stopwatch,
        request: PropagationRequest,
        decoder: MaskDecoder | None,
    ) -> None:
        self._source, self._store, self._stopwatch, self._request = source, store, stopwatch, request
        self._options = request.options
        self._refiner = None if decoder is None else Refiner(decoder, request.options.rounds)
        self._range = range(request.start, len(source) if request.stop is None else request.stop)
        if self._range.stop > len(source) or not self._range:
            raise ValueError(f"the video has frames 0..{len(source) - 1}, not {request.start}..{self._range.stop - 1}")
        for labelled in (*request.anchors, *request.known):
            _check_fits(labelled, source)
        self._channels = Channels(
            tuple(sorted({n for a in request.anchors if a.labels for n in a.labels.objects})),
            tuple(dict.fromkeys(n for a in request.anchors if a.keypoints for n in a.keypoints.names)),
            source.size,
            working_size(source.size, request.options.short_side),
        )
        self._likeness_model = LikenessModel(len(self._channels.objects))
        self._last_seen: dict[int, float] = {}  # how crisp each object was when it last showed
        self._anchors = {a.frame: a for a in request.anchors}
        self._given = {**self._anchors, **{k.frame: k for k in request.known}}

    def steps(self) -> Iterator[PropagationResult | None]:
        """Every step of the work: the frame's result, or None."""
        ways = self.ways()
        waiting = ways[1].start if len(ways) == 2 else -1  # frames up to this one are finished on the way back
        with Spool() as spool:
            for step in self._sweep(ways[0]):
                if step.frame <= waiting:
                    spool.put(step.frame, step.shown, step.confidence)
                    yield None
                else:
                    yield self._shown(step)
            for way in ways[1:]:
                yield from map(self._shown, self._sweep(way, spool))

    def ways(self) -> list[range]:
        """The sweeps through the video that the request takes. ValueError if no anchor can reach the range."""
        return {Direction.FORWARD: self._forward, Direction.BACKWARD: self._backward, Direction.BOTH: self._both}[
            self._request.direction
        ]()

    def _forward(self) -> list[range]:
        """From the last anchor at or before the range, or else the first one in it, to the range's end."""
        start = [a for a in self._anchors if a <= self._range.start]
        later = [a for a in self._anchors if a in self._range]
        if not start and not later:
            raise self._unreachable()
        return [range(max(start) if start else min(later), self._range.stop)]

    def _backward(self) -> list[range]:
        """The mirror image of `_forward`."""
        start = [a for a in self._anchors if a >= self._range.stop - 1]
        earlier = [a for a in self._anchors if a in self._range]
        if not start and not earlier:
            raise self._unreachable()
        return [range(min(start) if start else max(earlier), self._range.start - 1, -1)]

    def _both(self) -> list[range]:
        """Forwards, what lies between anchors set aside; then backwards, fusing with it."""
        before = [a for a in self._anchors if a <= self._range.start]
        after = [a for a in self._anchors if a >= self._range.stop - 1]
        first = max(before) if before else min(self._anchors)
        last = min(after) if after else max(self._anchors)
        forward = range(first, max(self._range.stop, last + 1))
        return [forward, range(last, self._range.start - 1, -1)] if last >= self._range.start else [forward]

    def _shown(self, step: _Step) -> PropagationResult | None:
        return step.result if step.frame in self._range else None

    def _unreachable(self) -> ValueError:
        frames = ", ".join(map(str, sorted(self._anchors)))
        way = f"frames {self._range.start}..{self._range.stop - 1} going {self._request.direction.value}"
        return ValueError(f"the labels on frame {frames} cannot reach {way}")

    def _sweep(self, frames: range, spool: Spool | None = None) -> Iterator[_Step]:
        """Walk over the frames from an anchor, remembering as it goes; fuse with what a spool holds.

        Anchors behind the first frame were passed in thought. Where frames are known from an earlier run, those between
        the anchor and the range that are not were left out on purpose: memory does not need them.
        """
        memory = Memory(
            self._options,
            frames.step,
            self._request.excluded,
            [anchor for anchor in self._anchors if anchor != frames.start],
            lambda frame: self._encode(self._anchors[frame]),
        )
        for passed in sorted(self._anchors, reverse=frames.step < 0):
            if (frames.start - passed) * frames.step > 0:
                memory.add(passed, self._encode(self._anchors[passed]), anchor=True)
        way: Sequence[int] = frames
        if self._request.known:
            way = [frame for frame in frames if frame in self._range or frame in self._given]
        for frame, image in self._pictures(way, frames.step):
            step = self._given_step(frame) if image is None else self._work_out(frame, image, memory, spool)
            memory.add(frame, step.entry, anchor=frame in self._anchors)
            yield step

    def _pictures(self, frames: Sequence[int], step: int) -> Iterator[tuple[int, UInt8Array | None]]:
        """The frames with their pictures, decoded in runs; None where nothing has to be worked out."""
        for idle, group in groupby(frames, self._is_complete):
            run = list(group)
            if idle:
                yield from ((frame, None) for frame in run)
                continue
            low, high = min(run[0], run[-1]), max(run[0], run[-1])
            with closing(self._source.frames(low, high + 1, step)) as pictures:
                for _ in run:
                    with self._stopwatch("decode"):
                        picture = next(pictures)
                    yield picture.index, picture.image

    def _is_complete(self, frame: int) -> bool:
        """Are all labels of this frame given?"""
        given = self._given.get(frame)
        if given is None:
            return False
        if frame not in self._anchors:
            return True
        objects = given.labels.objects if given.labels else ()
        points = given.keypoints.names if given.keypoints else ()
        return set(objects) >= set(self._channels.objects) and set(points) >= set(self._channels.keypoints)

    def _given_step(self, frame: int) -> _Step:
        entry = self._encode(self._given[frame])
        self._see(entry)
        sure = torch.ones(self._channels.grid)
        anchor = self._anchors.get(frame)
        result = None
        if anchor is not None:
            result = self._result(frame, Origin.HUMAN, anchor.labels, anchor.keypoints, sure)
        return _Step(frame, entry, entry, sure, result)

    def _encode(self, labelled: Anchor) -> Entry:
        with self._stopwatch("labels"):
            return Entry.of(self._channels, labelled, self._store.device)

    def _see(self, given: Entry) -> None:
        """From here on, what is certain about an object is what this frame shows of it."""
        for number, crisp in self._channels.certainty(given.values, given.known).items():
            self._last_seen.pop(number, None)
            if crisp is not None:
                self._last_seen[number] = 1.0

    def _certainty(self, entry: Entry) -> dict[int, float]:
        """How crisp each object is. One that is lost on the way is as certain as when it was last seen, at most
        `LOST`, until a person says that it is gone."""
        certain = {}
        for number, crisp in self._channels.certainty(entry.values, entry.known).items():
            if crisp is not None:
                self._last_seen[number] = crisp
                certain[number] = crisp
            elif number in self._last_seen:
                certain[number] = min(self._last_seen[number], LOST)
            else:
                certain[number] = 1.0
        return certain

    def _work_out(self, frame: int, image: UInt8Array, memory: Memory, spool: Spool | None) -> _Step:
        """Propagate to one frame, fuse it with the other side, let a person's labels on it win."""
        entry, shown, sure, disagreement = self._propagate(frame, image, memory)
        with self._stopwatch("labels"):
            if spool is not None and frame in spool:
                shown, sure = fuse((shown, sure), spool.get(frame, self._store.device), self._nearness(frame))
                entry = shown
            anchor = self._anchors.get(frame)
            human = None if anchor is None else self._encode(anchor)
            if human is not None:
                self._see(human)
            same = entry is shown
            shown = self._settled(shown, human)
            entry = shown if same else self._settled(entry, human)
            labels, points = None, None
            if self._channels.objects:
                guide = image if self._options.edges == "guided" else None
                labels = self._channels.decode_labels(shown.values, shown.known, guide)
            if self._channels.keypoints:
                points = self._channels.decode_keypoints(shown.values, shown.known)
            if anchor is not None:
                labels, points = merge_labels(labels, anchor.labels), merge_keypoints(points, anchor.keypoints)
            shown = Entry(self._channels.refocus(shown.values), shown.known)
            entry = shown if same else Entry(self._channels.refocus(entry.values), entry.known)
        origin = Origin.PROPAGATED if anchor is None else Origin.HUMAN
        result = self._result(frame, origin, labels, points, sure, disagreement, shown)
        return _Step(frame, entry, shown, sure, result)

    def _settled(self, entry: Entry, human: Entry | None) -> Entry:
        """With what a person said of the frame, and hard if the options say so."""
        if human is not None:
            entry = overrule(entry, human, len(self._channels.objects))
        return Entry(self._channels.harden(entry.values), entry.known) if self._options.labels == "hard" else entry

    def _propagate(self, frame: int, image: UInt8Array, memory: Memory) -> tuple[Entry, Entry, Tensor, Tensor | None]:
        """One affinity over all references, then every channel along it (eqs 1-3).

        Anchors ahead vote as well, but only on what the labels behind know of: in this direction nothing else is here.
        Returns what memory keeps, what is shown, confidence and disagreement.
        """
        references = memory.references(frame)
        behind = torch.tensor([(frame - reference) * memory.step > 0 for reference in references])
        if not behind.any():  # the sweep starts on an incomplete anchor: what it lacks is unknown
            nothing = torch.zeros(self._channels.count, *self._channels.label_grid, device=self._store.device)
            entry = Entry(nothing, torch.zeros(self._channels.count, dtype=torch.bool))
            return entry, entry, torch.ones(self._channels.grid), None
        latest = min((r for r, met in zip(references, behind, strict=True) if met), key=lambda r: abs(frame - r))
        query, keys = self._store.match(frame, references, image, self._options.value or "cached")
        values = [entry.values for entry in references.values()]
        known = torch.stack([entry.known for entry in references.values()])
        with self._stopwatch("affinity"):
            anchored = [reference in self._anchors for reference in references]
            looks = windows(references, self._anchors, latest, follow=self._options.follow_radius > 0)
            likeness = self._likeness(frame, query, references, keys)
            trust = trusted(references, self._anchors)
            temperature = self._options.temperature_at(frame, references.keys() & self._anchors.keys())
            affinity = frame_affinity(query, keys, self._options, anchored, looks, likeness, trust, temperature)
            carried = carry(affinity, values, known)
            sure = confidence(affinity, temperature).cpu()
            disagreement = self._disagreement(affinity, query, keys, values, carried) if self._options.cycle else None
        told = known[behind].any(dim=0)
        entry = shown = Entry(carried * told[:, None, None].to(carried.device), told)
        if self._refiner is not None and (objects := len(self._channels.objects)):
            with self._stopwatch("decoder"):
                seen = query, keys, references, self._anchors, affinity
                kept, refined = self._refiner.refine(*seen, entry, objects)
                entry, shown = (Entry(torch.cat([v, entry.values[objects:]]), told) for v in (kept, refined))
        return entry, shown, sure, disagreement

    def _likeness(self, frame: int, query: Tensor, references: Mapping[int, Entry], keys: Tensor) -> Likeness | None:
        if not self._options.likeness:
            return None
        if self._options.value == "per_target":  # a frame has other features for every query
            self._likeness_model = LikenessModel(len(self._channels.objects))
        return self._likeness_model(frame, query, references, keys, self._anchors)

    def _disagreement(
        self, affinity: Affinity, query: Tensor, keys: Tensor, values: Sequence[Tensor], carried: Tensor
    ) -> Tensor:
        """Send the new labels back to every reference and see, along the votes, how much comes back changed."""
        lost, shares = [], by_cell(carried)[None]
        for key, value in zip(keys, values, strict=True):
            returned = frame_affinity(key, query[None], self._options).apply(shares)
            lost.append((returned - by_cell(value)).abs().amax(dim=0, keepdim=True))
        return affinity.apply(torch.stack(lost))[0].clamp(0, 1).cpu()

    def _nearness(self, frame: int) -> float:
        """How near a frame between two anchors is to the later one, 0..1."""
        anchors = sorted(self._anchors)
        after = bisect_left(anchors, frame)
        if anchors[after] == frame:
            return 0.5  # on an anchor, which is near to itself from both sides
        return (frame - anchors[after - 1]) / (anchors[after] - anchors[after - 1])

    def _result(
        self,
        frame: int,
        origin: Origin,
        labels: LabelMap | None,
        keypoints: KeypointSet | None,
        sure: Tensor,
        disagreement: Tensor | None = None,
        entry: Entry | None = None,
    ) -> PropagationResult:
        crisp = entry if self._channels.objects else None
        return PropagationResult(
            frame,
            origin,
            labels,
            keypoints,
            sure.numpy(),
            None if disagreement is None else disagreement.numpy(),
            None if crisp is None else self._channels.sureness(crisp.values),
            {} if crisp is None else self._certainty(crisp),
            self._request.revision,
        )


def _check_fits(labelled: Anchor, source: VideoSource) -> None:
    if labelled.frame >= len(source):
        raise ValueError(f"{source.path.name} has frames 0..{len(source) - 1}; there is no frame {labelled.frame}")
    if labelled.labels is not None and labelled.labels.shape != source.size:
        (h, w), (height, width) = labelled.labels.shape, source.size
        raise ValueError(f"the mask of frame {labelled.frame} is {w}×{h}, the video {width}×{height}")
    if labelled.keypoints is not None:
        height, width = source.size
        for name, (x, y) in zip(labelled.keypoints.names, labelled.keypoints.xy, strict=True):
            if not (np.isnan(x) or (-0.5 <= x <= width - 0.5 and -0.5 <= y <= height - 0.5)):
                where = f"at ({x:g}, {y:g}), outside the {width}×{height} video"
                raise ValueError(f"keypoint {name} of frame {labelled.frame} lies {where}")
