"""What tests of the command line share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from app.io.masks import write_labels
from app.io.video_writer import VideoWriter
from model.types import LabelMap
from tests.command_line import NOSE, SIZE, scene, truth


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames of 96x64 pixels at 10 frames a second, one of them late."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoWriter(path, SIZE, 10) as video:
        for i, image in enumerate(scene()):
            video.write(image, i / 10 + (0.5 if i > 6 else 0))
    return path


@pytest.fixture
def one_thread() -> Iterator[None]:
    """So small a video is not worth the threads, which only wait for each other on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    path = tmp_path / "mask.png"
    write_labels(path, LabelMap(truth(0)))
    return path


@pytest.fixture
def points(tmp_path: Path) -> Path:
    path = tmp_path / "points.csv"
    path.write_text(f"frame,name,x,y\n0,nose,{NOSE[0]},{NOSE[1]}\n")
    return path


@pytest.fixture
def propagate(mer, clip: Path, mask: Path, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """`mer propagate` of the clip into tmp_path/out by raw colours, with further arguments."""
    return lambda *more: mer("propagate", clip, "--labels", mask, "--out", tmp_path / "out", "--weights", "lab", *more)
