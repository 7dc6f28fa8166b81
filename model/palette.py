"""The palette of DAVIS and Pascal VOC masks."""

from __future__ import annotations

import numpy as np

from model.types import UInt8Array


def davis_palette() -> UInt8Array:
    """uint8 [256, 3] RGB: the colour of every object id.

    The three low bits of the id are the highest bits of R, G and B, the next three the bits below them, and
    so on; so neighbouring ids differ strongly.
    """
    ids = np.arange(256)
    palette = np.zeros((256, 3), np.uint8)
    for level in range(3):
        for channel in range(3):
            bit = (ids >> (3 * level + channel)) & 1
            palette[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return palette


PALETTE: UInt8Array = davis_palette()
PALETTE.flags.writeable = False
