"""Answers about frames, from the features that propagation has in its cache. Runs in the inference thread."""

from __future__ import annotations

import cv2
import numpy as np
from torch import Tensor

from app.jobs.queries import (
    Click,
    ClickSegment,
    Clusters,
    FeaturePca,
    Flow,
    Picture,
    Query,
    Segment,
    ValueMap,
    Vote,
    Votes,
)
from app.jobs.segment import Segmenter
from model.affinity import Affinity
from model.edges import EdgeGuide
from model.encoder import STRIDE
from model.features import FeatureExtractor, MotionFeatures, fill_in, without_colour
from model.flow import FlowOptions, Motion
from model.following import windows
from model.labels import Channels
from model.likeness import LikenessModel
from model.matching import frame_affinity
from model.memory import Entry, trusted
from model.pictures import RAMP, cluster_picture, feature_colours, flow_colours, flow_wheel, map_picture
from model.propagator import Propagator, working_size
from model.sampler import SamplerOptions, sample_windows
from model.types import Anchor, BoolArray, PropagationOptions, UInt8Array
from model.video import VideoSource

_WHEEL, _RAMP_HEIGHT = 48, 10  # pixels of the legends


def available(extractor: FeatureExtractor) -> tuple[tuple[str, str], ...]:
    """Each kind of picture with "" if this encoder can give it, else why not, in words."""
    has_value = isinstance(extractor, MotionFeatures) and extractor.value is not None
    no_value = "" if has_value else f"The {extractor.name} encoder learned without value extraction"
    return ("flow", ""), ("value", no_value), ("clusters", ""), ("pca", ""), ("votes", "")


