"""Files that ship with the program: the trained encoder, its run card, what the window will need."""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent
_PLACES = (_HERE / "_resources", _HERE.parent / "resources")  # an installed wheel; a checkout


def resource(name: str) -> Path:
    """The path of a bundled file, such as "encoder.pt". ValueError when this installation lacks it."""
    for place in _PLACES:
        if (place / name).exists():
            return place / name
    raise ValueError(f"{name} is missing from {_HERE.parent}: install mer-studio again")
