"""What `mer adapt` works out: an encoder adapted to one video, and whether it is worth keeping there.

It is kept if cells of held-out frames come back nearer to home (`model.training.adapt`), and if labels that are carried
from a person's frames with it are more certain than with the encoder that it came from.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.core.adaptation import Outcome
from app.core.annotations import FrameLabels
from app.core.doubt import frame_certainty
from model.features import FeatureExtractor, load_extractor
from model.propagator import Propagator
from model.training.adapt import adapt
from model.types import Anchor, Direction, Origin, PropagationOptions, PropagationRequest
from model.video import VideoSource

REACH = 24
"""So many frames around labelled ones are looked at for certainty, to either side."""

_MOST = 4  # labelled frames that are gone out from
_SHORT_SIDE = 240  # working size, pixels: certainty is compared, not used


@dataclass(frozen=True, slots=True)
class Step:
    """What is done ("measure", "learn" or "compare"), the share of that, and the cycle error if it is new."""

    what: str
    share: float
    error: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self)


def adapt_to(
    source: VideoSource,
    anchors: Sequence[Anchor],
    options: PropagationOptions,
    weights: Path,
    target: Path,
    *,
    minutes: float | None = None,
    steps: int | None = None,
    device: str | None = None,
    precision: str = "auto",
) -> Generator[Step, None, Outcome]:
    """Adapt the encoder in `weights` to a video with labelled frames; `target` is there afterwards if it is kept.

    Closing the generator ends the work, and nothing is kept. ValueError where nothing is labelled, for a video that is
    too short, and for no weights; OSError if the target cannot be written.
    """
    if not anchors:
        raise ValueError(
            f"{source.path.name}: no frame is labelled, so nobody could tell if it helped: label one first"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    kept = False
    try:
        learning = adapt(source, weights, target, minutes=minutes, steps=steps, device=device, precision=precision)
        yield Step("measure", 0.0)
        with closing(learning):
            while True:
                try:
                    step = next(learning)
                except StopIteration as end:
                    came = end.value
                    break
                yield Step("learn", step.share, step.error)
        if not came.helped:
            return Outcome(False, (came.before, came.after), None)
        found: list[float] = []
        for number, path in enumerate((weights, target)):
            extractor = load_extractor(path, device, precision)
            looking = _certainty(source, extractor, anchors, options)
            while True:
                try:
                    yield Step("compare", (number + next(looking)) / 2)
                except StopIteration as end:
                    found.append(end.value)
                    break
        outcome = Outcome.of((came.before, came.after), (found[0], found[1]))
        kept = outcome.kept
        return outcome
    finally:
        if not kept:
            target.unlink(missing_ok=True)


def _certainty(
    source: VideoSource, extractor: FeatureExtractor, anchors: Sequence[Anchor], options: PropagationOptions
) -> Generator[float, None, float]:
    """The mean certainty of what is carried from some of the anchors to the frames around; yields the share done."""
    side = _SHORT_SIDE if options.short_side is None else min(options.short_side, _SHORT_SIDE)
    options = replace(options, short_side=side)
    propagator = Propagator(source, extractor)
    places = np.unique(np.linspace(0, len(anchors) - 1, min(_MOST, len(anchors))).round().astype(int))
    certain: list[float] = []
    for number, place in enumerate(places.tolist()):
        anchor = anchors[place]  # alone: what the others say would hide what the encoder can do
        start, stop = max(0, anchor.frame - REACH), min(len(source), anchor.frame + REACH + 1)
        request = PropagationRequest((anchor,), start=start, stop=stop, direction=Direction.BOTH, options=options)
        with closing(propagator.run(request)) as results:
            for done, result in enumerate(results, start=1):
                if result.origin is Origin.PROPAGATED:
                    value = frame_certainty(FrameLabels.of(result))
                    certain += [] if value is None else [value]
                yield (number + done / (stop - start)) / len(places)
    return float(np.mean(certain)) if certain else 0.0
