"""Objects that a person's frame says nothing about are carried onto it, beside what the person said."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from app.core.annotations import FrameLabels, PackedMap
from app.core.document import Document
from app.core.lanes import LaneBook, LaneState
from app.core.spans import Span, stale_spans
from app.io.journal import MAGIC, replay
from app.io.open_project import OpenProject
from app.io.project_migration import migrated
from model.types import Anchor, Direction, LabelMap, Origin, PropagationResult
from tests.projects import begin, document, ids, labels, propagated, state, video
from tests.windows import Desk, desk, home, overlap

__all__ = ["desk", "home"]


def brought(*rows: tuple[int, int], own: LabelMap | None = None) -> FrameLabels:
    """What the inference thread tells of a person's frame that knows of object 1 only."""
    shown = PropagationResult(
        5, Origin.HUMAN, labels(*rows), None, np.ones((2, 2), np.float32), certainty={1: 1, 2: 0.75}
    )
    made = FrameLabels.beyond(shown, Anchor(5, own or labels((1, 1))))
    assert made is not None
    return made


def two_objects() -> Document:
    """Object 1 on frame 2, 1 and 2 on frame 6; propagated in between, and 2 onto frame 2."""
    doc = document()
    doc.add_object(), doc.add_object()
    doc.set_labels(2, labels((1, 1)))
    doc.set_labels(6, labels((1, 1), (3, 2)))
    job = begin(doc)
    for frame in (0, 1, 3, 4, 5):
        doc.apply_result(job, frame, propagated((1, 1), (3, 2)))
    doc.apply_result(job, 2, brought((1, 1), (3, 2)))
    doc.end_job(job)
    return doc


def test_a_person_s_pixels_stay_and_the_frame_is_the_same_reference() -> None:
    doc = two_objects()
    known, shown = doc.store.get(2), doc.labels(2)
    assert known is not None and known.is_human and known.labels == PackedMap.pack(labels((1, 1)))
    assert shown is not None and shown.objects == (1, 2)
    assert np.array_equal(shown.ids, ids((1, 1), (3, 2)))
    assert doc.anchors()[0].labels is not None and doc.anchors()[0].labels.objects == (1,)
    assert doc.stale() == (), "its neighbours were made from what it still is"
    lane = LaneBook(doc).lanes[1]
    assert [LaneState(s) for s in lane.states[[2, 6, 7]]] == [LaneState.PROPAGATED, LaneState.HUMAN, LaneState.MISSING]
    assert lane.certainty[2] == np.float32(0.75)
    doc.undo()
    assert doc.labels(2).objects == (1,), "undone with the rest of the run"  # type: ignore[union-attr]


def test_where_the_person_painted_nothing_is_carried() -> None:
    doc = two_objects()
    job = begin(doc)
    doc.apply_result(job, 2, replace(brought((1, 2), (3, 2), own=labels((5, 1)))))  # it claims row 1, which is 1's
    assert np.array_equal(doc.labels(2).ids, ids((1, 1), (3, 2)))  # type: ignore[union-attr]
    doc.set_labels(2, labels((1, 1), (4, 2)))
    assert not doc.apply_result(job, 2, brought((1, 1), (3, 2))), "a person knows of it by now"
    doc.end_job(job)
    assert np.array_equal(doc.labels(2).ids, ids((1, 1), (4, 2)))  # type: ignore[union-attr]


def test_vouching_for_it_makes_it_the_person_s() -> None:
    doc = two_objects()
    assert doc.accept(2) and doc.anchors()[0].labels.objects == (1, 2)  # type: ignore[union-attr]
    assert doc.store.get(2).carried is None and not doc.accept(2)  # type: ignore[union-attr]


