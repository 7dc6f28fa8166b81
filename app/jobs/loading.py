"""Loading PyTorch beside a window."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """What is imported here for the first time is never looked through for circular garbage, neither now nor later.

    It is hundreds of thousands of objects that stay to the end. While Python looks through them, no thread runs and
    the window stands still, for a sixth of a second each time. Once PyTorch is there, this does nothing.
    """
    if _is_loaded() or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _is_loaded() -> bool:
    return "torch" in sys.modules
