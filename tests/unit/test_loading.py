"""Loading PyTorch beside a window."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec

import pytest

from app.jobs import loading

FRESH = """
import sys
from app.jobs.loading import load_native_code

load_native_code()
assert "torch" not in sys.modules
print(sum("libtorch_python" in line for line in open("/proc/self/maps")) > 0)
import torch
print(int(torch.ones(2, 2).matmul(torch.ones(2, 2)).sum()), torch.__version__)
load_native_code()
"""


@pytest.mark.skipif(sys.platform != "linux", reason="which libraries a process has, only /proc says")
def test_native_code_is_there_before_the_module_and_the_module_works() -> None:
    done = subprocess.run([sys.executable, "-c", FRESH], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded, worked = done.stdout.splitlines()
    assert loaded == "True" and worked.startswith("8 ")


@pytest.mark.parametrize(
    "spec", [None, ModuleSpec("torch", None), ModuleSpec("torch", None, origin="/nowhere/torch.py")]
)
def test_where_there_is_no_library_nothing_happens(spec: ModuleSpec | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "_is_loaded", lambda: False)
    monkeypatch.setattr(loading, "find_spec", lambda name: spec)
    loading.load_native_code()
