"""Options that several commands share: each is written down once, with its wording and its default."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from functools import partial, wraps
from typing import Annotated, Any, TypeVar

import typer

from model.types import PropagationOptions

T = TypeVar("T")
Command = Callable[..., None]

DEFAULT = PropagationOptions()
MATCHING, MEMORY, RESULTS, MANY = "Matching", "Memory", "Results", "Many videos"
RARE: dict[str, Callable[[str], object]] = {
    "clusters": int,
    "grow_above": float,
    "compact": float,
    "value": str,
    "rounds": int,
    "likeness": float,
    "trust": float,
    "between_temperature": float,
    "anchor_radius": int,
    "follow_radius": int,
}

Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps; the fastest when left out.")]
Weights = Annotated[
    str | None, typer.Option(help="Encoder file, or untrained or lab; the bundled encoder when left out.")
]

_matching = partial(typer.Option, rich_help_panel=MATCHING)
_memory = partial(typer.Option, rich_help_panel=MEMORY)
_results = partial(typer.Option, rich_help_panel=RESULTS)


def propagation_options(
    size: Annotated[int, _matching(min=0, help="Short side in pixels to work on; 0 = the video's own.")] = (
        DEFAULT.short_side or 0
    ),
    radius: Annotated[int, _matching(help="Window radius in cells of 4 pixels.")] = DEFAULT.radius,
    sampler: Annotated[
        str, _matching(help="Who sets windows: fixed (the radius), contract or grow (clusters).")
    ] = DEFAULT.sampler,
    window: Annotated[str, _matching(help="square or circle.")] = DEFAULT.window,
    top_k: Annotated[int, _matching(help="Votes per cell.")] = DEFAULT.top_k,
    temperature: Annotated[float, _matching(help="Softmax temperature of the votes.")] = DEFAULT.temperature,
    colour: Annotated[float, _matching(help="Weight of colour beside features; 0 = features alone.")] = DEFAULT.colour,
    edges: Annotated[str, _matching(help="Mask edges: guided (by the picture) or bilinear.")] = DEFAULT.edges,
    decoder: Annotated[
        str | None, _matching(help="Mask decoder: off, or its file; see --set rounds.")
    ] = DEFAULT.decoder,
    references: Annotated[int, _memory(help="Labelled frames, the nearest ones, to look at.")] = DEFAULT.anchors,
    long_term: Annotated[str, _memory(help="Frames to keep, as distances from the labelled frame.")] = (
        ",".join(map(str, DEFAULT.long_term))
    ),
    short_term: Annotated[str, _memory(help="Recent frames to look at, as distances back.")] = (
        ",".join(map(str, DEFAULT.short_term))
    ),
    soft: Annotated[bool, _memory("--soft/--hard", help="Memory carries shares, or ids.")] = DEFAULT.labels == "soft",
    rare: Annotated[
        list[str] | None, _matching("--set", help=f"One of {', '.join(RARE)}, as name=value; repeatable.")
    ] = None,
    cycle: Annotated[bool, _results("--cycle", help="Report forward-backward disagreement.")] = DEFAULT.cycle,
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
        decoder=decoder,
        anchors=references,
        long_term=tuple(values(long_term, int, "--long-term")),
        short_term=tuple(values(short_term, int, "--short-term")),
        labels="soft" if soft else "hard",
        cycle=cycle,
        **_rare(rare or []),
    )


def with_propagation_options(
    only: Collection[str] | None = None, leave_out: Collection[str] = ()
) -> Callable[[Command], Command]:
    """For a command with a parameter `options`: a PropagationOptions, which is typed as options of the command line.

    In the place of that parameter typer sees the parameters of `propagation_options`: all, or `only` these, but those
    to `leave_out`. What cannot be typed has its default.
    """
    known = inspect.signature(propagation_options, eval_str=True).parameters
    assert known.keys() >= {*(only or ()), *leave_out}
    typed = [known[name] for name in known if name not in leave_out and (only is None or name in only)]

    def decorated(command: Command) -> Command:
        own = inspect.signature(command, eval_str=True)
        shown = [p for one in own.parameters.values() for p in (typed if one.name == "options" else [one])]

        @wraps(command)
        def run(**given: Any) -> None:
            options = propagation_options(**{p.name: given.pop(p.name) for p in typed if p.name in given})
            command(**given, options=options)

        run.__signature__ = own.replace(parameters=shown)  # type: ignore[attr-defined]
        run.__annotations__ = {p.name: p.annotation for p in shown}
        return run

    return decorated


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
