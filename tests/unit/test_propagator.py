from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

import model.matching
from model.features import load_extractor
from model.propagator import Propagator, working_size
from model.types import (
    Anchor,
    Direction,
    KeypointSet,
    LabelMap,
    Origin,
    PropagationOptions,
    PropagationRequest,
    PropagationResult,
)
from tests.features import Counting
from tests.videos import MemoryVideo, moving_squares

GOOD = 0.7  # overlap that raw colours reach on squares six cells wide
OPTIONS = PropagationOptions(short_side=None, radius=6, top_k=5, short_term=(1, 3, 5))
IMAGES, TRUTH = moving_squares()


def propagator(images: Sequence[np.ndarray] = IMAGES) -> Propagator:
    return Propagator(MemoryVideo(images), load_extractor("lab", "cpu"))


def run(*anchors: Anchor, **fields: object) -> dict[int, PropagationResult]:
    fields = {"options": OPTIONS, **fields}
    results = list(propagator().run(PropagationRequest(anchors, **fields)))  # type: ignore[arg-type]
    assert len({r.frame for r in results}) == len(results)
    return {r.frame: r for r in results}


def mask(frame: int, *only: int) -> Anchor:
    ids = TRUTH[frame]
    if only:
        ids = np.where(np.isin(ids, only), ids, 0).astype(np.uint8)
    return Anchor(frame, LabelMap(ids))


def overlap(result: PropagationResult, number: int) -> float:
    assert result.labels is not None
    found, true = result.labels.ids == number, TRUTH[result.frame] == number
    return float((found & true).sum() / (found | true).sum())


def test_forward_follows_both_objects_under_their_own_ids() -> None:
    results = run(mask(0))
    assert list(results) == list(range(10))
    assert results[0].origin is Origin.HUMAN and results[1].origin is Origin.PROPAGATED
    assert np.array_equal(results[0].labels.ids, TRUTH[0])  # type: ignore[union-attr]
    for result in results.values():
        assert result.labels is not None and result.labels.objects == (7, 200)
        assert result.labels.shape == (64, 96)
        assert overlap(result, 7) > GOOD and overlap(result, 200) > GOOD


def test_backward_comes_in_descending_order() -> None:
    results = run(mask(9), direction=Direction.BACKWARD)
    assert list(results) == list(range(9, -1, -1))
    assert all(overlap(r, n) > GOOD for r in results.values() for n in (7, 200))


def test_an_anchor_from_before_an_object_was_added_does_not_keep_it_out() -> None:
    """Of flat ground that stays, all cells in all frames look alike: one that knows nothing could have all votes."""
    ground, added = IMAGES[0].copy(), TRUTH[0].copy()
    ground[:, :40] = (40, 200, 20)
    added[:, :40] = 3
    first = Anchor(0, LabelMap(np.where(added == 3, 0, added).astype(np.uint8), (200,)))
    request = PropagationRequest((first, Anchor(8, LabelMap(added))), direction=Direction.BACKWARD, options=OPTIONS)
    for result in propagator([ground] * 9).run(request):
        if result.frame:
            assert result.labels is not None
            assert (result.labels.ids == 3)[added == 3].mean() > 0.9, result.frame


def test_both_reaches_every_frame_from_an_anchor_in_the_middle() -> None:
    results = run(mask(4), direction=Direction.BOTH)
    assert sorted(results) == list(range(10))
    assert all(overlap(r, n) > GOOD for r in results.values() for n in (7, 200))


def test_both_is_as_good_as_one_side_next_to_that_side() -> None:
    """Between two anchors each frame leans on the nearer one, so a wrong far anchor does little harm there."""
    wrong = Anchor(9, LabelMap(np.zeros_like(TRUTH[9]), (7, 200)))
    results = run(mask(0), wrong, direction=Direction.BOTH, options=replace(OPTIONS, temperature=0.05, trust=0.0))
    assert overlap(results[1], 7) > GOOD
    assert overlap(results[8], 7) < 0.5


@pytest.mark.parametrize("direction", list(Direction))
def test_a_human_frame_is_never_overwritten(direction: Direction) -> None:
    told = Anchor(5, LabelMap(mask(5, 7).labels.ids, (7, 200)))  # type: ignore[union-attr]
    results = run(mask(0), told, mask(9), direction=direction)
    assert results[5].origin is Origin.HUMAN
    assert np.array_equal(results[5].labels.ids, told.labels.ids)  # type: ignore[union-attr]


