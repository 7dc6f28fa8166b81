"""Answers about frames, from the features that propagation has in its cache. Runs in the inference thread."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from app.jobs.queries import ClickSegment, Clusters, FeaturePca, Flow, Picture, Query, Segment, ValueMap, Vote, Votes
from app.jobs.segment import segment
from model.affinity import Affinity
from model.encoder import STRIDE
from model.features import FeatureExtractor, without_colour
from model.flow import FlowOptions, Motion, flow_picture
from model.motion import ValueOptions, value_map
from model.palette import PALETTE
from model.propagator import Propagator, frame_affinity, working_size
from model.sampler import SamplerOptions, sample_windows
from model.types import FloatArray, PropagationOptions, UInt8Array
from model.video import VideoSource

_FLOW_SIDE = 480  # pixels of the short side that flow is shown at
_RAMP = np.broadcast_to(np.linspace(0, 1, 128, dtype=np.float32), (10, 128))
_TAIL = 0.01  # share of the cells at either end of a colour's range that may be cut off


def available(extractor: FeatureExtractor) -> dict[str, str]:
    """By kind of picture: "" if this encoder can give it, else why not, in words."""
    untaught = "" if extractor.recipe != "none" else f"the {extractor.name} encoder has learned nothing that this shows"
    return {"flow": "", "value": untaught, "clusters": "", "pca": "", "votes": ""}


class Answers:
    """Calling it with a query gives the answer that the query names. ValueError where there is none."""

    def __init__(self, source: VideoSource, extractor: FeatureExtractor, propagator: Propagator) -> None:
        self._source, self._extractor, self._propagator = source, extractor, propagator
        self._motion = Motion(FlowOptions())
        self._colours: tuple[PropagationOptions, Tensor, Tensor, Tensor] | None = None
        self._matched: tuple[int, tuple[int, ...], PropagationOptions, Affinity] | None = None

    def __call__(self, query: Query) -> object:
        match query:
            case FeaturePca():
                return Picture(query.frame, self._pca(query))
            case Clusters():
                return Picture(query.frame, self._clusters(query))
            case Flow():
                return Picture(query.frame, self._flow(query.frame), flow_wheel())
            case ValueMap():
                return Picture(query.frame, self._value(query), _viridis(_RAMP))
            case Votes():
                return self._votes(query)
            case ClickSegment():
                return self._segment(query)

    def _features(self, frame: int, options: PropagationOptions) -> Tensor:
        """[C, h, w], without the colours that matching puts beside them."""
        return without_colour(self._propagator.features(frame, options))

    def _pca(self, query: FeaturePca) -> UInt8Array:
        """The directions are those of the first frame that was asked about, so colours hold from frame to frame."""
        features = self._features(query.frame, query.options).float()
        cells = features.flatten(1).T
        if self._colours is None or self._colours[0] != query.options:
            mean = cells.mean(dim=0)
            directions = torch.linalg.eigh(torch.cov((cells - mean).T)).eigenvectors[:, -3:].flip(1)
            directions = directions * directions.sum(dim=0).sign()  # an eigenvector has no sign of its own
            ends = torch.quantile((cells - mean) @ directions, torch.tensor([_TAIL, 1 - _TAIL]).to(cells), dim=0)
            self._colours = query.options, mean, directions, ends
        _, mean, directions, (low, high) = self._colours
        colours = (((cells - mean) @ directions - low) / (high - low).clamp_min(1e-6)).clamp(0, 1)
        return _picture(colours.T.unflatten(1, features.shape[1:]))

    def _clusters(self, query: Clusters) -> UInt8Array:
        """Every cluster in a colour of the palette, as bright as the frame is there."""
        features = self._features(query.frame, query.options)
        found = sample_windows(features, features[None], SamplerOptions(downsample=2)).clusters.cpu().numpy()
        image = self._source[query.frame].image
        size = (found.shape[1] * STRIDE, found.shape[0] * STRIDE)
        grey = cv2.cvtColor(cv2.resize(image, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        colours = PALETTE[found + 1].repeat(STRIDE, axis=0).repeat(STRIDE, axis=1)
        return np.asarray(colours * (0.35 + 0.65 * grey[..., None] / 255), np.uint8)

    def _flow(self, frame: int) -> UInt8Array:
        size = working_size(self._source.size, _FLOW_SIDE)
        flow = self._motion.of(lambda index: _resized(self._source[index].image, size), frame, len(self._source))
        return _picture(flow_picture(torch.from_numpy(flow)))

    def _value(self, query: ValueMap) -> UInt8Array:
        references = query.references or tuple(range(max(0, query.frame - 3), query.frame))
        if not references:
            raise ValueError("the value of a first frame shows beside a reference: label another frame first")
        target = self._features(query.frame, query.options)
        others = torch.stack([self._features(frame, query.options) for frame in references])
        value = value_map(target[None], others[None], ValueOptions())[0].cpu().numpy()
        return _viridis(value)

    def _votes(self, query: Votes) -> tuple[Vote, ...]:
        """The affinity is that of the whole frame, as propagation has it, so the next pixel costs nothing."""
        if not query.references:
            raise ValueError("no frame that could vote here: label one first")
        affinity = self._affinity(query)
        scale = self._scale(query.options)
        height, width = affinity.grid
        column, row = (round(((p + 0.5) * s - 0.5) / STRIDE) for p, s in zip((query.x, query.y), scale, strict=True))
        votes = affinity.votes(min(max(row, 0), height - 1), min(max(column, 0), width - 1))
        places = ((v, (v.x * STRIDE + 0.5) / scale[0] - 0.5, (v.y * STRIDE + 0.5) / scale[1] - 0.5) for v in votes)
        return tuple(Vote(query.references[v.reference], x, y, v.weight) for v, x, y in places)

    def _affinity(self, query: Votes) -> Affinity:
        known = self._matched
        if known is None or known[:3] != (query.frame, query.references, query.options):
            target = self._propagator.features(query.frame, query.options)
            keys = torch.stack([self._propagator.features(frame, query.options) for frame in query.references])
            known = query.frame, query.references, query.options, frame_affinity(target, keys, query.options)
            self._matched = known
        return known[3]

    def _scale(self, options: PropagationOptions) -> tuple[float, float]:
        """Working pixels per source pixel, (x, y)."""
        height, width = working_size(self._source.size, options.short_side)
        return width / self._source.size[1], height / self._source.size[0]

    def _segment(self, query: ClickSegment) -> Segment:
        size = working_size(self._source.size, query.options.short_side)
        neighbours = [f for f in (query.frame + 1, query.frame - 1) if 0 <= f < len(self._source)]
        image, *other = (_resized(self._source[f].image, size) for f in (query.frame, *neighbours[:1]))
        features = self._features(query.frame, query.options).cpu().numpy()
        scale = self._scale(query.options)
        clicks = [((c.x + 0.5) * scale[0] - 0.5, (c.y + 0.5) * scale[1] - 0.5, c.positive) for c in query.clicks]
        soft = segment(image, features, clicks, other[0] if other else None)
        return Segment(query.frame, _enlarged(soft, self._source[query.frame].image))


def flow_wheel(side: int = 48) -> UInt8Array:
    """Every direction in the colour that it is shown in: RGB uint8 [side, side, 3], grey outside the wheel."""
    steps = torch.linspace(-1, 1, side)
    y, x = torch.meshgrid(steps, steps, indexing="ij")
    there = torch.stack([x, y])
    wheel = flow_picture(-there)  # backward flow: it says where things come from
    return _picture(torch.where(there.norm(dim=0) <= 1, wheel, 0.5))


def _viridis(values: FloatArray) -> UInt8Array:
    """0..1 -> RGB uint8, evenly bright to dark for every eye."""
    steps = np.rint(values * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(steps, cv2.COLORMAP_VIRIDIS)[..., ::-1])


def _resized(image: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    if image.shape[:2] == size:
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _picture(colours: Tensor) -> UInt8Array:
    """float [3, h, w] in 0..1 -> uint8 [h, w, 3]."""
    return np.ascontiguousarray((colours * 255).round().byte().permute(1, 2, 0).cpu().numpy())
