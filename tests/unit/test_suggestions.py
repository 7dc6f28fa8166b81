"""What is propagated again after a correction, which frame is suggested next, and what that saves an annotator."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.annotations import FrameLabels, PackedMap
from app.core.document import Document
from app.core.doubt import best_frames, doubtful, frame_certainty, suggestions
from app.core.media import Media
from app.core.spans import Span, stale_spans, update_requests
from app.runs.effort import EffortReport, Pick, Round, evaluate_effort
from model.evaluation.layout import write_mask
from model.features import load_extractor
from model.types import Direction, KeypointSet, LabelMap, Origin, PropagationOptions

SIZE = 8, 8
FORWARD, BACKWARD, BOTH = Direction.FORWARD, Direction.BACKWARD, Direction.BOTH


def labels(value: int = 1) -> LabelMap:
    ids = np.zeros(SIZE, np.uint8)
    ids[2:5, 2:5] = value
    return LabelMap(ids)


def painted(*frames: int, length: int = 30) -> Document:
    document = Document(Media(Path("/x.mp4"), SIZE, length, 25.0))
    document.add_object()
    for frame in frames:
        document.set_labels(frame, labels())
    return document


def propagate(document: Document, start: int = 0, stop: int | None = None, certainty: float = 1.0) -> None:
    request = document.request(FORWARD, start, stop)
    job = document.begin_job("Propagate", request, "w")
    for frame in range(request.start, request.stop or 0):
        result = FrameLabels(Origin.PROPAGATED, PackedMap.pack(labels()), certainty={1: certainty})
        document.apply_result(job, frame, result)
    document.end_job(job)


def test_a_correction_makes_the_spans_it_touches_stale_and_no_others() -> None:
    document = painted(0, 10, 20)
    propagate(document)
    assert stale_spans(document) == ()
    document.set_labels(14, labels())
    assert stale_spans(document) == (Span(11, 14, BOTH), Span(15, 20, BOTH))
    assert document.store.get(12) and not document.is_stale(5) and not document.is_stale(25)
    document.undo()
    assert stale_spans(document) == ()


def test_spans_at_the_ends_are_reached_from_one_side() -> None:
    document = painted(10)
    propagate(document)
    document.set_labels(10, LabelMap(np.zeros(SIZE, np.uint8), (1,)))
    assert stale_spans(document) == (Span(0, 10, BACKWARD), Span(11, 30, FORWARD))


def test_an_update_asks_for_the_stale_frames_with_all_references() -> None:
    document = painted(0)
    propagate(document, stop=12)
    document.set_labels(8, labels())
    requests = update_requests(document)
    assert [(r.start, r.stop, r.direction) for r in requests] == [(1, 8, BOTH), (9, 12, FORWARD)]
    assert all([a.frame for a in r.anchors] == [0, 8] for r in requests)


def test_without_references_nothing_can_be_updated() -> None:
    document = painted(5)
    propagate(document)
    document.clear([5])
    assert document.stale() and stale_spans(document) == ()


def test_the_certainty_of_a_frame_is_that_of_its_objects_and_placed_points() -> None:
    xy = np.array([[1, 1], [2, 2], [np.nan, np.nan]], np.float32)
    points = KeypointSet(("a", "b", "c"), xy, np.array([1, 1, 0], bool), np.array([0.9, 0.4, 0], np.float32))
    assert frame_certainty(FrameLabels(Origin.PROPAGATED, None, points, {1: 0.7, 2: 0.6})) == pytest.approx(0.65)
    assert frame_certainty(FrameLabels(Origin.HUMAN, None, points, {1: 0.1})) is None
    assert frame_certainty(FrameLabels(Origin.PROPAGATED)) is None


def best(certain: list[float], human: list[int], most: int = 3) -> list[int]:
    return best_frames(np.array(certain, float), human, most)


def test_where_nothing_grows_gaps_are_halved() -> None:
    first, second, _ = best([1.0] * 41, [0, 40])
    assert 19 <= first <= 21 and min(abs(second - 10), abs(second - 30)) <= 1


def test_the_place_to_mend_is_where_doubt_grows() -> None:
    """Labels melt between frames 30 and 34; before and after they stay as they are."""
    certain = [1.0] * 30 + [0.9, 0.8, 0.7, 0.6] + [0.5] * 26
    assert best(certain, [0])[0] >= 33, "one label there mends all that follows"


def test_the_gap_with_more_doubt_comes_first() -> None:
    certain = np.ones(61)
    certain[1:20] -= np.minimum(np.arange(1, 20), np.arange(19, 0, -1)) * 0.01
    certain[21:40] -= np.minimum(np.arange(1, 20), np.arange(19, 0, -1)) * 0.05
    assert best(list(certain), [0, 20, 40, 60])[0] in range(26, 35)


def test_frames_that_were_not_propagated_are_not_suggested() -> None:
    certain = [np.nan] * 20 + [1.0, 0.9, 0.8] + [np.nan] * 20
    assert set(best(certain, [0], most=9)) == {20, 21, 22}
    assert best([np.nan] * 5, [0]) == [] and best([1.0, 0.5], [0, 1]) == []


def test_a_human_frame_outside_the_span_counts() -> None:
    certain = [1 - 0.01 * f for f in range(20)]
    assert best(certain, [])[0] < best(certain, [-5])[0]


def test_suggestions_lie_within_the_span_and_carry_their_certainty() -> None:
    document = painted(0)
    propagate(document)
    for frame in range(10, 30):
        known = document.store.get(frame)
        assert known is not None
        certainty = {1: 1 - 0.03 * (frame - 10)}
        document.restore({frame: FrameLabels(known.origin, known.labels, None, certainty, basis=known.basis)})
    frame, certainty = suggestions(document)[0]
    assert 15 < frame < 30 and certainty == pytest.approx(1 - 0.03 * (frame - 10))
    assert doubtful(document) and all(f > 14 for f in doubtful(document))
    document.set_span(0, 9)
    assert all(f < 9 for f, _ in suggestions(document)) and doubtful(document) == []


def test_the_report_counts_frames_to_the_target() -> None:
    curve = tuple(Round(n, 0, j, 0.5) for n, j in ((1, 0.5), (2, 0.91), (3, 0.95)))
    flat = tuple(Round(n, 0, 0.6, 0.5) for n in (1, 2, 3))
    report = EffortReport(0.9, 4, {"a": {Pick.DOUBT: curve, Pick.UNIFORM: flat, Pick.ORACLE: curve}})
    assert report.frames("a", Pick.DOUBT) == 2 and report.frames("a", Pick.UNIFORM) == 4
    assert report.as_dict()["relative_to_uniform"]["doubt"] == 0.5


def test_annotators_work_until_content(tmp_path: Path) -> None:
    """A square that jumps beyond the window half-way: it has to be shown once more, and then all is well."""
    rng = np.random.default_rng(0)
    ground = rng.integers(0, 90, (64, 96, 3), np.uint8)
    for frame in range(12):
        x = 4 + frame if frame < 6 else 60 + frame
        picture, ids = ground.copy(), np.zeros((64, 96), np.uint8)
        picture[20:44, x : x + 24], ids[20:44, x : x + 24] = (230, 180, 40), 1
        write_mask(tmp_path / f"Annotations/480p/jump/{frame:05d}.png", ids)
        images = tmp_path / "JPEGImages/480p/jump"
        images.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(images / f"{frame:05d}.png")
    options = PropagationOptions(
        short_side=None, radius=4, anchor_radius=4, follow_radius=0, temperature=0.05, trust=0.0
    )
    report = evaluate_effort(tmp_path, load_extractor("lab", "cpu"), options=options, target=0.85, limit=10)
    for pick in Pick:
        rounds = report.rounds["jump"][pick]
        assert rounds[0].J < 0.85 and rounds[0].frame == 0
        assert rounds[-1].J >= 0.85 and 2 <= rounds[-1].human < 10, pick
        assert [r.human for r in rounds] == list(range(1, len(rounds) + 1))
    assert report.rounds["jump"][Pick.ORACLE][1].frame >= 6
