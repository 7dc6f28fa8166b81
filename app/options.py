"""Options that several commands share: one wording, one default, one way to read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from model.types import PropagationOptions

T = TypeVar("T")

DEFAULT = PropagationOptions()
DEFAULT_SIZE = DEFAULT.short_side or 0
DEFAULT_LONG_TERM = ",".join(map(str, DEFAULT.long_term))
DEFAULT_SHORT_TERM = ",".join(map(str, DEFAULT.short_term))
DEFAULT_SOFT = DEFAULT.labels == "soft"
MATCHING, MEMORY, RESULTS, MANY = "Matching", "Memory", "Results", "Many videos"

Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps; the fastest when left out.")]
Weights = Annotated[
    str | None, typer.Option(help="Encoder file, or untrained or lab; the bundled encoder when left out.")
]
Size = Annotated[
    int, typer.Option(min=0, help="Short side in pixels to work on; 0 = the video's own.", rich_help_panel=MATCHING)
]
Radius = Annotated[int, typer.Option(help="Window radius in cells of 4 pixels.", rich_help_panel=MATCHING)]
Sampler = Annotated[
    str,
    typer.Option(help="Who sets windows: fixed (the radius), contract or grow (clusters).", rich_help_panel=MATCHING),
]
Window = Annotated[str, typer.Option(help="square or circle.", rich_help_panel=MATCHING)]
TopK = Annotated[int, typer.Option(help="Votes per cell.", rich_help_panel=MATCHING)]
Temperature = Annotated[float, typer.Option(help="Softmax temperature of the votes.", rich_help_panel=MATCHING)]
Colour = Annotated[
    float, typer.Option(help="Weight of colour beside features; 0 = features alone.", rich_help_panel=MATCHING)
]
Edges = Annotated[str, typer.Option(help="Mask edges: guided (by the picture) or bilinear.", rich_help_panel=MATCHING)]
Decoder = Annotated[
    str | None,
    typer.Option(help="Mask decoder: off, bundled, or its file; see --set rounds.", rich_help_panel=MATCHING),
]
LongTerm = Annotated[
    str, typer.Option(help="Frames to keep, as distances from the labelled frame.", rich_help_panel=MEMORY)
]
ShortTerm = Annotated[str, typer.Option(help="Recent frames to look at, as distances back.", rich_help_panel=MEMORY)]
Soft = Annotated[bool, typer.Option("--soft/--hard", help="Memory carries shares, or ids.", rich_help_panel=MEMORY)]

RARE: dict[str, Callable[[str], object]] = {
    "clusters": int,
    "grow_above": float,
    "compact": float,
    "value": str,
    "rounds": int,
    "trust": float,
    "anchor_radius": int,
}
Rare = Annotated[
    list[str] | None,
    typer.Option("--set", help=f"One of {', '.join(RARE)}, as name=value; repeatable.", rich_help_panel=MATCHING),
]


def propagation_options(
    size: int,
    radius: int,
    sampler: str,
    window: str,
    top_k: int,
    temperature: float,
    colour: float,
    edges: str,
    long_term: str,
    short_term: str,
    soft: bool,
    references: int = DEFAULT.anchors,
    cycle: bool = DEFAULT.cycle,
    rare: list[str] | None = None,
    decoder: str | None = DEFAULT.decoder,
) -> PropagationOptions:
    """From what was typed. ValueError, naming the option, for what cannot be."""
    return PropagationOptions(
        short_side=size or None,
        radius=radius,
        sampler=sampler,
        window=window,
        top_k=top_k,
        temperature=temperature,
        colour=colour,
        edges=edges,
        anchors=references,
        long_term=tuple(values(long_term, int, "--long-term")),
        short_term=tuple(values(short_term, int, "--short-term")),
        labels="soft" if soft else "hard",
        cycle=cycle,
        decoder=decoder,
        **_rare(rare or []),
    )


def _rare(given: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for text in given:
        name, _, value = text.partition("=")
        if name not in RARE:
            raise ValueError(f"--set {text}: give one of {', '.join(RARE)} as name=value")
        try:
            fields[name] = RARE[name](value)
        except ValueError:
            raise ValueError(f"--set {text}: {value!r} is not a number") from None
    return fields


def names(text: str) -> list[str]:
    """The parts of a list separated by commas."""
    return [part.strip() for part in text.split(",") if part.strip()]


def values(text: str, kind: Callable[[str], T], option: str) -> list[T]:
    """Numbers separated by commas."""
    try:
        return [kind(part) for part in names(text)]
    except ValueError:
        numbers = "whole numbers" if kind is int else "numbers"
        raise ValueError(f"{option} takes {numbers} separated by commas, not {text!r}") from None
