"""Memory runs out in the middle of `mer propagate`: it goes on with less, or ends with a line, and `--resume` works."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.__main__ import run
from app.io.masks import read_written, write_labels
from app.runs.batch import End, Job, carry
from app.runs.task import Settings, Task, _extractor
from model import matching
from model.types import LabelMap, PropagationOptions
from tests.faults.test_memory import CARD, PROCESSOR, Device
from tests.windows import FRAMES, film, overlap

GPU = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


class Bench:
    """A film of two squares, and `mer propagate` over it."""

    def __init__(self, folder: Path, said: pytest.CaptureFixture[str]) -> None:
        self.video, self.truth = film(folder / "clip")
        self.mask, self.out, self._said = folder / "mask.png", folder / "out", said
        write_labels(self.mask, LabelMap(self.truth[0]))

    def propagate(self, *more: str) -> tuple[int, list[str]]:
        """Exit code, and what was said on the error stream beside progress."""
        given = ["propagate", self.video, "--labels", self.mask, "--out", self.out, "--weights", "lab", "--no-overlay"]
        code = run([*map(str, given), *more])
        lines = self._said.readouterr().err.splitlines()
        return code, [line for line in lines if not line.startswith("propagating:")]

    @property
    def report(self) -> dict[str, Any]:
        return json.loads((self.out / "report.json").read_text())

    @property
    def frames(self) -> list[int]:
        """Those that the report counts; their masks are there, and show what was labelled."""
        frames = [frame["frame"] for frame in self.report["frames"]]
        assert sorted(path.name for path in (self.out / "masks").iterdir()) == [f"{n:05d}.png" for n in frames]
        for frame in frames:
            found = read_written(self.out / "masks" / f"{frame:05d}.png").ids
            assert min(overlap(found, self.truth[frame], number) for number in (1, 2)) > 0.6
        return frames


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    _extractor.cache_clear()
    yield Bench(tmp_path, capsys)
    _extractor.cache_clear()


def fail(monkeypatch: pytest.MonkeyPatch, error: BaseException, when: Callable[[int], bool]) -> None:
    """Calls of the affinity that find no memory."""
    calls, real = [0], matching.windowed_affinity

    def affinity(*arguments: Any, **more: Any) -> Any:
        calls[0] += 1
        if when(calls[0]):
            raise error
        return real(*arguments, **more)

    monkeypatch.setattr(matching, "windowed_affinity", affinity)


@pytest.mark.parametrize("error, direction", [(GPU, "forward"), (MemoryError(), "both")], ids=["card", "main"])
def test_a_moment_without_memory_costs_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: BaseException, direction: str
) -> None:
    fail(monkeypatch, error, lambda call: call == 4)
    code, said = bench.propagate("--direction", direction)
    assert code == 0 and bench.frames == list(range(FRAMES)) and bench.report["state"] == "finished"
    (note,) = bench.report["notes"]
    assert "less of what the network had seen was kept" in note and said == [f"note: {note}"]
    assert bench.report["seconds"]["affinity"] > 0


def test_a_card_that_stays_full_hands_over_to_the_processor(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def load(weights: Any, device: str | None) -> Device:
        if device == "cpu":
            return Device(PROCESSOR, lambda call: False)
        return Device(CARD, lambda call: call > 4)

    monkeypatch.setattr("model.features.load_extractor", load)
    code, said = bench.propagate()
    assert code == 0 and bench.frames == list(range(FRAMES)) and bench.report["device"] == "cpu"
    assert len(said) == 2 and "with the processor" in said[1] and bench.report["notes"][1] in said[1]
    code, said = bench.propagate("--resume")  # the device is no part of the job
    assert code == 0 and bench.frames == list(range(FRAMES))


@pytest.mark.parametrize("error", [GPU, MemoryError()], ids=["card", "main"])
def test_where_nothing_helps_it_says_so_and_goes_on_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    with monkeypatch.context() as patch:
        fail(patch, error, lambda call: call > 3)
        code, said = bench.propagate()
    assert code == 2 and said[-1].startswith("mer: memory ran out with 4 of 8 frames finished: --resume goes on")
    assert len(said) == 2 and said[0].startswith("note: memory ran short"), "one line beside the note"
    assert bench.frames == [0, 1, 2, 3] and bench.report["state"] == "failed"
    before = {path: path.stat().st_mtime_ns for path in (bench.out / "masks").iterdir()}
    code, said = bench.propagate("--resume")
    assert code == 0 and bench.frames == list(range(FRAMES)) and bench.report["state"] == "finished"
    assert {path: path.stat().st_mtime_ns for path in before} == before, "what was finished was not made again"


@pytest.mark.parametrize("place", ["affinity", "encoder"])
def test_one_video_of_many_for_which_memory_does_not_suffice_is_no_fault_of_the_program(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    if place == "affinity":
        fail(monkeypatch, MemoryError(), lambda call: True)
    else:

        def load(weights: Any, device: str | None) -> Device:
            raise GPU

        monkeypatch.setattr("model.features.load_extractor", load)
    task, settings = Task(bench.video, (bench.mask,), bench.out), Settings(PropagationOptions(), "lab", overlay=False)
    outcome = carry(Job("clip", task), settings)
    assert outcome.end is End.FAILED and outcome.message.startswith("memory ran out")
    monkeypatch.undo()
    assert carry(Job("clip", task), replace(settings, resume=True)).frames == FRAMES
