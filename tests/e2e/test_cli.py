"""The command line as a user meets it: what it writes, how it stops and goes on, and what it says to mistakes."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import app.propagation
from app.__main__ import run
from app.io.keypoints_csv import read_keypoints
from app.io.masks import read_written, write_labels
from app.io.video_writer import VideoWriter
from model.palette import PALETTE
from model.types import LabelMap, PropagationOptions
from model.video import open_video

ROOT = Path(__file__).parents[2]
SIZE = (64, 96)
FRAMES = 12
STEP = 3  # pixels per frame that the square moves to the right
NOSE = (20, 30)


def scene(height: int = 64, width: int = 96) -> Iterator[np.ndarray]:
    """A textured orange square of 24 pixels that moves over bluish noise, and a green corner that stays."""
    rng = np.random.default_rng(0)
    noise = cv2.GaussianBlur(rng.integers(0, 255, (height, width), np.uint8), (0, 0), 2)
    back = np.dstack([noise // 4, noise // 2, 120 + noise // 2])
    back[:10, :16] = (40, 200, 20)
    own = cv2.GaussianBlur(rng.integers(0, 255, (24, 24), np.uint8), (0, 0), 1.5)
    square = np.dstack([180 + own // 4, 80 + own // 2, own // 4])
    for i in range(FRAMES):
        image = back.copy()
        image[20:44, 10 + STEP * i : 34 + STEP * i] = square
        yield image.astype(np.uint8)


def truth(frame: int, number: int = 1, size: tuple[int, int] = SIZE) -> np.ndarray:
    ids = np.zeros(size, np.uint8)
    ids[20:44, 10 + STEP * frame : 34 + STEP * frame] = number
    return ids


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """12 frames of 96x64 pixels at 10 frames a second, one of them late."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with VideoWriter(path, SIZE, 10) as video:
        for i, image in enumerate(scene()):
            video.write(image, i / 10 + (0.5 if i > 6 else 0))
    return path


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
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
def mer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; gives exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def propagate(mer, clip: Path, mask: Path, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """`mer propagate` of the clip into tmp_path/out by raw colours, with further arguments."""
    return lambda *more: mer("propagate", clip, "--labels", mask, "--out", tmp_path / "out", "--weights", "lab", *more)


def report(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "report.json").read_text())


def overlap(path: Path, expected: np.ndarray, number: int = 1) -> float:
    found, expected = read_written(path).ids == number, expected == number
    return (found & expected).sum() / (found | expected).sum()


def one_line(code: int, out: str, err: str) -> str:
    """What every mistake gets: exit code 2, nothing on the output, one line of complaint."""
    assert code == 2, err
    assert out == ""
    assert err.startswith("mer: ")
    assert err.count("\n") == 1
    return err


# What a run writes


def test_masks_and_keypoints_travel_in_one_run(propagate, clip: Path, mask: Path, points: Path, tmp_path: Path) -> None:
    code, text, _ = propagate("--labels", points, "--cycle")
    assert code == 0
    out = tmp_path / "out"
    assert str(out / "overlay.mp4") in text
    assert sorted(p.name for p in out.iterdir()) == ["keypoints.csv", "masks", "overlay.mp4", "report.json"]
    assert sorted(p.name for p in (out / "masks").iterdir()) == [f"{i:05d}.png" for i in range(FRAMES)]

    for i in range(FRAMES):
        with Image.open(out / f"masks/{i:05d}.png") as image:
            assert (image.mode, image.size) == ("P", (96, 64))
            assert image.getpalette() == PALETTE.ravel().tolist()
        assert overlap(out / f"masks/{i:05d}.png", truth(i)) > 0.8
    assert np.array_equal(read_written(out / "masks/00000.png").ids, truth(0))

    table = read_keypoints(out / "keypoints.csv", SIZE)
    assert list(table) == list(range(FRAMES))
    for i, found in table.items():
        assert np.abs(found.xy[0] - (NOSE[0] + STEP * i, NOSE[1])).max() < 4

    with open_video(clip) as source, open_video(out / "overlay.mp4") as overlay:
        assert overlay.size == SIZE
        np.testing.assert_allclose(overlay.times, source.times, atol=1e-3)
        before, after = source[5].image.astype(int), overlay[5].image.astype(int)
        inside = cv2.erode(truth(5), np.ones((9, 9))) > 0
        assert np.abs(after - before)[inside].mean() > 30
        assert np.abs(after - before)[:10].mean() < 10


