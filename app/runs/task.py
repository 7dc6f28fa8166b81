"""What `mer propagate` is told of one video, made ready to run. Mistakes are found before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.io.anchors import read_anchors
from app.io.output import OutputFolder
from app.io.video_writer import check_encoder
from app.runs.propagation import Propagation
from app.runs.resume import reached
from model.types import Direction, PropagationOptions

if TYPE_CHECKING:
    from model.features import FeatureExtractor


@dataclass(frozen=True, slots=True)
class Task:
    """A video, its labels, and the folder for the results. frame: of a single mask; stop: None = to the end."""

    video: Path
    labels: tuple[Path, ...]
    out: Path
    frame: int | None = None
    direction: Direction = Direction.FORWARD
    start: int = 0
    stop: int | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """What holds for every video. recipe: the one that the weights must be of; fps: of a folder of images."""

    options: PropagationOptions
    weights: str | None = None
    device: str | None = None
    recipe: str | None = None
    clean_edges: bool = False
    fps: float | None = None
    overlay: bool = True
    resume: bool = False
    overwrite: bool = False


@contextmanager
def prepared(task: Task, settings: Settings) -> Iterator[Propagation]:
    """The run, its video open. ValueError, naming the file or the option, for whatever does not fit together."""
    from model.video import open_video

    output = OutputFolder(task.out)
    output.check((task.video, *task.labels), settings.resume, settings.overwrite)
    if settings.overlay:
        check_encoder()
    with open_video(task.video, fps=settings.fps) as source:
        end = len(source) if task.stop is None else task.stop
        if not task.start < end <= len(source):
            raise ValueError(
                f"{task.video}: has frames 0..{len(source) - 1}: --start {task.start} and --stop {end} do not fit it"
            )
        anchors, notes = read_anchors(task.labels, source.size, len(source), task.frame, settings.clean_edges)
        frames = reached([a.frame for a in anchors], task.direction, task.start, end)
        if not frames:
            raise ValueError(
                f"labels on frame {anchors[0].frame} do not reach frames {task.start}..{end - 1} going "
                f"{task.direction.value}: use --direction both"
            )
        if len(frames) < end - task.start:
            way = task.direction.value
            notes += (f"going {way}, labels reach frames {frames.start}..{frames.stop - 1} and no others",)
        output.check_room(len(frames), source.size)
        extractor = _extractor(settings.weights, settings.device)
        if settings.recipe is not None and extractor.recipe != settings.recipe:
            raise ValueError(
                f"the {extractor.name} weights are of recipe {extractor.recipe!r}, not {settings.recipe!r}: "
                "give other --weights"
            )
        load = partial(_extractor, settings.weights)
        reach = task.direction, task.start, end
        yield Propagation(source, anchors, extractor, settings.options, *reach, output, notes, load=load)


@lru_cache(maxsize=1)
def _extractor(weights: str | None, device: str | None) -> FeatureExtractor:
    """Loaded once for all videos of a process."""
    from model.features import load_extractor

    return load_extractor(weights, device)
