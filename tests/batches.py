"""Many short videos with labels, for batches."""

from __future__ import annotations

from pathlib import Path

from app.io.masks import write_labels
from app.io.video_writer import VideoWriter
from model.types import LabelMap
from tests.videos import moving_squares

HEIGHT, WIDTH = 64, 96


def write_videos(folder: Path, names: list[str], frames: int = 4) -> Path:
    """folder/NAME.mp4 and folder/labels/NAME.png for each; two squares that move apart."""
    (folder / "labels").mkdir(parents=True)
    images, truth = moving_squares(frames, HEIGHT, WIDTH, speed=2)
    for name in names:
        with VideoWriter(folder / f"{name}.mp4", (HEIGHT, WIDTH), 10) as video:
            for n, image in enumerate(images):
                video.write(image, n / 10)
        write_labels(folder / "labels" / f"{name}.png", LabelMap(truth[0]))
    return folder


def break_video(path: Path) -> bytes:
    """Leaves something that is no video, and returns what was there."""
    whole = path.read_bytes()
    path.write_bytes(b"this is no video\n" * 50)
    return whole