class Answers:
    """Calling it with a query gives the answer that the query names. ValueError where there is none."""

    def __init__(self, source: VideoSource, extractor: FeatureExtractor, propagator: Propagator) -> None:
        self._source, self._extractor, self._propagator = source, extractor, propagator
        self._motion = Motion(FlowOptions())  # where the encoder does not ask for it, it may be seen all the same
        self._matched: tuple[tuple[object, ...], Affinity] | None = None
        self._segmenter: tuple[tuple[int, PropagationOptions], Segmenter] | None = None

    def __call__(self, query: Query) -> object:
        match query:
            case FeaturePca():
                features = self._features(query.frame, query.options)
                return Picture(query.frame, feature_colours(features[None])[0])
            case Clusters():
                return Picture(query.frame, self._clusters(query))
            case Flow():
                return Picture(query.frame, self._flow(query), flow_wheel(_WHEEL))
            case ValueMap():
                ramp = np.broadcast_to(RAMP, (_RAMP_HEIGHT, *RAMP.shape)).copy()
                return Picture(query.frame, self._value(query), ramp)
            case Votes():
                return self._votes(query)
            case ClickSegment():
                return self._segment(query)

    def _features(self, frame: int, options: PropagationOptions) -> Tensor:
        """[C, h, w], without the colours that matching puts beside them."""
        options = fill_in(options, self._extractor)
        return without_colour(self._propagator.store(options).get(frame, value=options.value or "off"))

    def _clusters(self, query: Clusters) -> UInt8Array:
        features = self._features(query.frame, query.options)
        size = query.options.sampler if query.options.sampler != "fixed" else "contract"
        found = sample_windows(features, features[None], SamplerOptions(size=size))
        parts = (part.cpu().numpy() for part in (found.clusters, found.grown, found.centres))
        return cluster_picture(self._image(query.frame, query.options), *parts)

    def _flow(self, query: Flow) -> UInt8Array:
        flow = self._propagator.store(query.options).motion(query.frame)
        if flow is None:
            flow = self._motion.of(lambda f: self._image(f, query.options), query.frame, len(self._source))
        return flow_colours(flow)

    def _value(self, query: ValueMap) -> UInt8Array:
        value = self._propagator.store(query.options).value_map(query.frame)
        if value is None:
            raise ValueError("this encoder has no value map: choose another picture")
        return map_picture(value.cpu().numpy(), self._size(query.options))

    def _votes(self, query: Votes) -> tuple[Vote, ...]:
        """The affinity is that of the whole frame, as propagation has it, so the next pixel costs nothing."""
        affinity = self._affinity(query)
        scale = self._scale(query.options)
        height, width = affinity.grid
        column, row = (round(((p + 0.5) * s - 0.5) / STRIDE) for p, s in zip((query.x, query.y), scale, strict=True))
        votes = affinity.votes(min(max(row, 0), height - 1), min(max(column, 0), width - 1))
        places = ((v, (v.x * STRIDE + 0.5) / scale[0] - 0.5, (v.y * STRIDE + 0.5) / scale[1] - 0.5) for v in votes)
        return tuple(Vote(query.references[v.reference], x, y, v.weight) for v, x, y in places)

    def _affinity(self, query: Votes) -> Affinity:
        wanted = (query.frame, query.references, query.labels, query.options)
        if self._matched is None or self._matched[0] != wanted:
            options = fill_in(query.options, self._extractor)
            store = self._propagator.store(options)
            asked, keys = store.match(query.frame, query.references, value=options.value or "off")
            human = {frame for frame, labels in query.labels if labels.is_human}
            looks = likeness = trust = None
            if query.labels and {frame for frame, _ in query.labels} == set(query.references):
                channels, entries = self._entries(query, options)
                latest = min(entries, key=lambda frame: abs(frame - query.frame))  # labels came last from there
                looks = windows(entries, human, latest, follow=options.follow_radius > 0)
                trust = trusted(entries, human)
                if options.likeness:
                    likeness = LikenessModel(len(channels.objects))(query.frame, asked, entries, keys, human)
            anchored = [r in human for r in query.references]
            temperature = options.temperature_at(query.frame, human & set(query.references))
            affinity = frame_affinity(asked, keys, options, anchored, looks, likeness, trust, temperature)
            self._matched = wanted, affinity
        return self._matched[1]

    def _entries(self, query: Votes, options: PropagationOptions) -> tuple[Channels, dict[int, Entry]]:
        """What is labelled on the references, in the order that they have."""
        labels = dict(query.labels)
        frames = {frame: (labels[frame].whole_labels(), labels[frame].whole_keypoints()) for frame in query.references}
        objects = {n for labels, _ in frames.values() if labels is not None for n in labels.objects}
        points = dict.fromkeys(name for _, points in frames.values() if points is not None for name in points.names)
        channels = Channels(tuple(sorted(objects)), tuple(points), self._source.size, self._size(options))
        device = self._extractor.device
        entries = {frame: Entry.of(channels, Anchor(frame, *said), device) for frame, said in frames.items()}
        return channels, entries

    def _segment(self, query: ClickSegment) -> Segment:
        wanted = query.frame, query.options
        if self._segmenter is None or self._segmenter[0] != wanted:
            image = self._image(query.frame, query.options)
            beside = query.frame + 1 if query.frame + 1 < len(self._source) else query.frame - 1
            neighbour = self._image(beside, query.options) if beside >= 0 else None
            features = self._features(query.frame, query.options).float().cpu().numpy()
            self._segmenter = wanted, Segmenter(image, features, neighbour)
        scale = self._scale(query.options)
        clicks = (Click((c.x + 0.5) * scale[0] - 0.5, (c.y + 0.5) * scale[1] - 0.5, c.positive) for c in query.clicks)
        mask = self._segmenter[1](tuple(clicks))
        return Segment(query.frame, enlarged(mask, self._source[query.frame].image))

    def _image(self, frame: int, options: PropagationOptions) -> UInt8Array:
        """A frame at the working size."""
        image, size = self._source[frame].image, self._size(options)
        if image.shape[:2] == size:
            return image
        return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)

    def _size(self, options: PropagationOptions) -> tuple[int, int]:
        return working_size(self._source.size, options.short_side)

    def _scale(self, options: PropagationOptions) -> tuple[float, float]:
        """Working pixels per source pixel, (x, y)."""
        height, width = self._size(options)
        return width / self._source.size[1], height / self._source.size[0]


def enlarged(mask: BoolArray, image: UInt8Array) -> BoolArray:
    """A mask of the working size at the size of the frame, its edge bent to the frame's edges."""
    height, width = image.shape[:2]
    if mask.shape == (height, width):
        return mask
    soft = np.asarray(cv2.resize(mask.astype(np.float32), (width, height)), np.float32)
    guide = EdgeGuide(image, max(1, round(height / mask.shape[0])))
    return np.asarray(guide.refine(soft, slice(0, height), slice(0, width)) > 0.5)
