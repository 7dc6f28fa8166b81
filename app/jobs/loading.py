"""Loading PyTorch beside a window."""

from __future__ import annotations

import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

_LIBRARIES = {"win32": "torch_python.dll", "darwin": "libtorch_python.dylib"}
_WITH_NEIGHBOURS = 0x1100  # LoadLibraryEx: look for what it needs beside it, then where the system does


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


def load_native_code() -> None:
    """Load PyTorch's libraries, so that importing it finds them there. Without it, or if they lie elsewhere: nothing.

    An import keeps Python's lock while the system links them, for a third of a second in which no window moves. A
    function that is called by way of ctypes gives the lock away.
    """
    spec = None if _is_loaded() else find_spec("torch")
    if spec is None or spec.origin is None:
        return
    library = Path(spec.origin).parent / "lib" / _LIBRARIES.get(sys.platform, "libtorch_python.so")
    if not library.is_file():
        return
    if sys.platform == "win32":
        load = ctypes.WinDLL("kernel32").LoadLibraryExW
        load.argtypes, load.restype = [ctypes.c_wchar_p, ctypes.c_void_p, ctypes.c_ulong], ctypes.c_void_p
        load(str(library), None, _WITH_NEIGHBOURS)
    else:
        load = ctypes.CDLL(None).dlopen
        load.argtypes, load.restype = [ctypes.c_char_p, ctypes.c_int], ctypes.c_void_p
        load(os.fsencode(library), os.RTLD_NOW | os.RTLD_LOCAL)


def _is_loaded() -> bool:
    return "torch" in sys.modules
