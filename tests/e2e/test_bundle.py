"""The bundle, if `make bundle` has built one: the trial that ends that target, and all formats of export."""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest

from app.core.document import Document
from app.core.objects import Skeleton
from app.io.export import EXPORTERS
from app.io.media import media_of
from app.io.open_project import OpenProject
from model.types import KeypointSet, LabelMap
from model.video import open_video
from tests.windows import film

TRIAL = Path(__file__).parents[2] / "packaging" / "launch_test.py"
FORMATS = sorted(EXPORTERS)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]


@pytest.fixture(scope="module")
def trial() -> dict[str, Any]:
    found = runpy.run_path(str(TRIAL))
    if not found["EXECUTABLE"].is_file():
        pytest.skip("no bundle was built: make bundle")
    return found


def test_the_bundle_does_the_main_job(trial: dict[str, Any]) -> None:
    trial["main"](trial["EXECUTABLE"])


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with masks and keypoints in every frame."""
    folder = tmp_path_factory.mktemp("project")
    video, truth = film(folder / "clip", 3)
    with open_video(video) as source, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MER_HOME", str(folder / "home"))
        document = Document(media_of(source))
        document.add_object("first", 1)
        document.add_object("second", 2)
        document.set_skeleton(Skeleton(("corner", "middle"), ((0, 1),)))
        for frame, ids in enumerate(truth):
            document.set_labels(frame, LabelMap(ids, (1, 2)))
            document.set_keypoints(frame, KeypointSet.of({"corner": (4.0 + frame, 5.0), "middle": (20.0, 9.0)}))
        opened = OpenProject.begin(document)
        opened.save_as(folder / "clip.mer")
        opened.close()
    return folder / "clip.mer"


@pytest.mark.parametrize("form", FORMATS)
def test_the_bundle_writes_every_format(form: str, trial: dict[str, Any], project: Path, tmp_path: Path) -> None:
    """Each is read back before it is called done, so this also shows that it can be read."""
    out = tmp_path / f"labels{EXPORTERS[form].suffix}"
    environment = os.environ | {"MER_HOME": str(tmp_path / "home")}
    command = [trial["EXECUTABLE"], "export", project, "--out", out, "--format", form]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "checked" in done.stdout and out.exists()
