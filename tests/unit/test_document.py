"""The document: labels, objects, skeleton, jobs, staleness and undo, with the cases at the edges."""

from __future__ import annotations

import numpy as np
import pytest

from app.core.annotations import Basis, FrameLabels, PackedMap
from app.core.changes import NOTHING, Change
from app.core.document import Document
from app.core.objects import ObjectInfo, Skeleton
from model.types import Direction, KeypointSet, LabelMap, Origin, PropagationOptions
from tests.projects import begin, doc, document, ids, labels, propagate, state

__all__ = ["doc"]


# Objects


def test_objects_get_the_next_id_and_are_kept_in_order() -> None:
    doc = document()
    doc.add_object("third", 3)
    first, change = doc.add_object(number=1)
    assert (first.name, change.objects, change.frames) == ("object 1", True, frozenset())
    assert doc.add_object()[0].id == 4
    assert [info.id for info in doc.objects] == [1, 3, 4]


def test_an_id_is_not_used_twice_not_even_when_the_highest_was_removed(doc: Document) -> None:
    doc.remove_object(2)
    assert doc.add_object()[0].id == 3
    with pytest.raises(ValueError, match="object 2 was removed"):
        doc.add_object(number=2)
    with pytest.raises(ValueError, match="object 2 was removed"):
        doc.put_frames({}, [ObjectInfo(2, "again")], "Import")
    with pytest.raises(ValueError, match="an object 1 already"):
        doc.add_object(number=1)


def test_free_ids_below_a_high_one_are_used_up_before_there_is_no_more_room() -> None:
    doc = document()
    doc.add_object(number=254)
    assert doc.add_object()[0].id == 1
    doc.remove_object(1)
    assert [doc.add_object()[0].id for _ in range(252)] == list(range(2, 254))
    with pytest.raises(ValueError, match="at most 254"):
        doc.add_object()


def test_a_removed_object_is_background_in_all_frames_and_comes_back_with_undo(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1), (2, 2)))
    change = doc.remove_object(1)
    assert change.objects
    left = doc.labels(0)
    assert left is not None and left.objects == (2,) and np.array_equal(left.ids, ids((2, 2)))
    doc.undo()
    back = doc.labels(0)
    assert back is not None and back.objects == (1, 2) and np.array_equal(back.ids, ids((1, 1), (2, 2)))
    assert doc.next_id() == 3


def test_void_stays_void_when_an_object_is_removed(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1), (2, 255)))
    doc.remove_object(1)
    left = doc.labels(0)
    assert left is not None and np.array_equal(left.ids, ids((2, 255)))


def test_an_object_that_was_looked_for_and_is_absent_stays_so(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1), objects=(1, 2)))
    known = doc.labels(0)
    assert known is not None and known.objects == (1, 2)


def test_objects_change_by_field_and_a_change_to_the_same_is_none(doc: Document) -> None:
    assert doc.change_object(1, locked=True).objects
    assert doc.object(1) == ObjectInfo(1, "swan", locked=True)
    assert doc.change_object(1, name="swan") is NOTHING
    with pytest.raises(ValueError, match="no object 7"):
        doc.change_object(7, locked=True)
    with pytest.raises(ValueError, match="needs a name"):
        doc.change_object(1, name=" ")
    with pytest.raises(ValueError, match="not text"):
        doc.change_object(1, name="half \ud800")


# Painting


def test_the_first_labels_are_human_and_those_over_propagated_ones_a_correction(doc: Document) -> None:
    change = doc.set_labels(0, labels((1, 1)))
    assert change == Change(frozenset({0}), references=True)
    propagate(doc, 3)
    doc.set_labels(3, labels((1, 1)))
    doc.set_labels(3, labels((1, 2)))
    origins = [known.origin for frame in (0, 3) if (known := doc.store.get(frame))]
    assert origins == [Origin.HUMAN, Origin.CORRECTED]


@pytest.mark.parametrize(
    ("frame", "what", "message"),
    [
        (10, labels(), "frames 0..9; there is no frame 10"),
        (-1, labels(), "there is no frame -1"),
        (0, LabelMap(np.zeros((8, 6), np.uint8)), "is 6×8, the video 8×6"),
        (0, labels((1, 7)), "has an object 7 that"),
    ],
)
def test_labels_that_do_not_fit_change_nothing(doc: Document, frame: int, what: LabelMap, message: str) -> None:
    before = state(doc.values())
    with pytest.raises(ValueError, match=message):
        doc.set_labels(frame, what)
    with pytest.raises(ValueError, match=message):
        doc.put_frames({frame: FrameLabels(Origin.HUMAN, PackedMap.pack(what))}, [], "Import")
    assert state(doc.values()) == before


