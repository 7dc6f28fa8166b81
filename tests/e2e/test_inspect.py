"""`mer inspect` as a user meets it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from app.__main__ import run

SIZE = (64, 96)
KINDS = ("flow", "confidence", "clusters", "radius", "features")


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """A folder of 8 frames in which a bright square moves over noise."""
    folder = tmp_path / "video"
    folder.mkdir()
    rng = np.random.default_rng(0)
    back = cv2.GaussianBlur(rng.integers(0, 120, (*SIZE, 3), np.uint8), (0, 0), 2)
    for n in range(8):
        image = back.copy()
        image[20:44, 10 + 4 * n : 34 + 4 * n] = (40, 160, 240)
        cv2.imwrite(str(folder / f"{n:05d}.png"), image)
    return folder


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    ids = np.zeros(SIZE, np.uint8)
    ids[20:44, 10:34] = 1
    path = tmp_path / "mask.png"
    Image.fromarray(ids).save(path)
    return path


def command(*words: object) -> list[str]:
    return ["inspect", *map(str, words), "--weights", "lab", "--device", "cpu"]


def test_it_writes_a_picture_of_each_kind(video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert run(command(video, "--frame", 6, "--out", out)) == 0
    assert sorted(p.name for p in out.iterdir()) == sorted(f"00006-{kind}.png" for kind in KINDS)
    for path in out.iterdir():
        with Image.open(path) as picture:
            assert picture.mode == "RGB" and picture.height > SIZE[0]
            assert len(np.unique(np.asarray(picture).reshape(-1, 3), axis=0)) > 10
    assert str(out) in capsys.readouterr().out.replace("\n", "")


def test_the_votes_of_a_pixel_are_told_and_shown(
    video: Path, mask: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    labelled = ("--labels", mask, "--reference", 2, "--reference", 5)
    assert run(command(video, "--frame", 4, "--point", "28,20", "--out", out, *labelled)) == 0
    assert (out / "00004-affinity.png").exists()
    rows = [line.split("│")[1:-1] for line in capsys.readouterr().out.splitlines() if "│" in line]
    votes = [[cell.strip() for cell in row] for row in rows]
    assert {vote[0] for vote in votes} <= {"2", "5"}
    # The single mask is that of the first reference.
    assert {vote[4] for vote in votes if vote[0] == "5"} <= {"unlabelled"}
    assert {vote[4] for vote in votes if vote[0] == "2"} <= {"1", "background"}
    assert sum(float(vote[3].removesuffix(" %")) for vote in votes) == pytest.approx(100, abs=0.5)


def test_a_second_look_replaces_the_pictures_and_nothing_else(video: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    for _ in range(2):
        assert run(command(video, "--frame", 3, "--out", out)) == 0
    assert run(command(video, "--frame", 0, "--reference", 1, "--out", out)) == 0
    assert len(list(out.glob("*.png"))) == 2 * len(KINDS) and (out / "notes.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "words, said",
    [
        (("--frame", 8), "has frames 0..7, and no frame 8"),
        (("--frame", 3, "--reference", 20), "no frame 20"),
        (("--frame", 0), "--reference"),
        (("--frame", 3, "--point", "5"), "--point takes x,y, not '5'"),
        (("--frame", 3, "--point", "a,b"), "--point takes numbers"),
        (("--frame", 3, "--point", "96,5"), "outside the 96×64 video"),
        (("--frame", 3, "--window", "hexagon"), "hexagon"),
    ],
)
def test_mistakes_are_answered_in_one_line_and_leave_nothing(
    video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[object, ...], said: str
) -> None:
    out = tmp_path / "out"
    assert run(command(video, *words, "--out", out)) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert not out.exists()


def test_a_file_in_the_way_is_named(video: Path, mask: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(command(video, "--frame", 3, "--out", mask)) == 2
    assert f"{mask}: is a file" in capsys.readouterr().err
