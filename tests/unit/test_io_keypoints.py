"""The keypoint table: what is read, what is refused and where, and the way back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.io.keypoints_csv import read_keypoints, write_keypoints
from model.types import KeypointSet

NAMES = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\x00", categories=("L", "N", "P")), min_size=1),
    min_size=1,
    max_size=4,
    unique=True,
)


def table(folder: Path, text: str) -> Path:
    path = folder / "points.csv"
    path.write_text(text, encoding="utf-8")
    return path


@given(NAMES, st.integers(0, 2**32 - 1))
def test_what_is_written_is_read(tmp_path_factory, names: list[str], seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = {}
    for frame in sorted(rng.choice(1000, 3, replace=False).tolist()):
        xy = rng.uniform(0, 89, (len(names), 2)).astype(np.float32)
        visible, confidence = rng.random(len(names)) < 0.5, rng.random(len(names)).astype(np.float32)
        missing = rng.random(len(names)) < 0.3
        xy[missing], visible[missing], confidence[missing] = np.nan, False, 0
        frames[frame] = KeypointSet(tuple(names), xy, visible, confidence)
    path = tmp_path_factory.mktemp("points") / "points.csv"
    write_keypoints(path, frames)
    back = read_keypoints(path, (90, 90))
    assert list(back) == list(frames)
    for frame, points in frames.items():
        assert back[frame].names == points.names
        np.testing.assert_allclose(back[frame].xy, points.xy, atol=6e-4)
        np.testing.assert_array_equal(back[frame].visible, points.visible)
        np.testing.assert_allclose(back[frame].confidence, points.confidence, atol=6e-5)


def test_four_columns_are_enough_and_names_are_the_same_in_every_frame(tmp_path: Path) -> None:
    path = table(tmp_path, "x,y,name,frame\n1.5,2,nose,7\n,,ear,7\n3,4,tail,2\n")
    frames = read_keypoints(path)
    assert list(frames) == [2, 7]
    assert frames[2].names == frames[7].names == ("nose", "ear", "tail")
    assert frames[7].visible.tolist() == [True, False, False]
    assert frames[7].confidence.tolist() == [1, 0, 0]
    assert frames[7].xy[0].tolist() == [1.5, 2]
    assert np.isnan(frames[2].xy[:2]).all()


def test_a_spreadsheet_program_may_have_saved_it(tmp_path: Path) -> None:
    """A byte order mark, Windows line ends, blanks behind commas, a comma in a quoted name."""
    path = tmp_path / "points.csv"
    path.write_bytes('\ufeffframe, name, x, y\r\n0, "paw, left", 1, 2\r\n'.encode())
    assert read_keypoints(path)[0].names == ("paw, left",)


def test_a_hidden_point_keeps_its_place(tmp_path: Path) -> None:
    points = read_keypoints(table(tmp_path, "frame,name,x,y,visible,confidence\n0,nose,3,4,0,0.5\n"))[0]
    assert (points.xy[0].tolist(), points.visible[0], points.confidence[0]) == ([3, 4], False, 0.5)


@pytest.mark.parametrize(("x", "y", "inside"), [(-0.5, 0, 1), (95.5, 63.5, 1), (-0.6, 0, 0), (0, 63.6, 0), (96, 0, 0)])
def test_the_frame_ends_half_a_pixel_beyond_the_outer_centres(tmp_path: Path, x: float, y: float, inside: int) -> None:
    path = table(tmp_path, f"frame,name,x,y\n0,ear,1,1\n0,nose,{x},{y}\n")
    if inside:
        assert read_keypoints(path, (64, 96))[0].xy[1].tolist() == pytest.approx([x, y])
    else:
        with pytest.raises(ValueError, match=r"points\.csv, line 3: 'nose' at .* is outside the 96x64 frame"):
            read_keypoints(path, (64, 96))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "the column 'frame' is missing"),
        ("frame,name,x\n", "the column 'y' is missing"),
        ("frame,name,x,y,likelihood\n0,a,1,2,1\n", "unknown column 'likelihood'"),
        ("frame,name,x,y\n", "holds no keypoints"),
        ("frame,name,x,y\n0,a,1\n", "line 2: has another number of fields"),
        ("frame,name,x,y\n0,a,1,2,3\n", "line 2: has another number of fields"),
        ("frame,name,x,y\n-1,a,1,2\n", "line 2: frame '-1' is not a whole number: frames count from 0"),
        ("frame,name,x,y\n0.5,a,1,2\n", "line 2: frame '0.5'"),
        ("frame,name,x,y\n0,,1,2\n", "line 2: the point has no name"),
        ("frame,name,x,y\n0,a,1,left\n", "line 2: y is 'left': write a number"),
        ("frame,name,x,y\n0,a,inf,1\n", "line 2: x is 'inf': write a number"),
        ("frame,name,x,y\n0,a,,1\n", "line 2: x is '': write a number"),
        ("frame,name,x,y\n0,a,1,1\n0,b,1,1\n0,a,2,2\n", "line 4: 'a' of frame 0 was given before"),
        ("frame,name,x,y,visible\n0,a,1,1,yes\n", "line 2: visible is 'yes': write 1 or 0"),
        ("frame,name,x,y,confidence\n0,a,1,1,2\n", r"line 2: confidence is 2: it lies in 0\.\.1"),
    ],
)
def test_mistakes_are_named_with_their_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=rf"points\.csv.*{complaint}") as caught:
        read_keypoints(table(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "points.csv").write_bytes(b"\xff\xfe\x00\x01" * 20)
    with pytest.raises(ValueError, match=r"points\.csv: cannot be read as a CSV table"):
        read_keypoints(tmp_path / "points.csv")
    with pytest.raises(ValueError, match=r"gone\.csv: cannot be read"):
        read_keypoints(tmp_path / "gone.csv")
