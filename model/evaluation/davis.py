"""DAVIS semi-supervised evaluation: the first frame's labels are given, J and F say how well they were carried.

The official rules: every object of the first frame is scored on all frames but the first and the last; the
result is the mean over the objects of all sequences, each with one vote. Void pixels are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from model.evaluation.layout import RESOLUTION, DavisSequence, find_sequences, read_mask, write_mask
from model.evaluation.measures import Score, measure_frame
from model.evaluation.runner import Progress, Propagate, Timed
from model.types import (
    BACKGROUND,
    VOID,
    Anchor,
    LabelMap,
    PropagationOptions,
    PropagationRequest,
    UInt8Array,
    present_ids,
)
from model.video import open_video


@dataclass(frozen=True, slots=True)
class SequenceScore:
    """The scores of one sequence.

    objects: object id -> its score.
    late:    ids that first appear after the first frame; nobody could carry them, so they are not scored.
    frames:  frames of the sequence, the unscored first and last included.
    seconds: time spent waiting for the predictions.
    """

    name: str
    objects: Mapping[int, Score]
    late: tuple[int, ...]
    frames: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            **Score.mean(list(self.objects.values())).as_dict(),
            "objects": {str(number): score.as_dict() for number, score in self.objects.items()},
            "unscored_objects": list(self.late),
            "frames": self.frames,
            "seconds": self.seconds,
        }


@dataclass(frozen=True, slots=True)
class DavisReport:
    """The scores of all sequences, and what they were made with."""

    sequences: tuple[SequenceScore, ...]
    weights: Mapping[str, str] = field(default_factory=dict)
    options: PropagationOptions | None = None

    @property
    def mean(self) -> Score:
        """The mean over the objects of all sequences."""
        return Score.mean([score for sequence in self.sequences for score in sequence.objects.values()])

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: {"mean": …, "sequences": {name: …}, "weights": …, "options": …}, values in 0..1."""
        return {
            "mean": self.mean.as_dict(),
            "sequences": {sequence.name: sequence.as_dict() for sequence in self.sequences},
            "weights": dict(self.weights),
            "options": asdict(self.options) if self.options else {},
        }


def evaluate_davis(
    root: Path,
    propagate: Propagate,
    *,
    sequences: Iterable[str] | None = None,
    options: PropagationOptions | None = None,
    weights: Mapping[str, str] | None = None,
    results: Path | None = None,
    progress: Progress | None = None,
) -> DavisReport:
    """Carry the first frame's labels through every sequence of a DAVIS folder and score what comes out.

    sequences: names of sequences or image sets; None = all.
    options:   how labels travel; None = the defaults.
    weights:   name, hash and recipe of the features, for the report.
    results:   folder for the predicted masks, results/<sequence>/00000.png.
    Raises ValueError on a folder that is not laid out like DAVIS, or a run that leaves frames out.
    """
    options = options or PropagationOptions()
    scores = [
        _score(sequence, _predict(sequence, propagate, options), results, progress)
        for sequence in _scorable(root, sequences)
    ]
    return DavisReport(tuple(scores), weights or {}, options)


def score_folder(
    root: Path,
    results: Path,
    *,
    sequences: Iterable[str] | None = None,
    progress: Progress | None = None,
) -> DavisReport:
    """Score masks that have the file names of the ground truth.

    results: they lie in <sequence>/ there; or it is a data set itself, such as a DAVIS export.
    """
    scores = [_score(sequence, _saved(sequence, results), None, progress) for sequence in _scorable(root, sequences)]
    return DavisReport(tuple(scores))


def _scorable(root: Path, names: Iterable[str] | None) -> tuple[DavisSequence, ...]:
    """The sequences, all looked at before the first is run."""
    sequences = find_sequences(root, names)
    for sequence in sequences:
        if len(sequence.masks) < 3:
            raise ValueError(
                f"{sequence.name} has {len(sequence.masks)} ground-truth masks; at least 3 are needed, "
                "because the first and the last frame are not scored"
            )
        if not present_ids(sequence.truth(0)) - {BACKGROUND, VOID}:
            raise ValueError(
                f"{sequence.masks[0]} shows no object to carry; save objects as ids 1..254 (255 is void, "
                "although DAVIS-2016 uses it for the object)"
            )
    return sequences


def _predict(
    sequence: DavisSequence, propagate: Propagate, options: PropagationOptions
) -> Iterator[tuple[int, UInt8Array]]:
    with open_video(sequence.frames) as source:
        first = sequence.truth(0)
        if len(source) != len(sequence.masks):
            raise ValueError(
                f"{sequence.frames} has {len(source)} frames, the ground truth {len(sequence.masks)}; "
                "every frame needs a mask"
            )
        if source.size != first.shape:
            raise ValueError(f"{sequence.masks[0]} is {first.shape}, its frame {source.size} (height, width)")
        labels = LabelMap(np.where(first == VOID, BACKGROUND, first).astype(np.uint8))
        for result in propagate(source, PropagationRequest((Anchor(0, labels),), options=options)):
            assert result.labels is not None, "masks were asked for"
            yield result.frame, result.labels.ids


def _saved(sequence: DavisSequence, results: Path) -> Iterator[tuple[int, UInt8Array]]:
    exported = results / "Annotations" / RESOLUTION
    folder = (exported if exported.is_dir() else results) / sequence.name
    if not folder.is_dir():
        raise ValueError(f"{results} has no folder {sequence.name}; leave the sequence out or add its masks")
    for frame, mask in enumerate(sequence.masks):
        if (folder / mask.name).is_file():
            yield frame, read_mask(folder / mask.name)


def _score(
    sequence: DavisSequence,
    predictions: Iterable[tuple[int, UInt8Array]],
    results: Path | None,
    progress: Progress | None,
) -> SequenceScore:
    count = len(sequence.masks)
    known = present_ids(sequence.truth(0)) - {BACKGROUND, VOID}
    objects = sorted(known)
    found = set[int]()
    measures = np.full((count, len(objects), 2), np.nan)
    predictions = Timed(predictions)
    for done, (frame, ids) in enumerate(predictions, start=1):
        if results is not None:
            write_mask(results / sequence.name / sequence.masks[frame].name, ids)
        if 0 < frame < count - 1:
            truth = sequence.truth(frame)
            if ids.shape != truth.shape:
                raise ValueError(
                    f"{sequence.name}, frame {frame}: the predicted mask is {ids.shape}, the ground truth "
                    f"{truth.shape} (height, width); masks are scored at the size of the ground truth"
                )
            measures[frame] = measure_frame(truth, ids, objects)
            known |= present_ids(truth) - {BACKGROUND, VOID}
            found |= present_ids(ids) - {BACKGROUND}
        if progress:
            progress(sequence.name, done, count)
    scored = measures[1:-1]
    missing = np.flatnonzero(np.isnan(scored).any(axis=(1, 2))) + 1
    if len(missing):
        raise ValueError(
            f"{sequence.name}: {len(missing)} of {len(scored)} frames have no predicted mask, "
            f"the first is {sequence.masks[missing[0]].name}"
        )
    if stray := sorted(found - known):
        raise ValueError(
            f"{sequence.name}: the predicted masks carry id {stray[0]}, which the ground truth does not know; "
            f"its objects are {', '.join(map(str, sorted(known)))}"
        )
    return SequenceScore(
        sequence.name,
        {number: Score.of(scored[:, i]) for i, number in enumerate(objects)},
        tuple(sorted(known - set(objects))),
        count,
        predictions.seconds,
    )