def test_a_stroke_that_changes_no_pixel_makes_nothing_stale(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    propagate(doc, 1)
    assert doc.set_labels(0, labels((1, 1))) is NOTHING
    assert doc.stale() == ()
    assert doc.history.undo_name == "Propagate"


def test_painting_keeps_the_keypoints_and_placing_points_keeps_the_mask(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("beak",)))
    doc.set_keypoints(0, KeypointSet.of({"beak": (1, 2)}))
    doc.set_labels(0, labels((1, 1)))
    doc.set_keypoints(0, KeypointSet.of({"beak": (3, 2)}))
    points, mask = doc.keypoints(0), doc.labels(0)
    assert points is not None and points.xy.tolist() == [[3, 2]]
    assert mask is not None and mask.objects == (1,)


def test_clear_forgets_frames_and_unlabelled_ones_do_not_matter(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    assert doc.clear([0, 5]).frames == {0}
    assert doc.labels(0) is None and doc.clear([0, 5]) is NOTHING
    assert doc.references == ()


def test_accepting_makes_a_reference_of_a_propagated_frame_only(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    propagate(doc, 4, 6)
    assert doc.accept(0) is NOTHING and doc.accept(9) is NOTHING
    assert doc.accept(4).references
    assert doc.references == (0, 4)
    assert doc.is_stale(6)


def test_an_import_is_one_action_and_keeps_the_names_of_objects_that_exist(doc: Document) -> None:
    frames = {f: FrameLabels(Origin.HUMAN, PackedMap.pack(labels((f, 3), (f + 1, 1)))) for f in (0, 2)}
    change = doc.put_frames(frames, [ObjectInfo(3, "new"), ObjectInfo(1, "not swan")], "Import masks")
    assert change.frames == {0, 2} and change.objects
    assert [info.name for info in doc.objects] == ["swan", "shadow", "new"]
    assert doc.references == (0, 2)
    undone = doc.undo()
    assert undone is not None and undone[0] == "Import masks"
    assert len(doc.store) == 0 and len(doc.objects) == 2


def test_an_import_brings_its_skeleton_unless_a_propagation_runs(doc: Document) -> None:
    frames = {0: FrameLabels(Origin.HUMAN, None, points(beak=(1, 2)))}
    doc.set_labels(5, labels((1, 1)))
    job = begin(doc)
    with pytest.raises(ValueError, match="stop it first"):
        doc.put_frames(frames, [], "Import", Skeleton(("beak",)))
    assert doc.put_frames({}, [], "Import", Skeleton()) is NOTHING
    doc.end_job(job)
    change = doc.put_frames(frames, [], "Import", Skeleton(("beak",)))
    known = doc.keypoints(0)
    assert change.skeleton and known is not None and known.xy.tolist() == [[1, 2]]
    doc.undo()
    assert doc.skeleton == Skeleton() and doc.references == (5,)


# Skeleton


def points(**places: tuple[float, float] | None) -> KeypointSet:
    return KeypointSet.of(places)


def test_points_follow_a_renaming_even_a_swap_and_nothing_becomes_stale(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a", "b"), ((0, 1),)))
    doc.set_keypoints(0, points(a=(1, 1), b=(2, 2)))
    propagate(doc, 1)
    change = doc.set_skeleton(Skeleton(("b", "a"), ((0, 1),)), {"a": "b", "b": "a"})
    known = doc.keypoints(0)
    assert known is not None and dict(zip(known.names, known.xy.tolist(), strict=True)) == {"b": [1, 1], "a": [2, 2]}
    assert change.skeleton and 0 in change.frames
    assert doc.stale() == ()
    doc.undo()
    known = doc.keypoints(0)
    assert known is not None and dict(zip(known.names, known.xy.tolist(), strict=True)) == {"a": [1, 1], "b": [2, 2]}


def test_a_new_point_is_missing_where_it_was_never_placed(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a",)))
    doc.set_keypoints(0, points(a=(1, 1)))
    doc.set_skeleton(Skeleton(("c", "a")))
    known = doc.keypoints(0)
    assert known is not None and known.names == ("c", "a")
    assert np.isnan(known.xy[0]).all() and not known.visible[0] and known.xy[1].tolist() == [1, 1]


def test_a_removed_point_stays_removed_when_its_name_comes_back(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a", "b")))
    doc.set_keypoints(0, points(a=(1, 1), b=(2, 2)))
    doc.set_skeleton(Skeleton(("a",)))
    doc.set_skeleton(Skeleton(("a", "b")))
    known = doc.keypoints(0)
    assert known is not None and np.isnan(known.xy[1]).all()


def test_a_name_may_go_to_another_point_in_the_same_step_or_later(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a", "b")))
    doc.set_keypoints(0, points(a=(1, 1), b=(2, 2)))
    doc.set_skeleton(Skeleton(("b",)), {"a": "b"})
    known = doc.keypoints(0)
    assert known is not None and known.names == ("b",) and known.xy.tolist() == [[1, 1]]
    doc.set_skeleton(Skeleton(("c", "b")), {"b": "c"})
    known = doc.keypoints(0)
    assert known is not None and known.xy[0].tolist() == [1, 1] and np.isnan(known.xy[1]).all()


def test_keypoints_must_be_those_of_the_skeleton_and_it_stays_while_a_job_runs(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a",)))
    with pytest.raises(ValueError, match="not those of the skeleton"):
        doc.set_keypoints(0, points(b=(1, 1)))
    doc.set_keypoints(0, points(a=(1, 1)))
    job = begin(doc)
    with pytest.raises(ValueError, match="stop it first"):
        doc.set_skeleton(Skeleton(("b",)), {"a": "b"})
    doc.end_job(job)
    assert doc.set_keypoints(0, points(a=(1, 1))) is NOTHING


def test_without_a_skeleton_there_are_no_keypoints(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a",)))
    doc.set_keypoints(0, points(a=(1, 1)))
    assert doc.references == (0,)
    change = doc.set_skeleton(Skeleton())
    assert doc.keypoints(0) is None and doc.references == () and change.references


# References and staleness


def test_a_frame_is_stale_when_the_reference_beside_it_changes_and_only_then(doc: Document) -> None:
    doc.set_labels(2, labels((1, 1)))
    doc.set_labels(6, labels((1, 1)))
    propagate(doc, 0, 1, 3, 4, 5, 7, 8, 9)
    assert doc.stale() == ()
    assert doc.basis(0) == Basis(None, (2, 3)) and doc.basis(4) == Basis((2, 3), (6, 4))
    doc.set_labels(6, labels((1, 2)))
    assert doc.stale() == (3, 4, 5, 7, 8, 9)
    doc.undo()
    assert doc.stale() == ()


def test_a_new_reference_makes_both_sides_stale_and_a_dropped_one_its_neighbours(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    propagate(doc, *range(1, 10))
    doc.set_labels(5, labels((2, 1)))
    assert doc.stale() == (1, 2, 3, 4, 6, 7, 8, 9)
    change = doc.drop_reference(5)
    assert change.references and doc.references == (0,) and doc.stale() == ()
    assert doc.drop_reference(5) is NOTHING
    assert doc.request(Direction.FORWARD).excluded == (5,)
    assert [a.frame for a in doc.request(Direction.FORWARD).anchors] == [0]
    assert doc.drop_reference(5, dropped=False).references and doc.is_stale(4)


def test_a_reference_on_which_nothing_is_left_makes_nobody_stale_for_ever(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    doc.set_labels(5, labels((1, 2)))
    change = doc.remove_object(2)
    assert change.references and doc.references == (0,)
    assert [a.frame for a in doc.anchors()] == [0]
    propagate(doc, 3, 4, 6)
    assert doc.stale() == ()


def test_renaming_an_object_moves_no_reference(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    assert not doc.change_object(1, name="goose").references


def test_anchors_carry_what_is_left_of_labels_and_points(doc: Document) -> None:
    doc.set_skeleton(Skeleton(("a", "b")))
    doc.set_keypoints(3, points(a=(1, 1), b=None))
    doc.set_labels(0, labels((1, 1), (2, 2)))
    doc.set_labels(3, labels((1, 2)))
    doc.remove_object(2)
    first, second = doc.anchors()
    assert first.labels is not None and first.labels.objects == (1,) and first.keypoints is None
    assert second.labels is None and second.keypoints is not None


def test_a_request_is_over_the_span_unless_told_otherwise(doc: Document) -> None:
    with pytest.raises(ValueError, match="no frame is labelled"):
        doc.request(Direction.FORWARD)
    doc.set_labels(0, labels((1, 1)))
    doc.set_span(2, 8)
    doc.set_options(PropagationOptions(radius=3))
    request = doc.request(Direction.BACKWARD)
    assert (request.start, request.stop, request.options.radius, request.revision) == (2, 8, 3, doc.revision)
    assert doc.request(Direction.BOTH, 0, 10).stop == 10
    for start, stop in ((-1, 3), (3, 3), (3, 11)):
        with pytest.raises(ValueError, match="has no range"):
            doc.set_span(start, stop)
