"""PCK, the percentage of correct keypoints: the first labelled frame is given, the others are compared.

A point is correct at PCK@a when it lies within a x scale of the truth. The scale of a frame is a matter of
the benchmark (see `keypoint_sets`). All visible points are pooled: a point is one vote, whatever its video.
A point that the propagator lost is wrong. Points that are not visible in the given frame were never asked for,
and are not scored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model.evaluation.runner import Progress, Propagate, Timed
from model.types import (
    Anchor,
    BoolArray,
    FloatArray,
    KeypointSet,
    PropagationOptions,
    PropagationRequest,
)
from model.video import open_video

THRESHOLDS = (0.1, 0.2)


@dataclass(frozen=True, slots=True, eq=False)
class KeypointSequence:
    """One video with true keypoints.

    frames:  the folder of its pictures.
    names:   N point names.
    xy:      float32 [T, N, 2], pixels; NaN where the truth is not known.
    visible: bool [T, N]; only these are given and scored. At least one point is visible somewhere.
    scale:   float32 [T], pixels: the length that thresholds are shares of.
    """

    name: str
    frames: Path
    names: tuple[str, ...]
    xy: FloatArray
    visible: BoolArray
    scale: FloatArray

    @property
    def first(self) -> int:
        """The frame that is given: the first with a visible point."""
        return int(np.argmax(self.visible.any(axis=1)))


def correct_points(found: FloatArray, truth: FloatArray, scale: float) -> BoolArray:
    """Which of M points are correct at each threshold: bool [M, len(THRESHOLDS)].

    found, truth: float32 [M, 2], pixels; NaN in `found` is a lost point, which is wrong.
    """
    distance = np.linalg.norm(found.astype(np.float64) - truth, axis=1)
    return np.asarray(distance[:, None] <= np.array(THRESHOLDS) * float(scale), np.bool_)


@dataclass(frozen=True, slots=True, eq=False)
class KeypointScore:
    """The scored points of one sequence, or of several pooled.

    correct: bool [M, len(THRESHOLDS)], the points of all frames after the given one.
    given:   bool [M', len(THRESHOLDS)], the points of the given frame.
    frames:  frames that were propagated to.
    seconds: time spent waiting for the predictions.
    """

    correct: BoolArray
    given: BoolArray
    frames: int
    seconds: float

    @classmethod
    def pool(cls, scores: Iterable[KeypointScore]) -> KeypointScore:
        """All points of several sequences together."""
        parts = list(scores)
        return cls(
            np.concatenate([p.correct for p in parts]),
            np.concatenate([p.given for p in parts]),
            sum(p.frames for p in parts),
            sum(p.seconds for p in parts),
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: PCK without the given frame, and with it; values in 0..1."""
        with_given = np.concatenate([self.given, self.correct])
        return {
            **_shares(self.correct, "PCK@{}"),
            **_shares(with_given, "PCK@{} with given frame"),
            "points": len(self.correct),
            "frames": self.frames,
            "seconds": self.seconds,
        }


def _shares(correct: BoolArray, key: str) -> dict[str, float]:
    return {key.format(t): float(share) for t, share in zip(THRESHOLDS, correct.mean(axis=0), strict=True)}


@dataclass(frozen=True, slots=True)
class KeypointReport:
    """The scores of all sequences, and what they were made with."""

    sequences: Mapping[str, KeypointScore]
    weights: Mapping[str, str] = field(default_factory=dict)
    options: PropagationOptions | None = None

    @property
    def mean(self) -> KeypointScore:
        """The points of all sequences pooled."""
        return KeypointScore.pool(self.sequences.values())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: {"mean": …, "sequences": {name: …}, "weights": …, "options": …}."""
        return {
            "mean": self.mean.as_dict(),
            "sequences": {name: score.as_dict() for name, score in self.sequences.items()},
            "weights": dict(self.weights),
            "options": asdict(self.options) if self.options else {},
        }


def evaluate_keypoints(
    sequences: Iterable[KeypointSequence],
    propagate: Propagate,
    *,
    options: PropagationOptions | None = None,
    weights: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> KeypointReport:
    """Carry the first labelled frame's keypoints forward through every sequence and score what comes out.

    Raises ValueError when a run leaves labelled frames out.
    """
    options = options or PropagationOptions()
    scores = {s.name: _score(s, propagate, options, progress) for s in sequences}
    return KeypointReport(scores, weights or {}, options)


def _score(
    sequence: KeypointSequence, propagate: Propagate, options: PropagationOptions, progress: Progress | None
) -> KeypointScore:
    first = sequence.first
    asked = np.flatnonzero(sequence.visible[first])
    names = [sequence.names[i] for i in asked]
    points = {name: (float(x), float(y)) for name, (x, y) in zip(names, sequence.xy[first, asked], strict=True)}
    stop = len(sequence.visible)
    request = PropagationRequest(
        (Anchor(first, keypoints=KeypointSet.of(points)),), start=first, stop=stop, options=options
    )
    xy, visible = sequence.xy[:, asked], sequence.visible[:, asked]
    later = [int(frame) for frame in np.flatnonzero(visible.any(axis=1)) if frame > first]
    if not later:
        raise ValueError(f"{sequence.name}: no point of frame {first} is labelled in any later frame")
    correct: dict[int, BoolArray] = {}
    with open_video(sequence.frames) as source:
        results = Timed(propagate(source, request))
        for done, result in enumerate(results, start=1):
            assert result.keypoints is not None, "keypoints were asked for"
            frame, seen = result.frame, visible[result.frame]
            order = [result.keypoints.names.index(name) for name in names]
            found = result.keypoints.xy[order]
            correct[frame] = correct_points(found[seen], xy[frame, seen], sequence.scale[frame])
            if progress:
                progress(sequence.name, done, stop - first)
    if missing := [frame for frame in [first, *later] if frame not in correct]:
        raise ValueError(f"{sequence.name}: no keypoints were predicted for frame {missing[0]}")
    after = np.concatenate([correct[frame] for frame in later])
    return KeypointScore(after, correct[first], stop - first, results.seconds)