def test_the_report_says_what_was_done(propagate, points: Path, tmp_path: Path) -> None:
    propagate("--labels", points, "--cycle", "--radius", 6, "--hard", "--no-overlay", "--long-term", "4,8")
    content = report(tmp_path / "out")
    assert content["schema"] == 1
    assert content["state"] == "finished"
    assert content["video"] == {
        "name": "clip.mp4",
        "width": 96,
        "height": 64,
        "frames": 12,
        "fps": content["video"]["fps"],
    }
    assert content["weights"]["name"] == "lab"
    assert len(content["weights"]["sha256"]) == 64
    options = content["options"]
    assert (options["radius"], options["labels"], options["cycle"], options["long_term"]) == (6, "hard", True, [4, 8])
    assert content["labels"][0]["objects"] == [1]
    assert content["labels"][0]["keypoints"] == ["nose"]
    stages = content["seconds"]
    assert {"decode", "encode", "affinity", "labels", "write", "total"} <= stages.keys()
    assert "overlay" not in stages
    assert sum(s for name, s in stages.items() if name != "total") <= stages["total"]
    assert content["frames_per_second"] > 0
    assert 50e6 < content["peak_memory_bytes"] < 50e9
    assert content["device"]
    frames = content["frames"]
    assert [f["frame"] for f in frames] == list(range(FRAMES))
    assert [f["origin"] for f in frames] == ["human"] + ["propagated"] * (FRAMES - 1)
    assert all(0 <= f["confidence"] <= 1 for f in frames)
    assert all(0 <= f["disagreement"] <= 1 for f in frames[1:])
    assert not (tmp_path / "out/overlay.mp4").exists()


def test_keypoints_alone_need_no_masks(mer, clip: Path, points: Path, tmp_path: Path) -> None:
    assert mer("propagate", clip, "--labels", points, "--out", tmp_path / "out", "--weights", "lab")[0] == 0
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["keypoints.csv", "overlay.mp4", "report.json"]


def test_a_folder_of_masks_and_every_direction(mer, clip: Path, tmp_path: Path) -> None:
    """Object 9 is painted in frame 8 only; it is carried both ways, and object 1 keeps its id."""
    folder = tmp_path / "masks"
    write_labels(folder / "00000.png", LabelMap(truth(0)))
    late = truth(8)
    late[:10, :16] = 9
    write_labels(folder / "00008.png", LabelMap(late))
    for direction, numbers in (("forward", range(12)), ("backward", range(9)), ("both", range(12))):
        out = tmp_path / direction
        assert (
            mer(
                "propagate",
                clip,
                "--labels",
                folder,
                "--out",
                out,
                "--weights",
                "lab",
                "--no-overlay",
                "--direction",
                direction,
            )[0]
            == 0
        )
        assert sorted(int(p.stem) for p in (out / "masks").iterdir()) == list(numbers)
        assert overlap(out / "masks/00006.png", truth(6)) > 0.7
        content = report(out)
        assert [f["frame"] for f in content["frames"] if f["origin"] == "human"] == [0, 8]
        assert len(content["notes"]) == (1 if direction == "backward" else 0)
    assert overlap(tmp_path / "forward/masks/00011.png", late, 9) > 0.7
    assert overlap(tmp_path / "backward/masks/00004.png", late, 9) > 0.7
    assert 9 not in read_written(tmp_path / "forward/masks/00004.png").objects


def test_a_range_and_an_anchor_before_it(propagate, tmp_path: Path) -> None:
    assert propagate("--start", 4, "--stop", 9)[0] == 0
    assert sorted(int(p.stem) for p in (tmp_path / "out/masks").iterdir()) == list(range(4, 9))
    with open_video(tmp_path / "out/overlay.mp4") as video:
        assert len(video) == 5
        np.testing.assert_allclose(video.times[:3], [0, 0.1, 0.2], atol=1e-3)


