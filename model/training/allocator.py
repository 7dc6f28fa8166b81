"""Memory on processors: kept once freed, for the tensors of the next step."""

from __future__ import annotations

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # as glibc's malloc.h has them
_MORE = 2**28  # bytes that the process asks for at a time


@cache
def keep_freed_memory() -> bool:
    """Have this process keep what tensors free; True if it could be done (with glibc, on Linux).

    A training step frees hundreds of megabytes and takes them again. glibc gives large pieces back to the system and
    has every page of them cleared anew, which costs about as much as the step's arithmetic. Training is a process
    of its own, and its steps are alike, so what it keeps is what it needs.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:  # another C library
        return False
    return all((mallopt(_MMAP_MAX, 0), mallopt(_TRIM_THRESHOLD, -1), mallopt(_TOP_PAD, _MORE)))
