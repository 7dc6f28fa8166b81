"""The demo: film the scene, carry its first frame's labels as `mer propagate` does, and compare with the truth."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from app.demo.cast import CARRIER, OBJECTS
from app.demo.contact_sheet import Shot, write_contact_sheet, write_hero
from app.demo.sample import Sample
from app.demo.scene import Scene
from app.demo.score import DemoScore, score
from app.io.anchors import read_anchors
from app.io.masks import read_written
from app.io.output import OutputFolder
from app.io.video_writer import check_encoder
from app.runs.propagation import Propagation
from model.evaluation.keypoints import THRESHOLDS
from model.features import load_extractor
from model.types import Direction, FloatArray, PropagationOptions, PropagationResult
from model.video import open_video

COLUMNS = 6  # of the contact sheet


@dataclass(frozen=True, slots=True)
class Demo:
    """What came of it. seconds: per frame, of the propagation. files: all that was written beside the sheet."""

    score: DemoScore
    seconds: float
    weights: str
    sheet: Path
    files: tuple[Path, ...]

    @property
    def points(self) -> str:
        shares = self.score.points.as_dict()
        return "   ".join(f"PCK@{t} {100 * shares[f'PCK@{t}']:.1f}" for t in THRESHOLDS)


def run_demo(out: Path, frames: int, size: int, weights: str | None, device: str | None) -> Demo:
    """Raises ValueError for sizes that cannot be filmed and folders that hold something else."""
    if frames < 3:
        raise ValueError(f"--frames {frames}: at least 3 are needed, as the first and the last are not scored")
    output, sample = OutputFolder(out), Sample(out)
    in_use = out.is_dir() and any(out.iterdir()) and not sample.video.exists()
    output.check((), resume=False, overwrite=not in_use)
    check_encoder()
    extractor = load_extractor(weights, device)
    scene = Scene(size)
    output.check_room(4 * frames, scene.size)
    out.mkdir(parents=True, exist_ok=True)
    sample.film(scene, frames)

    shown = sorted({round(i * (frames - 1) / (COLUMNS - 1)) for i in range(COLUMNS)})
    with open_video(sample.video) as source:
        anchors, notes = read_anchors((sample.first_frame, sample.points), source.size, len(source))
        sureness: dict[int, FloatArray] = {}

        def watch(result: PropagationResult) -> None:
            if result.frame in shown:
                everywhere = np.ones_like(result.confidence)  # on the frame that a person labelled
                sureness[result.frame] = everywhere if result.sureness is None else result.sureness

        options = PropagationOptions()
        way = Direction.FORWARD, 0, len(source)
        load = partial(load_extractor, weights)
        run = Propagation(source, anchors, extractor, options, *way, output, notes, watch, load)
        run.go(resume=False, overlay=True)
        scores = score(sample, output, run.keypoints, CARRIER)
        shots = [
            Shot(
                frame=frame,
                time=float(source.times[frame]),
                image=source[frame].image,
                truth=sample.labels(frame),
                labels=read_written(output.mask(frame)),
                keypoints=run.keypoints[frame],
                sureness=sureness[frame],
                j=float(scores.frames[frame, :, 0].mean()),
            )
            for frame in shown
        ]

    demo = Demo(
        scores,
        1 / run.report.cost["frames_per_second"],
        f"{extractor.name} encoder on {extractor.device}",
        out / "contact_sheet.png",
        (output.overlay, output.masks, output.keypoints, output.report, sample.video, sample.truth, out / "demo.png"),
    )
    write_contact_sheet(
        demo.sheet,
        shots,
        f"One labelled frame, carried through {frames} frames",
        f"mean J&F {100 * scores.mean.as_dict()['J&F']:.1f}   ·   {demo.points}   ·   {scene.size[1]}x{scene.size[0]}, "
        f"{demo.weights}, {demo.seconds:.2f} s per frame",
        {n: f"{n}  {OBJECTS[n]}, J&F {100 * s.as_dict()['J&F']:.1f}" for n, s in scores.objects.items()},
    )
    write_hero(out / "demo.png", [shots[0], shots[len(shots) // 2], shots[-1]])
    return demo
