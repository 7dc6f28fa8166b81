"""`mer propagate` of many videos: what is left, what is said, and how it goes on after whatever went wrong."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

import app.commands.batch
from app.runs.batch import End, Job, Outcome, Stopping, carry, run_batch
from app.runs.batch_list import paired, read_list
from app.runs.batch_processes import in_processes
from app.runs.task import Settings, Task
from model.types import Direction, PropagationOptions
from tests.batches import break_video, write_videos
from tests.runs import ENVIRONMENT

PLAIN = Settings(PropagationOptions(), weights="lab", overlay=False)
SHARED = Task(Path(), (), Path("out"))
NAMES = [f"clip{n:02d}" for n in range(20)]
BROKEN = "clip07"


def results(out: Path) -> dict[str, dict[str, Any]]:
    return {video["name"]: video for video in json.loads((out / "results.json").read_text())["videos"]}


def masks(out: Path, name: str) -> dict[str, int]:
    return {p.name: p.stat().st_mtime_ns for p in (out / name / "masks").iterdir()}


def one_by_one(jobs: Sequence[Job], settings: Settings, stopping: Stopping) -> Iterator[Outcome]:
    """The plainest engine."""
    for job in jobs:
        if not stopping():
            yield carry(job, settings)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches run in this process."""
    monkeypatch.setattr(app.commands.batch, "_engine", lambda name, count: one_by_one)


def twenty_videos_one_broken(mer: Callable[..., tuple[int, str, str]], folder: Path, *engine: object) -> list[object]:
    """19 results and one named failure. Returns the command."""
    write_videos(folder, NAMES)
    whole = break_video(folder / f"{BROKEN}.mp4")
    videos, out = [folder / f"{name}.mp4" for name in NAMES], folder / "out"
    command = ["propagate", *videos, "--labels", folder / "labels", "--out", out, "--weights", "lab", "--no-overlay"]
    code, said, err = mer(*command, *engine)
    assert code == 1, err
    found = results(out)
    assert list(found) == NAMES
    failed = {name: video["message"] for name, video in found.items() if video["end"] != "finished"}
    assert list(failed) == [BROKEN] and f"{BROKEN}.mp4" in failed[BROKEN]
    assert [len(masks(out, name)) for name in NAMES if name != BROKEN] == [4] * 19
    assert "19 of 20 videos finished, 1 failed" in said and f"{BROKEN}: failed: " in err
    assert sum(": 4 frames in " in line for line in err.splitlines()) == 19

    (folder / f"{BROKEN}.mp4").write_bytes(whole)
    return [*command, *engine]


