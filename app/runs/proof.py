"""Measure two encoders on the user's own videos: on frames that a person labelled, and without labels on held-out ones.

On labelled videos the first human frame is carried to the others and compared with them: J&F and PCK. Training uses no
labels, so nothing need be held out. Without labels there are two errors: of colours that are copied from a frame near
by (with features alone, for the colours would give themselves away), and of points that are carried there and back.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch

from app.core.document import Document
from app.core.proof import Comparison, Measure, Proof
from app.io.overlay import compose
from model.evaluation.keypoints import THRESHOLDS, correct_points
from model.evaluation.measures import measure_frame
from model.features import FeatureExtractor, cell_colours, fill_in, without_colour
from model.matching import frame_affinity
from model.pictures import feature_colours
from model.propagator import Propagator, working_size
from model.types import (
    Anchor,
    BoolArray,
    Direction,
    FloatArray,
    KeypointSet,
    LabelMap,
    PropagationOptions,
    PropagationRequest,
)
from model.video import VideoSource, open_video

PLACES = 3  # of a held-out video that are measured
REACH = 8  # frames that points are carried, and back
GAP = 0.2  # seconds between the frames of a pair
_SHORT_SIDE = 240
_GRID = (6, 8)  # points down and across
_USUAL = (480, 854)  # pixels of a video of which no size is known
HELD_OUT_COST = float(PLACES * 2 * (REACH + 1) * _SHORT_SIDE**2 * 16 / 9)  # of a held-out video, as `Labelled.cost`
_LONGEST = 600  # frames of a labelled video that are walked: what lies beyond is not scored


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A video with labels of a person: its human frames, ascending, and how labels travel there."""

    path: Path
    anchors: tuple[Anchor, ...]
    options: PropagationOptions = field(default_factory=PropagationOptions)

    @classmethod
    def of(cls, document: Document) -> Labelled:
        """What a project holds now, to be measured elsewhere."""
        return cls(document.media.path, document.anchors(), document.options)

    @property
    def cost(self) -> float:
        """About how many pixels have to be worked through."""
        if len(self.anchors) < 2:
            return 0.0
        shape = next((anchor.labels.shape for anchor in self.anchors if anchor.labels is not None), _USUAL)
        height, width = working_size(shape, self.options.short_side)
        return float(min(self.anchors[-1].frame - self.anchors[0].frame, _LONGEST) * height * width)


@dataclass(frozen=True, slots=True)
class Step:
    """How far it is: words, and a share of 0..1."""

    what: str
    share: float


@dataclass(slots=True)
class _Figures:
    """Of one encoder on one video. objects: J&F of every object in every frame; points: right or wrong by threshold.

    found: what it carried to the labelled frames; scores: how good that is, 0..1.
    """

    objects: list[float] = field(default_factory=list)
    frames: int = 0
    points: list[BoolArray] = field(default_factory=list)
    found: dict[int, tuple[LabelMap | None, KeypointSet | None]] = field(default_factory=dict)
    scores: dict[int, float] = field(default_factory=dict)


