"""Frozen dataclasses to plain data and back: recipes travel in weights files and run cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

T = TypeVar("T")


def from_data(kind: type[T], data: object, name: str) -> T:
    """The dataclass `kind` from the dictionary that `asdict` made of it, also by way of JSON.

    Fields that are missing get their defaults. ValueError for anything that does not fit, naming it as `name`.
    """
    if not isinstance(data, Mapping):
        raise ValueError(f"{name} is {_short(data)}, not a list of fields")
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    if unknown := sorted(map(str, set(data) - known)):
        raise ValueError(f"{name} has a field {_short(unknown[0])} that this version does not know; update mer-studio")
    try:
        return kind(**{key: _value(hints[key], value, f"{name}.{key}") for key, value in data.items()})
    except TypeError as error:  # a field without default is missing, or a value cannot even be compared
        raise ValueError(f"{name}: {error}") from None


def _value(hint: Any, value: object, name: str) -> object:
    if get_origin(hint) is UnionType:
        if value is None:
            return None
        (hint,) = (kind for kind in get_args(hint) if kind is not NoneType)
    if is_dataclass(hint):
        assert isinstance(hint, type)
        return from_data(hint, value, name)
    if get_origin(hint) is tuple and isinstance(value, (list, tuple)):
        return tuple(value)
    accepted = (int, float) if hint is float else hint
    if get_origin(hint) is tuple or not isinstance(value, accepted) or (isinstance(value, bool) and hint is not bool):
        raise ValueError(f"{name} cannot be {_short(value)}")
    return value


def _short(value: object) -> str:
    """On one line: files from elsewhere may hold anything."""
    line = " ".join(ascii(value).split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def flatten(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested dictionaries by dotted name: {"flow": {"gap": 1}} -> ("flow.gap", 1)."""
    for key, value in data.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
