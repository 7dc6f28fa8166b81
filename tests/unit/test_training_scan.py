"""The scan of folders before training, and the pictures and the estimate of a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.controllers.retraining import footage, shares
from model.training.scan import Scan, scan
from tests.corpora import moving_texture, write_clip, write_frames
from tests.videos import texture


def last(steps: Iterator[Scan]) -> Scan:
    *_, end = steps
    return end


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two clips of their own, a smaller copy of the first, one that stands still, a broken one, and photos."""
    root = tmp_path / "raw"
    (root / "deep" / "er").mkdir(parents=True)
    (root / "photos").mkdir()
    first = moving_texture(0, frames=20, height=96, width=128, coarseness=8)
    write_clip(root / "first.avi", first)
    write_clip(root / "deep" / "copy.avi", [cv2.resize(image, (96, 72)) for image in first])  # type: ignore[misc]
    write_clip(root / "deep" / "er" / "second.avi", moving_texture(1, frames=30, height=96, width=128, coarseness=8))
    write_clip(root / "still.avi", [moving_texture(2, frames=2, height=96, width=128, coarseness=8)[0]] * 12)
    (root / "broken.mp4").write_bytes(b"no video at all" * 100)
    (root / "notes.txt").write_text("not a video")
    for n in range(3):
        cv2.imwrite(str(root / "photos" / f"{n}.png"), texture(n, 40, 40))
    return root


def test_a_scan_tells_what_is_there(folder: Path) -> None:
    found = last(scan([folder]))
    assert {look.path.name for look in found.videos} == {"first.avi", "copy.avi", "second.avi", "still.avi"}
    assert found.photos == 3
    assert found.seconds == pytest.approx((20 + 20 + 30 + 12) / 10, rel=0.05)
    assert [look.path.name for look in found.unreadable] == ["broken.mp4"]
    assert "broken.mp4" in found.unreadable[0].problem
    assert [path.name for path in found.still] == ["still.avi"]
    assert [{path.name for path in group} for group in found.duplicates] == [{"first.avi", "copy.avi"}]
    assert len(found.repeated) == 1


def test_a_scan_comes_step_by_step_and_can_be_left(folder: Path) -> None:
    steps = scan([folder, folder / "deep"])  # what lies in both counts once
    first = next(steps)
    assert (len(first.looks), first.total) == (0, 6)
    assert len(next(steps).looks) == 1
    steps.close()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such folder"):
        last(scan([tmp_path / "nowhere"]))


def test_a_mirrored_or_other_clip_is_no_duplicate(tmp_path: Path) -> None:
    images = moving_texture(0, frames=20, height=96, width=128, coarseness=8)
    write_clip(tmp_path / "one.avi", images)
    write_clip(tmp_path / "mirrored.avi", [np.ascontiguousarray(image[:, ::-1]) for image in images])
    assert last(scan([tmp_path])).duplicates == ()


def test_a_fixed_camera_at_two_times_is_no_duplicate(tmp_path: Path) -> None:
    ground = moving_texture(0, frames=1, height=96, width=128, coarseness=8)[0]
    for name, path in (("morning", range(4, 84, 4)), ("evening", range(80, 0, -4))):
        images = [ground.copy() for _ in path]
        for image, x in zip(images, path, strict=True):
            image[40:60, x : x + 16] = 0  # whoever lives there
        write_clip(tmp_path / f"{name}.avi", images)
    assert last(scan([tmp_path])).duplicates == ()


def test_poor_videos_are_left_out_and_some_good_ones_held_out(folder: Path) -> None:
    for n in range(3, 8):
        write_clip(folder / f"more{n}.avi", moving_texture(n, frames=20, height=96, width=128, coarseness=8))
    found = last(scan([folder]))
    left_out, held_out = shares(found)
    assert {path.name for path in left_out} >= {"still.avi"} and len(left_out) == 2
    assert held_out and not set(held_out) & set(left_out)
    assert not {path.name for path in held_out} & {"first.avi", "copy.avi"}  # its twin would be learned from
    usable = {look.path for look in found.videos}
    assert len(usable - set(left_out) - set(held_out)) >= 4  # most are learned from


def test_a_single_still_video_is_better_than_none(tmp_path: Path) -> None:
    write_clip(tmp_path / "still.avi", [moving_texture(2, frames=2)[0]] * 8)
    assert shares(last(scan([tmp_path]))) == ((), ())
    assert shares(None) == ((), ())


def test_the_footage_of_the_dialog(folder: Path) -> None:
    shown = footage(last(scan([folder])))
    assert (shown.videos, shown.photos, shown.looked, shown.total) == (4, 3, 6, 6)
    assert shown.usable and len(shown.unreadable) == 1 and shown.still == ("still.avi",)
    assert shown.learned + shown.held_out == 2  # of four, one repeats another and one stands still
    begun = footage(list(scan([folder]))[1])
    assert (begun.looked, begun.held_out) == (1, 0)  # before the end nothing is known of twins


def test_of_two_copies_the_larger_is_kept(tmp_path: Path) -> None:
    images = moving_texture(0, frames=20, height=96, width=128, coarseness=8)
    write_clip(tmp_path / "z original.avi", images)
    write_clip(tmp_path / "a copy.avi", [np.ascontiguousarray(image[::2, ::2]) for image in images])
    assert [path.name for path in last(scan([tmp_path])).repeated] == ["a copy.avi"]


def test_folders_of_frames_are_videos(tmp_path: Path) -> None:
    write_frames(tmp_path / "sequence", moving_texture(0, frames=20, height=96, width=128, coarseness=8), first=7)
    write_clip(tmp_path / "clip.avi", moving_texture(1, frames=20, height=96, width=128, coarseness=8))
    write_frames(tmp_path / "photos", [texture(n, 48, 64) for n in range(12)])
    found = last(scan([tmp_path]))
    assert {look.path.name for look in found.videos} == {"sequence", "clip.avi"} and found.photos == 12
    assert found.seconds == pytest.approx(20 / 25 + 20 / 10, rel=0.05)


def test_of_two_equal_folders_of_frames_one_is_a_repeat(tmp_path: Path) -> None:
    images = moving_texture(0, frames=25, height=96, width=128, coarseness=8)
    for name in ("one", "two"):
        write_frames(tmp_path / name, images)
    assert len(last(scan([tmp_path])).repeated) == 1
