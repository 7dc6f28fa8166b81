"""Every combination of some propagation options, scored on a DAVIS folder; each frame is encoded once only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

from model.evaluation.davis import DavisReport, SequenceScore, evaluate_davis
from model.evaluation.layout import find_sequences
from model.features import FeatureExtractor
from model.propagator import Propagator
from model.types import PropagationOptions, PropagationRequest, PropagationResult
from model.video import VideoSource, open_video


@dataclass(frozen=True, slots=True)
class Trial:
    """One combination: the fields that were set, and how it scored."""

    settings: Mapping[str, Any]
    report: DavisReport


def sweep_davis(
    root: Path,
    extractor: FeatureExtractor,
    grid: Mapping[str, Sequence[Any]],
    *,
    base: PropagationOptions | None = None,
    sequences: Iterable[str] | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> list[Trial]:
    """Score all combinations of `grid` (field of PropagationOptions -> values), the best J&F first.

    note: told the sequence and the combination that is being run. ValueError for a field that options do not have,
    for a value they refuse, or for a folder that is not laid out like DAVIS.
    """
    base = base or PropagationOptions()
    settings = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    try:
        options = [replace(base, **setting) for setting in settings]
    except TypeError as error:
        raise ValueError(f"cannot sweep {', '.join(grid)}: {error}") from None
    scores: list[list[SequenceScore]] = [[] for _ in options]
    for sequence in find_sequences(root, sequences):
        with _Cached(extractor) as propagate:
            for number, option in enumerate(options):
                note(f"{sequence.name}: {number + 1} of {len(options)} {settings[number]}")
                report = evaluate_davis(root, propagate, sequences=[sequence.name], options=option)
                scores[number].extend(report.sequences)
    weights = {"name": extractor.name, "sha256": extractor.sha256, "recipe": extractor.recipe}
    trials = [
        Trial(setting, DavisReport(tuple(score), weights, option))
        for setting, score, option in zip(settings, scores, options, strict=True)
    ]
    return sorted(trials, key=lambda trial: -trial.report.mean.as_dict()["J&F"])


class _Cached:
    """Propagates one video again and again with the features of the first time."""

    def __init__(self, extractor: FeatureExtractor) -> None:
        self._extractor = extractor
        self._source: VideoSource | None = None
        self._propagator: Propagator | None = None

    def __enter__(self) -> _Cached:
        return self

    def __exit__(self, *error: object) -> None:
        if self._source is not None:
            self._source.close()

    def __call__(self, source: VideoSource, request: PropagationRequest) -> Iterator[PropagationResult]:
        if self._propagator is None:
            self._source = open_video(source.path)  # the caller closes its own after every run
            self._propagator = Propagator(self._source, self._extractor)
        return self._propagator.run(request)