def prove(
    old: FeatureExtractor,
    new: FeatureExtractor,
    labelled: Sequence[Labelled],
    held_out: Sequence[Path],
    say: Callable[[str], str] = str,
) -> Generator[Step, None, Proof]:
    """Measure both. Yields how far it is; the generator's return value is the `Proof`. Closing it ends the work.

    say: translates the words of steps and notes. A video that cannot be read becomes a note.
    """
    costs = [*(video.cost for video in labelled), *(HELD_OUT_COST for _ in held_out)]
    measures: list[Measure] = []
    pictures: list[Comparison] = []
    notes: list[str] = []
    rows: list[tuple[str, _Figures, _Figures]] = []
    errors: dict[str, list[tuple[FloatArray, FloatArray]]] = {"reconstruction": [], "cycle": []}  # by place

    def step(number: int, share: float = 0.0) -> Step:
        path = labelled[number].path if number < len(labelled) else held_out[number - len(labelled)]
        return Step(path.name, (sum(costs[:number]) + share * costs[number]) / (sum(costs) or 1.0))

    for number, video in enumerate(labelled):
        yield step(number)
        if len(video.anchors) < 2:
            notes.append(say("{0} has one labelled frame: with two it counts").format(video.path.name))
            continue
        try:
            with open_video(video.path) as source:
                results = []
                for place, extractor in enumerate((old, new)):
                    figures = _Figures()
                    for share in _carry(source, extractor, video, figures):
                        yield step(number, (place + share) / 2)
                    results.append(figures)
                rows.append((video.path.name, results[0], results[1]))
                pictures += _labels(source, video.path.name, results[0], results[1], say)
        except (ValueError, OSError) as error:
            notes.append(str(error))
    for number, path in enumerate(held_out, start=len(labelled)):
        yield step(number)
        try:
            with open_video(path) as source:
                both: list[dict[str, list[FloatArray]]] = []
                for place, extractor in enumerate((old, new)):
                    found: dict[str, list[FloatArray]] = {"reconstruction": [], "cycle": []}
                    for share in _without_labels(source, extractor, found):
                        yield step(number, (place + share) / 2)
                    both.append(found)
                for name, pairs in errors.items():
                    pairs += zip(both[0][name], both[1][name], strict=True)
                if not rows:
                    pictures.append(_features(source, path.name, old, new, say))
        except (ValueError, OSError) as error:
            notes.append(str(error))
    measures = [*_label_measures(rows), *error_measures(errors)]
    return Proof(old.sha256, new.sha256, tuple(measures), tuple(pictures), tuple(notes))


# With labels


def _carry(
    source: VideoSource, extractor: FeatureExtractor, video: Labelled, figures: _Figures
) -> Generator[float, None, None]:
    """Propagate the first human frame and score the others; yields the share that is done."""
    first = video.anchors[0]
    later = {a.frame: a for a in video.anchors[1:] if a.frame < first.frame + _LONGEST}
    if not later:
        raise ValueError(f"{video.path.name}: the labelled frames are further apart than {_LONGEST} frames")
    stop = max(later) + 1
    request = PropagationRequest((first,), start=first.frame, stop=stop, options=video.options)
    propagator = Propagator(source, extractor)
    with closing(propagator.run(request)) as results:
        for result in results:
            truth = later.get(result.frame)
            if truth is not None:
                _score(truth, first, result.labels, result.keypoints, figures)
            yield (result.frame - first.frame) / (stop - first.frame)


def _score(
    truth: Anchor, first: Anchor, labels: LabelMap | None, keypoints: KeypointSet | None, figures: _Figures
) -> None:
    shares: list[float] = []
    if truth.labels is not None and first.labels is not None and labels is not None:
        asked = [n for n in first.labels.objects if n in truth.labels.objects]
        if asked:
            scores = measure_frame(truth.labels.ids, labels.ids, asked).mean(axis=1)
            figures.objects += scores.tolist()
            figures.frames += 1
            shares.append(float(scores.mean()))
    if truth.keypoints is not None and first.keypoints is not None and keypoints is not None:
        names = [
            name
            for name, seen in zip(first.keypoints.names, first.keypoints.visible, strict=True)
            if seen and name in truth.keypoints.names and name in keypoints.names
        ]
        rows = [truth.keypoints.names.index(name) for name in names]
        seen = truth.keypoints.visible[rows]
        if seen.any():
            xy = truth.keypoints.xy[rows][seen]
            found = keypoints.xy[[keypoints.names.index(name) for name in names]][seen]
            figures.points.append(correct_points(found, xy, _extent(truth.keypoints)))
            shares.append(float(figures.points[-1][:, 0].mean()))
    if shares:
        figures.found[truth.frame] = labels, keypoints
        figures.scores[truth.frame] = float(np.mean(shares))


