"""Write the tables of the documents anew, from the program's own tables.

    python docs/generate.py

What stands between `<!-- table: NAME -->` and `<!-- /table -->` is made here; the rest of a page is written by hand.
`tests/unit/test_docs.py` holds the pages equal to what this makes of them.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from typer.main import get_command

from app.cli import app
from app.core.actions import GESTURES, SUBMENUS, Action, Category, When, grouped
from app.core.run_options import RUN_OPTIONS
from app.core.settings import SETTINGS, Setting, Topic
from app.io.export import EXPORTERS, Exporter

FOLDER = Path(__file__).resolve().parent
PAGES = [FOLDER / name for name in ("keys.md", "settings.md", "formats.md", "commands.md")]
_TABLE = re.compile(r"(<!-- table: ([\w-]+) -->\n).*?(<!-- /table -->)", re.DOTALL)


def filled(text: str) -> str:
    """A page with all its tables as the program has them now."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{TABLES[found[2]]()}\n\n{found[3]}", text)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


# Keys


def keys() -> str:
    parts = []
    for category in Category:
        rows = [row for group, actions in grouped(category) for action in actions for row in [_action(group, action)]]
        parts += [f"## {category.value}", table(("Action", "Keys", "What it does"), rows)]
    return "\n\n".join(parts)


def _action(group: str, action: Action) -> tuple[str, str, str]:
    above = f"{SUBMENUS[group]} → " if group in SUBMENUS else ""
    only = {When.RUNNING: ", while a propagation runs", When.IDLE: ", while none runs", When.ALWAYS: ""}[action.when]
    return f"{above}{action.text}", " ".join(f"`{key}`" for key in action.keys) + only, action.tooltip


def mouse() -> str:
    return table(("On the picture", "What it does"), GESTURES)


# Settings


def settings() -> str:
    parts = []
    for topic in Topic:
        if topic is not Topic.HIDDEN:
            rows = [_setting(setting) for setting in SETTINGS if setting.topic is topic]
            parts += [f"## {topic.value}", table(("Setting", "At first", "Can be", "What it does", "Key"), rows)]
    return "\n\n".join(parts)


def options() -> str:
    rows = [_setting(setting)[:4] for setting in RUN_OPTIONS]
    return table(("Option", "At first", "Can be", "What it does"), rows)


def _setting(setting: Setting) -> tuple[str, ...]:
    return setting.label, _first(setting), _range(setting), setting.help, f"`{setting.key}`"


def _first(setting: Setting) -> str:
    if setting.choices:
        return dict(setting.choices)[setting.default]
    if isinstance(setting.default, bool):
        return "on" if setting.default else "off"
    return f"{setting.default} {setting.unit}".strip()


def _range(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(words for _, words in setting.choices)
    if isinstance(setting.default, bool):
        return "on, off"
    if isinstance(setting.default, int | float):
        high = "" if math.isinf(setting.high) else f" to {setting.high:.10g}"
        return f"{setting.low:.10g}{high}"
    return ""


# Formats


def exports() -> str:
    return table(("Name", "What it is", "Writes", "Choices"), map(_export, EXPORTERS.values()))


def _export(exporter: Exporter) -> tuple[str, ...]:
    told = inspect.getdoc(type(exporter)) or ""
    choices = [f"`{o.name}`: {_lower(o.label)} ({_values(o.default, o.choices)})" for o in exporter.options]
    target = f"a `{exporter.suffix}` file" if exporter.suffix else "a folder"
    return f"`{exporter.id}`", f"**{exporter.title}.** {' '.join(told.split())}", target, "<br>".join(choices)


def _values(default: Any, choices: tuple[str, ...]) -> str:
    """What can be chosen, and what is when nothing is."""
    first = ("yes" if default else "no") if isinstance(default, bool) else f"{default}"
    return " or ".join((f"`{first}`", *(f"`{choice}`" for choice in choices if choice != first)))


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]


# Commands


def commands() -> str:
    return "\n\n".join(_commands(get_command(app), "mer"))


def _commands(command: Any, title: str) -> Iterator[str]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            if not inner.hidden:
                yield from _commands(inner, f"{title} {name}")
        return
    context = command.make_context(title, [], resilient_parsing=True)
    parameters = [p for p in command.get_params(context) if "--help" not in p.opts]
    given = [f"{p.name.upper()}{'…' if p.nargs != 1 else ''}" for p in parameters if p.param_type_name == "argument"]
    text = inspect.cleandoc(command.help or "").split("\n\n")
    yield f"## {' '.join([title, *given])}"
    yield "\n\n".join(" ".join(part.split()) for part in text)
    if rows := [_option(p) for p in parameters]:
        yield table(("Option", "When left out", "What it does"), rows)


def _option(parameter: Any) -> tuple[str, str, str]:
    name = " ".join(f"`{o}`" for o in (*parameter.opts, *parameter.secondary_opts) if o.startswith("-"))
    left, told = _left_out(parameter), " ".join((parameter.help or "").split())
    if isinstance(parameter.default, Enum) and (choices := [str(c.value) for c in type(parameter.default)]):
        told += f" One of {', '.join(f'`{choice}`' for choice in choices)}."
    return name or f"`{parameter.name.upper()}`", left, told


def _left_out(parameter: Any) -> str:
    """What counts when an option is not given."""
    default = parameter.default
    if parameter.required:
        return "*needed*"
    if isinstance(default, bool):
        return f"`{(parameter.opts if default else parameter.secondary_opts)[0]}`" if parameter.secondary_opts else ""
    if isinstance(default, Enum):
        return f"`{default.value}`" if type(default).__name__ != "Sentinel" else ""  # click's word for none
    return f"`{default}`" if isinstance(default, int | float) or (isinstance(default, str) and default) else ""


TABLES: dict[str, Callable[[], str]] = {
    "keys": keys,
    "mouse": mouse,
    "settings": settings,
    "run-options": options,
    "exports": exports,
    "commands": commands,
}


def main() -> None:
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = filled(before)
        if after != before:
            page.write_text(after, encoding="utf-8")
            print(f"{page.name} was made anew")


if __name__ == "__main__":
    main()
