"""Training in a process of its own: what it says, how it pauses, how it dies, and how it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from app.core.runs import State
from app.core.training import SAMPLES, Setup, read_progress
from app.jobs.training import TrainingProcess
from tests.corpora import write_corpus
from tests.runs import ENVIRONMENT, metrics

pytestmark = pytest.mark.slow
WAIT = 240_000  # ms: the processes of a busy machine take their time to start
STEPS = 16


class Listener:
    """Starts a process and keeps what it says and how it ended."""

    def __init__(self, qtbot: Any, setup: Setup, resume: bool = False) -> None:
        self.qtbot = qtbot
        self.events: list[dict[str, Any]] = []
        self.ends: list[tuple[str, str]] = []
        self.process = TrainingProcess()
        self.process.told.connect(self.events.append)
        self.process.ended.connect(lambda state, why: self.ends.append((state, why)))
        setup.out.mkdir(parents=True, exist_ok=True)
        self.process.launch([*setup.arguments(resume), "--workers", "0"], setup.out / "log.txt")

    def steps(self) -> list[int]:
        return [event["step"] for event in self.events if event["event"] == "step"]

    def until_step(self) -> None:
        self.qtbot.waitUntil(lambda: bool(self.steps()) or bool(self.ends), timeout=WAIT)
        assert not self.ends, self.ends

    def until_end(self) -> tuple[str, str]:
        self.qtbot.waitUntil(lambda: bool(self.ends), timeout=WAIT)
        return self.ends[0]


def setup(tmp_path: Path, **changes: Any) -> Setup:
    given: dict[str, Any] = {"recipe": "mast", "steps": STEPS, "device": "cpu", "precision": "fp32", "batch": 2}
    return Setup((tmp_path / "corpus",), tmp_path / "run", **(given | {"crop": 32} | changes))


@pytest.mark.timeout(600)
def test_a_run_is_paused_resumed_killed_and_resumed(qtbot: Any, tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "corpus")
    (corpus / "broken.mp4").write_bytes(b"no video")
    chosen = setup(tmp_path, without=(corpus / "clip1.avi",))

    first = Listener(qtbot, chosen)
    first.until_step()
    first.process.pause()
    assert first.until_end() == (State.PAUSED, "")
    kinds = [event["event"] for event in first.events]
    assert kinds[0] == "preparing" and kinds[-1] == "stopped" and {"scan", "sample"} <= set(kinds)
    scan = next(event for event in first.events if event["event"] == "scan")
    assert scan["videos"] == 1 and "broken.mp4" in scan["skipped"][0]  # one was left out, one cannot be read
    sample = next(event for event in first.events if event["event"] == "sample")
    assert all((chosen.out / sample[name]).is_file() for name in SAMPLES if name in sample)
    assert {"truth", "reconstruction"} <= sample.keys()
    done = first.steps()[-1]
    assert 1 <= done < STEPS

    second = Listener(qtbot, chosen, resume=True)
    second.until_step()
    assert second.steps()[0] == done + 1
    os.kill(second.process.pid or 0, signal.SIGKILL)
    state, why = second.until_end()
    assert state == State.INTERRUPTED and "SIGKILL" in why
    assert read_progress(chosen.out).step >= done

    third = Listener(qtbot, chosen, resume=True)
    assert third.until_end() == (State.FINISHED, "")
    assert third.steps() == list(range(done + 1, STEPS + 1))  # from the last good checkpoint
    assert [line["step"] for line in metrics(chosen.out)] == list(range(1, STEPS + 1))
    assert third.events[-1] == {"event": "finished", "weights": str(chosen.out / "encoder.pt"), "steps": STEPS}


@pytest.mark.timeout(300)
def test_what_cannot_work_is_said_in_words(qtbot: Any, tmp_path: Path) -> None:
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "broken.mp4").write_bytes(b"no video")
    failed = Listener(qtbot, setup(tmp_path))
    state, why = failed.until_end()
    assert state == State.FAILED and "no usable video" in why
    assert failed.events[-1] == {"event": "failed", "message": why}


@pytest.mark.timeout(300)
def test_a_run_that_nobody_listens_to_any_more_ends_with_a_checkpoint(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus")
    chosen = setup(tmp_path, steps=100_000)
    command = [sys.executable, "-m", "app", *chosen.arguments(), "--workers", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["event"] == "step":
                break
        process.stdout.close()  # as a window's end does
        process.wait(timeout=240)
    assert (chosen.out / "checkpoint.pt").exists() and (chosen.out / "encoder.pt").exists()
    assert 1 <= read_progress(chosen.out).step < 100_000
