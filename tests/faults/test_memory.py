"""Memory runs out in the middle of a propagation: it goes on with less, and what is finished stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import Tensor

from app.jobs.inference import InferenceThread
from model import matching
from model.features import LabFeatures
from model.types import Direction, PropagationRequest
from tests.unit.test_inference import FRAMES, Listener, request
from tests.videos import MemoryVideo, moving_squares
from tests.windows import Desk, desk, home

__all__ = ["desk", "home"]
CARD, PROCESSOR = torch.device("cpu:0"), torch.device("cpu")  # two devices that every machine has


class Device(LabFeatures):
    """Features on a device whose memory runs out whenever `full` says so. calls: how often it was asked."""

    def __init__(self, where: torch.device, full: Callable[[int], bool]) -> None:
        super().__init__(where)
        self.full, self.calls = full, 0

    def __call__(self, images: Tensor) -> Tensor:
        self.calls += 1
        if self.full(self.calls):
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().__call__(images)


Given = Callable[[Callable[[int], bool], Callable[[int], bool]], InferenceThread]


@pytest.fixture
def thread(qtbot, monkeypatch: pytest.MonkeyPatch) -> Iterator[Given]:
    """An inference thread with a graphics card and a processor; when each is full."""
    made: list[InferenceThread] = []

    def given(card: Callable[[int], bool], processor: Callable[[int], bool] = lambda call: False) -> InferenceThread:
        def load(weights: Any, device: str | None) -> Device:
            return Device(PROCESSOR, processor) if device == "cpu" else Device(CARD, card)

        monkeypatch.setattr("model.features.load_extractor", load)
        made.append(InferenceThread("lab"))
        made[0].open(MemoryVideo(moving_squares(FRAMES)[0]))
        return made[0]

    yield given
    made[0].close()


def frames(heard: Listener) -> list[object]:
    return [frame for _, frame, _ in heard.of("result")]


@pytest.mark.parametrize("wanted", [request(0), request(9, direction=Direction.BACKWARD)], ids=["forward", "backward"])
def test_a_card_that_is_full_for_a_moment_costs_no_frame(qtbot, thread: Given, wanted: PropagationRequest) -> None:
    inference = thread(lambda call: call == 5)
    heard = Listener(inference)
    with qtbot.waitSignal(inference.finished, timeout=60_000):
        inference.submit(1, wanted)
    order = list(range(1, 10)) if wanted.direction is Direction.FORWARD else list(range(8, -1, -1))
    assert frames(heard) == order, "each frame once, in order, as if nothing had been"
    assert len(heard.of("retreated")) == 1 and "less of what the network has seen" in heard.of("retreated")[0][1]
    done, total = heard.of("progressed")[-1][1:3]
    assert done == total


def test_a_card_that_stays_full_hands_over_to_the_processor(qtbot, thread: Given) -> None:
    inference = thread(lambda call: call > 4)
    heard = Listener(inference)
    with qtbot.waitSignal(inference.finished, timeout=60_000):
        inference.submit(1, request(0, 9, direction=Direction.BOTH))
    assert sorted(map(str, frames(heard))) == [str(n) for n in range(1, 9)]
    assert [engine.device for (engine,) in heard.of("ready")] == ["cpu:0", "cpu"]
    assert "with the processor" in heard.of("retreated")[-1][1]


def test_where_nothing_helps_the_finished_frames_are_kept(qtbot, thread: Given) -> None:
    inference = thread(lambda call: call > 4, lambda call: call > 3)
    heard = Listener(inference)
    with qtbot.waitSignal(inference.exhausted, timeout=60_000):
        inference.submit(1, request(0))
    made = frames(heard)
    assert made == list(range(1, len(made) + 1)) and len(made) >= 3
    assert len(heard.of("retreated")) == 2 and len(heard.endings) == 1


def test_a_full_card_in_the_affinity_is_no_other_case(qtbot, thread: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    inference = thread(lambda call: False)
    heard, calls, real = Listener(inference), [0], matching.windowed_affinity

    def affinity(*arguments: Any, **more: Any) -> Any:
        calls[0] += 1
        if calls[0] == 3:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments, **more)

    monkeypatch.setattr(matching, "windowed_affinity", affinity)
    with qtbot.waitSignal(inference.finished, timeout=60_000):
        inference.submit(1, request(0))
    assert frames(heard) == list(range(1, 10)) and len(heard.of("retreated")) == 1


def test_the_window_says_so_and_it_stays_one_undo_item(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open()
    desk.label(0)
    calls, real = [0], LabFeatures.__call__

    def encode(self: LabFeatures, images: Tensor) -> Tensor:
        calls[0] += 1
        if calls[0] == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, images)

    monkeypatch.setattr(LabFeatures, "__call__", encode)
    painted = desk.stored[0]
    desk.propagate()
    assert sorted(desk.stored) == list(range(8)) and (desk.stored[0] == painted).all()
    assert any("the run goes on" in notice.text for notice in desk.window.notices.notices)
    desk.does("edit.undo")
    assert sorted(desk.stored) == [0]
