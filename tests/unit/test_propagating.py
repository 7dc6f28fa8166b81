"""Running propagations from the window, with an inference thread that does what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.controllers import propagating as module
from app.controllers.preflight import reckon
from app.controllers.propagating import Propagating
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.annotations import FrameLabels, PackedMap
from app.core.preflight import Resource
from app.core.settings import Settings
from app.jobs.inference_signals import InferenceSignals
from app.jobs.queries import Engine
from model.types import Direction, LabelMap, Origin, PropagationRequest
from tests.unit.test_session import FRAMES, FakeFrames, FakeProject, ids
from tests.windows import home

__all__ = ["home"]


class FakeInference(InferenceSignals):
    def __init__(self) -> None:
        super().__init__()
        self.submitted: list[tuple[int, tuple[PropagationRequest, ...]]] = []
        self.told_to_stop: list[int] = []

    def submit(self, job: int, *requests: PropagationRequest, features: int | None = None) -> None:
        self.submitted.append((job, requests))

    def stop(self, job: int) -> None:
        self.told_to_stop.append(job)

    def give(self, job: int, *frames: int, value: int = 1, certainty: float = 0.95) -> None:
        for frame in frames:
            packed = PackedMap.pack(ids(value))
            self.result.emit(job, frame, FrameLabels(Origin.PROPAGATED, packed, certainty={1: certainty}))


class Desk:
    def __init__(self, qtbot, folder: Path) -> None:
        self.session, self.inference, self.shell = Session(), FakeInference(), Shell()
        qtbot.addWidget(self.shell)
        self.settings = Settings(folder / "settings.json")
        self.run = Propagating(self.session, self.shell, self.inference, self.settings)  # type: ignore[arg-type]
        self.frames, self.project = FakeFrames(), FakeProject()
        self.project.folder = folder  # type: ignore[attr-defined]
        source = SimpleNamespace(times=np.arange(FRAMES) / 10)
        self.session.open(self.project, source, self.frames)  # type: ignore[arg-type]
        self.frames.deliver(0)
        self.document = self.project.document
        self.document.add_object()

    def begin(self, *labelled: int, direction: Direction = Direction.FORWARD) -> int:
        for frame in labelled or (0,):
            self.document.set_labels(frame, ids(1))
        self.run.start(direction)
        return self.inference.submitted[-1][0]

    @property
    def said(self) -> list[str]:
        return [notice.text for notice in self.shell.notices.notices]


@pytest.fixture
def desk(qtbot, tmp_path: Path, home: Path) -> Iterator[Desk]:
    tmp_path.mkdir(exist_ok=True)
    yield Desk(qtbot, tmp_path)


def test_nothing_labelled_is_said_and_nothing_runs(desk: Desk) -> None:
    desk.run.start(Direction.FORWARD)
    assert not desk.inference.submitted and not desk.run.is_running
    assert "no frame is labelled" in desk.said[-1]


def test_a_run_covers_the_span_and_takes_results_in(desk: Desk) -> None:
    desk.document.set_span(0, 6)
    began: list[bool] = []
    desk.run.running.connect(began.append)
    job = desk.begin()
    (request,) = desk.inference.submitted[0][1]
    assert (request.start, request.stop, request.direction) == (0, 6, Direction.FORWARD)
    desk.inference.give(job, 1, 2)
    desk.inference.progressed.emit(job, 3, 6, 2.0)
    assert "Propagate forward, frames 0 → 5 · 2.0 frames/s" in desk.shell.status.text()
    desk.inference.give(job, 3, 4, 5)
    desk.inference.finished.emit(job)
    assert sorted(desk.document.store) == [0, 1, 2, 3, 4, 5] and began == [True, False]
    assert desk.said == ["5 frames. None looks doubtful."]


def test_doubtful_frames_are_counted_in_the_summary(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job, 1, 2, 3, 4)
    desk.inference.give(job, 5, 8, certainty=0.4)
    desk.inference.finished.emit(job)
    assert desk.said[-1] == "6 frames. 2 look doubtful: N to see the first."


def test_results_of_another_job_are_not_taken(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job + 5, 3)
    desk.inference.finished.emit(job + 5)
    assert sorted(desk.document.store) == [0] and desk.run.is_running


def test_the_encoder_that_made_them_is_noted_even_if_it_is_loaded_after_the_start(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.ready.emit(Engine("bundled", "abc", "mast", "cpu", ()))
    desk.inference.give(job, 1)
    assert desk.document.store.get(1).weights == "abc"


def test_halting_ends_the_run_at_once(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job, 1)
    desk.run.halt()
    assert not desk.run.is_running and desk.inference.told_to_stop == [job]
    desk.inference.give(job, 2)
    assert sorted(desk.document.store) == [0, 1]
    assert desk.document.undo()[0] == "Propagate forward"
    assert sorted(desk.document.store) == [0]


def test_going_on_asks_only_for_what_is_missing(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job, 1, 2, 3)
    desk.run.stop()
    desk.inference.stopped.emit(job)
    assert desk.said == ["Stopped. 3 frames are kept."]
    desk.run.go_on()
    (request,) = desk.inference.submitted[-1][1]
    assert (request.start, request.stop) == (4, FRAMES)
    assert [known.frame for known in request.known] == [1, 2, 3]
    assert desk.said == []  # how it ended before is of no interest now


@pytest.mark.parametrize(
    ("direction", "given", "piece"),
    [
        (Direction.BOTH, (6, 7), (0, 6)),  # what is before 5 comes to it from behind
        (Direction.FORWARD, (1, 2, 3, 4), (5, FRAMES)),
        (Direction.BACKWARD, (4, 3), (0, 3)),  # 5 is where it began
    ],
)
def test_going_on_carries_objects_onto_a_labelled_frame_that_does_not_know_of_them(
    desk: Desk, direction: Direction, given: tuple[int, ...], piece: tuple[int, int]
) -> None:
    desk.document.add_object()
    desk.document.set_labels(5, LabelMap(np.full((4, 6), 2, np.uint8)))
    job = desk.begin(direction=direction)
    desk.inference.give(job, *given)
    desk.inference.stopped.emit(job)
    desk.run.go_on()
    asked = [(request.start, request.stop) for request in desk.inference.submitted[-1][1]]
    assert piece in asked


def test_a_run_that_was_undone_does_not_go_on(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job, 1, 2)
    desk.inference.stopped.emit(job)
    desk.run.halt()  # as undo does first
    desk.document.undo()
    assert desk.said == []
    desk.run.go_on()
    assert len(desk.inference.submitted) == 1


def test_going_on_after_an_edit_of_the_reference_begins_again(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job, 1, 2, 3)
    desk.inference.stopped.emit(job)
    desk.document.set_labels(0, LabelMap(np.eye(4, 6, dtype=np.uint8), (1,)))
    desk.run.go_on()
    (request,) = desk.inference.submitted[-1][1]
    assert (request.start, request.known) == (0, ())
    assert request.anchors[0].labels.ids.sum() == 4  # the label as it is now


def test_an_update_asks_for_stale_spans_only(desk: Desk) -> None:
    job = desk.begin(0, 9, direction=Direction.BOTH)
    desk.inference.give(job, *range(1, 9))
    desk.inference.finished.emit(job)
    desk.document.set_labels(5, ids(0))
    desk.run.update()
    spans = [(r.start, r.stop, r.direction) for r in desk.inference.submitted[-1][1]]
    assert spans == [(1, 5, Direction.BOTH), (6, 9, Direction.BOTH)]


def test_a_failure_is_said_with_a_way_out(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.give(job, 1)
    desk.inference.failed.emit(job, "There is not enough memory. Choose a smaller working size")
    assert not desk.run.is_running and sorted(desk.document.store) == [0, 1]
    (notice,) = desk.shell.notices.notices
    assert notice.level == "error" and notice.button.text() == "Try again"
    notice.button.click()
    assert desk.run.is_running and desk.inference.submitted[-1][1][0].start == 2


def test_running_out_of_memory_offers_a_smaller_size_and_goes_on_with_it(desk: Desk) -> None:
    desk.document.media = replace(desk.document.media, size=(1080, 1920))
    labels = LabelMap(np.ones((1080, 1920), np.uint8))
    desk.document.set_labels(0, labels)
    desk.run.start(Direction.FORWARD)
    (job, _) = desk.inference.submitted[-1]
    for frame in (1, 2, 3):
        desk.inference.result.emit(job, frame, FrameLabels(Origin.PROPAGATED, PackedMap.pack(labels)))
    desk.inference.exhausted.emit(job, "There is not enough memory.")
    notice = desk.shell.notices.notices[-1]
    assert notice.level == "error" and notice.button.text() == "Go on with 360 pixels"
    notice.button.click()
    (again,) = desk.inference.submitted[-1][1]
    assert (again.start, again.options.short_side) == (4, 360)


def test_following_or_staying(desk: Desk) -> None:
    follow = desk.shell.actions["propagate.follow"]
    follow.setChecked(True)
    job = desk.begin()
    desk.inference.give(job, 1)
    assert desk.session.frame == 1
    desk.inference.give(job, 2)
    assert desk.session.frame == 1  # its picture is still on the way: what comes is not kept waiting for it
    desk.frames.deliver(1)
    follow.setChecked(False)
    desk.inference.give(job, 3)
    assert desk.session.frame == 1


def test_what_is_proposed_is_taken_before_a_run(desk: Desk) -> None:
    desk.run.settle = lambda: desk.document.set_labels(4, ids(1))
    desk.run.start(Direction.BACKWARD)
    assert desk.inference.submitted[-1][1][0].anchors[0].frame == 4


@pytest.mark.parametrize("accepted", [True, False])
def test_a_long_run_is_shown_first(desk: Desk, monkeypatch, accepted: bool) -> None:
    shown = []

    class Dialog:
        def __init__(self, preflight, parent) -> None:
            shown.append(preflight)

        def exec(self) -> bool:
            return accepted

    monkeypatch.setattr(module, "PreflightDialog", Dialog)
    job = desk.begin()
    desk.inference.progressed.emit(job, 1, 10, 0.01)  # frames a second
    desk.inference.finished.emit(job)
    assert shown == []
    desk.run.start(Direction.FORWARD)
    assert shown[0].frames == FRAMES and shown[0].seconds == pytest.approx(1000)
    assert desk.run.is_running is accepted


def test_what_was_made_before_is_not_thought_to_take_as_long_again(desk: Desk) -> None:
    job = desk.begin()
    desk.inference.progressed.emit(job, 1, 10, 0.01)
    before = desk.run.preview()
    desk.inference.give(job, *range(1, FRAMES))
    desk.inference.finished.emit(job)
    again = desk.run.preview()
    assert before is not None and before.seconds is not None and before.seconds > 0
    assert again is not None and again.seconds is None  # features are known by now: how long that takes is not


def test_what_a_run_needs_grows_with_it_up_to_the_bound_on_features(desk: Desk, tmp_path: Path) -> None:
    desk.document.set_labels(0, ids(1))
    request = desk.document.request(Direction.FORWARD)

    def memory(frames: int, size: tuple[int, int]) -> int:
        wanted = PropagationRequest(request.anchors, stop=frames)
        found = reckon((wanted,), frames, size, desk.document.store, tmp_path, 1 << 30, 4.0, 272)
        assert found.frames == frames and found.seconds == frames / 4
        return next(need.needed for need in found.needs if need.resource is Resource.MEMORY)

    assert memory(10, (240, 432)) < memory(10, (480, 864)) < memory(40, (480, 864))
    assert memory(20_000, (480, 864)) - memory(10_000, (480, 864)) < 1 << 28  # labels alone
    assert memory(10, (480, 864)) == pytest.approx(memory(10, (960, 1728)), rel=0.01)  # both are worked on at 480
