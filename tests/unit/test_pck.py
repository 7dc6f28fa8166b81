"""PCK and the readers of its benchmarks."""

from __future__ import annotations

import json
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from model.evaluation.keypoint_sets import JHMDB_JOINTS, read_badja, read_jhmdb
from model.evaluation.keypoints import KeypointSequence, correct_points, evaluate_keypoints
from model.evaluation.layout import write_mask
from model.types import KeypointSet, Origin, PropagationResult
from tests.refusals import refused

HEIGHT, WIDTH = 60, 80


def save_frames(folder, count, suffix=".png", start=0):
    folder.mkdir(parents=True)
    for t in range(count):
        Image.new("RGB", (WIDTH, HEIGHT), (t, 0, 0)).save(folder / f"{t + start:05d}{suffix}")


def predicting(places, skip=(), calls=None):
    """A propagator that answers with `places[frame][name]`, in another order than it was asked."""

    def propagate(source, request):
        (anchor,) = request.anchors
        if calls is not None:
            calls.append(request)
        for frame in range(request.start, len(source)):
            if frame in skip:
                continue
            names = anchor.keypoints.names[::-1]
            points = KeypointSet.of({name: places(frame, name) for name in names})
            yield PropagationResult(frame, Origin.PROPAGATED, None, points, np.ones((1, 1), np.float32))

    return propagate


@pytest.fixture
def sequence(tmp_path):
    """Three points; b is hidden in the first labelled frame (1), c in frame 3; frame 2 has no labels."""
    save_frames(tmp_path / "frames", 5)
    xy = np.full((5, 3, 2), np.nan, np.float32)
    for t in (1, 3, 4):
        xy[t] = [(10 + t, 10), (30, 30 + t), (50, 50)]
    xy[1, 1] = xy[3, 2] = np.nan
    visible = np.isfinite(xy).all(axis=2)
    return KeypointSequence("s", tmp_path / "frames", ("a", "b", "c"), xy, visible, np.full(5, 20, np.float32))


def test_threshold_is_a_share_of_the_scale_and_inclusive():
    truth = np.zeros((5, 2), np.float32)
    found = np.array([(3, 0), (0, 4), (3, 4), (5.1, 0), (np.nan, np.nan)], np.float32)
    assert correct_points(found, truth, 25).tolist() == [
        [False, True],  # 3 > 2.5
        [False, True],
        [False, True],  # 5 = 5
        [False, False],
        [False, False],  # lost
    ]
    assert correct_points(found, truth, 30)[:, 0].tolist() == [True, False, False, False, False]


def test_truth_scores_one(sequence):
    truth = predicting(lambda t, name: tuple(np.nan_to_num(sequence.xy[t, sequence.names.index(name)])))
    scores = evaluate_keypoints([sequence], truth).as_dict()["mean"]
    assert [scores[k] for k in ("PCK@0.1", "PCK@0.2", "points", "frames")] == [1, 1, 3, 4]


def test_only_points_asked_for_and_visible_count(sequence):
    calls = []
    # a is 3 px off (within 0.2 x 20 only), c is right in frame 4; b was hidden in the first labelled frame
    places = {"a": lambda t: (13 + t, 10), "c": lambda t: (50, 50)}
    report = evaluate_keypoints([sequence], predicting(lambda t, n: places[n](t), calls=calls)).as_dict()
    (request,) = calls
    assert (request.start, request.stop, request.anchors[0].frame) == (1, 5, 1)
    assert request.anchors[0].keypoints.names == ("a", "c")
    assert request.anchors[0].keypoints.xy.tolist() == [[11, 10], [50, 50]]
    scores = report["sequences"]["s"]
    assert scores["points"] == 3  # a and c in frame 4, a in frame 3
    assert scores["PCK@0.1"] == pytest.approx(1 / 3)
    assert scores["PCK@0.2"] == 1
    assert scores["PCK@0.1 with given frame"] == pytest.approx(2 / 5)  # one of the two points of frame 1 besides


def test_lost_points_are_wrong(sequence):
    scores = evaluate_keypoints([sequence], predicting(lambda t, name: None)).as_dict()["mean"]
    assert scores["PCK@0.2"] == 0 and scores["points"] == 3


def test_points_of_all_videos_are_pooled(sequence, tmp_path):
    xy = np.full((5, 1, 2), 5, np.float32)
    other = KeypointSequence("o", sequence.frames, ("a",), xy, np.ones((5, 1), bool), np.ones(5, np.float32))
    report = evaluate_keypoints([sequence, other], predicting(lambda t, name: (5.0, 5.0))).as_dict()
    assert [report["sequences"][n]["PCK@0.2"] for n in ("s", "o")] == [0, 1]
    assert report["mean"]["PCK@0.2"] == pytest.approx(4 / 7)
    json.dumps(report)


