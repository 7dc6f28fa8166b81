"""A few rounds of the work that `make soak` does two hundred times."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.soak.work import Figures, grown


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_five_rounds_leave_nothing_open() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.soak", "--rounds", "5"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "QT_QPA_PLATFORM": "offscreen"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and "nothing grows" in done.stdout, done.stdout + done.stderr


def test_what_grows_is_noticed() -> None:
    flat = Figures(300.0, 20, 9, 0, 400, 0)
    assert grown([flat] * 40) == []
    for name, step in (("memory", 1.0), ("files", 1), ("threads", 1), ("temporary", 1), ("widgets", 3), ("videos", 1)):
        rising = [Figures(*(getattr(flat, n) + step * r * (n == name) for n in flat.__slots__)) for r in range(40)]
        assert [words.split()[0] for words in grown(rising)] == [name]
