"""Which of two encoders is better: what is measured, and what follows."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from app.core.proof import Measure, Proof, Verdict
from app.runs.proof import HELD_OUT_COST, Labelled, Step, error_measures, prove
from model.features import FeatureExtractor, LabFeatures
from model.types import Anchor, KeypointSet, LabelMap, PropagationOptions
from tests.corpora import moving_texture, write_clip
from tests.windows import film

OPTIONS = PropagationOptions(short_side=96, radius=4, colour=0.0)


class Blind:
    """Its features have nothing to do with the picture."""

    name, sha256, recipe, device = "blind", "0", "none", torch.device("cpu")

    def __init__(self) -> None:
        self._generator = torch.Generator().manual_seed(0)

    def __call__(self, images: Tensor) -> Tensor:
        height, width = (-(-side // 4) for side in images.shape[-2:])
        made = torch.randn(len(images), 8, height, width, generator=self._generator)
        return torch.nn.functional.normalize(made, dim=1)


def sighted() -> FeatureExtractor:
    return LabFeatures(torch.device("cpu"))


def run(steps: Generator[Step, None, Proof]) -> tuple[Proof, list[float]]:
    shares: list[float] = []
    while True:
        try:
            shares.append(next(steps).share)
        except StopIteration as end:
            return end.value, shares


def measure(name: str, before: float, after: float, share: bool, where: str = "") -> Measure:
    return Measure(name, where, before, after, share, 10)


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    """Two squares in masks and as keypoints, on the first, a middle and the last frame."""
    path, truth = film(tmp_path / "film")
    anchors = []
    for frame in (0, 4, 7):
        places = {}
        for number in (1, 2):
            y, x = np.nonzero(truth[frame] == number)
            places[f"square {number}"] = (float(x.mean()), float(y.mean()))
        anchors.append(Anchor(frame, LabelMap(truth[frame]), KeypointSet.of(places)))
    return Labelled(path, tuple(anchors), OPTIONS)


def test_a_blind_encoder_is_found_out_by_labels(labelled: Labelled) -> None:
    proof, shares = run(prove(sighted(), Blind(), [labelled], []))
    by_name = {m.name: m for m in proof.measures}
    assert set(by_name) == {"J&F", "PCK@0.1"}
    assert by_name["J&F"].before > 0.8 > by_name["J&F"].after
    assert (by_name["J&F"].places, by_name["PCK@0.1"].places) == (2, 4)  # frames; points in them
    assert proof.verdict is Verdict.WORSE
    assert shares == sorted(shares) and shares[0] >= 0 and shares[-1] <= 1
    (picture,) = proof.pictures
    assert picture.before.shape == picture.after.shape == (96, 144, 3)
    assert (picture.before != picture.after).any()


def test_keypoints_alone_can_be_compared_by_eye_as_well(labelled: Labelled) -> None:
    anchors = tuple(Anchor(anchor.frame, keypoints=anchor.keypoints) for anchor in labelled.anchors)
    proof, _ = run(prove(sighted(), Blind(), [replace(labelled, anchors=anchors)], []))
    assert [m.name for m in proof.measures] == ["PCK@0.1"]
    (picture,) = proof.pictures
    assert (picture.before != picture.after).any()


def test_the_share_that_is_done_goes_with_the_work(labelled: Labelled, tmp_path: Path) -> None:
    """Or the time that is left would be wrong by much: a held-out video is a moment beside a long labelled one."""
    clip, _ = film(tmp_path / "other")
    shares: dict[str, float] = {}
    for step in prove(sighted(), sighted(), [labelled], [clip]):
        shares.setdefault(step.what, step.share)
    whole = replace(labelled, anchors=(*labelled.anchors[:-1], replace(labelled.anchors[-1], frame=500)))
    assert 0 < labelled.cost < whole.cost and replace(labelled, anchors=labelled.anchors[:1]).cost == 0
    assert shares[clip.name] == pytest.approx(labelled.cost / (labelled.cost + HELD_OUT_COST))


def test_and_the_other_way_round_it_is_an_improvement(labelled: Labelled) -> None:
    proof, _ = run(prove(Blind(), sighted(), [labelled], []))
    assert proof.verdict is Verdict.BETTER


def test_an_encoder_is_as_good_as_itself(labelled: Labelled) -> None:
    proof, _ = run(prove(sighted(), sighted(), [labelled], []))
    assert proof.verdict is Verdict.SAME
    assert all(m.before == m.after for m in proof.measures)


def test_without_labels_errors_tell(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "clip.avi", moving_texture(3, frames=12, height=64, width=96, coarseness=6))
    proof, _ = run(prove(sighted(), Blind(), [], [clip]))
    assert {m.name for m in proof.measures} == {"reconstruction", "cycle"}
    assert all(m.before < m.after and not m.share for m in proof.measures)
    assert proof.verdict is Verdict.WORSE
    assert len(proof.pictures) == 1 and proof.pictures[0].before.shape == (64, 96, 3)


def test_what_cannot_be_measured_is_said(tmp_path: Path, labelled: Labelled) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"nothing")
    alone = Labelled(labelled.path, labelled.anchors[:1], OPTIONS)
    proof, _ = run(prove(sighted(), sighted(), [alone], [tmp_path / "broken.mp4"]))
    assert proof.verdict is Verdict.UNKNOWN and not proof.measures
    assert any("one labelled frame" in note for note in proof.notes)
    assert any("broken.mp4" in note for note in proof.notes)


def test_labels_count_more_than_errors() -> None:
    measures = (measure("J&F", 0.6, 0.7, True), measure("cycle", 2.0, 3.0, False))
    assert Proof("a", "b", measures).verdict is Verdict.BETTER
    assert Proof("a", "b", measures[1:]).verdict is Verdict.WORSE


def test_what_is_worse_in_one_respect_is_never_called_better() -> None:
    measures = (measure("J&F", 0.6, 0.7, True), measure("PCK@0.1", 0.9, 0.8, True))
    assert Proof("a", "b", measures).verdict is Verdict.WORSE


def test_one_video_alone_does_not_decide_and_chance_is_no_gain() -> None:
    measures = (measure("J&F", 0.6, 0.603, True), measure("J&F", 0.6, 0.3, True, "film.mp4"))
    assert Proof("a", "b", measures).verdict is Verdict.SAME
    assert measure("reconstruction", 0.0400, 0.0397, False).verdict is Verdict.SAME
    assert measure("reconstruction", 0.0400, 0.0300, False).verdict is Verdict.BETTER


@pytest.mark.parametrize(
    ("spread", "verdict"), [(0.0, Verdict.BETTER), (0.09, Verdict.BETTER), (0.11, Verdict.SAME), (np.inf, Verdict.SAME)]
)
def test_an_error_that_changes_by_less_than_places_differ_is_the_same(spread: float, verdict: Verdict) -> None:
    assert Measure("cycle", "", 2.0, 1.8, False, 144, spread).verdict is verdict


def test_the_spread_of_a_change_is_that_from_place_to_place() -> None:
    """All 4 points of a place go together: three places, not twelve points, are what there is."""
    pairs = [(np.full(4, 2.0, np.float32), np.full(4, 2.0 + change, np.float32)) for change in (-0.3, 0.0, 0.3)]
    (found,) = error_measures({"cycle": pairs, "reconstruction": []})
    assert (found.before, found.after, found.places) == pytest.approx((2.0, 2.0, 12))
    assert found.spread == pytest.approx(0.3 / np.sqrt(3), abs=1e-6)
    assert error_measures({"cycle": pairs[:1]})[0].verdict is Verdict.SAME  # one place tells nothing of chance


def test_few_labelled_frames_say_little_and_then_errors_decide() -> None:
    few, many = (Measure("J&F", "", 0.42, 0.41, True, frames) for frames in (2, 50))
    worse = measure("cycle", 1.0, 1.2, False)
    better = measure("cycle", 1.0, 0.8, False)
    assert few.verdict is Verdict.SAME and many.verdict is Verdict.WORSE
    assert Proof("a", "b", (few,)).verdict is Verdict.SAME
    for errors, verdict in ((worse, Verdict.WORSE), (better, Verdict.BETTER)):
        proof = Proof("a", "b", (few, errors))
        assert proof.verdict is verdict and not proof.by_labels
    assert Proof("a", "b", (many, better)).verdict is Verdict.WORSE
