"""MER Studio: the command line and the window. The method itself lives in `model`."""

__version__ = "0.1.0"
