"""One propagation from a video and its labels to a folder of results, which an interruption leaves usable."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from app.interrupt import stop_requested
from app.io.keypoints_csv import read_keypoints, write_keypoints
from app.io.masks import read_written, write_labels
from app.io.output import OutputFolder
from app.io.overlay import compose
from app.io.report import FrameRecord, Report, State, describe_anchor, read_report
from app.io.video_writer import VideoWriter
from app.machine import peak_memory
from app.progress import progress
from app.resume import Piece, reached, remaining
from model.types import (
    Anchor,
    Direction,
    KeypointSet,
    LabelMap,
    PropagationOptions,
    PropagationRequest,
    PropagationResult,
)

if TYPE_CHECKING:
    from model.features import FeatureExtractor
    from model.video import VideoSource

SAVE_EVERY = 5.0  # seconds between two states of the report on disk
_LOG = logging.getLogger("mer.propagation")


class Interrupted(Exception):
    """The user stopped the run; what was finished is saved."""


@dataclass(slots=True)
class Propagation:
    """A run and its state. `go` does the work; `report` and `keypoints` grow with it.

    stop: the first frame beyond the range. notes: what the user should know about the input. watch: is shown every
    result when it is stored.
    """

    source: VideoSource
    anchors: tuple[Anchor, ...]
    extractor: FeatureExtractor
    options: PropagationOptions
    direction: Direction
    start: int
    stop: int
    output: OutputFolder
    notes: Sequence[str] = ()
    watch: Callable[[PropagationResult], None] = lambda result: None
    report: Report = field(init=False)
    keypoints: dict[int, KeypointSet] = field(init=False, default_factory=dict)
    _seconds: dict[str, float] = field(init=False, default_factory=dict)
    _made: int = field(init=False, default=0)
    _spent: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self.report = Report(self._job())

    def go(self, resume: bool, overlay: bool) -> None:
        """Make every frame that is not finished yet, then the overlay video.

        Interrupted: stopped by the user. ValueError: `resume` of another job.
        """
        if resume and self.output.folder.exists() and any(self.output.folder.iterdir()):
            self._take_up()
        else:
            self.output.clear()
        self.report.state = State.RUNNING
        self._note(*self.notes)
        begun = time.perf_counter()
        height, width = self.source.size
        told = self.start, self.stop, width, height, self.direction, len(self.anchors)
        _LOG.info("frames %d..%d of a %d×%d video, %s, from %d anchors", *told)
        try:
            self._save()
            self._propagate()
            if overlay:
                self._draw()
            self.report.state = State.FINISHED
        except (Interrupted, KeyboardInterrupt):
            self.report.state = State.INTERRUPTED
            raise
        except BaseException:
            self.report.state = State.FAILED
            raise
        finally:
            self._seconds["total"] = time.perf_counter() - begun
            self._note(*self.source.notes)  # damage is noticed while decoding
            _LOG.info("%s with %d frames", self.report.state, len(self.report.frames))
            self._save()

    def is_finished(self, overlay: bool) -> bool:
        """Is everything there, from an earlier run of this job? ValueError: what is there is of another job."""
        if not self.output.report.exists():
            return False
        self._take_up()
        drawn = self.output.overlay.exists() or not overlay
        return self.report.state is State.FINISHED and drawn and set(self.reach) <= self.report.frames.keys()

    @property
    def reach(self) -> range:
        """The frames that the labels reach."""
        return reached([a.frame for a in self.anchors], self.direction, self.start, self.stop)

    def _take_up(self) -> None:
        """Read what an earlier run of this job finished."""
        self.report = read_report(self.output.report, self.report.job)
        if self.output.keypoints.exists():
            self.keypoints = read_keypoints(self.output.keypoints)
        for frame in list(self.report.frames):
            lost_mask = self._has_masks and not self.output.mask(frame).exists()
            if lost_mask or (self._has_points and frame not in self.keypoints):
                del self.report.frames[frame]
        if self.report.frames:
            self._note(
                f"resumed with {len(self.report.frames)} frames finished: memory was filled from what is on disk"
            )

    def _propagate(self) -> None:
        from model.propagator import Propagator

        frames = [a.frame for a in self.anchors]
        finished = self.report.frames.keys()
        pieces = remaining(frames, self.direction, self.start, self.stop, self.options, finished)
        total = len(set(self.reach) - finished)
        propagator = Propagator(self.source, self.extractor)
        begun = saved = time.perf_counter()
        with stop_requested() as stopping, progress("propagating", total) as show:
            for piece in pieces:
                with closing(propagator.run(self._request(piece))) as results:
                    for result in results:
                        self._store(result)
                        self.watch(result)
                        show(self._made)
                        self._seconds |= propagator.timings
                        now = time.perf_counter()
                        self._spent = now - begun
                        if stopping():
                            raise Interrupted
                        if now - saved > SAVE_EVERY:
                            self._save()
                            saved = now

    def _request(self, piece: Piece) -> PropagationRequest:
        known = tuple(self._finished(frame, piece.direction) for frame in piece.memory)
        return PropagationRequest(self.anchors, known, piece.start, piece.stop, piece.direction, self.options)

    def _finished(self, frame: int, direction: Direction) -> Anchor:
        """A frame of the earlier run. It knows of every object that was labelled on the way to it."""
        step = -1 if direction is Direction.BACKWARD else 1
        objects = {n for a in self.anchors if a.labels and (frame - a.frame) * step > 0 for n in a.labels.objects}
        labels = LabelMap(read_written(self.output.mask(frame)).ids, tuple(objects)) if self._has_masks else None
        return Anchor(frame, labels, self.keypoints.get(frame))

    def _store(self, result: PropagationResult) -> None:
        begun = time.perf_counter()
        if result.labels is not None:
            write_labels(self.output.mask(result.frame), result.labels)
        if result.keypoints is not None:
            self.keypoints[result.frame] = result.keypoints
        disagreement = None if result.disagreement is None else float(np.mean(result.disagreement))
        self.report.frames[result.frame] = FrameRecord(result.origin, float(np.mean(result.confidence)), disagreement)
        self._made += 1
        self._seconds["write"] = self._seconds.get("write", 0.0) + time.perf_counter() - begun

    def _draw(self) -> None:
        """The overlay video of the whole range, from the results on disk: complete after a resumed run too."""
        begun = time.perf_counter()
        origin = float(self.source.times[self.start])
        with (
            VideoWriter(self.output.overlay, self.source.size, self.source.fps) as video,
            progress("drawing", self.stop - self.start) as show,
            closing(self.source.frames(self.start, self.stop)) as frames,
        ):
            for done, frame in enumerate(frames, start=1):
                mask = self.output.mask(frame.index)
                labels = read_written(mask) if frame.index in self.report.frames and mask.exists() else None
                video.write(compose(frame.image, labels, self.keypoints.get(frame.index)), frame.time - origin)
                show(done)
        self._note(*video.notes)
        self._seconds["overlay"] = time.perf_counter() - begun

    def _note(self, *notes: str) -> None:
        self.report.notes = list(dict.fromkeys([*self.report.notes, *notes]))

    def _save(self) -> None:
        """Keypoints first, so that the report never counts a frame whose keypoints are not on disk."""
        if self._has_points:
            write_keypoints(self.output.keypoints, self.keypoints)
        self.report.cost = {
            "device": str(self.extractor.device),
            "seconds": {stage: round(s, 3) for stage, s in self._seconds.items()},
            "frames_per_second": round(self._made / self._spent, 3) if self._made else None,
            "peak_memory_bytes": peak_memory(),
        }
        self.report.write(self.output.report)

    @property
    def _has_masks(self) -> bool:
        return any(a.labels is not None for a in self.anchors)

    @property
    def _has_points(self) -> bool:
        return any(a.keypoints is not None for a in self.anchors)

    def _job(self) -> dict[str, Any]:
        height, width = self.source.size
        name = Path(self.source.path).name
        weights = {"name": self.extractor.name, "sha256": self.extractor.sha256, "recipe": self.extractor.recipe}
        return {
            "video": {
                "name": name,
                "width": width,
                "height": height,
                "frames": len(self.source),
                "fps": round(self.source.fps, 6),
            },
            "labels": [describe_anchor(a) for a in self.anchors],
            "direction": self.direction.value,
            "range": {"start": self.start, "stop": self.stop},
            "options": asdict(self.options),
            "weights": weights,
        }
