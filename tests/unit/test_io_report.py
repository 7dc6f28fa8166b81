"""The report, what resuming reads from it, and the folder it lies in."""

from __future__ import annotations

import errno
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.io.atomic import replacing, write_text
from app.io.output import OutputFolder
from app.io.report import FrameRecord, Report, State, describe_anchor, read_report
from model.types import Anchor, KeypointSet, LabelMap, Origin


def job(radius: int = 12) -> dict[str, Any]:
    options = {"radius": radius, "long_term": (5,)}
    return {"video": {"name": "v.mp4", "frames": 9}, "labels": [{"frame": 0, "sha256": "ab"}], "options": options}


def test_a_report_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    frames = {0: FrameRecord(Origin.HUMAN, 1.0), 1: FrameRecord(Origin.PROPAGATED, 0.5, 0.25)}
    Report(job(), State.INTERRUPTED, {"device": "cpu"}, frames, ["a note"]).write(path)
    back = read_report(path, job())
    assert (back.state, back.frames, back.notes, back.job) == (State.INTERRUPTED, frames, ["a note"], job())
    content = json.loads(path.read_text())
    assert content["schema"] == 1
    assert content["device"] == "cpu"
    assert content["frames"][0] == {"frame": 0, "origin": "human", "confidence": 1.0}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"options": {"radius": 8, "long_term": (5,)}}, "options radius was 12, now it is 8"),
        ({"labels": [{"frame": 0, "sha256": "cd"}]}, "labels changed"),
        ({"video": {"name": "w.mp4", "frames": 9}}, r"video name was v\.mp4, now it is w\.mp4"),
    ],
)
def test_another_job_is_not_resumed(tmp_path: Path, change: dict[str, Any], complaint: str) -> None:
    path = tmp_path / "report.json"
    Report(job()).write(path)
    with pytest.raises(ValueError, match=rf"report\.json: cannot resume, {complaint}; .*--overwrite"):
        read_report(path, job() | change)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (None, "is missing, so there is nothing to resume"),
        ("{", "is not a report of mer propagate"),
        ("{}", "is not a report of mer propagate"),
        ('{"schema": 99}', "has schema 99, this version reads 1"),
    ],
)
def test_what_is_no_report_is_not_resumed(tmp_path: Path, content: str | None, complaint: str) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    with pytest.raises(ValueError, match=complaint):
        read_report(tmp_path / "report.json", job())


def test_the_hash_of_an_anchor_tells_labels_apart() -> None:
    ids = np.zeros((4, 5), np.uint8)
    ids[1, 1] = 7
    one = describe_anchor(Anchor(0, LabelMap(ids)))
    ids[1, 2] = 7
    assert one != describe_anchor(Anchor(0, LabelMap(ids)))
    assert one["objects"] == [7]
    here, there = (describe_anchor(Anchor(0, None, KeypointSet.of({"a": (x, 1)}))) for x in (1.0, 1.5))
    assert here != there


def test_a_failed_write_leaves_the_old_text(tmp_path: Path) -> None:
    path = tmp_path / "deep/a.txt"
    write_text(path, "old\n")
    with pytest.raises(OSError, match="full") as caught, replacing(path) as temporary:
        temporary.write_text("ne")
        raise OSError(errno.ENOSPC, "the disk is full")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"old\n"
    assert [p.name for p in path.parent.iterdir()] == ["a.txt"]


def test_a_folder_in_use_needs_leave(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path / "out")
    output.check((), resume=False, overwrite=False)
    assert not output.folder.exists()
    write_text(output.report, "{}")
    with pytest.raises(ValueError, match=r"out: is not empty: .*--resume .*--overwrite"):
        output.check((), resume=False, overwrite=False)
    output.check((), resume=True, overwrite=False)
    output.check((), resume=False, overwrite=True)
    with pytest.raises(ValueError, match="choose one"):
        output.check((), resume=True, overwrite=True)


def test_inputs_are_never_where_results_go(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    for path in (output.masks, output.mask(0), output.keypoints, output.overlay):
        with pytest.raises(ValueError, match="lies where results are written"):
            output.check((path,), resume=False, overwrite=True)
    output.check((tmp_path / "video.mp4",), resume=False, overwrite=True)


def test_clearing_removes_results_only(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    for path in (output.mask(0), output.mask(7), output.keypoints, output.overlay, output.report):
        write_text(path, "x")
    write_text(tmp_path / "mine.txt", "x")
    write_text(tmp_path / "masks/notes.txt", "x")
    output.clear()
    assert sorted(p.name for p in tmp_path.rglob("*.*")) == ["mine.txt", "notes.txt"]


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    write_text(tmp_path / "out", "x")
    for folder, complaint in ((tmp_path / "out", "is a file"), (tmp_path / "out/deep", "cannot be written to")):
        with pytest.raises(ValueError, match=complaint):
            OutputFolder(folder).check((), resume=False, overwrite=False)


def test_a_full_disk_is_noticed_before_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = OutputFolder(tmp_path / "out")
    output.check_room(1, (480, 854))
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10_000_000))
    output.check_room(100, (480, 854))
    with pytest.raises(ValueError, match=r"out: the results need about 102 MB, but only 10 MB are free: make room"):
        output.check_room(2000, (480, 854))