def test_an_image_folder_of_odd_size(mer, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for i, image in enumerate(scene(63, 95)):
        Image.fromarray(image).save(tmp_path / f"frames/{i}.png")
    write_labels(tmp_path / "m.png", LabelMap(truth(0, size=(63, 95))))
    out = tmp_path / "out"
    code, _, err = mer(
        "propagate",
        tmp_path / "frames",
        "--labels",
        tmp_path / "m.png",
        "--out",
        out,
        "--fps",
        8,
        "--weights",
        "lab",
        "--stop",
        4,
    )
    assert code == 0
    assert read_written(out / "masks/00003.png").shape == (63, 95)
    assert "note: overlay.mp4 is 96x64, not 95x63" in err
    with open_video(out / "overlay.mp4") as video:
        assert video.fps == pytest.approx(8, abs=0.1)


def test_the_size_of_masks_is_the_video_s_whatever_the_work_size(propagate, tmp_path: Path) -> None:
    assert propagate("--size", 32, "--no-overlay")[0] == 0
    assert read_written(tmp_path / "out/masks/00011.png").shape == SIZE
    assert overlap(tmp_path / "out/masks/00011.png", truth(11)) > 0.5


def test_smoothed_edges_are_cleaned_when_asked(propagate, mask: Path, tmp_path: Path) -> None:
    soft = cv2.resize(truth(0) * np.uint8(255), (48, 32), interpolation=cv2.INTER_AREA)
    Image.fromarray(cv2.resize(soft, (96, 64), interpolation=cv2.INTER_CUBIC)).save(mask)
    err = one_line(*propagate())
    assert "stray ids cover" in err
    assert not (tmp_path / "out").exists()
    code, _, err = propagate("--clean-edges", "--stop", 3)
    assert code == 0
    assert "note: mask.png: " in err
    assert report(tmp_path / "out")["labels"][0]["objects"] == [1]


def test_every_option_of_a_propagation_can_be_set(propagate, tmp_path: Path) -> None:
    """A field that the command line cannot reach keeps its default here, and is found."""
    more = (
        "--size 32 --radius 5 --window square --top-k 3 --temperature 0.1 --colour 0.5 --edges bilinear --references 2"
    )
    more += " --sampler contract --long-term 2 --short-term 1,2 --hard --cycle --no-overlay --stop 3"
    more += " --set clusters=3 --set grow_above=0.5 --set compact=0.2 --set value=off --set rounds=2"
    more += " --set trust=0.1 --set anchor_radius=9"
    assert propagate(*more.split())[0] == 0
    default = json.loads(json.dumps(asdict(PropagationOptions())))
    same = [name for name, value in report(tmp_path / "out")["options"].items() if value == default[name]]
    assert same == ["decoder"]  # none is bundled: tests/unit/test_mask_decoder.py names one


def test_progress_is_a_line_per_tenth_where_there_is_no_terminal(propagate) -> None:
    _, _, err = propagate("--no-overlay")
    lines = [line for line in err.splitlines() if line.startswith("propagating: ")]
    assert 8 <= len(lines) <= 10
    assert lines[-1].startswith("propagating: 12/12 frames")


# Stopping and going on


@pytest.fixture
def stop_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Presses Ctrl+C while the given frame is written."""

    def arm(frame: int) -> None:
        def write_and_stop(path: Path, labels: LabelMap) -> None:
            write_labels(path, labels)
            if int(path.stem) == frame:
                monkeypatch.setattr(app.propagation, "write_labels", write_labels)
                os.kill(os.getpid(), signal.SIGINT)

        monkeypatch.setattr(app.propagation, "write_labels", write_and_stop)

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


# Mistakes


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

    monkeypatch.setattr(app.propagation, "write_labels", write_or_fail)
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

    monkeypatch.setattr(app.propagation, "write_labels", broken)
    code, _, err = propagate()
    assert code == 1
    assert (
        err.splitlines()[-1]
        == "mer: RuntimeError: two lines of text (an error of the program: mer doctor --report shows where)"
    )
    monkeypatch.setenv("MER_DEBUG", "1")
    with pytest.raises(RuntimeError):
        propagate("--overwrite")


# The other commands


def test_help_is_quick_because_nothing_heavy_is_loaded() -> None:
    code = (
        "import sys; from app.__main__ import run; assert run(['--help']) == 0; "
        "print(*sorted({'torch', 'cv2', 'av', 'PIL', 'PySide6'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stderr.strip() == ""
    for command in ("propagate", "train", "evaluate", "demo", "doctor"):
        assert command in done.stdout


def test_version(mer) -> None:
    assert mer("--version") == (0, f"mer {app.__version__}\n", "")


@pytest.mark.parametrize("arguments", [["propogate"], ["--colour"], ["propagate"], ["train"]])
def test_what_nobody_knows_is_answered_in_one_line(mer, arguments: list[str]) -> None:
    assert "--help" in one_line(*mer(*arguments))


def test_doctor_tells_what_there_is(mer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = mer("doctor")
    for name in ("Python", "torch", "opencv-python", "av", "cpu", "threads", "memory", "disk", "encoder h264"):
        assert name in out
    assert torch.__version__.split("+")[0] in out
    assert code == (1 if "missing" in out else 0)


def test_doctor_fails_where_something_essential_is_missing(mer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = mer("doctor")
    assert code == 1
    assert "pip install opencv-python" in out


def test_training_needs_a_budget_and_something_to_train_on(mer, tmp_path: Path) -> None:
    assert "steps or minutes" in one_line(*mer("train", tmp_path, "--out", tmp_path / "run"))
    assert str(tmp_path) in one_line(*mer("train", tmp_path / "gone", "--out", tmp_path / "run", "--steps", 1))


@pytest.mark.slow
def test_what_was_trained_can_be_used(mer, propagate, clip: Path, tmp_path: Path) -> None:
    run_folder = tmp_path / "run"
    code, out, err = mer(
        "train", clip.parent, "--out", run_folder, "--steps", 2, "--batch", 2, "--crop", 64, "--workers", 0
    )
    assert code == 0, err
    assert f"wrote {run_folder / 'encoder.pt'}" in out
    assert "step 2, " in err
    weights = ("--weights", run_folder / "encoder.pt", "--no-overlay", "--stop", 3)
    assert "'mast', not 'dense'" in one_line(*propagate(*weights, "--recipe", "dense"))
    assert propagate(*weights, "--recipe", "mast")[0] == 0
    assert report(tmp_path / "out")["weights"]["recipe"] == "mast"
