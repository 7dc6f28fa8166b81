"""The DAVIS evaluation: the folder layout, which frames and objects count, and what is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from PIL import Image

from model.evaluation.davis import evaluate_davis, score_folder
from model.evaluation.layout import find_sequences, read_mask, write_mask
from model.evaluation.measures import boundary_accuracy, region_similarity
from model.types import LabelMap, Origin, PropagationOptions, PropagationResult
from tests.refusals import refused

FRAMES, HEIGHT, WIDTH = 6, 48, 64


def truth_masks(objects, step=2):
    """A square for every object, moving to the right."""
    masks = np.zeros((FRAMES, HEIGHT, WIDTH), np.uint8)
    for t in range(FRAMES):
        for row, number in enumerate(objects):
            masks[t, 2 + 15 * row : 14 + 15 * row, 4 + step * t : 16 + step * t] = number
    return masks


def save_sequence(root, name, masks):
    frames = root / "JPEGImages/480p" / name
    frames.mkdir(parents=True)
    for t, mask in enumerate(masks):
        Image.fromarray(np.repeat(mask[..., None] * 40, 3, axis=2)).save(frames / f"{t:05d}.jpg")
        write_mask(root / "Annotations/480p" / name / f"{t:05d}.png", mask)


@pytest.fixture
def root(tmp_path):
    save_sequence(tmp_path / "davis", "one", truth_masks([1]))
    save_sequence(tmp_path / "davis", "two", truth_masks([1, 2], step=3))
    return tmp_path / "davis"


def result(frame, ids):
    confidence = np.ones((1, 1), np.float32)
    return PropagationResult(frame, Origin.PROPAGATED, LabelMap(ids), None, confidence)


def copier(change=lambda frame, ids: ids, skip=()):
    """A propagator that knows the truth, and may spoil it."""

    def propagate(source, request):
        masks = sorted((source.path.parents[2] / "Annotations/480p" / source.path.name).glob("*.png"))
        for frame, path in enumerate(masks):
            if frame not in skip:
                yield result(frame, change(frame, read_mask(path)))

    return propagate


def first_mask_only(source, request):
    for frame in range(len(source)):
        yield result(frame, request.anchors[0].labels.ids)


PERFECT = {"J&F": 1, "J": 1, "F": 1, "J-recall": 1, "F-recall": 1, "J-decay": 0, "F-decay": 0}


def test_a_perfect_run_scores_one(root):
    report = evaluate_davis(root, copier()).as_dict()
    assert report["mean"] == PERFECT
    assert list(report["sequences"]) == ["one", "two"]
    two = report["sequences"]["two"]
    assert two["objects"] == {"1": PERFECT, "2": PERFECT}
    assert two["frames"] == FRAMES
    assert two["seconds"] > 0


def test_a_mask_that_does_not_move_scores_as_computed_by_hand(root):
    report = evaluate_davis(root, first_mask_only, sequences=["one"]).as_dict()
    expected = [(12 - 2 * t) / (12 + 2 * t) for t in range(1, FRAMES - 1)]  # first and last frame are left out
    assert report["mean"]["J"] == pytest.approx(np.mean(expected))
    assert report["mean"]["J-recall"] == pytest.approx(np.mean([j > 0.5 for j in expected]))
    # quarters of 4 frames meet on frames 0, 1, 2, 2, 3 (0.75 -> 1, 1.5 -> 2, 2.25 -> 2)
    assert report["mean"]["J-decay"] == pytest.approx(np.mean(expected[:2]) - np.mean(expected[2:]))
    assert report["mean"]["J&F"] == pytest.approx((report["mean"]["J"] + report["mean"]["F"]) / 2)


def test_first_and_last_frame_do_not_count(root):
    blank_ends = copier(lambda frame, ids: ids * 0 if frame in (0, FRAMES - 1) else ids)
    assert evaluate_davis(root, blank_ends).as_dict()["mean"] == PERFECT
    blank_second = copier(lambda frame, ids: ids * 0 if frame == 1 else ids)
    assert evaluate_davis(root, blank_second).as_dict()["mean"]["J"] == pytest.approx((FRAMES - 3) / (FRAMES - 2))


def test_the_mean_is_over_objects_and_not_over_sequences(root):
    without_object_2 = copier(lambda frame, ids: np.where(ids == 2, 0, ids).astype(np.uint8))
    report = evaluate_davis(root, without_object_2).as_dict()
    assert report["sequences"]["two"]["J"] == pytest.approx(1 / 2)
    assert report["mean"]["J"] == pytest.approx(2 / 3)


def test_an_object_that_comes_late_is_named_but_not_scored(tmp_path):
    masks = truth_masks([1])
    masks[3:, 30:40, 30:40] = 2
    save_sequence(tmp_path, "late", masks)
    only_1 = copier(lambda frame, ids: np.where(ids == 2, 0, ids).astype(np.uint8))
    for propagate in (only_1, copier()):
        scores = evaluate_davis(tmp_path, propagate).as_dict()["sequences"]["late"]
        assert scores["objects"] == {"1": PERFECT}
        assert scores["unscored_objects"] == [2]


def test_an_object_that_vanishes_is_scored_to_the_end(tmp_path):
    masks = truth_masks([1])
    masks[3:] = 0
    save_sequence(tmp_path, "gone", masks)
    assert evaluate_davis(tmp_path, copier()).as_dict()["mean"] == PERFECT
    still = evaluate_davis(tmp_path, first_mask_only).as_dict()["mean"]
    assert still["J"] == pytest.approx((10 / 14 + 8 / 16 + 0 + 0) / 4)


def test_void_is_neither_given_nor_scored(tmp_path):
    masks = truth_masks([1])
    masks[:, 20:30, 20:30] = 255
    save_sequence(tmp_path, "void", masks)
    given = []

    def propagate(source, request):
        given.append(request.anchors[0].labels.ids)
        yield from copier(lambda frame, ids: np.where(ids == 255, 1, ids).astype(np.uint8))(source, request)

    assert evaluate_davis(tmp_path, propagate).as_dict()["mean"] == PERFECT
    assert set(np.unique(given[0])) == {0, 1}


def test_the_request_and_the_report_carry_options_and_weights(root):
    options, seen = PropagationOptions(radius=5, short_term=(1, 2)), []

    def propagate(source, request):
        seen.append(request)
        return copier()(source, request)

    weights = {"name": "tiny", "sha256": "ab", "recipe": "mast"}
    report = evaluate_davis(root, propagate, sequences=["two"], options=options, weights=weights)
    (request,) = seen
    assert [anchor.frame for anchor in request.anchors] == [0]
    assert request.anchors[0].labels.objects == (1, 2)
    assert request.options == options
    written = json.loads(json.dumps(report.as_dict()))
    assert written["options"]["radius"] == 5 and written["options"]["short_term"] == [1, 2]
    assert written["weights"] == weights


def test_progress_is_told_after_every_frame(root):
    calls = []
    evaluate_davis(root, copier(), sequences=["two"], progress=lambda *call: calls.append(call))
    assert calls == [("two", done, FRAMES) for done in range(1, FRAMES + 1)]


def test_saved_masks_are_indexed_and_score_the_same(root, tmp_path):
    spoilt = copier(lambda frame, ids: np.roll(ids, frame, axis=1))
    report = evaluate_davis(root, spoilt, results=tmp_path / "out")
    files = sorted(p.name for p in (tmp_path / "out/two").iterdir())
    assert files == [f"{t:05d}.png" for t in range(FRAMES)]
    with Image.open(tmp_path / "out/two/00001.png") as image:
        assert image.mode == "P"
        assert image.getpalette()[:12] == [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0]
        assert image.getpalette()[3 * 254 :] == [96, 224, 192, 224, 224, 192]
    again = score_folder(root, tmp_path / "out")
    assert again.mean == report.mean
    assert [s.objects for s in again.sequences] == [s.objects for s in report.sequences]


def test_results_need_no_first_and_last_frame_and_no_pictures(root, tmp_path):
    results = tmp_path / "out"
    evaluate_davis(root, copier(), results=results)
    for name in ("one", "two"):
        (results / name / "00000.png").unlink()
        (results / name / f"{FRAMES - 1:05d}.png").unlink()
    (root / "JPEGImages").rename(root / "elsewhere")
    assert score_folder(root, results).as_dict()["mean"] == PERFECT


def test_a_data_set_is_scored_as_an_export_makes_it(root):
    assert score_folder(root, root).as_dict()["mean"] == PERFECT


def test_sequences_by_name_and_by_set(root):
    (root / "ImageSets/2017").mkdir(parents=True)
    (root / "ImageSets/2017/val.txt").write_text("two\none\n")
    assert [s.name for s in find_sequences(root)] == ["one", "two"]
    assert [s.name for s in find_sequences(root, ["two"])] == ["two"]
    assert [s.name for s in find_sequences(root, ["2017/val", "two"])] == ["two", "one"]


def test_mask_round_trip_keeps_every_id(tmp_path):
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_mask(tmp_path / "all.png", ids)
    assert np.array_equal(read_mask(tmp_path / "all.png"), ids)
    assert [p.name for p in tmp_path.iterdir()] == ["all.png"]


# --- what is refused: one line that names the place -----------------------------------------------------------


def test_folders_that_are_not_davis(tmp_path, root):
    refused(lambda: find_sequences(tmp_path), str(tmp_path), "Annotations/480p")
    refused(lambda: find_sequences(tmp_path / "nowhere"), "nowhere")
    (tmp_path / "empty/Annotations/480p").mkdir(parents=True)
    refused(lambda: find_sequences(tmp_path / "empty"), "no sequence")
    (tmp_path / "empty/Annotations/480p/bare").mkdir()
    refused(lambda: find_sequences(tmp_path / "empty"), "bare", "no PNG")
    refused(lambda: find_sequences(root, ["three"]), "three", "one, two")


def test_frames_left_out(root, tmp_path):
    refused(lambda: evaluate_davis(root, copier(skip=(3, 4))), "one", "2 of 4", "00003.png")
    evaluate_davis(root, copier(), results=tmp_path / "out")
    (tmp_path / "out/two/00002.png").unlink()
    refused(lambda: score_folder(root, tmp_path / "out"), "two", "1 of 4", "00002.png")
    (tmp_path / "out/one").rename(tmp_path / "out/uno")
    refused(lambda: score_folder(root, tmp_path / "out"), "no folder one")


def test_predictions_that_do_not_fit(root):
    refused(lambda: evaluate_davis(root, copier(lambda frame, ids: ids[::2])), "one, frame 1", "(24, 64)")
    refused(lambda: evaluate_davis(root, copier(lambda frame, ids: ids * 3)), "id 3", "objects are 1")


def test_results_in_0_and_255(root, tmp_path):
    evaluate_davis(root, copier(), results=tmp_path, sequences=["one"])
    for path in (tmp_path / "one").iterdir():
        write_mask(path, (read_mask(path) > 0).astype(np.uint8) * 255)
    refused(lambda: score_folder(root, tmp_path, sequences=["one"]), "one", "id 255")


def test_ground_truth_that_cannot_be_used(tmp_path):
    save_sequence(tmp_path / "a", "short", truth_masks([1])[:2])
    refused(lambda: evaluate_davis(tmp_path / "a", copier()), "short", "2", "at least 3")
    save_sequence(tmp_path / "b", "binary", truth_masks([255]))
    refused(lambda: evaluate_davis(tmp_path / "b", copier()), "00000.png", "255 is void")
    save_sequence(tmp_path / "c", "sparse", truth_masks([1]))
    (tmp_path / "c/Annotations/480p/sparse/00002.png").unlink()
    refused(lambda: evaluate_davis(tmp_path / "c", copier()), "6 frames", "5")
    save_sequence(tmp_path / "d", "size", truth_masks([1]))
    write_mask(tmp_path / "d/Annotations/480p/size/00000.png", truth_masks([1])[0, ::2])
    refused(lambda: evaluate_davis(tmp_path / "d", copier()), "00000.png", "(24, 64)", "(48, 64)")


def test_files_that_are_no_masks(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "rgb.png")
    refused(lambda: read_mask(tmp_path / "rgb.png"), "rgb.png", "RGB")
    (tmp_path / "text.png").write_text("hello")
    refused(lambda: read_mask(tmp_path / "text.png"), "text.png")
    refused(lambda: read_mask(tmp_path / "none.png"), "none.png")
    write_mask(tmp_path / "cut.png", np.random.default_rng(0).integers(0, 9, (99, 99), np.uint8))
    (tmp_path / "cut.png").write_bytes((tmp_path / "cut.png").read_bytes()[:900])
    refused(lambda: read_mask(tmp_path / "cut.png"), "cut.png")


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def mer(mer):
    """Runs `mer evaluate davis …`: exit code, output, errors."""
    return partial(mer, "evaluate", "davis")


@pytest.fixture
def spoilt(root, tmp_path):
    """Saved predictions in which object 2 is missing."""
    evaluate_davis(
        root,
        copier(lambda frame, ids: np.where(ids == 2, 0, ids).astype(np.uint8)),
        results=tmp_path / "saved",
    )
    return tmp_path / "saved"


def test_command_prints_a_table_and_writes_json(root, spoilt, tmp_path, mer):
    code, output, errors = mer(root, "--score", spoilt, "--json", tmp_path / "scores.json")
    assert code == 0, errors
    for word in ("sequence", "J-recall", "one", "two", "mean", "66.7"):
        assert word in output
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["mean"]["J&F"] == pytest.approx(2 / 3)


def test_command_prints_json_alone(root, spoilt, mer):
    code, output, errors = mer(root, "--score", spoilt, "--sequences", "two", "--json", "-")
    assert code == 0, errors
    assert list(json.loads(output)["sequences"]) == ["two"]


def test_command_names_objects_that_are_not_scored(tmp_path, mer):
    masks = truth_masks([1])
    masks[3:, 30:40, 30:40] = 2
    save_sequence(tmp_path, "late", masks)
    code, output, _ = mer(tmp_path, "--score", tmp_path / "Annotations/480p")
    assert code == 0
    assert "late: object 2 is not in the first frame and not scored" in output


def test_command_runs_a_propagator_with_its_options(root, tmp_path, monkeypatch, mer):
    asked = {}

    def propagator(weights, device):
        asked.update(weights=weights, device=device)
        return first_mask_only, {"name": "fake", "sha256": "0", "recipe": "none"}

    monkeypatch.setattr("app.commands.evaluate._propagator", propagator)
    code, output, errors = mer(
        *(root, "--weights", "lab", "--device", "cpu", "--size", 0, "--radius", 7, "--top-k", 3),
        *("--temperature", 0.1, "--hard", "--long-term", "", "--short-term", "1, 2"),
        *("--results", tmp_path / "masks", "--json", "-"),
    )
    assert code == 0, errors
    report = json.loads(output)
    assert asked == {"weights": "lab", "device": "cpu"}
    expected = {"short_side": None, "radius": 7, "top_k": 3, "temperature": 0.1, "labels": "hard"}
    expected |= {"long_term": [], "short_term": [1, 2]}
    assert expected.items() <= report["options"].items()
    assert report["weights"]["name"] == "fake"
    assert len(list((tmp_path / "masks/two").iterdir())) == FRAMES


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--score", "nowhere"], "nowhere has no folder one"),
        (["--score", "nowhere", "--sequences", "x"], "'x'"),
        (["--score", "nowhere", "--json", "no/such/scores.json"], "--json"),
        (["--short-term", "1,b"], "--short-term"),
        (["--window", "oval"], "window"),
        (["--sampler", "wide"], "sampler"),
        (["--weights", "no-such-file.pt"], "no-such-file.pt"),
    ],
)
def test_command_refuses_in_one_line(root, arguments, words, mer):
    code, output, errors = mer(root, *arguments)
    assert code == 2
    assert words in errors
    assert output == ""
    assert len(errors.strip().splitlines()) == 1


def test_command_with_the_real_propagator(tmp_path, mer):
    """The squares are of one colour, so raw colours carry them nearly whole."""
    save_sequence(tmp_path, "two", truth_masks([1, 2]))
    code, output, errors = mer(tmp_path, "--weights", "lab", "--device", "cpu", "--json", "-")
    assert code == 0, errors
    report = json.loads(output)
    assert 0.6 < report["mean"]["J"] <= 1
    assert report["weights"]["name"] == "lab"


def test_the_command_line_starts_without_torch():
    code = "import sys, app.commands.evaluate; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- real masks --------------------------------------------------------------------------------------------------


def test_real_truth_scores_one_against_itself_and_little_when_it_stands_still(data_root):
    root = data_root / "davis-dev"
    perfect = score_folder(root, root / "Annotations/480p", sequences=["scooter-black"])
    assert perfect.mean.as_dict() == PERFECT
    still = evaluate_davis(root, first_mask_only, sequences=["scooter-black"])
    assert 0.05 < still.mean.as_dict()["J&F"] < 0.2


def test_real_masks_equal_the_slow_implementation(data_root):
    """The definitions once more, on three real objects of dogs-jump."""
    from scipy.ndimage import distance_transform_edt

    (sequence,) = find_sequences(data_root / "davis-dev-240p", ["dogs-jump"])
    one, other = sequence.truth(30), sequence.truth(32)
    for number in (1, 2, 3):
        a, b = one == number, other == number
        edges = []
        for mask in (a, b):
            grown = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
            edges.append((grown[:-1, 1:] != mask) | (grown[1:, :-1] != mask) | (grown[1:, 1:] != mask))
        near = [distance_transform_edt(~edge) <= 4 for edge in edges]  # ceil(0.008 x 494.2)
        recall, precision = near[1][edges[0]].mean(), near[0][edges[1]].mean()
        assert 0.2 < precision < 1
        assert boundary_accuracy(a, b) == pytest.approx(2 * precision * recall / (precision + recall))
        assert region_similarity(a, b) == pytest.approx((a & b).sum() / (a | b).sum())
