"""A program that is killed while somebody works in it has lost at most the operation that was under way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from app.core.document import Document
from app.io.open_project import OpenProject, unsaved_projects
from app.io.project_file import load
from model.types import Direction, LabelMap
from tests.projects import document, propagated, state, video

ROOT = Path(__file__).parents[2]
FRAMES = 40

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="nothing is killed this way on Windows")

WORKER = """
import sys
from pathlib import Path
from app.io.open_project import OpenProject
from tests.e2e.test_kill import FRAMES, operations
from tests.projects import document

video, folder, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
doc = document(video, FRAMES)
project = OpenProject.begin(doc)
if folder:
    project.save_as(Path(folder))
for done, _ in enumerate(operations(doc, seed, project.save if folder else lambda: None)):
    print(done, flush=True)
"""


def operations(doc: Document, seed: int, save: Callable[[], None]) -> Iterator[None]:
    """Work without end, the same for the same seed; stops after every operation."""
    rng = np.random.default_rng(seed)
    doc.add_object("swan")
    yield
    while True:
        kind, frame, row = int(rng.integers(12)), int(rng.integers(FRAMES)), int(rng.integers(6))
        if kind == 0:
            doc.undo()
        elif kind == 1:
            doc.drop_reference(frame, row > 2)
        elif kind == 2 and doc.references:
            job = doc.begin_job("Propagate", doc.request(Direction.FORWARD), "sha")
            doc.apply_result(job, frame, propagated((row, 1)))
            doc.end_job(job)
        elif kind == 3:
            save()
        else:
            doc.set_labels(frame, LabelMap(rng.integers(0, 2, (6, 8), np.uint8)))
        yield


def work_and_be_killed(arguments: list[str], reports: int) -> int:
    """Start the worker, kill it when it has reported so often; the number of operations that it reported as done."""
    worker = subprocess.Popen([sys.executable, "-c", WORKER, *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    assert worker.stdout is not None
    lines = []
    with worker.stdout:
        while len(lines) < reports and (line := worker.stdout.readline()):
            lines.append(line)
        worker.send_signal(signal.SIGKILL)
        lines += worker.stdout.readlines()
    assert worker.wait() == -signal.SIGKILL, "it died of something else"
    return sum(line.endswith(b"\n") for line in lines)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("saves", [True, False], ids=["a saved project", "one that was never saved"])
def test_what_was_reported_as_done_is_there_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, saves: bool, seed: int
) -> None:
    monkeypatch.setenv("MER_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    path, folder = video(tmp_path), tmp_path / "swan.mer"
    done = work_and_be_killed([str(path), str(folder) if saves else "", str(seed)], 10 + 31 * seed)
    if not saves:
        (offered,) = unsaved_projects()
        folder = offered.folder
    found = load(folder)
    assert found.notes == ()

    again = document(path, FRAMES)
    expected = operations(again, seed, lambda: None)
    for _ in range(done):
        next(expected)
    if state(found.document.values()) != state(again.values()):
        next(expected)  # the operation under way was recorded, and nobody had been told
        assert state(found.document.values()) == state(again.values())

    project = OpenProject.open(folder)  # the lock of the dead is no hindrance
    assert state(project.document.values()) == state(found.document.values())
    project.close()
