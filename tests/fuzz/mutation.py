"""Ways to spoil a file. Everything that is drawn comes from the `Random` that is handed in: a number names an input."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from random import Random
from typing import Any

NUMBERS = (0, -1, 1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**53, 2**63 - 1, 10**30)
STRINGS = ("", "x", "../../x", "/etc/passwd", "\0", "\ud800", "é" * 300, "9" * 5000, "nan", "1e999", "00005.png", "-1")
ODD: tuple[Any, ...] = (None, True, [], {}, [[]], 0.5, -0.0, 1e308, math.nan, math.inf, *NUMBERS, *STRINGS)


def spoil_bytes(rng: Random, data: bytes) -> bytes:
    """One to four changes: bits, holes, cuts, repeats, foreign numbers in every width and order of bytes."""
    spoilt = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        _spoil_once(rng, spoilt)
    return bytes(spoilt)


def _spoil_once(rng: Random, data: bytearray) -> None:
    # Headers say how large things are, and they stand at the ends: half of all changes go there.
    reach = min(len(data), 256) if rng.random() < 0.5 else len(data)
    at = rng.randrange(reach) if reach else 0
    if rng.random() < 0.2 and reach:
        at = len(data) - 1 - at
    length = rng.choice((1, 2, 4, 8, 64, 1024))
    match rng.randrange(8):
        case 0 if data:
            data[at] ^= 1 << rng.randrange(8)
        case 1 if data:
            data[at] = rng.randrange(256)
        case 2:
            del data[at:]
        case 3:
            del data[at : at + length]
        case 4:
            data[at:at] = data[at : at + length] * rng.choice((1, 3, 30))
        case 5:
            data[at:at] = rng.randbytes(length)
        case 6:
            data[at : at + length] = bytes((rng.choice((0, 255)),)) * length
        case _:
            data[at : at + 8] = _number(rng) + data[at + 8 : at + 8]


def _number(rng: Random) -> bytes:
    code = rng.choice("BHIQ")
    return struct.pack(rng.choice("<>") + code, rng.choice(NUMBERS) % 2 ** (8 * struct.calcsize(code)))


def spoil_json(rng: Random, data: bytes) -> bytes:
    """Mostly a tree with values exchanged, lost, repeated or moved; now and then its text is spoilt as bytes."""
    if rng.random() < 0.2:
        return spoil_bytes(rng, data)
    tree = spoil_tree(rng, json.loads(data))
    if rng.random() < 0.05:
        return b"[" * 100_000
    return json.dumps(tree).encode()


def spoil_tree(rng: Random, tree: Any) -> Any:
    """The same for any tree of lists and dictionaries; its leaves may be what JSON has no word for."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        places = list(_places(tree))
        if not places:
            return rng.choice(ODD)
        holder, key = rng.choice(places)
        match rng.randrange(6):
            case 0 | 1:
                holder[key] = rng.choice(ODD)
            case 2:
                del holder[key]
            case 3:
                other, at = rng.choice(places)
                if at in other if isinstance(other, dict) else at < len(other):
                    holder[key] = other[at] if not isinstance(other[at], (list, dict)) else rng.choice(ODD)
            case 4 if isinstance(holder, list):
                holder.insert(key, holder[key] if not isinstance(holder[key], (list, dict)) else rng.choice(ODD))
            case 4:
                holder[rng.choice(STRINGS)] = holder.pop(key)
            case _ if isinstance(holder[key], (int, float)) and not isinstance(holder[key], bool):
                holder[key] = rng.choice((-holder[key], holder[key] + 1, holder[key] * 1000, str(holder[key])))
            case _:
                holder[key] = [holder[key]]
    return tree


def _places(tree: Any) -> Iterator[tuple[Any, Any]]:
    """(holder, key) of everything in the tree."""
    for key, value in list(tree.items()) if isinstance(tree, dict) else list(enumerate(tree)):
        yield tree, key
        if isinstance(value, (list, dict)):
            yield from _places(value)


def spoil_table(rng: Random, data: bytes) -> bytes:
    """Text of lines and fields, as CSV and YOLO have it; now and then spoilt as bytes."""
    if rng.random() < 0.2:
        return spoil_bytes(rng, data)
    separator = "," if b"," in data else " "
    lines = [line.split(separator) for line in data.decode().split("\n")]
    for _ in range(rng.choice((1, 1, 2, 4))):
        line = rng.choice(lines)
        at = rng.randrange(len(line)) if line else 0
        match rng.randrange(5):
            case 0 | 1 if line:
                line[at] = str(rng.choice(ODD))
            case 2 if line:
                del line[at]
            case 3:
                lines.insert(rng.randrange(len(lines) + 1), list(rng.choice(lines)))
            case _:
                lines.remove(line)
                lines.append(line)
    return "\n".join(separator.join(line) for line in lines).encode("utf-8", "surrogatepass")
