"""`mer demo` as a user runs it, on a small and short film."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.__main__ import run
from app.io.keypoints_csv import read_keypoints
from app.io.masks import read_written
from model.video import open_video

FRAMES, HEIGHT, WIDTH = 6, 64, 114


def demo(out: Path, *more: str) -> int:
    small = ["--size", str(HEIGHT), "--weights", "untrained", "--device", "cpu"]
    return run(["demo", "--out", str(out), *small, *more])


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "new"
    assert demo(out, "--frames", str(FRAMES)) == 0
    return out


def test_everything_is_there_at_the_film_s_size(done: Path) -> None:
    names = [f"{i:05d}.png" for i in range(FRAMES)]
    assert sorted(p.name for p in (done / "masks").iterdir()) == names
    assert sorted(p.name for p in (done / "sample_truth").glob("*.png")) == names
    for folder in ("masks", "sample_truth"):
        assert {read_written(done / folder / n).shape for n in names} == {(HEIGHT, WIDTH)}
    for name in ("sample.mp4", "overlay.mp4"):
        with open_video(done / name) as video:
            assert (len(video), video.size, video.fps) == (FRAMES, (HEIGHT, WIDTH), 24)
    for table, frames in (("points.csv", 1), ("sample_truth/points.csv", FRAMES), ("keypoints.csv", FRAMES)):
        assert len(read_keypoints(done / table)) == frames
    assert (done / "report.json").is_file()
    assert not list(done.glob(".*"))  # no temporary file stays


def test_only_the_first_frame_is_given_away(done: Path) -> None:
    given, first = read_written(done / "first_frame.png"), read_written(done / "masks" / "00000.png")
    assert (given.ids == first.ids).all()
    last = [read_written(done / folder / f"{FRAMES - 1:05d}.png").ids for folder in ("masks", "sample_truth")]
    assert np.mean(last[0] == last[1]) > 0.8  # carried, although by an encoder that has learned nothing
    assert (last[0] != last[1]).any()


def test_pictures_are_drawn(done: Path) -> None:
    for name in ("contact_sheet.png", "demo.png"):
        picture = cv2.imread(str(done / name))
        assert picture is not None and picture.shape[1] == 1800
        assert len(np.unique(picture @ (1, 256, 65536))) > 1000  # colours


def test_again_says_the_score_and_leaves_nothing_of_the_longer_film(
    done: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo(done, "--frames", "4") == 0
    told = capsys.readouterr().out
    assert "mean" in told and "turtle" in told
    assert re.search(r"PCK@0.1 \d+\.\d", told) and re.search(r"\d+\.\d\d seconds per frame", told)
    assert str(done / "contact_sheet.png") in told.replace("\n", "")
    assert len(list((done / "sample_truth").glob("*.png"))) == len(list((done / "masks").iterdir())) == 4


@pytest.mark.parametrize(("option", "value"), [("--frames", "2"), ("--size", "20"), ("--weights", "nowhere.pt")])
def test_a_mistake_is_one_line_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, value: str
) -> None:
    assert demo(tmp_path / "new", option, value) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not (tmp_path / "new").exists()


def test_a_folder_of_other_things_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    assert demo(tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]
