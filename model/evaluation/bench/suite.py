"""One benchmark from its plan: every size, number of objects and length that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from time import perf_counter

from model.device import describe
from model.evaluation.bench.affinities import compare_affinities
from model.evaluation.bench.figures import Figures, Length, Run, Stage
from model.evaluation.bench.measure import Meter, find_roof
from model.evaluation.bench.parts import time_parts
from model.evaluation.bench.runs import measure_length, measure_run, warm_up
from model.evaluation.bench.synthetic import wide
from model.evaluation.bench.training import time_training
from model.features import EncoderFeatures, FeatureExtractor
from model.recipes import get_recipe
from model.types import PropagationOptions
from model.video import VideoSource

Note = Callable[[str], None]
OpenVideo = Callable[[tuple[int, int], int], AbstractContextManager[VideoSource]]

LONG_SIZE = (48, 64)
_LENGTH_SIZE = 72
_BASE = 480


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured. ValueError for what cannot be.

    sizes:   heights of the videos; each with the first number of objects, one of them (480, or the first) with all.
    objects: how many are carried.
    lengths: frames of passes over a small video (128×72); long: the same of one still smaller (64×48), 0 = none.
    frames:  measured behind the warm-up of each run; rounds: of which the best counts.
    clock:   as of `Meter`.
    recipe:  of the training step; None = no step.
    compare: time the plain ways to the affinity too.
    parts:   time the parts of the method too.
    """

    sizes: tuple[int, ...] = (480,)
    objects: tuple[int, ...] = (1,)
    lengths: tuple[int, ...] = (50, 500)
    long: int = 0
    frames: int = 20
    rounds: int = 2
    recipe: str | None = "dense"
    compare: bool = False
    parts: bool = False
    clock: Callable[[], float] = perf_counter

    def __post_init__(self) -> None:
        for name, values, least, most in (
            ("a size", self.sizes, 16, 8640),
            ("a number of objects", self.objects, 1, 254),
            ("a length", self.lengths, 20, 10**6),
        ):
            if wrong := [value for value in values if not least <= value <= most]:
                raise ValueError(f"{name} cannot be {wrong[0]}: give {least} to {most}")
        if self.recipe is not None:
            get_recipe(self.recipe)
        if self.sizes and not self.objects:
            raise ValueError("no number of objects is given: name at least one, as --objects 1")

    def cases(self) -> list[tuple[int, int]]:
        """(height, objects) of every run."""
        base = _BASE if _BASE in self.sizes else next(iter(self.sizes), None)
        return [(size, n) for size in self.sizes for n in (self.objects if size == base else self.objects[:1])]


def run_suite(
    plan: Plan,
    extractor: FeatureExtractor,
    options: PropagationOptions,
    open_video: OpenVideo,
    note: Note = lambda text: None,
    video: VideoSource | None = None,
) -> Figures:
    """Measure what a plan names.

    open_video: makes a video of a size (height, width) and length. video: is measured in place of the plan's sizes.
    note: told what is being measured.
    """
    note("finding the roofs")
    meter = Meter(extractor.device, plan.rounds, plan.clock)
    roof = find_roof(meter)
    runs: list[Run] = []
    ways: dict[str, float] = {}
    parts: dict[str, float] = {}

    def measure(source: VideoSource, objects: int) -> None:
        note(f"{source.size[1]}×{source.size[0]}, objects: {objects}")
        if plan.compare and not ways:
            ways.update(compare_affinities(source, extractor, options, meter))
        if plan.parts and not parts:
            bf16 = isinstance(extractor, EncoderFeatures) and extractor.bf16
            parts.update(time_parts(source, extractor.device, bf16, options, plan.frames, meter))
        runs.append(
            measure_run(source, extractor, options, objects=objects, frames=plan.frames, roof=roof, meter=meter)
        )

    if video is not None:
        for objects in plan.objects:
            measure(video, objects)
    for height, objects in plan.cases() if video is None else ():
        with open_video(wide(height), warm_up(options) + plan.frames) as source:
            measure(source, objects)
    training: Stage | None = None
    if plan.recipe is not None:
        note(f"training steps of recipe {plan.recipe}")
        training = time_training(plan.recipe, meter, roof)
    lengths: list[Length] = []
    for size, frames in [
        *((wide(_LENGTH_SIZE), n) for n in plan.lengths),
        *([(LONG_SIZE, plan.long)] * bool(plan.long)),
    ]:
        note(f"{frames} frames at {size[1]}×{size[0]}")
        lengths.append(measure_length(size, frames, extractor, options, meter))
    machine = describe()
    about = {
        "device": str(extractor.device),
        "cores": machine.cores,
        "threads": machine.threads,
        "torch": machine.torch,
        "weights": extractor.name,
        "clock": "wall" if plan.clock is perf_counter else "processor",
    }
    return Figures(about, roof, tuple(runs), training, tuple(lengths), ways, parts)
