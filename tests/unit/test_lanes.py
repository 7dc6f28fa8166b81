"""Lanes follow the document: whatever is done to it, in whatever order, they say what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.annotations import FrameLabels, PackedMap
from app.core.changes import NOTHING, Change
from app.core.document import Document
from app.core.lanes import KEYPOINTS, LaneBook, LaneState
from app.core.media import Media
from app.core.objects import Skeleton
from model.palette import PALETTE
from model.types import Anchor, Direction, KeypointSet, LabelMap, Origin, PropagationRequest

SIZE = (4, 6)
FRAMES = 12


def new_document(frames: int = FRAMES, objects: int = 2) -> Document:
    document = Document(Media(Path("video.mp4"), SIZE, frames, 25.0))
    for _ in range(objects):
        document.add_object()
    return document


def label_map(*objects: int) -> LabelMap:
    ids = np.zeros(SIZE, np.uint8)
    for column, number in enumerate(objects):
        ids[:, column] = number
    return LabelMap(ids, objects)


def result(*objects: int, confidence: float = 0.5) -> FrameLabels:
    return FrameLabels(
        Origin.PROPAGATED, PackedMap.pack(label_map(*objects)), certainty=dict.fromkeys(objects, confidence)
    )


def propagate(document: Document, frames: range, *objects: int) -> Change:
    """A propagation from the document's references, as the window runs it."""
    job = document.begin_job("Propagate", document.request(Direction.BOTH), "weights")
    change = NOTHING
    for frame in frames:
        change |= document.apply_result(job, frame, result(*objects))
    document.end_job(job)
    return change


def states(book: LaneBook, number: int) -> str:
    """A lane in letters: - missing, H human, C corrected, p propagated, s stale."""
    lane = next(lane for lane in book.lanes if lane.id == number)
    return "".join("-HCps"[state] for state in lane.states)


def test_lanes_show_where_labels_came_from_and_what_went_stale() -> None:
    document = new_document()
    book = LaneBook(document)
    assert states(book, 1) == "-" * 12

    book.update(document.set_labels(3, label_map(1)))
    book.update(propagate(document, range(12), 1))
    assert states(book, 1) == "pppHpppppppp"
    assert states(book, 2) == "-" * 12  # nobody asked for it

    book.update(document.set_labels(8, label_map(1, 2), "Correct"))
    assert states(book, 1) == "pppHssssCsss"  # what lies behind the other reference is as good as before
    assert states(book, 2) == "--------C---"

    book.update(propagate(document, range(4, 12), 1, 2))
    assert states(book, 1) == "pppHppppCppp"
    assert states(book, 2) == "----ppppCppp"

    book.update(document.drop_reference(8))
    assert states(book, 1) == "pppHssssCsss"
    undone = document.undo()
    assert undone is not None
    book.update(undone[1])
    assert states(book, 1) == "pppHppppCppp"


def test_confidence_is_that_of_propagated_frames() -> None:
    document = new_document(4)
    book = LaneBook(document)
    book.update(document.set_labels(0, label_map(1)))
    lane = book.update(propagate(document, range(1, 3), 1))[0]
    np.testing.assert_array_equal(lane.certainty, np.array([np.nan, 0.5, 0.5, np.nan], np.float32))
    lane = book.update(document.accept(1))[0]
    np.testing.assert_array_equal(lane.certainty, np.array([np.nan, np.nan, 0.5, np.nan], np.float32))


def test_keypoints_have_a_lane_while_there_is_a_skeleton() -> None:
    document = new_document(3)
    book = LaneBook(document)
    assert [lane.id for lane in book.lanes] == [1, 2]
    book.update(document.set_skeleton(Skeleton(("nose", "tail"))))
    assert [lane.id for lane in book.lanes] == [1, 2, KEYPOINTS]
    book.update(document.set_keypoints(1, KeypointSet.of({"nose": (1, 2), "tail": None})))
    assert states(book, KEYPOINTS) == "-H-"
    assert states(book, 1) == "---"

    points = KeypointSet(
        ("nose", "tail"),
        np.array([[1, 2], [np.nan, np.nan]], np.float32),
        np.array([True, False]),
        np.array([0.7, 0.0], np.float32),
    )
    job = document.begin_job("Propagate", document.request(Direction.FORWARD), "")
    lane = book.update(document.apply_result(job, 2, FrameLabels(Origin.PROPAGATED, keypoints=points)))[-1]
    document.end_job(job)
    assert lane.certainty[2] == np.float32(0.7)  # a point that is not there casts no doubt
    book.update(document.set_skeleton(Skeleton(("ear",))))
    assert states(book, KEYPOINTS) == "---"
    undone = document.undo()
    assert undone is not None
    book.update(undone[1])
    book.update(document.set_skeleton(Skeleton(("snout", "tail")), {"nose": "snout"}))
    assert states(book, KEYPOINTS) == "-Hp"


