"""Masks, folders of masks and keypoint tables, gathered into anchors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.io.anchors import read_anchors
from app.io.masks import write_labels
from model.types import LabelMap

SIZE = (40, 60)


def mask(path: Path, number: int = 1) -> Path:
    ids = np.zeros(SIZE, np.uint8)
    ids[5:20, 5:20] = number
    write_labels(path, LabelMap(ids))
    return path


def points(path: Path, *frames: int) -> Path:
    path.write_text("frame,name,x,y\n" + "".join(f"{f},nose,{f},3\n" for f in frames))
    return path


def test_masks_and_points_of_a_frame_make_one_anchor(tmp_path: Path) -> None:
    for frame in (3, 8):
        mask(tmp_path / f"masks/{frame:05d}.png")
    anchors, notes = read_anchors([tmp_path / "masks", points(tmp_path / "p.csv", 0, 3)], SIZE, 10)
    assert [a.frame for a in anchors] == [0, 3, 8]
    assert [a.labels is not None for a in anchors] == [False, True, True]
    assert [a.keypoints is not None for a in anchors] == [True, True, False]
    assert notes == ()


def test_a_single_mask_is_of_the_frame_that_is_named(tmp_path: Path) -> None:
    path = mask(tmp_path / "00005.png")
    anchors, notes = read_anchors([path], SIZE, 10)
    assert anchors[0].frame == 0
    assert notes == ("00005.png is taken as the mask of frame 0; --frame 5 says otherwise",)
    anchors, notes = read_anchors([path], SIZE, 10, frame=5)
    assert anchors[0].frame == 5
    assert notes == ()


def test_two_masks_of_one_frame_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"b\.png: .*a\.png is a mask of frame 0 too"):
        read_anchors([mask(tmp_path / "a.png"), mask(tmp_path / "b.png")], SIZE, 10)


def test_two_tables_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"q\.csv: .*p\.csv gives keypoints already"):
        read_anchors([points(tmp_path / "p.csv", 0), points(tmp_path / "q.csv", 1)], SIZE, 10)


@pytest.mark.parametrize("what", ["mask", "folder", "points"])
def test_labels_beyond_the_video_are_refused(tmp_path: Path, what: str) -> None:
    mask(tmp_path / "masks/00010.png")
    path = {
        "mask": tmp_path / "masks/00010.png",
        "folder": tmp_path / "masks",
        "points": points(tmp_path / "p.csv", 10),
    }
    with pytest.raises(ValueError, match=r"labels frame 10, but the video has frames 0\.\.9"):
        read_anchors([path[what]], SIZE, 10, frame=10)


def test_a_mask_without_objects_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"m\.png: every pixel of the mask is background"):
        read_anchors([mask(tmp_path / "m.png", 0)], SIZE, 10)