def _extent(points: KeypointSet) -> float:
    """The length that PCK's thresholds are shares of: the longer side of the box around the visible points, pixels."""
    xy = points.xy[points.visible]
    return max(float(np.ptp(xy, axis=0).max()), 1.0) if len(xy) > 1 else 20.0


def _label_measures(rows: Sequence[tuple[str, _Figures, _Figures]]) -> list[Measure]:
    found: list[Measure] = []
    for where, before, after in [("", *_pooled(rows)), *(rows if len(rows) > 1 else ())]:
        if before.objects and after.objects:
            means = float(np.mean(before.objects)), float(np.mean(after.objects))
            found.append(Measure("J&F", where, *means, True, before.frames))
        if before.points and after.points:
            old, new = (np.concatenate(f.points)[:, 0] for f in (before, after))
            name = f"PCK@{THRESHOLDS[0]}"
            found.append(Measure(name, where, float(old.mean()), float(new.mean()), True, len(old)))
    return found


def _pooled(rows: Iterable[tuple[str, _Figures, _Figures]]) -> tuple[_Figures, _Figures]:
    pools = _Figures(), _Figures()
    for _, *both in rows:
        for pool, figures in zip(pools, both, strict=True):
            pool.objects += figures.objects
            pool.points += figures.points
            pool.frames += figures.frames
    return pools


def _labels(
    source: VideoSource, name: str, before: _Figures, after: _Figures, say: Callable[[str], str]
) -> list[Comparison]:
    """The labelled frame where the two differ most."""
    shared = before.found.keys() & after.found.keys()
    if not shared:
        return []
    frame = max(sorted(shared), key=lambda f: abs(before.scores[f] - after.scores[f]))
    image = source[frame].image
    title = say("{0}, frame {1}").format(name, frame)
    return [Comparison(title, *(compose(image, *figures.found[frame]) for figures in (before, after)))]


# Without labels


def _without_labels(
    source: VideoSource, extractor: FeatureExtractor, found: dict[str, list[FloatArray]]
) -> Generator[float, None, None]:
    """Errors at some places of a video: of copied colours, float32 [cells], and of points, float32 [points]."""
    options = PropagationOptions(short_side=_SHORT_SIDE)
    propagator = Propagator(source, extractor)
    reach = min(REACH, len(source) - 1)
    gap = min(max(1, round(GAP * source.fps)), len(source) - 1)
    starts = np.unique(np.linspace(0, len(source) - 1 - max(reach, gap), PLACES).round().astype(int))
    for number, start in enumerate(starts.tolist()):
        found["reconstruction"].append(_copied(source, propagator, extractor, start, start + gap, options))
        yield (number + 0.2) / len(starts)
        found["cycle"].append(_there_and_back(source, propagator, start, start + reach, options))
        yield (number + 1) / len(starts)


def _copied(
    source: VideoSource,
    propagator: Propagator,
    extractor: FeatureExtractor,
    query: int,
    reference: int,
    options: PropagationOptions,
) -> FloatArray:
    """How far each cell's colour is from what the affinity copies there: mean distance in a and b, [1]; 1 = 127."""
    options = replace(fill_in(options, extractor), colour=0.0)
    with torch.inference_mode():
        keys = propagator.store(options).match(query, (reference,), value=options.value or "off")
        affinity = frame_affinity(*keys, options)
        there, truth = (_colours(source, frame, options).to(keys[0].device) for frame in (reference, query))
        copied = affinity.apply(there[None, 1:])
        distance = (copied - truth[1:]).norm(dim=0)
    return np.array([float(distance.mean())], np.float32)


def _colours(source: VideoSource, frame: int, options: PropagationOptions) -> torch.Tensor:
    """Normalised Lab of each cell, [3, h, w]."""
    height, width = working_size(source.size, options.short_side)
    image = source[frame].image
    if image.shape[:2] != (height, width):
        image = np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return cell_colours(torch.from_numpy(np.array(image)).permute(2, 0, 1)[None])[0]


