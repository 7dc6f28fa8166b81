"""One frame as the method sees it, and its pictures: what `mer inspect` works out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from app.io.overlay import compose
from app.page import BACKGROUND as PAGE
from app.page import Page
from app.runs.inspection_page import GAP, TILE, Tile, motion_plate, plate, ramp_plate, votes_page, words
from model.affinity.window import squared_reach
from model.encoder import STRIDE
from model.features import FeatureExtractor, as_query, common_product, fill_in, without_colour
from model.flow import FlowOptions, Motion
from model.labels import Channels
from model.likeness import Likeness, LikenessModel
from model.matching import confidence, frame_affinity
from model.memory import Entry, FeatureStore, Memory
from model.pictures import (
    by_cells,
    cluster_picture,
    draw_votes,
    feature_colours,
    flow_colours,
    map_picture,
    ring,
    similarity_picture,
    similarity_row,
)
from model.propagator import working_size
from model.sampler import SamplerOptions, sample_windows
from model.timing import Stopwatch
from model.types import BACKGROUND, VOID, Anchor, BoolArray, PropagationOptions, UInt8Array
from model.video import VideoSource

MARGIN = 3  # cells shown around a window
_NOTHING = Entry(torch.empty(0), torch.empty(0, dtype=torch.bool))
RING = 22  # pixels: radius of the ring of a vote that has all the weight, on an enlarged window


@dataclass(frozen=True, slots=True)
class Ballot:
    """A vote for one pixel.

    frame: the reference it comes from; x, y: its place there, in pixels of the video; weight: 0..1; object: what that
    place was labelled as, 0 the background, None where nobody labelled the reference.
    """

    frame: int
    x: float
    y: float
    weight: float
    object: int | None


def usual_references(frame: int, anchors: Sequence[int], options: PropagationOptions) -> tuple[int, ...]:
    """The frames that a propagation from these anchors looks at when it comes to `frame`; none on an anchor."""
    before, after = [a for a in anchors if a < frame], [a for a in anchors if a > frame]
    if frame in anchors or not (before or after):
        return ()
    start, step = (min(before), 1) if before else (max(after), -1)
    memory = Memory(options, step)
    for passed in range(start, frame, step):
        memory.add(passed, _NOTHING, anchor=passed in anchors)
    return tuple(memory.references(frame))


def check_point(point: tuple[float, float], size: tuple[int, int]) -> None:
    """ValueError if the point (x, y) lies outside pictures of (height, width)."""
    height, width = size
    if not (-0.5 <= point[0] <= width - 0.5 and -0.5 <= point[1] <= height - 0.5):
        raise ValueError(f"the point {point[0]:g},{point[1]:g} lies outside the {width}×{height} video: choose another")


class Inspection:
    """A frame against its references, matched as a propagation with these options would. But windows follow no object:
    where those went, the frames between know, and only a propagation.

    frame, references: numbers; labels: what is known of some of the references, by frame. Frames are shown at the
    working size.
    """

    def __init__(
        self,
        source: VideoSource,
        extractor: FeatureExtractor,
        frame: int,
        references: Sequence[int],
        options: PropagationOptions,
        labels: Mapping[int, Anchor] | None = None,
    ) -> None:
        options = fill_in(options, extractor)
        self.frame, self.references = frame, tuple(references)
        self._source, self._options, self._labels = source, options, dict(labels or {})
        self._size = working_size(source.size, options.short_side)
        self._channels = Channels((), (), source.size, self._size)
        store = FeatureStore(source, extractor, self._size, Stopwatch())
        self._query, self._keys = store.match(frame, self.references, value=options.value or "off")
        anchored = [r in self._labels for r in self.references]
        self._anchors = sum(anchored)
        self._temperature = options.temperature_at(frame, self._labels.keys() & set(self.references))
        looks = self._query, self._keys, options, anchored
        self.affinity = frame_affinity(*looks, likeness=self._likeness(), temperature=self._temperature)
        value = store.value_map(frame)
        self._value = None if value is None else value.cpu().numpy()
        motion = store.motion(frame)
        if motion is None:  # the encoder does not ask for it, but it may be seen
            motion = Motion(FlowOptions()).of(self._picture, frame, len(source))
        self._motion = motion
        # Where windows are fixed, what the sampler would do is still worth seeing.
        size = "contract" if options.sampler == "fixed" else options.sampler
        features = without_colour(self._query), without_colour(self._keys)
        self._sampling = sample_windows(*features, SamplerOptions(size=size))

    def _likeness(self) -> Likeness | None:
        """How much cells look like the labelled objects, which references without a mask have no say in."""
        masks = {n: known.labels for n, known in self._labels.items() if known.labels is not None}
        if not self._options.likeness:
            return None
        objects = {number for mask in masks.values() for number in mask.objects}
        channels = Channels(tuple(sorted(objects)), (), self._source.size, self._size)
        entries = dict.fromkeys(self.references, _NOTHING)
        for frame in entries.keys() & masks.keys():
            entries[frame] = Entry.of(channels, Anchor(frame, masks[frame]), self._query.device)
        return LikenessModel(len(objects))(self.frame, self._query, entries, self._keys, masks)

    def pages(self) -> Iterator[tuple[str, Page]]:
        """All pages but that of one pixel, each with a name for its file."""
        title = f"frame {self.frame}"
        against = f"{title} against {', '.join(map(str, self.references))}"
        yield "flow", motion_plate(flow_colours(self._motion), "Motion", title)
        if self._value is not None:
            picture = map_picture(self._value, self._size)
            yield "value", ramp_plate(picture, "Value", title, "0, background", "1, worth matching")
        sure = confidence(self.affinity, self._temperature).cpu().numpy()
        picture = map_picture(sure, self._size)
        yield "confidence", ramp_plate(picture, "Confidence", against, "0, votes are spread", "1, one vote decides")
        yield from self._sampling_pages(title, against)
        page = plate(self._feature_picture(), "Features", f"{title} left, frame {self.references[0]} right")
        words(page, "Their three principal components as red, green and blue: like colours are like features.")
        yield "features", page

    def _sampling_pages(self, title: str, against: str) -> Iterator[tuple[str, Page]]:
        sampling = self._sampling
        parts = (sampling.clusters, sampling.grown, sampling.centres)
        clusters, grown, centres = (t.cpu().numpy() for t in parts)
        page = plate(cluster_picture(self._picture(self.frame), clusters, grown, centres), "Clusters", against)
        words(page, "Hue: the cluster. Strong and outlined: what its region grew over. Rings: the clusters' centres.")
        yield "clusters", page
        radius = sampling.radius.cpu().numpy().astype(np.float32)
        low, high = float(radius.min()), float(radius.max())
        picture = map_picture(radius, self._size, low, max(high, low + 1))
        if self._options.sampler == "fixed":
            title += f", as --sampler contract would set it: the window is fixed at {self._options.radius} cells"
        yield "radius", ramp_plate(picture, "Sampling radius", title, f"{low:.0f} cells", f"{high:.0f} cells")

    def _feature_picture(self) -> UInt8Array:
        """The frame and its first reference side by side, under one choice of colours for all references."""
        colours = feature_colours(without_colour(torch.stack([self._query, *self._keys])))
        own, other = (by_cells(c, self._size) for c in colours[:2])
        gap = np.broadcast_to(np.array(PAGE, np.uint8), (len(own), GAP, 3))
        return np.concatenate([own, gap, other], axis=1)

    def ballots(self, point: tuple[float, float]) -> list[Ballot]:
        """Who votes for the pixel `point`, (x, y) of the video, heaviest first."""
        x, y = self._cell(point)
        scale_y, scale_x = self._channels.scale
        found = []
        for vote in self.affinity.votes(y, x):
            frame = self.references[vote.reference]
            place = ((vote.x * STRIDE + 0.5) / scale_x - 0.5, (vote.y * STRIDE + 0.5) / scale_y - 0.5)
            found.append(Ballot(frame, *place, vote.weight, self._object_at(frame, place)))
        return found

    def pixel_page(self, point: tuple[float, float]) -> Page:
        """Where the pixel `point`, (x, y) of the video, looks, what it is like there, and who votes for it."""
        tiles, low, high = self.pixel_tiles(point)
        subtitle = f"frame {self.frame}: votes as rings, areas as their weights"
        return votes_page(tiles, "Affinity", subtitle, f"similarity {low:.2f} or less", f"{high:.2f}")

    def pixel_tiles(self, point: tuple[float, float]) -> tuple[list[Tile], float, float]:
        """The pictures of that page, and the similarities at the ends of the ramp."""
        x, y = self._cell(point)
        weight = self._options.colour
        products = similarity_row(as_query(self._query, weight), self._keys, x, y)
        similarity = (products - common_product(self._query, weight)[y, x]).cpu().numpy()
        window = _Window(x, y, self._radius(x, y))
        seen = self._seen(window)
        # Half of what is looked at is told apart: a few very unlike colours would take the whole ramp.
        low, high = float(np.median(similarity[:, seen])), float(similarity[:, seen].max())
        low = min(low, high - 1e-3)  # all alike: a ramp still needs two ends

        picture = self._picture(self.frame)
        own = (window.enlarged(picture, [(x, y, 0.04)]),)
        tiles = [Tile("this pixel", f"{point[0]:g}, {point[1]:g}", self._overview(picture, window), own)]
        votes = self.affinity.votes(y, x)
        for number, frame in enumerate(self.references):
            cast = [(v.x, v.y, v.weight) for v in votes if v.reference == number]
            picture = self._picture(frame, labelled=True)
            heat = similarity_picture(self._picture(frame), similarity[number], seen, low, high)
            note = f"{100 * sum(weight for *_, weight in cast):.0f} % of the votes"
            windows = (window.enlarged(picture, cast), window.enlarged(heat, cast))
            tiles.append(Tile(f"frame {frame}", note, self._overview(picture, window), windows))
        return tiles, low, high

    def _overview(self, picture: UInt8Array, window: _Window) -> UInt8Array:
        """The whole picture, small, with the window's place in it."""
        scale = TILE / picture.shape[1]
        size = (TILE, round(picture.shape[0] * scale))
        small = np.array(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
        ring(small, STRIDE * scale * window.x, STRIDE * scale * window.y, STRIDE * scale * window.radius, (255,) * 3)
        return small

    def _radius(self, x: int, y: int) -> int:
        """How far the cell (x, y) looks, in cells; in some reference or other."""
        if self._options.sampler == "fixed":
            return max(self._options.radius, self._options.radius_with(self._anchors))
        return int(self._sampling.radius[y, x])

    def _seen(self, window: _Window) -> BoolArray:
        """bool [h, w]: the cells in a window."""
        h, w = self._channels.grid
        reach = squared_reach(torch.arange(h)[:, None] - window.y, torch.arange(w) - window.x, self._options.window)
        return np.asarray(reach <= window.radius**2)

    def _cell(self, point: tuple[float, float]) -> tuple[int, int]:
        """The cell (x, y) that a pixel (x, y) of the video is nearest to."""
        check_point(point, self._source.size)
        scale_y, scale_x = self._channels.scale
        h, w = self._channels.grid
        x, y = (((p + 0.5) * s - 0.5) / STRIDE for p, s in zip(point, (scale_x, scale_y), strict=True))
        return min(max(round(x), 0), w - 1), min(max(round(y), 0), h - 1)

    def _object_at(self, frame: int, point: tuple[float, float]) -> int | None:
        labels = self._labels[frame].labels if frame in self._labels else None
        if labels is None:
            return None
        height, width = labels.shape
        x, y = min(max(round(point[0]), 0), width - 1), min(max(round(point[1]), 0), height - 1)
        number = int(labels.ids[y, x])
        return BACKGROUND if number == VOID else number

    def _picture(self, frame: int, labelled: bool = False) -> UInt8Array:
        image = self._source[frame].image
        if labelled and frame in self._labels:
            image = compose(image, self._labels[frame].labels, self._labels[frame].keypoints, opacity=0.3)
        if image.shape[:2] == self._size:
            return image
        return np.asarray(cv2.resize(image, self._size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


@dataclass(frozen=True, slots=True)
class _Window:
    """The part of a picture about a cell (x, y) that its window fills, with a margin."""

    x: int
    y: int
    radius: int

    def enlarged(self, picture: UInt8Array, votes: Sequence[tuple[float, float, float]]) -> UInt8Array:
        """This part of a picture, TILE pixels wide, votes (x, y, weight) in cells drawn in; black outside the frame."""
        reach = STRIDE * (self.radius + MARGIN)
        side = 2 * reach + 1
        padded = cv2.copyMakeBorder(picture, reach, reach, reach, reach, cv2.BORDER_CONSTANT)
        top, left = STRIDE * self.y, STRIDE * self.x
        part = padded[top : top + side, left : left + side]
        large = np.array(cv2.resize(part, (TILE, TILE), interpolation=cv2.INTER_NEAREST), np.uint8)
        scale = TILE / side
        corner_x, corner_y = left - reach, top - reach

        def along(cell: float, corner: int) -> float:
            return (STRIDE * cell - corner + 0.5) * scale - 0.5

        return draw_votes(large, ((along(x, corner_x), along(y, corner_y), w) for x, y, w in votes), RING)
