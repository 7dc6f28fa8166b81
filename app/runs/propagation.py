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
from app.machine import disk_for_features, peak_memory
from app.mistakes import is_out_of_memory
from app.progress import progress
from app.runs.resume import Piece, reached, remaining
from app.runs.retreat import Means, Retreat, release, retreats
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
_FEATURES = 1 << 30  # bytes of them that are kept
_RETREATED = {
    Retreat.FEATURES: "memory ran short: less of what the network had seen was kept, and the run went on",
    Retreat.PROCESSOR: "the graphics card had too little memory: the run went on with the processor, which is slower",
}
_LOG = logging.getLogger("mer.propagation")


class Interrupted(Exception):
    """The user stopped the run; what was finished is saved."""


@dataclass(slots=True)
class Propagation:
    """A run and its state. `go` does the work; `report` and `keypoints` grow with it.

    stop: the first frame beyond the range. notes: what the user should know about the input. watch: is shown every
    result when it is stored. load: the same extractor on another device, for when memory runs out on this one.
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
    load: Callable[[str], FeatureExtractor] | None = None
    report: Report = field(init=False)
    keypoints: dict[int, KeypointSet] = field(init=False, default_factory=dict)
    _seconds: dict[str, float] = field(init=False, default_factory=dict)
    _made: int = field(init=False, default=0)
    _spent: float = field(init=False, default=0.0)
    _means: Means = field(init=False)

    def __post_init__(self) -> None:
        self.report = Report(self._job())
        self._means = Means(_FEATURES, str(self.extractor.device) if self.load else "cpu")

    def go(self, resume: bool, overlay: bool) -> None:
        """Make every frame that is not finished yet, then the overlay video.

        Where memory runs out it goes on with less, as long as there is a way. Interrupted: stopped by the user.
        ValueError: `resume` of another job; or there is not enough memory whatever gives way.
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
        except BaseException as error:
            self.report.state = State.FAILED
            if is_out_of_memory(error):
                raise ValueError(self._exhausted()) from error
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
        total = len(set(self.reach) - self.report.frames.keys())
        ways = retreats(self._means)
        begun = time.perf_counter()
        with stop_requested() as stopping, progress("propagating", total) as show:

            def made() -> None:
                show(self._made)
                self._spent = time.perf_counter() - begun
                if stopping():
                    raise Interrupted

            while (lack := self._carry(made)) is not None:
                way = next(ways, None)
                if way is None:
                    raise lack
                self._retreat(*way)

    def _carry(self, made: Callable[[], None]) -> Exception | None:
        """Make what is not finished; `made` is called after every frame. If memory runs out, the error."""
        from model.propagator import Propagator

        frames, finished = [a.frame for a in self.anchors], self.report.frames.keys()
        pieces = remaining(frames, self.direction, self.start, self.stop, self.options, finished)
        disk = disk_for_features() if self.direction is Direction.BOTH else 0  # one way asks for nothing twice
        propagator = Propagator(self.source, self.extractor, self._means.features, disk)
        before, saved = dict(self._seconds), time.perf_counter()
        try:
            for piece in pieces:
                with closing(propagator.run(self._request(piece))) as results:
                    for result in results:
                        self._store(result)
                        self.watch(result)
                        for stage, seconds in propagator.timings.items():
                            self._seconds[stage] = before.get(stage, 0.0) + seconds
                        made()
                        if time.perf_counter() - saved > SAVE_EVERY:
                            self._save()
                            saved = time.perf_counter()
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            _LOG.warning("memory ran out after %d frames", self._made, exc_info=error)
            return error.with_traceback(None)  # it would hold on to what was being worked on
        return None

    def _retreat(self, retreat: Retreat, means: Means) -> None:
        self._note(_RETREATED[retreat])
        if means.device != self._means.device:
            assert self.load is not None
            self.extractor = self.load(means.device)
        self._means = means
        release()

    def _exhausted(self) -> str:
        done = f"memory ran out with {len(self.report.frames)} of {len(self.reach)} frames finished"
        return f"{done}: --resume goes on when more is free; a smaller --size with --overwrite needs less"

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