@pytest.mark.parametrize("direction", [Direction.FORWARD, Direction.BOTH])
def test_an_object_may_first_appear_in_a_later_anchor(direction: Direction) -> None:
    results = run(mask(0, 7), mask(4, 200), direction=direction)
    for frame, result in results.items():
        assert overlap(result, 7) > GOOD, frame
        if frame >= 4:
            assert overlap(result, 200) > GOOD, frame
    known_before = results[2].labels.objects  # type: ignore[union-attr]
    assert known_before == ((7,) if direction is Direction.FORWARD else (7, 200))
    if direction is Direction.BOTH:
        assert overlap(results[1], 200) > GOOD


def test_masks_and_keypoints_share_one_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    original = model.matching.windowed_affinity

    def counted(*args: object, **kwargs: object) -> object:
        calls.append(1)
        return original(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(model.matching, "windowed_affinity", counted)
    points = KeypointSet.of({"a": (16.0, 16.0), "b": (80.0, 48.0), "gone": None})
    results = run(Anchor(0, LabelMap(TRUTH[0]), points))
    assert len(calls) == 9
    last = results[9].keypoints
    assert last is not None and last.names == ("a", "b", "gone")
    np.testing.assert_allclose(last.xy[0], (16 + 36, 16), atol=2.5)
    np.testing.assert_allclose(last.xy[1], (80 - 36, 48), atol=2.5)
    assert np.isnan(last.xy[2]).all() and not last.visible[2] and last.visible[:2].all()
    assert overlap(results[9], 7) > GOOD


def test_keypoints_alone() -> None:
    results = run(Anchor(0, keypoints=KeypointSet.of({"a": (16.0, 16.0)})))
    assert results[9].labels is None
    np.testing.assert_allclose(results[9].keypoints.xy[0], (52, 16), atol=2.5)  # type: ignore[union-attr]


def test_known_frames_continue_a_run_as_if_it_had_not_stopped() -> None:
    whole = run(mask(0), options=PropagationOptions(short_side=None, radius=6, top_k=5, labels="hard"))
    known = tuple(Anchor(f, whole[f].labels) for f in range(1, 8))
    video = MemoryVideo(IMAGES)
    request = PropagationRequest((mask(0),), known, options=OPTIONS)
    rest = {r.frame: r for r in Propagator(video, load_extractor("lab", "cpu")).run(request)}
    assert sorted(rest) == [0, 8, 9]
    assert all(overlap(r, n) > GOOD for r in rest.values() for n in (7, 200))
    assert video.reads == 2 + 6  # the rest, and the references it looks at: 0, 3, 4, 5, 6, 7


def test_frames_left_out_of_what_is_known_are_not_worked_out_again() -> None:
    """A run that goes on at frame 8 needs frames 3, 5 and 7 of its memory, not 1, 2, 4 and 6."""
    whole = run(mask(0))
    known = tuple(Anchor(f, whole[f].labels) for f in (3, 5, 7))
    video = MemoryVideo(IMAGES)
    request = PropagationRequest((mask(0),), known, start=8, options=OPTIONS)
    engine = Propagator(video, load_extractor("lab", "cpu"))
    rest = {r.frame: r for r in engine.run(request)}
    assert sorted(rest) == [8, 9]
    assert all(overlap(r, n) > GOOD for r in rest.values() for n in (7, 200))
    assert video.reads == 2 + 4  # 8 and 9, and the references 0, 3, 5, 7


def test_anchors_before_the_start_stay_references(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    original = model.matching.windowed_affinity

    def counted(query: torch.Tensor, keys: torch.Tensor, **kwargs: object) -> object:
        seen.append(len(keys))
        return original(query, keys, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(model.matching, "windowed_affinity", counted)
    run(mask(0), mask(2), mask(4), start=5, stop=6, options=replace(OPTIONS, follow_radius=0))
    assert seen == [3]


def test_a_range_starts_from_the_nearest_anchor_outside_it() -> None:
    results = run(mask(0), start=5, stop=8)
    assert list(results) == [5, 6, 7]
    assert overlap(results[7], 7) > GOOD
    assert list(run(mask(9), start=5, stop=8, direction=Direction.BACKWARD)) == [7, 6, 5]


@pytest.mark.parametrize(
    ("anchors", "fields", "message"),
    [
        ([mask(5)], {"stop": 4}, "cannot reach frames 0..3 going forward"),
        ([mask(2)], {"start": 4, "direction": Direction.BACKWARD}, "cannot reach"),
        ([mask(0)], {"stop": 11}, "frames 0..9"),
        ([Anchor(12, LabelMap(TRUTH[0]))], {}, "there is no frame 12"),
        ([Anchor(0, LabelMap(np.ones((96, 64), np.uint8)))], {}, "is 64×96, the video 96×64"),
        ([Anchor(0, keypoints=KeypointSet.of({"nose": (96.0, 3.0)}))], {}, "nose.*outside"),
    ],
)
def test_requests_that_do_not_fit_say_why(anchors: list[Anchor], fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        run(*anchors, **fields)


def test_closing_the_generator_stops_decoding() -> None:
    before = threading.active_count()
    results = propagator().run(PropagationRequest((mask(0),), options=OPTIONS))
    next(results), next(results)
    results.close()
    assert threading.active_count() == before


def test_the_sampler_sets_the_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    original = model.matching.windowed_affinity

    def watched(query: torch.Tensor, keys: torch.Tensor, **options: object) -> object:
        own = (query * keys[0]).sum(0) - options["zero"]  # with a still picture, of each cell with itself
        assert torch.allclose(own, torch.tensor(36.0), atol=1e-3)  # the square of what plain colours are scaled to
        assert int(options["radius"].origin) == 6  # type: ignore[attr-defined]
        seen.append(options["radius"].plus)  # type: ignore[attr-defined]
        return original(query, keys, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(model.matching, "windowed_affinity", watched)
    for sampler in ("contract", "grow"):
        options = PropagationOptions(short_side=None, radius=1, top_k=5, trust=0, sampler=sampler)
        results = list(propagator([IMAGES[0]] * 2).run(PropagationRequest((mask(0),), options=options)))
        assert all(overlap(r, n) > GOOD for r in results for n in (7, 200))
    contract, grow = seen
    assert (contract == 3).all() and (grow == 8).all()  # plain colours are so alike that regions grow everywhere


def test_hard_labels_leave_whole_cells() -> None:
    options = PropagationOptions(short_side=None, radius=6, top_k=5, labels="hard")
    assert all(overlap(r, 7) > GOOD for r in run(mask(0), options=options).values())


def test_cycle_disagreement_is_high_where_labels_cannot_come_back() -> None:
    """The object vanishes behind nothing: what is carried on without it does not return to where it was."""
    images = [*IMAGES[:5], *(IMAGES[5][::-1, ::-1].copy() for _ in range(2))]
    options = PropagationOptions(short_side=None, radius=6, top_k=5, cycle=True)
    results = list(propagator(images).run(PropagationRequest((mask(0),), options=options)))
    steady, broken = results[3].disagreement, results[5].disagreement
    assert steady is not None and broken is not None and steady.shape == (16, 24)
    assert steady.min() >= 0 and broken.max() <= 1
    assert broken.mean() > 2 * steady.mean()


def test_confidence_is_one_on_human_frames_and_lower_elsewhere() -> None:
    results = run(mask(0))
    assert (results[0].confidence == 1).all()
    assert results[4].confidence.min() >= 0 and results[4].confidence.mean() < 1


def test_labels_come_at_the_source_size_whatever_the_working_size() -> None:
    options = PropagationOptions(short_side=32, radius=6, top_k=5)
    results = run(mask(0), options=options)
    assert results[9].labels.shape == (64, 96)  # type: ignore[union-attr]
    assert results[9].confidence.shape == (8, 12)
    assert overlap(results[9], 7) > 0.5  # the squares are three cells wide now


def test_odd_sizes() -> None:
    images = [image[:61, :93] for image in IMAGES]
    anchor = Anchor(0, LabelMap(TRUTH[0][:61, :93]))
    results = list(propagator(images).run(PropagationRequest((anchor,), options=OPTIONS)))
    assert results[-1].labels.shape == (61, 93)  # type: ignore[union-attr]
    found = results[-1].labels.ids == 7  # type: ignore[union-attr]
    true = TRUTH[9][:61, :93] == 7
    assert (found & true).sum() / (found | true).sum() > GOOD


@pytest.mark.parametrize(
    ("size", "short_side", "expected"),
    [((480, 854), 480, (480, 854)), ((1080, 1920), 480, (480, 853)), ((240, 320), 480, (240, 320)),
     ((900, 300), 150, (450, 150)), ((77, 99), None, (77, 99))],
)  # fmt: skip
def test_working_size(size: tuple[int, int], short_side: int | None, expected: tuple[int, int]) -> None:
    assert working_size(size, short_side) == expected


def test_features_are_computed_once() -> None:
    extractor = Counting()
    engine = Propagator(MemoryVideo(IMAGES), extractor)
    request = PropagationRequest((mask(0),), options=OPTIONS)
    list(engine.run(request))
    assert extractor.encoded == 10
    list(engine.run(request))  # after a correction, say: nothing is encoded again
    assert extractor.encoded == 10
    assert set(engine.timings) == {"decode", "encode", "affinity", "labels"}