def test_a_run_that_leaves_frames_out(sequence):
    refused(lambda: evaluate_keypoints([sequence], predicting(lambda t, n: (0, 0), skip=(3,))), "s", "frame 3")
    refused(lambda: evaluate_keypoints([sequence], predicting(lambda t, n: (0, 0), skip=(1,))), "frame 1")
    evaluate_keypoints([sequence], predicting(lambda t, n: (0, 0), skip=(2,)))  # has no labels


def test_a_sequence_with_nothing_to_score(sequence):
    sequence.visible[3:] = False
    refused(lambda: evaluate_keypoints([sequence], predicting(lambda t, n: (0, 0))), "s", "no point of frame 1")


# --- JHMDB -------------------------------------------------------------------------------------------------------


@pytest.fixture
def jhmdb(tmp_path):
    """Two videos; joints on a 12 x 16 box that moves, one joint beyond the right edge of the frame."""
    root = tmp_path / "jhmdb"
    for video, part in (("clap/first", 1), ("clap/second", 2)):
        save_frames(root / "Rename_Images" / video, 4, start=1)
        positions = np.zeros((2, 15, 4))
        for t in range(4):
            positions[0, :, t], positions[1, :, t] = 11 + t, 21
            positions[:, 1, t] = 11 + t + 12, 21 + 16
        positions[:, 14] = [[WIDTH + 1] * 4, [21] * 4]
        folder = root / "joint_positions" / video
        folder.mkdir(parents=True)
        savemat(folder / "joint_positions.mat", {"pos_img": positions})
        (root / "splits").mkdir(exist_ok=True)
        with (root / "splits/clap_test_split1.txt").open("a") as file:
            file.write(f"{video.split('/')[1]}.avi {part}\n")
    return root


def test_jhmdb_pixels_scale_and_visibility(jhmdb):
    (video,) = read_jhmdb(jhmdb, ["clap/first"])
    assert video.names == JHMDB_JOINTS and len(set(JHMDB_JOINTS)) == 15
    assert video.xy.shape == (4, 15, 2)
    assert video.xy[2, 0].tolist() == [12, 20]  # (13, 21) counted from 1
    assert video.visible[:, :14].all() and not video.visible[:, 14].any()
    assert video.scale == pytest.approx(np.full(4, 0.6 * 20))


def test_jhmdb_reads_the_test_videos_of_split_1(jhmdb):
    assert [v.name for v in read_jhmdb(jhmdb)] == ["clap/second"]
    (jhmdb / "splits").rename(jhmdb / "none")
    assert [v.name for v in read_jhmdb(jhmdb)] == ["clap/first", "clap/second"]


def test_jhmdb_score_of_points_that_stand_still(jhmdb):
    still = predicting(lambda t, name: (22.0, 36.0) if name == "belly" else (10.0, 20.0))
    scores = evaluate_keypoints(read_jhmdb(jhmdb), still).as_dict()["mean"]
    assert scores["PCK@0.1"] == pytest.approx(1 / 3)  # 1, 2, 3 pixels off; 0.1 and 0.2 of 12 are 1.2 and 2.4
    assert scores["PCK@0.2"] == pytest.approx(2 / 3)
    assert scores["PCK@0.1 with given frame"] == pytest.approx(2 / 4)


def test_jhmdb_refusals(jhmdb, tmp_path, monkeypatch):
    refused(lambda: read_jhmdb(tmp_path), str(tmp_path), "joint_positions")
    refused(lambda: read_jhmdb(jhmdb, ["clap/third"]), "clap/third")
    path = jhmdb / "joint_positions/clap/first/joint_positions.mat"
    savemat(path, {"pos_img": np.zeros((2, 14, 4))})
    refused(lambda: read_jhmdb(jhmdb, ["clap/first"]), str(path), "[2, 14, 4]")
    savemat(path, {"other": np.zeros((2, 15, 4))})
    refused(lambda: read_jhmdb(jhmdb, ["clap/first"]), str(path), "pos_img")
    path.write_text("no matlab")
    refused(lambda: read_jhmdb(jhmdb, ["clap/first"]), str(path))
    savemat(path, {"pos_img": np.full((2, 15, 4), -9.0)})
    refused(lambda: read_jhmdb(jhmdb, ["clap/first"]), str(path), "80x60")
    (jhmdb / "Rename_Images").rename(jhmdb / "pictures")
    refused(lambda: read_jhmdb(jhmdb, ["clap/second"]), "Rename_Images", "no PNG")
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    refused(lambda: read_jhmdb(jhmdb, ["clap/second"]), "pip install scipy")


# --- BADJA -------------------------------------------------------------------------------------------------------


