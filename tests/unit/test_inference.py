"""The inference thread: it does what the propagator does, and can be stopped, asked and relied on."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from PySide6.QtCore import QObject

from app.jobs import loading
from app.jobs.inference import InferenceThread
from app.jobs.queries import ClickSegment, Engine, FeaturePca, Flow, ValueMap, Votes
from app.mistakes import is_out_of_memory
from model import features
from model.features import load_extractor
from model.propagator import Propagator
from model.types import Anchor, Direction, LabelMap, PropagationOptions, PropagationRequest
from tests.videos import MemoryVideo, moving_squares

FRAMES = 10
ENDINGS = ("finished", "stopped", "failed", "exhausted")
OPTIONS = PropagationOptions(edges="bilinear")


class Listener(QObject):
    """Everything that the thread said, in the order in which it came."""

    def __init__(self, thread: InferenceThread) -> None:
        super().__init__()
        self.said: list[tuple[str, tuple[object, ...]]] = []
        for name in ("ready", "result", "progressed", *ENDINGS, "retreated", "answered", "query_failed"):
            getattr(thread, name).connect(lambda *values, name=name: self.said.append((name, values)))

    def of(self, name: str) -> list[tuple[object, ...]]:
        return [values for said, values in self.said if said == name]

    @property
    def endings(self) -> list[tuple[str, tuple[object, ...]]]:
        return [one for one in self.said if one[0] in ENDINGS]


@pytest.fixture
def video() -> MemoryVideo:
    return MemoryVideo(moving_squares(FRAMES)[0])


@pytest.fixture
def thread(qtbot, video: MemoryVideo) -> Iterator[InferenceThread]:
    thread = InferenceThread("lab", "cpu")
    thread.open(video)
    yield thread
    thread.close()


def request(*frames: int, direction: Direction = Direction.FORWARD, **more: object) -> PropagationRequest:
    truth = moving_squares(FRAMES)[1]
    anchors = tuple(Anchor(frame, LabelMap(truth[frame])) for frame in frames or (0,))
    return PropagationRequest(anchors, direction=direction, options=OPTIONS, **more)


def test_results_are_the_propagator_s_without_the_frames_that_a_person_made(qtbot, thread, video) -> None:
    heard = Listener(thread)
    with qtbot.waitSignal(thread.finished):
        thread.submit(5, request(0, 6, direction=Direction.BOTH))
    direct = Propagator(MemoryVideo(video.images), load_extractor("lab", "cpu"))
    expected = {r.frame: r for r in direct.run(request(0, 6, direction=Direction.BOTH))}
    results = heard.of("result")
    assert [frame for _, frame, _ in results] == [f for f in expected if f not in (0, 6)]
    for job, frame, labels in results:
        assert job == 5
        assert np.array_equal(labels.labels.unpack().ids, expected[frame].labels.ids)
        assert labels.certainty == expected[frame].certainty
    assert heard.endings == [("finished", (5,))]


def test_progress_goes_to_the_end_even_where_steps_give_no_result(qtbot, thread) -> None:
    heard = Listener(thread)
    with qtbot.waitSignal(thread.finished):
        thread.submit(1, request(0, 9, direction=Direction.BOTH))
    steps = [(done, total) for _, done, total, _ in heard.of("progressed")]
    assert steps == [(n, 20) for n in range(1, 21)]  # there and back
    rates = [rate for *_, rate in heard.of("progressed")]
    assert rates[0] == 0 and all(rate > 0 for rate in rates[1:])  # the anchor tells nothing


def test_several_requests_are_one_job(qtbot, thread) -> None:
    heard = Listener(thread)
    with qtbot.waitSignal(thread.finished):
        thread.submit(1, request(0, stop=3), request(0, start=6, stop=8))
    assert [frame for _, frame, _ in heard.of("result")] == [1, 2, 6, 7]
    assert heard.of("progressed")[-1][1:3] == (11, 11)
    assert len(heard.endings) == 1


def test_stop_keeps_what_is_finished_and_the_next_job_runs(qtbot, thread) -> None:
    heard = Listener(thread)
    thread.result.connect(lambda job, frame, labels: frame == 2 and thread.stop(job))
    with qtbot.waitSignal(thread.stopped):
        thread.submit(1, request())
    assert 2 <= len(heard.of("result")) < FRAMES - 1
    with qtbot.waitSignal(thread.finished):
        thread.submit(2, request(start=7))
    assert heard.endings == [("stopped", (1,)), ("finished", (2,))]


def test_a_pass_that_gives_no_results_yet_is_stopped_as_well(qtbot, thread) -> None:
    """Between two references, the way there is walked before the first result comes from the way back."""
    heard = Listener(thread)
    thread.progressed.connect(lambda job, done, total, rate: done == 2 and thread.stop(job))
    with qtbot.waitSignal(thread.stopped):
        thread.submit(1, request(0, 9, direction=Direction.BOTH))
    assert heard.of("result") == [] and len(heard.of("progressed")) < 6


def test_questions_are_answered_between_two_frames_of_a_run(qtbot, thread) -> None:
    heard = Listener(thread)
    thread.result.connect(lambda job, frame, labels: frame == 1 and thread.ask(7, Flow(3, OPTIONS)))
    with qtbot.waitSignal(thread.finished):
        thread.submit(1, request())
    order = [name for name, _ in heard.said]
    assert order.index("answered") < order.index("finished")
    assert heard.of("answered")[0][0] == 7


def test_of_questions_of_one_kind_the_latest_is_answered(qtbot, thread) -> None:
    heard = Listener(thread)
    with qtbot.waitSignal(thread.ready):
        thread.warm_up()
    with thread._inbox.lock:  # nothing is looked at while these come
        for number, frame in enumerate(range(5)):
            thread.ask(number, FeaturePca(frame, OPTIONS))
        thread.ask(99, Flow(0, OPTIONS))
    qtbot.waitUntil(lambda: len(heard.of("answered")) == 2)
    assert sorted(number for number, _ in heard.of("answered")) == [4, 99]


def test_what_cannot_be_is_said_in_a_line_and_the_thread_lives_on(qtbot, thread) -> None:
    heard = Listener(thread)
    wrong = PropagationRequest((Anchor(0, LabelMap(np.ones((5, 5), np.uint8))),))
    with qtbot.waitSignal(thread.failed):
        thread.submit(1, wrong)
    job, text = heard.of("failed")[0]
    assert job == 1 and "5×5" in text and "\n" not in text
    with qtbot.waitSignal(thread.query_failed):
        thread.ask(3, ValueMap(0, OPTIONS))
    assert "no value map" in heard.of("query_failed")[0][1]
    with qtbot.waitSignal(thread.finished):
        thread.submit(2, request())


def test_without_an_encoder_the_job_says_so(qtbot, video) -> None:
    thread = InferenceThread("nowhere.pt", "cpu")
    heard = Listener(thread)
    thread.open(video)
    with qtbot.waitSignal(thread.failed):
        thread.submit(1, request())
    assert heard.of("failed")[0][0] == 1 and "nowhere.pt" in heard.of("failed")[0][1]
    thread.close()


@pytest.mark.parametrize(
    "error",
    [MemoryError(), torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("not enough memory: you tried")],
    ids=["main memory", "graphics card", "torch's allocator"],
)
def test_running_out_of_memory_keeps_frames_and_names_a_way_out(qtbot, thread, monkeypatch, error: Exception) -> None:
    heard, walked = Listener(thread), Propagator.steps

    def steps(self: Propagator, wanted: PropagationRequest):
        for result in walked(self, wanted):
            if result is not None and result.frame == 4:
                raise error
            yield result

    monkeypatch.setattr(Propagator, "steps", steps)
    with qtbot.waitSignal(thread.exhausted):
        thread.submit(1, request())
    assert "smaller working size" in heard.of("exhausted")[0][1] and not heard.of("failed")
    assert [frame for _, frame, _ in heard.of("result")] == [1, 2, 3]
    monkeypatch.undo()
    with qtbot.waitSignal(thread.finished):
        thread.submit(2, request())


def test_other_errors_are_not_taken_for_a_lack_of_memory() -> None:
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_another_video_ends_the_job_of_the_one_before(qtbot, thread, video) -> None:
    heard = Listener(thread)
    other = MemoryVideo(moving_squares(4)[0])
    thread.result.connect(lambda job, frame, labels: frame == 1 and thread.open(other))
    with qtbot.waitSignal(thread.stopped):
        thread.submit(1, request())
    with qtbot.waitSignal(thread.failed):  # the new one is shorter
        thread.submit(2, request(6))
    assert "frames 0..3" in heard.of("failed")[0][1]
    with pytest.raises(ValueError, match="closed"):
        video[0]


def test_what_is_loaded_is_told_with_what_it_can_show(qtbot, thread) -> None:
    heard = Listener(thread)
    with qtbot.waitSignal(thread.ready):
        thread.warm_up()
    (engine,) = heard.of("ready")[0]
    assert isinstance(engine, Engine) and (engine.name, engine.device) == ("lab", "cpu")
    views = dict(engine.views)
    assert views["flow"] == views["votes"] == "" and "without value extraction" in views["value"]
    assert any(name == "cpu" for name, _ in engine.devices)


def test_nothing_is_collected_while_pytorch_is_loaded(qtbot, thread, monkeypatch) -> None:
    """Each time it is, the window stands still."""
    collected: list[bool] = []
    load = features.load_extractor
    monkeypatch.setattr(features, "load_extractor", lambda *given: (collected.append(gc.isenabled()), load(*given))[1])
    monkeypatch.setattr(loading, "_is_loaded", lambda: False)
    frozen = gc.get_freeze_count()
    with qtbot.waitSignal(thread.ready):
        thread.warm_up()
    assert collected == [False] and gc.isenabled() and gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_another_encoder_from_the_next_job_on(qtbot, thread) -> None:
    heard = Listener(thread)
    with qtbot.waitSignal(thread.ready):
        thread.warm_up()
    with qtbot.waitSignal(thread.ready):
        thread.use("untrained", "cpu")
    assert [engine.name for (engine,) in heard.of("ready")] == ["lab", "untrained"]


def test_closing_in_the_middle_of_a_run_ends_at_once(qtbot, video) -> None:
    thread = InferenceThread("lab", "cpu")
    thread.open(video)
    with qtbot.waitSignal(thread.result):
        thread.submit(1, request())
    thread.ask(1, Votes(5, 10, 10, (0,), OPTIONS))
    thread.ask(2, ClickSegment(5, (), OPTIONS))
    thread.close()
    assert not thread._thread.is_alive()
