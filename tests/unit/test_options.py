"""Options of a propagation on the command line: written down once, typed wherever a command wants them."""

from __future__ import annotations

import re
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from app.commands.options import DEFAULT, RARE, propagation_options, with_propagation_options
from model.types import PropagationOptions


def outcome(
    leave_out: tuple[str, ...], only: tuple[str, ...] | None, *typed: str
) -> tuple[str, int, PropagationOptions]:
    """What a command with these options is handed when that is typed."""
    app, got = typer.Typer(), []

    @app.command()
    @with_propagation_options(only, leave_out)
    def command(
        name: str,
        options: PropagationOptions = DEFAULT,
        times: Annotated[int, typer.Option(help="How often.")] = 1,
    ) -> None:
        got.append((name, times, options))

    CliRunner().invoke(app, [*typed], catch_exceptions=False)
    assert got, typed
    return got[0]


def test_nothing_typed_is_the_default() -> None:
    assert propagation_options() == PropagationOptions()
    assert outcome((), None, "swan") == ("swan", 1, PropagationOptions())


def test_what_is_typed_is_handed_over_as_one_beside_the_command_s_own() -> None:
    typed = ("--size", "0", "--hard", "--short-term", "1,2", "--set", "trust=0", "--times", "3", "swan")
    expected = PropagationOptions(short_side=None, labels="hard", short_term=(1, 2), trust=0)
    assert outcome((), None, *typed) == ("swan", 3, expected)
    assert outcome((), ("radius",), "swan", "--radius", "7")[2] == PropagationOptions(radius=7)


@pytest.mark.parametrize(("leave_out", "only"), [(("cycle",), None), ((), ("size", "radius"))])
def test_a_command_has_those_options_alone_that_it_names(
    leave_out: tuple[str, ...], only: tuple[str, ...] | None
) -> None:
    with pytest.raises(AssertionError):
        outcome(leave_out, only, "swan", "--cycle")
    assert outcome(leave_out, only, "swan", "--size", "96")[2].short_side == 96


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("--long-term 1;2", "--long-term takes whole numbers separated by commas, not '1;2'"),
        ("--set onion=3", f"--set onion=3: give one of {', '.join(RARE)} as name=value"),
        ("--set rounds=often", "--set rounds=often: 'often' is not a number"),
        ("--radius 0", "option radius cannot be 0"),
    ],
)
def test_mistakes_name_the_option(typed: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        outcome((), None, "swan", *typed.split())
