from __future__ import annotations

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import resource, torch
from model.training.allocator import keep_freed_memory
def step():
    for _ in range(20): torch.ones(2**24)
def faults(): return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
assert keep_freed_memory()
step()
before = faults()
step()
print(faults() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="it is glibc that gives memory back")
def test_what_a_step_frees_is_there_for_the_next_one() -> None:
    """In a process of its own, for it cannot be taken back."""
    ran = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 1000  # pages; each of the twenty pieces has 16,384