def test_lanes_have_the_colours_of_the_palette_and_the_names_of_the_objects() -> None:
    document = new_document()
    book = LaneBook(document)
    book.update(document.change_object(2, name="swan"))
    assert [(lane.id, lane.name) for lane in book.lanes] == [(1, "object 1"), (2, "swan")]
    assert [lane.colour for lane in book.lanes] == [tuple(PALETTE[1].tolist()), tuple(PALETTE[2].tolist())]


def test_a_removed_object_comes_back_with_its_lane() -> None:
    document = new_document()
    book = LaneBook(document)
    book.update(document.set_labels(5, label_map(1, 2)))
    assert [lane.id for lane in book.update(document.remove_object(1))] == [2]
    undone = document.undo()
    assert undone is not None
    book.update(undone[1])
    assert states(book, 1) == "-----H------"


def test_removing_the_only_object_of_a_reference_makes_what_came_from_it_stale() -> None:
    document = new_document()
    book = LaneBook(document)
    book.update(document.set_labels(3, label_map(1)))
    book.update(document.set_labels(9, label_map(2)))
    book.update(propagate(document, range(12), 2))
    assert states(book, 2) == "ppp-pppppHpp"
    book.update(document.remove_object(1))
    assert states(book, 2) == "sss-sssssHpp"


def test_imported_keypoints_appear_once_the_skeleton_has_them() -> None:
    document = new_document(3)
    book = LaneBook(document)
    labels = FrameLabels(Origin.HUMAN, keypoints=KeypointSet.of({"nose": (1, 2)}))
    book.update(document.put_frames({1: labels}, (), "Import"))
    book.update(document.set_skeleton(Skeleton(("nose",))))
    assert states(book, KEYPOINTS) == "-H-"


def test_old_lanes_do_not_change_and_untouched_ones_are_not_copied() -> None:
    """The timeline draws only lanes whose arrays are other ones."""
    document = new_document()
    book = LaneBook(document)
    before = book.update(document.set_labels(5, label_map(1)))
    after = book.update(document.set_labels(6, label_map(1)))
    assert before[0].states.tolist().count(LaneState.HUMAN) == 1
    assert after[0].states.tolist().count(LaneState.HUMAN) == 2
    assert after[1].states is before[1].states
    assert after[0].certainty is before[0].certainty
    assert not after[0].states.flags.writeable


# Any history

frames = st.integers(0, FRAMES - 1)
objects = st.lists(st.integers(1, 4), unique=True, max_size=3)
skeletons = st.sampled_from([(), ("a",), ("a", "b"), ("b", "c")])
operations = st.one_of(
    st.tuples(st.just("paint"), frames, objects),
    st.tuples(st.just("place"), frames, st.booleans()),
    st.tuples(st.just("accept"), frames),
    st.tuples(st.just("clear"), st.lists(frames, max_size=4)),
    st.tuples(st.just("drop"), frames, st.booleans()),
    st.tuples(st.just("add")),
    st.tuples(st.just("remove"), st.integers(1, 4)),
    st.tuples(st.just("skeleton"), skeletons, st.booleans()),
    st.tuples(st.just("propagate"), frames, st.integers(1, FRAMES), objects, st.floats(0, 1, width=16), st.booleans()),
    st.tuples(st.just("import"), st.lists(frames, unique=True, max_size=4), objects, st.sampled_from(Origin)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("redo")),
)


def points_of(document: Document, there: bool) -> KeypointSet:
    return KeypointSet.of(dict.fromkeys(document.skeleton.names, (1.0, 2.0) if there else None))


