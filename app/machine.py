"""What this process needs of the machine."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

FEATURES_ON_DISK = 4 << 30
"""Bytes, where nobody says otherwise."""


def disk_for_features(most: int = FEATURES_ON_DISK) -> int:
    """How many bytes of features may go where temporary files are: no more than a quarter of what is free there."""
    return min(most, shutil.disk_usage(tempfile.gettempdir()).free // 4)


def peak_memory() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the process that started this one, if that was larger
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
