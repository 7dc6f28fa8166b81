"""Qt widgets and the pure functions that draw what they show."""

import ctypes
import sys

if sys.version_info < (3, 12):
    # PySide6 6.12 takes None, True and False for immortal, as they are from Python 3.12 on: every call that returns one
    # of them takes a reference away, and the program is aborted when none is left. So there are plenty here.
    for constant in (None, True, False, NotImplemented):
        ctypes.c_ssize_t.from_address(id(constant)).value += 1 << 40
