"""The demo's result against the truth, by the measures of `model.evaluation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.demo.sample import Sample
from app.io.masks import read_written
from app.io.output import OutputFolder
from model.evaluation.keypoints import KeypointScore, correct_points
from model.evaluation.measures import Score, measure_frame
from model.types import KeypointSet


@dataclass(frozen=True, slots=True)
class DemoScore:
    """frames: float64 [T, K, 2], J and F of every frame and object, the given first frame included.
    objects: by id, scored by the rules of DAVIS (neither the first nor the last frame).
    points:  a point is correct within a share of the square root of its object's area.
    """

    frames: NDArray[np.float64]
    objects: dict[int, Score]
    points: KeypointScore

    @property
    def mean(self) -> Score:
        return Score.mean(list(self.objects.values()))


def score(sample: Sample, result: OutputFolder, found: Mapping[int, KeypointSet], carrier: int) -> DemoScore:
    """found: the carried keypoints by frame; they lie on the object `carrier`."""
    true_points = sample.keypoints()
    objects = sample.labels(0).objects
    measures, correct = [], []
    for index, points in true_points.items():
        truth = sample.labels(index).ids
        measures.append(measure_frame(truth, read_written(result.mask(index)).ids, objects))
        names = [n for n, v in zip(points.names, points.visible, strict=True) if v and n in found[index].names]
        xy, true_xy = (p.xy[[p.names.index(n) for n in names]] for p in (found[index], points))
        correct.append(correct_points(xy, true_xy, float(np.sqrt(np.count_nonzero(truth == carrier)))))
    frames = np.array(measures)
    return DemoScore(
        frames,
        {number: Score.of(frames[1:-1, i]) for i, number in enumerate(objects)},
        KeypointScore(np.concatenate(correct[1:]), correct[0], len(correct), 0.0),
    )
