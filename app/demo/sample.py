"""The sample on disk: the film, the labels of its first frame, and the truth of every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

from app.demo.scene import FPS, Scene
from app.io.keypoints_csv import read_keypoints, write_keypoints
from app.io.masks import read_written, write_labels
from app.io.video_writer import VideoWriter
from app.progress import progress
from model.types import KeypointSet, LabelMap, UInt8Array

AHEAD = 8  # frames painted at once, at most


class Sample:
    """Names in a folder: sample.mp4, what a user would label (first_frame.png, points.csv), and sample_truth/."""

    def __init__(self, folder: Path) -> None:
        self.video = folder / "sample.mp4"
        self.first_frame = folder / "first_frame.png"
        self.points = folder / "points.csv"
        self.truth = folder / "sample_truth"

    def film(self, scene: Scene, frames: int, tell: Callable[[int], object] | None = None) -> None:
        """Paint and write everything, in place of an earlier sample.

        tell: is told how many frames are done; without it, the error stream is.
        """
        for old in self.truth.glob("*.png"):
            old.unlink()
        points: dict[int, KeypointSet] = {}
        shown = nullcontext(tell) if tell is not None else progress("painting the sample", frames)
        with VideoWriter(self.video, scene.size, FPS) as video, shown as show:
            for index, (image, labels, points[index]) in enumerate(_painted(scene, frames)):
                video.write(image, index / FPS)
                write_labels(self._mask(index), labels)
                show(index + 1)
        write_labels(self.first_frame, scene.labels(0))
        first = points[0]
        seen = {
            name: (float(x), float(y))
            for name, (x, y), v in zip(first.names, first.xy, first.visible, strict=True)
            if v
        }
        write_keypoints(self.points, {0: KeypointSet.of(seen)})
        write_keypoints(self.truth / "points.csv", points)

    def labels(self, index: int) -> LabelMap:
        return read_written(self._mask(index))

    def keypoints(self) -> dict[int, KeypointSet]:
        return read_keypoints(self.truth / "points.csv")

    def _mask(self, index: int) -> Path:
        return self.truth / f"{index:05d}.png"


def _painted(scene: Scene, frames: int) -> Iterator[tuple[UInt8Array, LabelMap, KeypointSet]]:
    def paint(index: int) -> tuple[UInt8Array, LabelMap, KeypointSet]:
        return scene.image(index), scene.labels(index), scene.keypoints(index)

    with ThreadPoolExecutor() as pool:
        for start in range(0, frames, AHEAD):
            yield from pool.map(paint, range(start, min(start + AHEAD, frames)))
