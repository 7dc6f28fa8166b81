"""What a training run says, what a window makes of it, and the list of runs."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from app.core.runs import Run, RunList, State, new_folder, trains
from app.core.training import Lines, Progress, Setup, parse, read_progress
from app.runs import train_events
from model.training.corpus import Corpus
from model.training.options import TrainingOptions

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def step(n: int, total: float, share: float, elapsed: float, **more: object) -> dict[str, object]:
    return {
        "event": "step", "step": n, "progress": share, "rate": 1e-3, "total": total, "reconstruction": total / 2,
        "gradient": 3.0, "seconds": 1.0, "elapsed": elapsed, **more,
    }  # fmt: skip


def test_lines_come_whole_whatever_the_pieces() -> None:
    text = '{"event": "step"}\n{"a": "ä"}\nhalf'.encode()
    for size in (1, 2, 3, 7, len(text)):
        lines = Lines()
        found = [line for i in range(0, len(text), size) for line in lines.feed(text[i : i + size])]
        assert found == ['{"event": "step"}', '{"a": "ä"}']


@pytest.mark.parametrize("line", ["", "Downloading…", "[1, 2]", "3", '{"event": "party"}', '{"step": 3}', '{"event":'])
def test_what_is_no_event_is_nothing(line: str) -> None:
    assert parse(line) is None


def test_events_are_parsed() -> None:
    assert parse('{"event": "failed", "message": "no room"}') == {"event": "failed", "message": "no room"}


def test_progress_keeps_a_curve_per_term_and_knows_what_is_left() -> None:
    progress = Progress()
    progress.take({"event": "preparing", "done": 1, "total": 4})
    assert progress.preparing == (1, 4) and progress.left is None
    for n in range(1, 6):
        progress.take(step(n, 1 / n, share=0.1 * n, elapsed=2.0 * n, memory=7))
    assert progress.preparing is None
    assert set(progress.curves) == {"total", "reconstruction"}
    assert progress.curves["total"] == ([1, 2, 3, 4, 5], [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5])
    assert progress.left == pytest.approx(10.0)  # half is done; a tenth takes two seconds
    assert progress.pace == pytest.approx(30.0)
    assert progress.memory == 7


def test_the_pace_is_that_of_the_last_steps() -> None:
    progress, time = Progress(), 0.0
    for n in range(1, 101):
        time += 10.0 if n < 60 else 1.0
        progress.take(step(n, 1.0, share=n / 200, elapsed=time))
    assert progress.pace == pytest.approx(60.0)
    assert progress.left == pytest.approx(100.0)


def test_of_a_known_budget_it_is_known_what_is_left(tmp_path: Path) -> None:
    """A line tells the share that there was before its step, and the first step pays for what is made once."""
    for budget, lefts in (({"minutes": 4.0}, (160.0, 140.0)), ({"steps": 8}, (None, 120.0))):
        progress = Progress(Setup((tmp_path,), tmp_path, **budget))
        progress.take(step(1, 1.0, share=0.0, elapsed=80.0))
        assert progress.left == lefts[0] and progress.share > 0
        progress.take(step(2, 1.0, share=0.1, elapsed=100.0))
        assert progress.left == pytest.approx(lefts[1])
    assert progress.share == pytest.approx(0.25)


def test_a_run_that_goes_on_from_its_checkpoint_forgets_what_came_after() -> None:
    progress = Progress()
    for n in range(1, 6):
        progress.take(step(n, float(n), share=0.1 * (n - 1), elapsed=2.0 * n))
    progress.take({"event": "preparing", "done": 3, "total": 3})
    progress.take({"event": "scan", "videos": 3})
    assert progress.preparing is None  # what comes next is a step
    for n in (4, 5):
        progress.take(step(n, 10.0 * n, share=0.1 * (n - 1), elapsed=2.0 * n))
    assert progress.curves["total"] == ([1, 2, 3, 4, 5], [1.0, 2.0, 3.0, 40.0, 50.0])
    assert progress.left == pytest.approx(12.0)


def test_progress_of_a_run_that_was_killed_in_the_middle_of_a_line(tmp_path: Path) -> None:
    lines = [json.dumps(step(n, 1 / n, 0.1 * n, float(n))) for n in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(lines)[:-40])
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "truth.png").write_bytes(b"")
    progress = read_progress(tmp_path)
    assert progress.step == 2
    assert progress.samples == {"truth": "samples/truth.png"}
    assert progress.corpus == {}
    (tmp_path / "card.json").write_text('{"corpus": {"videos": 6, "photos": 0, "sha256": "1"}}')
    assert read_progress(tmp_path).corpus == {"videos": 6, "photos": 0}
    assert read_progress(tmp_path / "nowhere").step == 0


def test_a_setup_as_arguments_and_as_data(tmp_path: Path) -> None:
    setup = Setup((tmp_path / "a", tmp_path / "b"), tmp_path / "run", "mer", None, None, 30.0, "cpu", "fp32",
                  (tmp_path / "a" / "x.mp4",))  # fmt: skip
    arguments = setup.arguments(resume=True)
    assert arguments[:3] == ["train", str(tmp_path / "a"), str(tmp_path / "b")]
    assert arguments[arguments.index("--minutes") + 1] == "30.0"
    assert arguments[arguments.index("--without") + 1] == str(tmp_path / "a" / "x.mp4")
    assert {"--json", "--resume"} <= set(arguments)
    assert not {"--weights", "--steps", "--estimate"} & set(arguments)
    assert Setup.from_dict(json.loads(json.dumps(setup.as_dict()))) == setup
    with pytest.raises(ValueError, match="setup"):
        Setup.from_dict({"recipe": "mast"})


def test_the_command_line_understands_a_setup(tmp_path: Path) -> None:
    """Every option that a window may give exists."""
    from typer.main import get_command

    from app.cli import app

    setup = Setup(
        (tmp_path,), tmp_path / "run", "mer", tmp_path / "e.pt", 5, 1.0, "cpu", "fp32", (tmp_path,), 2, 32, 3e-5
    )
    command = get_command(app).get_command(None, "train")  # type: ignore[attr-defined, arg-type]
    made = command.make_context("train", setup.arguments(resume=True, estimate=True)[1:])
    assert made.params["steps"] == 5 and made.params["crop"] == 32 and made.params["json"] is True
    assert made.params["without"] == [tmp_path] and made.params["resume"] is True
    options = TrainingOptions((tmp_path,), tmp_path / "run", steps=1, rate=made.params["rate"])
    assert options.full_recipe().learning_rate == 3e-5
    with pytest.raises(ValueError, match="rate cannot be 0"):
        TrainingOptions((tmp_path,), tmp_path / "run", steps=1, rate=0.0)


def test_runs_are_kept_and_one_whose_process_is_gone_was_interrupted(tmp_path: Path) -> None:
    runs = RunList(tmp_path / "runs.json", alive=lambda pid: pid == 11)
    first = Run(Setup((tmp_path,), tmp_path / "one"), State.RUNNING, NOW, 11)
    second = Run(Setup((tmp_path,), tmp_path / "two"), State.RUNNING, NOW, 12, "", (tmp_path / "a.mp4",))
    runs.put(first)
    runs.put(second)
    assert [run.folder.name for run in runs.read()] == ["two", "one"]
    assert [run.state for run in runs.read()] == [State.INTERRUPTED, State.RUNNING]
    assert runs.read()[0].held_out == (tmp_path / "a.mp4",)
    runs.change(tmp_path / "one", state=State.FAILED, message="no room")
    assert [run.folder.name for run in runs.read()] == ["two", "one"]
    assert runs.find(tmp_path / "one") == Run(first.setup, State.FAILED, NOW, 11, "no room")
    runs.remove(tmp_path / "two")
    assert [run.folder.name for run in runs.read()] == ["one"]


def test_a_list_with_rubbish_in_it_gives_the_rest(tmp_path: Path) -> None:
    runs = RunList(tmp_path / "runs.json")
    runs.put(Run(Setup((tmp_path,), tmp_path / "one"), State.FINISHED, NOW))
    content = json.loads(runs.path.read_text())
    content["runs"] += [3, {}, {"setup": {}, "state": "dancing"}, None]
    runs.path.write_text(json.dumps(content))
    assert [run.state for run in runs.read()] == [State.FINISHED]


def test_folders_of_runs_differ(tmp_path: Path) -> None:
    first = new_folder(tmp_path, NOW)
    first.mkdir()
    assert new_folder(tmp_path, NOW) != first


def test_this_process_is_no_training() -> None:
    import os

    assert not trains(os.getpid())
    assert not trains(2**22 + 1)


@pytest.mark.parametrize(
    ("seconds", "complete", "event"), [(238.2, True, "finished"), (238.2, False, "stopped"), (240.0, False, "finished")]
)
def test_a_run_says_how_it_ended(
    seconds: float, complete: bool, event: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Minutes may run out between two steps, or while it was told to stop."""

    def train(options: TrainingOptions, *_: object) -> Path:
        options.out.mkdir()
        card = {"recipe": {}, "steps": 9, "seconds": seconds, "complete": complete}
        (options.out / "card.json").write_text(json.dumps(card))
        return options.out / "encoder.pt"

    monkeypatch.setattr(train_events, "train", train)
    monkeypatch.setattr(train_events, "_be_modest", lambda: None)
    monkeypatch.setattr(train_events, "open_corpus", lambda *_, **__: Corpus((), (), ()))
    train_events.train_aloud(TrainingOptions((tmp_path,), tmp_path / "run", minutes=4.0))
    assert [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()] == ["scan", event]