def _there_and_back(
    source: VideoSource, propagator: Propagator, start: int, end: int, options: PropagationOptions
) -> FloatArray:
    """Pixels from where points of a grid began to where they are after `end` and back; a lost one misses by much."""
    height, width = source.size
    rows = (np.arange(_GRID[0]) + 0.5) / _GRID[0] * height
    columns = (np.arange(_GRID[1]) + 0.5) / _GRID[1] * width
    points = {f"{r}.{c}": (float(x), float(y)) for r, y in enumerate(rows) for c, x in enumerate(columns)}
    home = KeypointSet.of(points)
    there = _carried(propagator, Anchor(start, keypoints=home), end, options)
    scale = min(source.size) / min(_SHORT_SIDE, min(source.size))
    lost = 4.0 * options.radius * scale
    known: BoolArray = np.asarray(~np.isnan(there.xy).any(axis=1))
    if not known.any():
        return np.full(len(points), lost, np.float32)
    names = [name for name, is_known in zip(there.names, known, strict=True) if is_known]
    inside = np.clip(there.xy[known], 0, np.array([width - 1, height - 1]))
    anchor = KeypointSet.of({name: (float(x), float(y)) for name, (x, y) in zip(names, inside, strict=True)})
    back = _carried(propagator, Anchor(end, keypoints=anchor), start, options)
    error = np.full(len(points), lost, np.float32)
    for name, place in zip(back.names, back.xy, strict=True):
        if not np.isnan(place).any():
            error[home.names.index(name)] = min(lost, float(np.hypot(*(place - home.xy[home.names.index(name)]))))
    return error


def _carried(propagator: Propagator, anchor: Anchor, end: int, options: PropagationOptions) -> KeypointSet:
    forward = end > anchor.frame
    span = (anchor.frame, end + 1) if forward else (end, anchor.frame + 1)
    way = Direction.FORWARD if forward else Direction.BACKWARD
    request = PropagationRequest((anchor,), start=span[0], stop=span[1], direction=way, options=options)
    with closing(propagator.run(request)) as results:
        last = next(result for result in results if result.frame == end)
    assert last.keypoints is not None, "keypoints were asked for"
    return last.keypoints


def error_measures(errors: Mapping[str, Sequence[tuple[FloatArray, FloatArray]]]) -> list[Measure]:
    """Their means, from the errors before and after at each place, [points] both, by name."""
    found = []
    for name, pairs in errors.items():
        if pairs:
            old, new = (np.concatenate([pair[n] for pair in pairs]) for n in (0, 1))
            means = float(old.mean()), float(new.mean())
            # Points of one place are lost together, so that a place counts once.
            changes = [float(after.mean() - before.mean()) for before, after in pairs]
            spread = float(np.std(changes, ddof=1) / np.sqrt(len(changes))) if len(changes) > 1 else np.inf
            found.append(Measure(name, "", *means, False, len(old), spread))
    return found


def _features(
    source: VideoSource, name: str, old: FeatureExtractor, new: FeatureExtractor, say: Callable[[str], str]
) -> Comparison:
    """The middle frame as the two see it: their features as colours."""
    frame = len(source) // 2
    options = PropagationOptions(short_side=_SHORT_SIDE)
    made = []
    for extractor in (old, new):
        filled = fill_in(options, extractor)
        with torch.inference_mode():
            features = Propagator(source, extractor).store(filled).get(frame, value=filled.value or "off")
            made.append(feature_colours(without_colour(features)[None].float())[0])
    size = working_size(source.size, _SHORT_SIDE)
    before, after = (cv2.resize(m, size[::-1], interpolation=cv2.INTER_NEAREST) for m in made)
    title = say("{0}, features of frame {1}").format(name, frame)
    return Comparison(title, np.asarray(before, np.uint8), np.asarray(after, np.uint8))
