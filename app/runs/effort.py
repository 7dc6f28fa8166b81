"""How much work a video costs: a simulated annotator corrects a frame, updates, and looks for the next one to correct.

It uses the same document, the same suggestions and the same updates as the window does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.annotations import FrameLabels
from app.core.document import Document
from app.core.doubt import suggestions
from app.core.media import Media
from app.core.spans import update_requests
from model.evaluation.layout import DavisSequence, find_sequences
from model.evaluation.measures import measure_frame
from model.evaluation.runner import Progress
from model.features import FeatureExtractor
from model.propagator import Propagator
from model.types import BACKGROUND, VOID, Direction, LabelMap, PropagationOptions, PropagationRequest, UInt8Array
from model.video import VideoSource, open_video


class Pick(StrEnum):
    """Who chooses the next frame: the program's doubt, the middle of the widest gap, or one who knows the truth."""

    DOUBT = "doubt"
    UNIFORM = "uniform"
    ORACLE = "oracle"


@dataclass(frozen=True, slots=True)
class Round:
    """The state after so many human frames. frame: the one that was painted last. J and F: means over all frames."""

    human: int
    frame: int
    J: float
    F: float


@dataclass(frozen=True, slots=True)
class EffortReport:
    """Rounds by sequence and pick. target: the mean J to be reached; limit: human frames after which one gives up."""

    target: float
    limit: int
    rounds: Mapping[str, Mapping[Pick, tuple[Round, ...]]]
    options: PropagationOptions = field(default_factory=PropagationOptions)

    def frames(self, name: str, pick: Pick) -> int:
        """Human frames until the target, or the limit where it was not reached."""
        return next((r.human for r in self.rounds[name][pick] if self.target <= r.J), self.limit)

    def total(self, pick: Pick) -> int:
        return sum(self.frames(name, pick) for name in self.rounds)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: human frames by pick, in all and by sequence, and the curves."""
        uniform = self.total(Pick.UNIFORM)
        return {
            "target": self.target,
            "limit": self.limit,
            "human_frames": {pick.value: self.total(pick) for pick in Pick},
            "relative_to_uniform": {pick.value: self.total(pick) / uniform for pick in Pick},
            "sequences": {
                name: {
                    pick.value: {"human_frames": self.frames(name, pick), "curve": [asdict(r) for r in rounds]}
                    for pick, rounds in picks.items()
                }
                for name, picks in self.rounds.items()
            },
            "options": asdict(self.options),
        }


def evaluate_effort(
    root: Path,
    extractor: FeatureExtractor,
    *,
    sequences: list[str] | None = None,
    options: PropagationOptions | None = None,
    target: float = 0.9,
    limit: int = 12,
    progress: Progress | None = None,
) -> EffortReport:
    """Run all picks on the sequences of a DAVIS folder.

    options: how labels travel; target: mean J at which the annotator is content; limit: most human frames.
    ValueError for a folder that is not laid out like DAVIS.
    """
    options = options or PropagationOptions()
    rounds = {}
    for sequence in find_sequences(root, sequences):
        with open_video(sequence.frames) as source:
            propagator = Propagator(source, extractor)  # one for all picks: a frame is encoded once
            rounds[sequence.name] = {
                pick: simulate(sequence, source, propagator, pick, options, target, limit, progress) for pick in Pick
            }
    return EffortReport(target, limit, rounds, options)


def simulate(
    sequence: DavisSequence,
    source: VideoSource,
    propagator: Propagator,
    pick: Pick,
    options: PropagationOptions,
    target: float,
    limit: int,
    progress: Progress | None = None,
) -> tuple[Round, ...]:
    """One annotator on one sequence: paint the first frame, propagate, then correct until content."""
    document = Document(Media(source.path, source.size, len(source), source.fps))
    document.set_options(options)
    truths = [sequence.truth(f) for f in range(len(source))]
    objects = [int(n) for n in np.unique(truths[0]) if n not in (BACKGROUND, VOID)]
    for number in sorted({int(n) for truth in truths for n in np.unique(truth)} - {BACKGROUND, VOID}):
        document.add_object(number=number)
    scores = np.zeros((len(source), len(objects), 2))
    rounds: list[Round] = []
    frame = 0
    while True:
        _paint(document, frame, truths)
        requests = update_requests(document) if rounds else (document.request(Direction.FORWARD),)
        changed = {frame}
        for request in requests:
            changed |= _run(document, propagator, request)
        for f in changed:
            scores[f] = _measure(document, f, truths[f], objects)
        j, f_score = scores[1:-1].mean(axis=(0, 1)).tolist()
        rounds.append(Round(len(document.store.human), frame, j, f_score))
        if progress is not None:
            progress(f"{sequence.name} by {pick}", len(rounds), limit)
        if j >= target or len(rounds) >= min(limit, len(source)):
            return tuple(rounds)
        frame = PICKS[pick](document, scores)


def _paint(document: Document, frame: int, truths: list[UInt8Array]) -> None:
    ids = np.where(truths[frame] == VOID, BACKGROUND, truths[frame]).astype(np.uint8)
    known = tuple(info.id for info in document.objects) if frame else ()
    document.set_labels(frame, LabelMap(ids, known))


def _run(document: Document, propagator: Propagator, request: PropagationRequest) -> set[int]:
    changed: set[int] = set()
    job = document.begin_job("Propagate", request, "")
    with closing(propagator.run(request)) as results:
        for result in results:
            changed |= document.apply_result(job, result.frame, FrameLabels.of(result)).frames
    document.end_job(job)
    return changed


def _measure(document: Document, frame: int, truth: UInt8Array, objects: list[int]) -> NDArray[np.float64]:
    labels = document.labels(frame)
    assert labels is not None
    return measure_frame(truth, labels.ids, objects)


def _suggested(document: Document, scores: NDArray[np.float64]) -> int:
    return suggestions(document, most=1)[0][0]


def _widest_gap(document: Document, scores: NDArray[np.float64]) -> int:
    """The middle of the longest run without a human frame; what lies behind the last one is such a run."""
    human = [*document.store.human, document.media.frames]
    width, start = max((after - before, -before) for before, after in pairwise(human))
    return -start + width // 2


def _worst(document: Document, scores: NDArray[np.float64]) -> int:
    mean = scores.mean(axis=(1, 2))
    mean[list(document.store.human)] = np.inf
    return int(mean.argmin())


PICKS: dict[Pick, Callable[[Document, NDArray[np.float64]], int]] = {
    Pick.DOUBT: _suggested,
    Pick.UNIFORM: _widest_gap,
    Pick.ORACLE: _worst,
}
