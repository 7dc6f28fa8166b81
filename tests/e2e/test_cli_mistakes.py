"""What the command line says to mistakes, and to what goes wrong: one line, and nothing is lost."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import app.runs.propagation
from app.io.masks import write_labels
from model.types import LabelMap
from tests.command_line import FRAMES, SIZE, one_line, report, truth

pytestmark = pytest.mark.usefixtures("one_thread")


def spoil(name: str, clip: Path, mask: Path, points: Path) -> tuple[list[object], str]:
    """Arguments of `mer propagate` with one mistake in them, and what must be said about it."""
    folder = mask.parent
    video, labels, more = clip, mask, []
    match name:
        case "missing video":
            video, said = folder / "gone.mp4", "gone.mp4"
        case "empty video":
            video, said = folder / "empty.mp4", "empty.mp4"
            video.write_bytes(b"")
        case "text as video":
            video, said = folder / "text.mp4", "text.mp4"
            video.write_text("this is no video\n" * 50)
        case "truncated video":
            video, said = folder / "half.mp4", "half.mp4"
            video.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
        case "mask of another size":
            write_labels(mask, LabelMap(np.ones((32, 48), np.uint8)))
            said = "mask.png: the mask is 48x32 pixels but the video is 96x64"
        case "smoothed mask":
            Image.fromarray(cv2.GaussianBlur(truth(0) * np.uint8(255), (0, 0), 1.5)).save(mask)
            said = "stray ids cover"
        case "foreign colours":
            image = np.zeros((*SIZE, 3), np.uint8)
            image[:20], image[40:] = (250, 10, 10), (10, 250, 10)
            Image.fromarray(image).save(mask)
            said = "mask.png: the colour"
        case "300 ids":
            Image.fromarray(np.arange(384, dtype=np.uint16).reshape(16, 24).repeat(4, 0).repeat(4, 1)).save(mask)
            said = "mask.png: 383 ids, but a mask holds at most 254"
        case "empty mask":
            write_labels(mask, LabelMap(np.zeros(SIZE, np.uint8)))
            said = "mask.png: every pixel of the mask is background"
        case "text as mask":
            mask.write_text("this is no image")
            said = "mask.png: cannot be read as an image"
        case "missing mask":
            labels, said = folder / "gone.png", "gone.png"
        case "mask beyond the end":
            more, said = ["--frame", 12], "labels frame 12, but the video has frames 0..11"
        case "point outside":
            points.write_text("frame,name,x,y\n0,nose,96,5\n")
            labels, said = points, "points.csv, line 2: 'nose' at (96, 5) is outside the 96x64 frame"
        case "unknown column":
            points.write_text("frame,name,x,y,z\n0,nose,9,5,1\n")
            labels, said = points, "points.csv: unknown column 'z'"
        case "unknown option":
            more, said = ["--radios", 5], "No such option: --radios"
        case "bad option":
            more, said = ["--radius", 0], "option radius cannot be 0"
        case "bad number":
            more, said = ["--radius", "wide"], "--radius"
        case "bad list":
            more, said = ["--short-term", "1;3"], "--short-term takes whole numbers"
        case "empty range":
            more, said = ["--start", 8, "--stop", 3], "--start 8 and --stop 3 do not fit"
        case "range beyond the end":
            more, said = ["--stop", 13], "has frames 0..11"
        case "unreachable range":
            more, said = ["--direction", "backward", "--start", 4], "labels on frame 0 do not reach frames 4..11"
        case "missing weights":
            more, said = ["--weights", folder / "gone.pt"], "gone.pt"
        case "text as weights":
            (folder / "w.pt").write_text("no weights")
            more, said = ["--weights", folder / "w.pt"], "w.pt"
        case "weights of another program":
            torch.save({"state_dict": {}}, folder / "w.pt")
            more, said = ["--weights", folder / "w.pt"], "w.pt: weights of another program"
        case "weights of another version":
            torch.save({"program": "mer-studio", "format": 99}, folder / "w.pt")
            more, said = ["--weights", folder / "w.pt"], "w.pt: weights format 99"
        case "weights of another recipe":
            more, said = ["--recipe", "mast"], "the lab weights are of recipe 'none', not 'mast'"
        case "unknown device":
            more, said = ["--device", "abacus"], "abacus"
    return [video, "--labels", labels, "--weights", "lab", *more], said


@pytest.mark.parametrize(
    "mistake",
    [
        "missing video", "empty video", "text as video", "truncated video",
        "mask of another size", "smoothed mask", "foreign colours", "300 ids", "empty mask", "text as mask",
        "missing mask", "mask beyond the end", "point outside", "unknown column",
        "unknown option", "bad option", "bad number", "bad list", "empty range", "range beyond the end",
        "unreachable range", "missing weights", "text as weights", "weights of another program",
        "weights of another version", "weights of another recipe", "unknown device",
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_nothing_is_written(
    mer, mistake: str, clip: Path, mask: Path, points: Path, tmp_path: Path
) -> None:
    arguments, said = spoil(mistake, clip, mask, points)
    err = one_line(*mer("propagate", *arguments, "--out", tmp_path / "out"))
    assert said in err
    assert not (tmp_path / "out").exists()


def test_a_read_only_folder(propagate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """root may write anywhere, so the system's answer is made here."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    err = one_line(*propagate())
    assert f"{tmp_path} cannot be written to: choose another --out" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_of_the_system(propagate, tmp_path: Path) -> None:
    tmp_path.chmod(0o555)
    try:
        assert "cannot be written to" in one_line(*propagate())
    finally:
        tmp_path.chmod(0o755)


def test_a_disk_that_fills_up_keeps_finished_frames(propagate, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def write_or_fail(path: Path, labels: LabelMap) -> None:
        if int(path.stem) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        write_labels(path, labels)

    monkeypatch.setattr(app.runs.propagation, "write_labels", write_or_fail)
    code, _, err = propagate()
    assert code == 2
    assert err.splitlines()[-1].startswith("mer: ")
    assert "00004.png: No space left on device: make room on the disk" in err
    assert "Traceback" not in err
    content = report(tmp_path / "out")
    assert content["state"] == "failed"
    assert [f["frame"] for f in content["frames"]] == [0, 1, 2, 3]
    monkeypatch.undo()
    assert propagate("--resume")[0] == 0
    assert len(report(tmp_path / "out")["frames"]) == FRAMES


def test_our_own_mistakes_are_one_line_too(propagate, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> None:
        raise RuntimeError("two lines\nof text")

    monkeypatch.setattr(app.runs.propagation, "write_labels", broken)
    code, _, err = propagate()
    assert code == 1
    assert (
        err.splitlines()[-1]
        == "mer: RuntimeError: two lines of text (an error of the program: mer doctor --report shows where)"
    )
    monkeypatch.setenv("MER_DEBUG", "1")
    with pytest.raises(RuntimeError):
        propagate("--overwrite")
