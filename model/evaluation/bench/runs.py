"""Propagation from end to end: a first pass, the update behind a correction, and passes over long videos."""

from __future__ import annotations

from typing import NamedTuple

from model.evaluation.bench.figures import Length, Roof, Run, Stage
from model.evaluation.bench.measure import Meter, resident
from model.evaluation.bench.stages import time_stages
from model.evaluation.bench.synthetic import SyntheticVideo, blobs
from model.features import FeatureExtractor
from model.propagator import Propagator, working_size
from model.types import PropagationOptions, PropagationRequest
from model.video import VideoSource

_LONG_BUDGET = 2**21  # bytes of features on long passes: soon reached, so that memory is flat behind it
_SAMPLES = 100


def warm_up(options: PropagationOptions) -> int:
    """Frames until memory is full."""
    return max(*options.short_term, *options.long_term, 0) + 3


def reference_count(options: PropagationOptions) -> int:
    """References of a frame when memory is full."""
    return 1 + len(options.long_term) + len(options.short_term)


def measure_run(
    source: VideoSource,
    extractor: FeatureExtractor,
    options: PropagationOptions,
    *,
    objects: int,
    frames: int,
    roof: Roof,
    meter: Meter,
) -> Run:
    """Propagate made-up objects over up to `frames` frames behind a warm-up.

    ValueError if the video is shorter than memory reaches.
    """
    behind = warm_up(options)
    if len(source) <= behind:
        raise ValueError(f"{source.path}: {len(source)} frames are too few to measure, {behind + 1} are needed")
    stop = min(len(source), behind + frames)
    passes = [time_passes(source, extractor, options, objects, behind, stop, meter) for _ in range(meter.rounds)]
    references = reference_count(options)
    stages = time_stages(source, extractor, options, objects, references, roof, meter)
    timed = {stage.name for stage in stages}
    others = {name: min(p.seconds[name] for p in passes) for name in passes[0].seconds if name not in timed}
    count = stop - behind
    return Run(
        video=source.path.name,
        size=source.size,
        working_size=working_size(source.size, options.short_side),
        objects=objects,
        references=references,
        frames=count,
        first=min(p.first for p in passes) / count,
        update=min(p.update for p in passes) / count,
        stages=(*stages, *(Stage(name, value / count, 0, "FLOP", roof.flops) for name, value in others.items())),
        resident=resident(),
    )


class Passes(NamedTuple):
    """Seconds of a first pass and of an update, and of each stage of the first by the propagator's own stopwatch."""

    first: float
    update: float
    seconds: dict[str, float]


def time_passes(
    source: VideoSource,
    extractor: FeatureExtractor,
    options: PropagationOptions,
    objects: int,
    behind: int,
    stop: int,
    meter: Meter,
) -> Passes:
    """Over the frames behind..stop-1: once, and again when the frame before them is corrected."""
    propagator = Propagator(source, extractor)
    anchor = blobs(0, source.size, objects)
    results = propagator.run(PropagationRequest((anchor,), stop=stop, options=options))
    for _ in range(behind):
        next(results)
    begun, before = meter.now(), propagator.timings
    for _ in results:
        pass
    middle, after = meter.now(), propagator.timings
    corrected = (anchor, blobs(behind - 1, source.size, objects))
    for _ in propagator.run(PropagationRequest(corrected, start=behind, stop=stop, options=options)):
        pass
    end = meter.now()
    spent = {name: value - before.get(name, 0.0) for name, value in after.items()}
    return Passes(middle - begun, end - middle, spent)


def measure_length(
    size: tuple[int, int], frames: int, extractor: FeatureExtractor, options: PropagationOptions, meter: Meter
) -> Length:
    """One pass over a synthetic video, with few features kept: every frame should cost what the first ones do.

    ValueError if it is shorter than memory reaches.
    """
    behind = warm_up(options)
    if frames <= behind:
        raise ValueError(f"a length of {frames} frames is too short to measure; {behind + 1} are needed")
    held: dict[int, int | None] = {}
    every = max(1, frames // _SAMPLES)
    with SyntheticVideo(*size, frames) as source:
        propagator = Propagator(source, extractor, _LONG_BUDGET)
        begun = 0.0
        for result in propagator.run(PropagationRequest((blobs(0, size, 1),), options=options)):
            if result.frame == behind - 1:
                begun = meter.now()
            if (result.frame + 1) % every == 0:
                held[result.frame + 1] = resident()
        passed = meter.now() - begun
    return Length(size, frames, passed / (frames - behind), held)