def test_it_goes_stale_with_its_reference_and_an_update_reaches_it() -> None:
    doc, book = two_objects(), None
    book = LaneBook(doc)
    book.update(doc.set_labels(6, labels((1, 1), (4, 2))))
    assert doc.stale() == (2, 3, 4, 5) and book.lanes[1].states[2] == LaneState.STALE
    assert book.lanes[0].states[2] == LaneState.HUMAN
    assert [lane.states.tolist() for lane in LaneBook(doc).lanes] == [lane.states.tolist() for lane in book.lanes]
    assert stale_spans(doc) == (Span(2, 7, Direction.BOTH),)


def test_without_new_objects_spans_are_what_they_were() -> None:
    doc = two_objects()
    doc.set_labels(2, labels((1, 1), (3, 2)))
    assert stale_spans(doc) == (Span(0, 2, Direction.BACKWARD), Span(3, 6, Direction.BOTH))


def test_it_survives_a_save_and_the_journal(tmp_path: Path, home: Path) -> None:
    doc = two_objects()
    doc.media = replace(doc.media, path=video(tmp_path))
    project = OpenProject.begin(doc)
    project.save_as(tmp_path / "a.mer")
    doc.clear([0])
    job = begin(doc)
    doc.apply_result(job, 2, brought((1, 1), (5, 2)))
    doc.end_job(job)
    project.close(keep=True)
    again = OpenProject.open(tmp_path / "a.mer")
    assert state(again.document.values()) == state(doc.values())
    assert again.document.store.get(2).carried.basis is not None  # type: ignore[union-attr]
    again.close()


def test_a_journal_of_schema_1_is_read(tmp_path: Path) -> None:
    """There, an object's certainty was called its confidence."""
    from zlib import crc32

    from app.io.journal import _CHECK, _HEAD

    doc = document()
    frame = {"frame": 3, "origin": "propagated", "revision": 4, "confidence": {"1": 0.5}}
    payload = json.dumps({"frames": [frame]}).encode() + b"\n"
    head = _HEAD.pack(len(payload), crc32(payload))
    (tmp_path / "journal-1").write_bytes(b"MERJRNL1" + head + _CHECK.pack(crc32(head)) + payload)
    told = replay(tmp_path, doc.media, 1)
    assert told.damage is None and told.records[0][3].certainty == {1: 0.5}
    (tmp_path / "journal-2").write_bytes(MAGIC + head + _CHECK.pack(crc32(head)) + payload)
    assert replay(tmp_path, doc.media, 1).records[0][3].certainty == {1: 0.5}


def test_a_project_of_schema_1_is_read() -> None:
    old = {"schema": 1, "values": {"frames": [{"frame": 1, "confidence": {"1": 0.5}}, {"frame": 2}]}}
    new = {"schema": 2, "values": {"frames": [{"frame": 1, "certainty": {"1": 0.5}}, {"frame": 2}]}}
    assert migrated(old) == new and migrated({"schema": 1, "values": {}}) == {"schema": 2, "values": {}}


def test_a_new_object_reaches_earlier_frames_of_a_person(desk: Desk) -> None:
    """Frame 2 knows of one square; the other is painted on frame 6 first, and carried back over frame 2 to frame 0."""
    desk.open()
    first = np.where(desk.truth[2] == 1, 1, 0).astype(np.uint8)
    desk.label(2, first)
    desk.propagate("propagate.forward")
    desk.label(6)
    assert desk.session.document.labels(2).objects == (1,)  # type: ignore[union-attr]
    desk.does("propagate.update")
    desk.wait(lambda: not desk.studio.propagating.is_running)
    document = desk.session.document
    assert overlap(desk.stored[2], desk.truth[2], 2) > 0.7, "an update carries it to the frame before"
    desk.propagate("propagate.backward")
    for frame in (0, 1, 2, 4):
        assert overlap(desk.stored[frame], desk.truth[frame], 2) > 0.7, frame
    assert np.array_equal(desk.stored[2] == 1, first == 1), "not a pixel of the person's has changed"
    known = document.store.get(2)
    assert known is not None and known.is_human and known.labels is not None and known.labels.objects == (1,)
    assert document.stale() == ()
