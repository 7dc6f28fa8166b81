"""`mer demo --window`: the main job from end to end, in the real window."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

from app.demo.sample import Sample
from app.io.masks import read_written

ROOT = Path(__file__).parents[2]
FRAMES = 6
STEPS = ["welcome", "open", "painted", "propagating", "propagated", "doubtful", "corrected", "updated", "undone"]
STEPS += ["redone", "export", "exported", "finished"]


def test_every_step_is_done_and_pictured(tmp_path: Path) -> None:
    out, home = tmp_path / "out", tmp_path / "home"
    arguments = ["demo", "--window", "--out", str(out), "--frames", str(FRAMES), "--size", "96", "--weights", "lab"]
    env = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "MER_HOME": str(home)}
    done = subprocess.run([sys.executable, "-m", "app", *arguments], cwd=ROOT, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pictures = sorted(out.glob("window-*.png"))
    assert [path.stem.split("-", 2)[2] for path in pictures] == STEPS
    sizes = {cv2.imread(str(path)).shape[:2] for path in pictures if "export" not in path.name}
    assert sizes == {(900, 1440)}
    assert [path.name for path in home.iterdir()] == ["log"]  # the user's own settings and lists are left alone

    before, after = (
        float(v) for v in re.search(r"J&F ([\d.]+) before the correction, ([\d.]+) after", done.stdout).groups()
    )
    assert 50 < before <= after < 100
    frame = int(re.search(r"doubtful, frame (\d+)", done.stdout).group(1))
    masks = [read_written(path).ids for path in sorted((out / "masks").rglob("*.png"))]
    truth = Sample(out)
    assert len(masks) == FRAMES
    assert all(np.array_equal(masks[f], truth.labels(f).ids) for f in (0, frame))
    assert not np.array_equal(masks[-1], truth.labels(FRAMES - 1).ids) or frame == FRAMES - 1
    assert "0 frames stale" in re.search(r"redone, (.*)", done.stdout).group(1)
    assert "0 frames stale" not in re.search(r"undone, (.*)", done.stdout).group(1)
