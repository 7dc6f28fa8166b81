"""The command line as a user meets it: what a propagation writes, and the other commands."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

import app
from app.io.keypoints_csv import read_keypoints
from app.io.masks import read_written, write_labels
from model.palette import PALETTE
from model.types import LabelMap, PropagationOptions
from model.video import open_video
from tests.command_line import FRAMES, NOSE, SIZE, STEP, one_line, overlap, report, scene, truth

pytestmark = pytest.mark.usefixtures("one_thread")
ROOT = Path(__file__).parents[2]


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
    away = np.array([np.abs(found.xy[0] - (NOSE[0] + STEP * i, NOSE[1])) for i, found in table.items()])
    assert away.mean() < 2.5 and away.max() < 4.5  # a cell is 4 pixels; which of like cells votes is chance

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
        command = ("propagate", clip, "--labels", folder, "--out", out, "--weights", "lab", "--no-overlay")
        assert mer(*command, "--direction", direction)[0] == 0
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
    given = (tmp_path / "frames", "--labels", tmp_path / "m.png", "--out", out)
    code, _, err = mer("propagate", *given, "--fps", 8, "--weights", "lab", "--stop", 4)
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
    more += " --set clusters=3 --set grow_above=0.5 --set compact=0.2 --set value=off --set rounds=2 --set likeness=7"
    more += " --set trust=0.1 --set anchor_radius=9 --set follow_radius=7 --set between_temperature=0.2"
    assert propagate(*more.split())[0] == 0
    default = json.loads(json.dumps(asdict(PropagationOptions())))
    same = [name for name, value in report(tmp_path / "out")["options"].items() if value == default[name]]
    assert same == ["decoder"]  # none is bundled: tests/unit/test_mask_decoder.py names one


def test_progress_is_a_line_per_tenth_where_there_is_no_terminal(propagate) -> None:
    _, _, err = propagate("--no-overlay")
    lines = [line for line in err.splitlines() if line.startswith("propagating: ")]
    assert 8 <= len(lines) <= 10
    assert lines[-1].startswith("propagating: 12/12 frames")


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