def perform(document: Document, operation: tuple) -> Change:  # type: ignore[type-arg]
    """Do one thing to a document; what is not possible just now does nothing."""
    alive = {info.id for info in document.objects}
    match operation:
        case "paint", frame, wanted:
            return document.set_labels(frame, label_map(*alive.intersection(wanted)))
        case "place", frame, there:
            return document.set_keypoints(frame, points_of(document, there)) if document.skeleton.names else NOTHING
        case "accept", frame:
            return document.accept(frame)
        case "clear", wanted:
            return document.clear(wanted)
        case "drop", frame, dropped:
            return document.drop_reference(frame, dropped)
        case ("add",):
            return document.add_object()[1]
        case "remove", number:
            return document.remove_object(number) if number in alive else NOTHING
        case "skeleton", names, renamed:
            return document.set_skeleton(Skeleton(names), {"a": "c"} if renamed and "c" in names else None)
        case "propagate", start, count, wanted, confidence, with_points:
            return run(document, range(start, min(start + count, FRAMES)), wanted, confidence, with_points)
        case "import", wanted, numbers, origin:
            labels = FrameLabels(origin, PackedMap.pack(label_map(*alive.intersection(numbers))))
            return document.put_frames(dict.fromkeys(wanted, labels), (), "Import")
        case ("undo",):
            return (document.undo() or ("", NOTHING))[1]
        case ("redo",):
            return (document.redo() or ("", NOTHING))[1]
    raise AssertionError(operation)


def run(document: Document, span: range, wanted: list[int], confidence: float, with_points: bool) -> Change:
    if not document.references:
        return NOTHING
    anchors = tuple(Anchor(frame, label_map(1)) for frame in document.references)
    job = document.begin_job("Propagate", PropagationRequest(anchors), "weights")
    change = NOTHING
    for frame in span:
        labels = result(*wanted, confidence=confidence)
        if with_points and document.skeleton.names:
            names = document.skeleton.names
            xy, sure = np.ones((len(names), 2), np.float32), np.linspace(confidence, 1, len(names), dtype=np.float32)
            points = KeypointSet(names, xy, np.ones(len(names), np.bool_), sure)
            labels = FrameLabels(labels.origin, labels.labels, points, labels.certainty)
        change |= document.apply_result(job, frame, labels)
    document.end_job(job)
    return change


def expected_state(document: Document, frame: int, number: int) -> LaneState:
    """What a lane must say, straight from the document, one frame at a time."""
    known = document.store.get(frame)
    if known is None:
        return LaneState.MISSING
    if number == KEYPOINTS:
        there = known.keypoints is not None and bool(set(known.keypoints.names) & set(document.skeleton.names))
    else:
        there = known.labels is not None and number in known.labels.objects
    if not there:
        return LaneState.MISSING
    if known.is_human:
        return LaneState.CORRECTED if known.origin is Origin.CORRECTED else LaneState.HUMAN
    return LaneState.STALE if document.is_stale(frame) else LaneState.PROPAGATED


def assert_follows(book: LaneBook, document: Document) -> None:
    numbers = [info.id for info in document.objects] + [KEYPOINTS] * bool(document.skeleton.names)
    assert [lane.id for lane in book.lanes] == numbers
    fresh = {lane.id: lane for lane in LaneBook(document).lanes}
    for lane in book.lanes:
        want = [expected_state(document, frame, lane.id) for frame in range(FRAMES)]
        assert lane.states.tolist() == want, f"lane {lane.id}"
        np.testing.assert_array_equal(lane.certainty, fresh[lane.id].certainty)
        np.testing.assert_array_equal(lane.states, fresh[lane.id].states)


@settings(max_examples=150)
@given(st.lists(st.tuples(operations, st.booleans()), max_size=25))
def test_lanes_follow_any_history(history: list[tuple[tuple, bool]]) -> None:  # type: ignore[type-arg]
    """Changes are handed over one by one, or several joined."""
    document = new_document()
    book = LaneBook(document)
    waiting = NOTHING
    for operation, wait in history:
        waiting |= perform(document, operation)
        if not wait:
            book.update(waiting)
            waiting = NOTHING
            assert_follows(book, document)
    book.update(waiting)
    assert_follows(book, document)
