"""A propagation on the command line that is stopped, and goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import app.runs.propagation
from app.io.keypoints_csv import read_keypoints
from app.io.masks import read_written, write_labels
from model.types import LabelMap
from model.video import open_video
from tests.command_line import FRAMES, one_line, report, truth

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).parents[2]


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Presses Ctrl+C while the given frame is written."""

    def arm(frame: int) -> None:
        def write_and_stop(path: Path, labels: LabelMap) -> None:
            write_labels(path, labels)
            if int(path.stem) == frame:
                monkeypatch.setattr(app.runs.propagation, "write_labels", write_labels)
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(app.runs.propagation, "write_labels", write_and_stop)

    return arm


@pytest.mark.parametrize(("direction", "at"), [("forward", 7), ("backward", 2), ("both", 10), ("both", 3)])
def test_ctrl_c_keeps_what_is_finished_and_resume_goes_on(
    mer, clip: Path, points: Path, tmp_path: Path, stop_after, direction: str, at: int
) -> None:
    masks, whole, out = tmp_path / "masks", tmp_path / "whole", tmp_path / "out"
    for frame in (1, 8):
        write_labels(masks / f"{frame:05d}.png", LabelMap(truth(frame)))
    points.write_text(points.read_text().replace("0,nose", "1,nose"))
    arguments = ("propagate", clip, "--labels", masks, "--labels", points, "--weights", "lab", "--direction", direction)
    assert mer(*arguments, "--out", whole)[0] == 0

    stop_after(at)
    code, _, err = mer(*arguments, "--out", out)
    assert code == 130
    content = report(out)
    finished = {f["frame"] for f in content["frames"]}
    assert content["state"] == "interrupted"
    assert at in finished
    assert len(finished) < len(report(whole)["frames"])
    assert {int(p.stem) for p in (out / "masks").iterdir()} == finished
    assert set(read_keypoints(out / "keypoints.csv")) == finished
    assert f"mer: stopped with {len(finished)} of" in err
    assert not (out / "overlay.mp4").exists()
    stamps = {f: (out / f"masks/{f:05d}.png").stat().st_mtime_ns for f in finished}

    code, _, err = mer(*arguments, "--out", out, "--resume")
    assert code == 0
    content = report(out)
    assert content["state"] == "finished"
    assert [f["frame"] for f in content["frames"]] == [f["frame"] for f in report(whole)["frames"]]
    assert f"note: resumed with {len(finished)} frames finished" in err
    for f, stamp in stamps.items():
        assert (out / f"masks/{f:05d}.png").stat().st_mtime_ns == stamp
    for path in (whole / "masks").iterdir():
        same = read_written(path).ids == read_written(out / "masks" / path.name).ids
        assert same.mean() > 0.98
    with open_video(out / "overlay.mp4") as video:
        assert len(video) == FRAMES


def test_resuming_what_is_finished_does_nothing_anew(propagate, tmp_path: Path) -> None:
    propagate()
    stamps = {p: p.stat().st_mtime_ns for p in (tmp_path / "out/masks").iterdir()}
    assert propagate("--resume")[0] == 0
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "out/masks").iterdir()} == stamps


def test_resume_makes_a_lost_mask_again(propagate, tmp_path: Path) -> None:
    propagate("--no-overlay")
    lost = tmp_path / "out/masks/00006.png"
    before = read_written(lost).ids
    lost.unlink()
    assert propagate("--no-overlay", "--resume")[0] == 0
    assert (read_written(lost).ids == before).mean() > 0.98


def test_resume_begins_where_nothing_is(propagate, tmp_path: Path) -> None:
    assert propagate("--resume", "--no-overlay", "--stop", 3)[0] == 0
    assert len(report(tmp_path / "out")["frames"]) == 3


def test_resume_of_something_else_says_what_changed(propagate, tmp_path: Path) -> None:
    propagate("--no-overlay", "--stop", 3)
    before = report(tmp_path / "out")
    err = one_line(*propagate("--resume", "--stop", 3, "--radius", 5))
    assert "options radius was 12, now it is 5" in err
    assert report(tmp_path / "out") == before


def test_a_folder_with_results_is_not_touched_without_leave(propagate, tmp_path: Path) -> None:
    propagate("--no-overlay", "--stop", 5)
    before = report(tmp_path / "out")
    assert "is not empty" in one_line(*propagate())
    assert report(tmp_path / "out") == before
    assert propagate("--overwrite", "--no-overlay", "--stop", 2)[0] == 0
    assert sorted(p.name for p in (tmp_path / "out/masks").iterdir()) == ["00000.png", "00001.png"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_in_a_real_process(clip: Path, mask: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "app", "propagate", clip, "--labels", mask, "--out", out, "--weights", "untrained"]
    process = subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    deadline = time.monotonic() + 200  # loading torch alone can take minutes on a busy machine
    while not (out / "masks/00001.png").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    content = report(out)
    assert content["state"] == "interrupted"
    assert {int(p.stem) for p in (out / "masks").iterdir()} == {f["frame"] for f in content["frames"]}
    assert list(out.rglob(".*")) == []
