"""MER Studio: the command line and the window. The method itself lives in `model`."""

import logging

__version__ = "0.1.0"

logging.getLogger("mer").addHandler(logging.NullHandler())  # silent until `app.io.log` opens a file
