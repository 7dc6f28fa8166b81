"""What every test shares: real data, the command line, a window system that needs no screen, and fixed seeds."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

# Before torch and Qt are imported, and for the programs that tests start as well.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ.setdefault("OMP_NUM_THREADS", "2")
if "MER_HOME" not in os.environ:  # nor does what they log concern the user
    os.environ["MER_HOME"] = tempfile.mkdtemp(prefix="mer-tests-")
    atexit.register(shutil.rmtree, os.environ["MER_HOME"], ignore_errors=True)

import hypothesis
import numpy as np
import pytest
import torch

from app.__main__ import run

ROOT = Path(__file__).parents[1]

# A busy machine is slow: that is no failure. And what failed once must fail again.
hypothesis.settings.register_profile("mer", deadline=None, derandomize=True)
hypothesis.settings.load_profile("mer")


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder of real videos and ground truth; tests that ask for it are skipped where there is none."""
    root = Path(os.environ.get("MER_DATA", ROOT / "../shared/data"))
    if not root.is_dir():
        pytest.skip(f"no data in {root}; name its folder with MER_DATA")
    return root.resolve()


@pytest.fixture
def mer(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in this process; gives exit code, output and errors."""

    def call(*arguments: object) -> tuple[int, str, str]:
        code = run([str(a) for a in arguments])
        return code, *capsys.readouterr()

    return call