def restart(mer: Callable[..., tuple[int, str, str]], folder: Path, command: list[object]) -> None:
    """The broken video was mended; another one loses its last two frames, as if it had been killed there."""
    out = folder / "out"
    half = out / "clip03"
    report = json.loads((half / "report.json").read_text())
    (half / "report.json").write_text(json.dumps(report | {"state": "running", "frames": report["frames"][:2]}))
    for frame in (2, 3):
        (half / f"masks/0000{frame}.png").unlink()
    before = {name: masks(out, name) for name in NAMES if name != BROKEN}
    assert "is not empty" in mer(*command)[2]
    code, said, err = mer(*command, "--resume")
    assert code == 0 and "20 of 20 videos finished, 0 failed" in said, err
    ends = {name: video["end"] for name, video in results(out).items()}
    assert {name for name, end in ends.items() if end == "finished"} == {BROKEN, "clip03"}
    assert set(ends.values()) == {"finished", "kept"}
    for name, stamps in before.items():
        assert masks(out, name).items() >= stamps.items() and len(masks(out, name)) == 4


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_videos_in_processes_one_of_them_broken(
    mer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    command = twenty_videos_one_broken(mer, tmp_path / "videos", "--jobs", 2)
    log = (tmp_path / "home" / "log" / "mer.log").read_text(encoding="utf-8")
    assert all(f"worker {number} of 2 of a batch" in log for number in (1, 2)), "what workers do is in the log as well"
    assert "WARNING [" in log and f"{BROKEN}: failed: " in log and "clip03: 4 frames in " in log
    monkeypatch.setattr(app.commands.batch, "_engine", lambda name, count: one_by_one)  # the same, and quicker
    restart(mer, tmp_path / "videos", command)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed: pip install '.[cluster]'")
def test_twenty_videos_by_ray_one_of_them_broken(tmp_path: Path) -> None:
    """In a process of its own: Ray changes signal handlers, and warns."""

    def call(*arguments: object) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "app", *map(str, arguments)]
        environment = {**ENVIRONMENT, "RAY_worker_niceness": "0"}  # a busy machine would let them starve
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280)
        return done.returncode, done.stdout, done.stderr

    command = twenty_videos_one_broken(call, tmp_path / "videos", "--engine", "ray", "--jobs", 2)
    restart(call, tmp_path / "videos", command)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_stops_all_workers_and_resume_goes_on(
    mer: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal goes to the first process alone, as a scheduler sends it."""
    folder = write_videos(tmp_path / "videos", ["a", "b", "c"], frames=16)
    (folder / "list.csv").write_text("video,labels\n" + "".join(f"{n}.mp4,labels/{n}.png\n" for n in "abc"))
    out = tmp_path / "out"
    command = [sys.executable, "-m", "app", "propagate", "--list", folder / "list.csv", "--out", out, "--jobs", "2"]
    command += ["--weights", "untrained", "--no-overlay"]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 400  # loading torch can take minutes on a busy machine
        while len(list(out.glob("[ab]/masks/00001.png"))) < 2:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        workers = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=120)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "--resume goes on" in err
    assert len(workers) >= 2 and not psutil.wait_procs(workers, timeout=30)[1]
    found = results(out)
    ends = {name: video["end"] for name, video in found.items()}  # one may have come to its end just before
    assert "stopped" in ends.values() and set(ends.values()) <= {"finished", "stopped", "waiting"}
    for name in "ab":
        assert 2 <= found[name]["frames"] == len(masks(out, name))
    assert list(out.rglob(".*")) == []
    before = {name: masks(out, name) for name in "ab"}
    monkeypatch.setattr(app.commands.batch, "_engine", lambda name, count: one_by_one)
    assert mer(*command[3:], "--resume")[0] == 0
    for name in "abc":
        assert len(masks(out, name)) == 16
    assert all(masks(out, name).items() >= stamps.items() for name, stamps in before.items())


class _Deadly:
    """Kills whoever unpacks it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return signal.raise_signal, (signal.SIGKILL,)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_a_process_that_dies_costs_its_video_alone(tmp_path: Path) -> None:
    folder = write_videos(tmp_path, ["good"])
    (good,) = paired([folder / "good.mp4"], [folder / "labels"], replace(SHARED, out=tmp_path / "out"))
    deadly = Job("deadly", _Deadly())  # type: ignore[arg-type]
    outcomes = list(in_processes([deadly, good], replace(PLAIN, resume=True), lambda: False, 1))
    assert [(o.name, o.end) for o in outcomes] == [("deadly", End.FAILED), ("good", End.FINISHED)]
    assert "SIGKILL" in outcomes[0].message and "try fewer --jobs" in outcomes[0].message


# In this process


@pytest.mark.usefixtures("here")
def test_other_options_are_another_job(mer, tmp_path: Path) -> None:
    folder = write_videos(tmp_path / "videos", ["a", "b"], frames=2)
    out = tmp_path / "out"
    command = ["propagate", folder / "a.mp4", folder / "b.mp4", "--labels", folder / "labels", "--out", out]
    command += ["--weights", "lab"]
    assert mer(*command)[0] == 0
    assert (out / "a/overlay.mp4").exists()
    code, _, err = mer(*command, "--resume", "--radius", 5)
    assert code == 1 and "a: failed: " in err and "radius was 12, now it is 5" in err
    assert mer(*command, "--overwrite", "--radius", 5)[0] == 0
    assert json.loads((out / "a/report.json").read_text())["options"]["radius"] == 5


def test_our_own_mistakes_are_failures_of_one_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_videos(tmp_path / "videos", ["a", "b"], frames=2)
    real = app.runs.propagation.write_labels  # type: ignore[attr-defined]

    def write(path: Path, labels: Any) -> None:
        if "a" in path.parts:
            raise RuntimeError("two lines\nof text")
        real(path, labels)

    monkeypatch.setattr("app.runs.propagation.write_labels", write)
    out = tmp_path / "out"
    jobs = paired([folder / "a.mp4", folder / "b.mp4"], [folder / "labels"], replace(SHARED, out=out))
    told: list[str] = []
    first, second = run_batch(jobs, PLAIN, out, one_by_one, told.append)
    assert (first.end, second.end) == (End.FAILED, End.FINISHED)
    assert first.message == "RuntimeError: two lines of text (an error of the program)"
    assert told[0] == f"1/2 a: failed: {first.message}" and told[1].startswith("2/2 b: 2 frames in ")


# Lists


def test_a_list_may_be_csv_or_json_lines(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(
        'video,labels,name,frame,direction,stop\none.mp4,one.png,,,,\nframes/two,"two/; two.csv",second,4,both,9\n'
    )
    (tmp_path / "list.jsonl").write_text(
        '{"video": "one.mp4", "labels": "one.png"}\n\n'
        '{"video": "frames/two", "labels": ["two/", "two.csv"], "name": "second", "frame": 4, "direction": "both", '
        '"stop": 9}\n'
    )
    shared = replace(SHARED, start=2, direction=Direction.BACKWARD)
    expected = [
        Job("one", Task(tmp_path / "one.mp4", (tmp_path / "one.png",), Path("out/one"), None, Direction.BACKWARD, 2)),
        Job(
            "second",
            Task(
                tmp_path / "frames/two",
                (tmp_path / "two", tmp_path / "two.csv"),
                Path("out/second"),
                4,
                Direction.BOTH,
                2,
                9,
            ),
        ),
    ]
    assert read_list(tmp_path / "list.csv", shared) == read_list(tmp_path / "list.jsonl", shared) == expected


def test_labels_are_found_by_the_name_of_the_video(tmp_path: Path) -> None:
    for name in ("a.png", "b.csv"):
        (tmp_path / name).touch()
    (tmp_path / "more" / "b").mkdir(parents=True)
    jobs = paired([Path("x/a.mp4"), Path("b.mov"), Path("v1.2/c")], [tmp_path, tmp_path / "more"], SHARED)
    assert [job.name for job in jobs] == ["a", "b", "c"]
    assert [job.task.labels for job in jobs] == [
        (tmp_path / "a.png",),
        (tmp_path / "b.csv", tmp_path / "more" / "b"),
        (tmp_path / "c.png",),  # which is not there, as will be said of this video
    ]
    assert [job.task.out for job in jobs] == [Path("out/a"), Path("out/b"), Path("out/c")]


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("l.csv", "", "lists no video"),
        ("l.csv", "video,labels\n", "lists no video"),
        ("l.csv", "video,labels\na.mp4\n", "line 2: has not as many fields"),
        ("l.csv", "video,labels\na.mp4,\n", "line 2: labels is missing"),
        ("l.csv", "movie,labels\na.mp4,a.png\n", "line 2: unknown column 'movie'"),
        ("l.csv", "video,labels,frame\na.mp4,a.png,first\n", "line 2: frame is a frame's number, not 'first'"),
        ("l.csv", "video,labels,direction\na.mp4,a.png,up\n", "line 2: direction is forward, backward, both, not 'up'"),
        ("l.csv", "video,labels,name\na.mp4,a.png,../b\n", r"line 2: name '\.\./b' is no name of a folder"),
        ("l.csv", "video,labels\na.mp4,a.png\nb/A.mov,a.png\n", "would share the folder A"),
        ("l.jsonl", '{"video": "a.mp4", "labels": "a.png"}\nvideo\n', "line 2: is no JSON object"),
        ("l.jsonl", '{"video": "a.mp4", "labels": [1]}\n', "line 1: labels are names of files"),
    ],
)
def test_what_is_wrong_with_a_list_is_said_with_its_line(
    mer, tmp_path: Path, name: str, text: str, message: str
) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message) as caught:
        read_list(tmp_path / name, SHARED)
    assert name in str(caught.value) or "share" in message
    code, _, err = mer("propagate", "--list", tmp_path / name, "--out", tmp_path / "out")
    assert code == 2 and err.count("\n") == 1 and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "give a VIDEO with its --labels"),
        (["a.mp4"], "give a VIDEO with its --labels"),
        (["a.mp4", "b.mp4"], "give --labels, a folder"),
        (["a.mp4", "b.mp4", "--labels", "gone"], "--labels gone: for several videos give a folder"),
        (["a.mp4", "--list", "l.csv"], "--list names the videos"),
        (["--list", "gone.csv"], "gone.csv: cannot be read"),
        (["a.mp4", "--labels", "a.png", "--jobs", "2"], "--jobs and --engine are for many videos"),
        (["a.mp4", "b.mp4", "--labels", ".", "--engine", "magic"], "--engine is processes or ray, not 'magic'"),
    ],
)
def test_what_does_not_go_together_is_one_line(mer, tmp_path: Path, arguments: list[str], message: str) -> None:
    code, out, err = mer("propagate", *arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "") and message in err and err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_without_ray_one_is_told_what_to_install(mer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.runs.batch_ray.find_spec", lambda name: None)
    code, _, err = mer("propagate", "a.mp4", "b.mp4", "--labels", tmp_path, "--out", tmp_path / "o", "--engine", "ray")
    assert code == 2 and "pip install 'mer-studio[cluster]'" in err and err.count("\n") == 1