@pytest.fixture
def badja(tmp_path):
    """Five frames of an animal of 20 x 20 pixels; joints in frames 1 and 4."""
    save_frames(tmp_path / "davis/JPEGImages/480p/yak", 5, ".jpg")
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:30, 10:30], mask[50:, :] = 1, 255
    for t in range(5):
        write_mask(tmp_path / f"davis/Annotations/480p/yak/{t:05d}.png", mask)
    joints = {"00001": {"8": [12, 12], "10": [20, 20], "9": [14, 28]}, "00004": {"8": [15, 12], "10": [20, 25]}}
    path = tmp_path / "yak.json"
    path.write_text(json.dumps({"sequences": {"yak": joints}}))
    return path, tmp_path / "davis"


def test_badja_joints_and_scale(badja):
    (yak,) = read_badja(*badja)
    assert yak.names == ("8", "9", "10")
    assert yak.first == 1
    assert yak.visible.tolist() == [[False] * 3, [True] * 3, [False] * 3, [False] * 3, [True, False, True]]
    assert yak.xy[4, 2].tolist() == [20, 25]
    assert yak.scale[[1, 4]].tolist() == [20, 20]  # sqrt(400), the void band left out


def test_badja_score_by_its_rule(badja):
    # off by 3 and by 5 pixels; the threshold is 0.2 x 20 = 4
    still = predicting(lambda t, name: {"8": (12, 12), "9": (14, 28), "10": (20, 20)}[name])
    scores = evaluate_keypoints(read_badja(*badja), still).as_dict()["mean"]
    assert (scores["PCK@0.1"], scores["PCK@0.2"], scores["points"]) == (0, 0.5, 2)


def test_badja_refusals(badja):
    path, davis = badja
    refused(lambda: read_badja(path, davis, ["cow"]), "cow", "yak")
    refused(lambda: read_badja(path.with_name("none.json"), davis), "none.json")
    for content in ("hello", "[1]", '{"sequences": [1]}', '{"sequences": {"yak": {"00001": [[1, 2]]}}}', "{}"):
        path.write_text(content)
        refused(lambda: read_badja(path, davis), str(path))
    for joints, words in (
        ({"00007": {"8": [1, 1]}}, "'00007'"),
        ({"00001": {"8": [80, 1]}}, "(80.0, 1.0)"),
        ({}, "no labelled point"),
        ({"00001": {"8": [1]}}, "[x, y]"),
        ({"00001": {"8": ["a", 2]}}, "[x, y]"),
    ):
        path.write_text(json.dumps({"sequences": {"yak": joints}}))
        refused(lambda: read_badja(path, davis), str(path), words)
    path.write_text(json.dumps({"sequences": {"cow": {}}}))
    refused(lambda: read_badja(path, davis), "cow")


def test_real_badja_file(data_root):
    (camel,) = read_badja(data_root / "keypoints/badja/camel.json", data_root / "davis-dev")
    labelled = np.flatnonzero(camel.visible.any(axis=1))
    assert len(labelled) == 18 and camel.first == 2
    assert camel.xy[2, camel.names.index("8")] == pytest.approx((558.66, 272.0))
    assert 100 < camel.scale[labelled].min() <= camel.scale[labelled].max() < 480
    asked = {name: tuple(xy) for name, xy in zip(camel.names, camel.xy[2].tolist(), strict=True)}
    still = evaluate_keypoints([camel], predicting(lambda t, name: asked[name])).as_dict()["mean"]
    assert still["PCK@0.1 with given frame"] > still["PCK@0.1"]
    assert 0 < still["PCK@0.1"] < still["PCK@0.2"] < 0.6


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def still_points(monkeypatch):
    def propagate(source, request):
        for frame in range(request.start, len(source)):
            points = request.anchors[0].keypoints
            yield PropagationResult(frame, Origin.PROPAGATED, None, points, np.ones((1, 1), np.float32))

    provenance = {"name": "still", "sha256": "0", "recipe": "none"}
    monkeypatch.setattr("app.commands.evaluate._propagator", lambda weights, device: (propagate, provenance))


@pytest.fixture
def mer(mer):
    """Runs `mer evaluate keypoints …`: exit code, output, errors."""
    return partial(mer, "evaluate", "keypoints")


def test_command_on_both_benchmarks(jhmdb, badja, still_points, tmp_path, mer):
    code, output, errors = mer(jhmdb, "--json", tmp_path / "scores.json")
    assert code == 0, errors
    for word in ("clap/second", "mean", "PCK@0.1", "33.3", "66.7"):
        assert word in output
    assert json.loads((tmp_path / "scores.json").read_text())["mean"]["PCK@0.1"] == pytest.approx(1 / 3)
    code, output, errors = mer(badja[0], "--davis", badja[1], "--json", "-")
    assert code == 0, errors
    assert json.loads(output)["sequences"]["yak"]["PCK@0.2"] == 0.5


def test_command_refuses_in_one_line(badja, still_points, tmp_path, mer):
    for arguments, words in (((badja[0],), "--davis"), ((tmp_path,), "joint_positions")):
        code, output, errors = mer(*arguments)
        assert (code, output) == (2, "")
        assert words in errors and len(errors.strip().splitlines()) == 1
