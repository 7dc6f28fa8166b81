"""Folders of pictures that are videos, for training."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from model.training.corpus import load_corpus
from model.training.frame_folder import holds_frames, open_frames
from model.training.pack import pack
from model.types import UInt8Array
from tests.corpora import moving_texture, write_frames
from tests.videos import texture


@pytest.fixture
def images() -> list[UInt8Array]:
    return moving_texture(0, frames=12, height=64, width=96, coarseness=8)


@pytest.mark.parametrize(("step", "fps"), [(1, 25.0), (5, 5.0)])
def test_numbered_pictures_that_look_alike_are_frames(
    tmp_path: Path, images: list[UInt8Array], step: int, fps: float
) -> None:
    video = open_frames(write_frames(tmp_path / "sequence", images, first=3, step=step))
    assert video is not None
    with video:
        assert len(video) == 12 and video.fps == fps
        assert np.array_equal(video[11].image, images[11])


def test_frames_keep_the_order_of_their_numbers(tmp_path: Path, images: list[UInt8Array]) -> None:
    folder = write_frames(tmp_path / "sequence", images)
    for n in range(12):
        (folder / f"{n:05d}.png").rename(folder / f"f{n}.png")  # f10 comes before f2 in the alphabet
    clip = load_corpus([tmp_path], tmp_path / "cache").videos[0]
    (difference,) = {int(np.abs(clip.read(n).astype(int) - images[n]).mean()) // 8 for n in range(12)}
    assert difference == 0


def test_photos_are_no_frames(tmp_path: Path, images: list[UInt8Array]) -> None:
    assert not holds_frames(write_frames(tmp_path / "nothing alike", [texture(n, 64, 96) for n in range(12)]))
    assert not holds_frames(write_frames(tmp_path / "few", images[:4]))
    assert not holds_frames(write_frames(tmp_path / "black", [np.zeros((32, 32, 3), np.uint8)] * 12))
    gap = write_frames(tmp_path / "gap", images)
    (gap / "00005.png").unlink()
    assert not holds_frames(gap)
    named = write_frames(tmp_path / "named", images)
    (named / "00005.png").rename(named / "best of all.png")
    assert not holds_frames(named)
    sizes = write_frames(tmp_path / "sizes", images)
    cv2.imwrite(str(sizes / "00005.png"), images[5][:32])
    assert not holds_frames(sizes)
    damaged = write_frames(tmp_path / "damaged", images)
    (damaged / "00005.png").write_text("this is no picture")
    assert not holds_frames(damaged)


def test_a_training_takes_them_for_videos(tmp_path: Path, images: list[UInt8Array]) -> None:
    write_frames(tmp_path / "data" / "sequence", images)
    write_frames(tmp_path / "data" / "photos", [texture(n, 64, 96) for n in range(9)])
    corpus = load_corpus([tmp_path / "data"], tmp_path / "cache")
    about = corpus.describe()
    assert (about["videos"], about["video_frames"], about["photos"]) == (1, 12, 9)
    assert corpus.videos[0].fps == 25.0 and corpus.videos[0].source == "sequence"
    index = pack([tmp_path / "data"], tmp_path / "shards")
    assert sum(len(shard.videos) for shard in index.shards) == 1 and index.shards[0].frames == 12
