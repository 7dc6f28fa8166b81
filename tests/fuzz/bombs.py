"""Small files that claim to be huge."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable
from random import Random

import torch

from model.training.checkpoint import PROGRAM, WEIGHTS_FORMAT

SIDE = 60_000


def png(width: int = SIDE, height: int = SIDE, bits: int = 8, colour: int = 0) -> bytes:
    """A header, and a first few rows of zeros."""
    head = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress(bytes(1 << 16))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    )


def flat_png(side: int) -> bytes:
    """A true one, of one colour: a thousandth of what it unpacks to."""
    rows = zlib.compressobj(9)
    body = b"".join(rows.compress(bytes(1 + side)) for _ in range(side)) + rows.flush()
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", head), (b"IDAT", body), (b"IEND", b""))
    )


def jpeg() -> bytes:
    head = struct.pack(">HBHHB", 11, 8, SIDE, SIDE, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xc0" + head + b"\xff\xda" + bytes(100) + b"\xff\xd9"


def bmp() -> bytes:
    return b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, SIDE, SIDE, 1, 24, 0, 0, 0, 0, 0, 0)


def tiff() -> bytes:
    tags = ((256, 4, SIDE), (257, 4, SIDE), (258, 3, 8), (259, 3, 1), (262, 3, 1), (273, 4, 8), (279, 4, 1 << 31))
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    return b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + bytes(4)


def deflated_weights() -> bytes:
    """Weights that are packed, as no `torch.save` packs them: a thousand times what they weigh."""
    plain = io.BytesIO()
    content = {"program": PROGRAM, "format": WEIGHTS_FORMAT, "state_dict": {"x": torch.zeros(150 << 18)}}
    torch.save(content, plain)
    packed = io.BytesIO()
    with zipfile.ZipFile(plain) as old, zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return packed.getvalue()


def wide_weights() -> bytes:
    """A recipe of layers that no machine holds, and one number stretched to a large tensor."""
    recipe = {"name": "wide", "encoder": {"widths": [30_000] * 4, "channels": 64}}
    state = {"conv1.weight": torch.zeros(1).expand(30_000, 3, 7, 7)}
    content = {"program": PROGRAM, "format": WEIGHTS_FORMAT, "recipe": recipe, "state_dict": state}
    plain = io.BytesIO()
    torch.save(content, plain)
    return plain.getvalue()


def a_pickle() -> bytes:
    """Not a bomb but a trap: code that would run when it is read carelessly."""
    return pickle.dumps(Trap())


class Trap:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return exec, ("import os; os._exit(66)",)


BOMBS: dict[str, tuple[Callable[[], bytes], ...]] = {
    ".png": (png, lambda: png(10_000, 13_000), lambda: flat_png(11_000), lambda: png(9000, 9000, 8, 6), jpeg),
    ".jpg": (jpeg, png),
    ".bmp": (bmp,),
    ".tif": (tiff,),
    ".webp": (png,),
    ".pt": (deflated_weights, wide_weights, a_pickle),
}


def sometimes(suffix: str, spoil: Callable[[Random, bytes], bytes]) -> Callable[[Random, bytes], bytes]:
    """A bomb in the place of what would be spoilt, now and then."""
    made = BOMBS.get(suffix, ())
    return lambda rng, data: rng.choice(made)() if made and rng.random() < 0.1 else spoil(rng, data)
