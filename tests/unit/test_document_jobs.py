"""Propagations that arrive in a document, undo over them, and what journals and files hand back."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from app.core.annotations import Basis
from app.core.changes import NOTHING
from app.core.document import Document
from app.core.history import History
from app.core.objects import Skeleton
from model.types import KeypointSet, LabelMap, PropagationOptions
from tests.projects import begin, doc, document, ids, labels, propagate, propagated, state

__all__ = ["doc"]


# Jobs


def test_a_persons_frame_is_never_overwritten(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    job = begin(doc)
    doc.set_labels(3, labels((4, 2)))
    for frame in range(10):
        doc.apply_result(job, frame, propagated((1, 1)))
    doc.end_job(job)
    for frame, row in ((0, (1, 1)), (3, (4, 2))):
        known = doc.labels(frame)
        assert known is not None and np.array_equal(known.ids, ids(row))
    assert doc.store.human == (0, 3)


def test_results_tell_what_they_were_made_from_even_when_that_changes_meanwhile(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    job = begin(doc, "sha")
    doc.apply_result(job, 1, propagated((1, 1)))
    doc.set_labels(0, labels((1, 2)))
    change = doc.apply_result(job, 2, propagated((1, 1)))
    doc.end_job(job)
    known = doc.store.get(2)
    assert known is not None and known.basis == Basis((0, 3), None) and known.weights == "sha"
    assert change.frames == {2} and not change.references
    assert doc.stale() == (1, 2)


def test_a_whole_propagation_is_one_undo_item(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    propagate(doc, 1, 2)
    before = state(doc.values())
    job = begin(doc)
    for frame in (2, 3, 4, 3):  # a frame may come twice, from either side
        doc.apply_result(job, frame, propagated((frame, 1)))
    doc.end_job(job)
    after = state(doc.values())
    undone = doc.undo()
    assert undone is not None and undone[0] == "Propagate" and undone[1].frames == {2, 3, 4}
    assert state(doc.values()) == before
    doc.redo()
    assert state(doc.values()) == after


def test_an_edit_during_a_job_lies_between_its_results_in_history(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    states = [state(doc.values())]
    job = begin(doc)
    doc.apply_result(job, 1, propagated((1, 1)))
    doc.apply_result(job, 2, propagated((1, 1)))
    states.append(state(doc.values()))
    doc.set_labels(2, labels((3, 1)))
    states.append(state(doc.values()))
    doc.apply_result(job, 2, propagated((1, 1)))
    doc.apply_result(job, 3, propagated((1, 1)))
    doc.end_job(job)
    for name, expected in zip(("Propagate", "Paint", "Propagate"), reversed(states), strict=True):
        undone = doc.undo()
        assert undone is not None and undone[0] == name
        assert state(doc.values()) == expected


def test_results_of_an_ended_job_and_a_job_without_results_leave_no_trace(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    doc.undo()
    doc.redo()
    old = begin(doc)
    doc.end_job(old)
    new = begin(doc)
    doc.end_job(old)  # late, and of another job
    assert doc.apply_result(old, 1, propagated((1, 1))) is NOTHING
    assert doc.apply_result(new, 1, propagated((1, 1))) != NOTHING
    doc.end_job(new)
    assert doc.history.undo_name == "Propagate"
    doc.undo()
    assert doc.history.undo_name == "Paint"


def test_undo_waits_for_the_end_of_a_job(doc: Document) -> None:
    doc.set_labels(0, labels((1, 1)))
    begin(doc)
    with pytest.raises(AssertionError):
        doc.undo()
    with pytest.raises(AssertionError):
        begin(doc)


# Undo, journal, loading


def test_everything_that_changes_labels_can_be_undone_and_redone(doc: Document) -> None:
    steps: list[dict[Any, Any]] = [state(doc.values())]
    doc.set_skeleton(Skeleton(("a",)))
    steps.append(state(doc.values()))
    for action in (
        lambda: doc.set_labels(0, labels((1, 1))),
        lambda: doc.set_keypoints(0, KeypointSet.of({"a": (1, 1)})),
        lambda: propagate(doc, 1, 2, 3),
        lambda: doc.accept(2),
        lambda: doc.drop_reference(2),
        lambda: doc.set_span(1, 5),
        lambda: doc.set_options(PropagationOptions(top_k=3)),
        lambda: doc.change_object(1, visible=False),
        lambda: doc.remove_object(1),
        lambda: doc.clear([0, 1]),
        lambda: doc.add_object("third"),
    ):
        action()
        steps.append(state(doc.values()))
    for expected in reversed(steps[:-1]):
        assert doc.undo() is not None
        assert state(doc.values()) == expected
    for expected in steps[1:]:
        assert doc.redo() is not None
        assert state(doc.values()) == expected
    assert doc.redo() is None


def test_the_listener_hears_enough_to_follow_the_document(doc: Document) -> None:
    other = document()
    other.restore(doc.values())
    doc.on_change = lambda values, change: other.restore(values)
    doc.set_labels(0, labels((1, 1)))
    propagate(doc, 1, 2)
    doc.remove_object(2)
    doc.clear([1])
    doc.undo()
    doc.undo()
    assert state(other.values()) == state(doc.values())
    assert other.revision >= doc.revision and other.history.undo_name is None


def test_revisions_that_were_in_use_before_a_load_are_not_used_again(doc: Document) -> None:
    """Or labels that were made from something undone would look fresh."""
    doc.set_labels(0, labels((1, 1)))
    propagate(doc, 1)
    doc.set_labels(0, labels((2, 1)))
    doc.set_labels(5, labels((2, 1)))
    doc.undo()
    loaded = document()
    loaded.restore(doc.values(), doc.revision)
    assert loaded.revision >= doc.revision
    loaded.set_labels(5, labels((3, 1)))
    known = loaded.store.get(5)
    assert known is not None and known.revision > doc.revision


def test_undo_ends_where_the_budget_ends() -> None:
    doc = document(size=(64, 64))
    doc.history = History(budget=3000)
    doc.add_object()
    rng = np.random.default_rng(0)
    for _ in range(8):
        doc.set_labels(0, LabelMap(rng.integers(0, 2, (64, 64), np.uint8)))
    undone = 0
    while doc.undo():
        undone += 1
    assert 1 <= undone < 8
    assert doc.labels(0) is not None


def test_an_empty_document_is_empty_and_no_longer_so_with_an_object() -> None:
    doc = document()
    assert doc.is_empty
    doc.add_object()
    assert not doc.is_empty
