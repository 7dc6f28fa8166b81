"""What the documents name is there: files, commands with their options, keys, recipes, formats, rooms."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from app.cli import app
from app.core.actions import ACTIONS
from app.core.keymap import normal
from app.io.export import EXPORTERS
from model.evaluation.studies import STUDIES
from model.recipes import RECIPES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1]

WHEEL_ONLY = {"model/_resources"}
CANVAS_KEYS = {"Enter"}  # keys of the canvas itself, in no table


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)


def code_spans(text: str) -> list[str]:
    """What stands in single backticks outside of blocks."""
    return re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def headings(page: Path) -> set[str]:
    """As links name them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    lines = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_and_images_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        assert file.exists(), f"{target}: there is no such file"
        assert not heading or heading in headings(file), f"{target}: there is no such heading"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_files_and_modules_that_are_named_exist(page: Path) -> None:
    for span in code_spans(page.read_text(encoding="utf-8")):
        if span in WHEEL_ONLY:
            continue
        if re.fullmatch(r"(app|model|tests|packaging)/[\w./*-]+", span):
            assert any(ROOT.glob(span.rstrip("/"))), f"{span}: there is no such file"
        elif re.fullmatch(r"(app|model)(\.\w+)+", span):
            parts = span.split(".")
            place = [ROOT.joinpath(*parts[:n]) for n in (len(parts), len(parts) - 1)]
            found = [p for p in place if p.is_dir() or p.with_suffix(".py").is_file()]
            assert found, f"{span}: there is no such module"
            if found[0] != place[0]:
                source = found[0] / "__init__.py" if found[0].is_dir() else found[0].with_suffix(".py")
                assert re.search(rf"\b{parts[-1]}\b", source.read_text(encoding="utf-8")), f"{span}: is not in there"


# Commands


def commands() -> Iterator[list[str]]:
    """The arguments of every call of `mer` in a block of the README."""
    for block in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL):
        for line in block.splitlines():
            words = shlex.split(line, comments=True)
            if "-m" in words and "app" in words:  # by way of torchrun
                words = words[words.index("app") :]
            if words and words[0] in ("mer", "app"):
                yield words[1:]


def parsed(arguments: list[str]) -> tuple[str, dict[str, object]]:
    """A command and its values, as `mer` would understand them. Fails where it would complain."""
    command = get_command(app)
    context = command.make_context("mer", [], resilient_parsing=True)
    title = "mer"
    while arguments and hasattr(command, "resolve_command"):
        wanted = arguments[0]
        title, found, arguments = command.resolve_command(context, arguments)
        assert found is not None, f"{wanted}: there is no such command"
        command = found
        if hasattr(command, "resolve_command"):
            context = command.make_context(title, [], parent=context, resilient_parsing=True)
        else:
            context = command.make_context(title, list(arguments), parent=context)
    return title or "", dict(context.params)


@pytest.mark.parametrize("arguments", list(commands()), ids=" ".join)
def test_the_readme_s_commands_are_understood(arguments: list[str]) -> None:
    title, values = parsed(arguments)
    if title == "ablate":
        assert values["study"] in STUDIES
    if recipes := values.get("recipe"):
        assert set(str(recipes).split(",")) <= set(RECIPES)
    if title == "export":
        given = [text.partition("=")[::2] for text in values["option"] or ()]  # type: ignore[attr-defined]
        EXPORTERS[str(values["form"])].chosen(dict(given))


def test_this_would_notice_a_wrong_command() -> None:
    for wrong in (["propagate", "a.mp4", "--labels", "b", "--out", "c", "--onion", "3"], ["evaluate", "onions", "D"]):
        with pytest.raises(Exception, match=r"onion"):
            parsed(wrong)
    assert len(list(commands())) > 15


def test_every_command_is_in_the_readme() -> None:
    """And none is named in passing that does not exist."""
    group = get_command(app)
    shown = {n for n, command in group.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    assert shown <= {arguments[0] for arguments in commands() if arguments}
    for span in code_spans(README):
        words = span.split()
        if words[:1] == ["mer"] and words[1:] and not words[1].startswith("-"):
            assert words[1] in shown, f"`{span}`: there is no such command"
            known = {o for p in group.commands[words[1]].params for o in p.opts}  # type: ignore[attr-defined]
            assert known >= {w for w in words if w.startswith("--")}, f"`{span}`: there is no such option"


def test_targets_of_make_that_are_named_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"(?:^|`)make ([a-z]+)", README, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), f"make {target}"


# Keys, recipes, formats


def test_the_readme_s_keys_are_those_of_the_table() -> None:
    """In each row of the table the keys, in bold the actions that they reach: no more of the one and of the other."""
    table = README.split("<!-- keys -->")[1].split("<!-- /keys -->")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    assert len(rows) > 10
    for row in rows:
        _, left, right, _ = re.split(r"(?<!\\)\|", row)
        keys, texts = set(re.findall(r"`([^`]+)`", left)), set(re.findall(r"\*\*([^*]+)\*\*", right))
        reached = {action.text for action in ACTIONS if keys & set(action.keys)}
        assert texts == reached, row
        assert all(any(key in action.keys for action in ACTIONS) for key in keys), row


def test_keys_that_the_readme_names_in_passing_reach_something() -> None:
    bound = {key for action in ACTIONS for key in action.keys} | CANVAS_KEYS
    for span in code_spans(README):
        try:
            key = normal(span)
        except ValueError:
            continue  # not a key
        assert key in bound, f"`{span}` does nothing"


def test_recipes_and_formats_are_all_named_and_no_others() -> None:
    spans = set(code_spans(README))
    assert set(RECIPES) <= spans
    table = re.search(r"^\| recipe \|.*?\n\n", README, flags=re.MULTILINE | re.DOTALL)
    assert table and set(re.findall(r"^\| `(\w+)`", table.group(), flags=re.MULTILINE)) == set(RECIPES)
    named = re.search(r"There are `davis`.*?\.\n", README, flags=re.DOTALL)
    assert named and set(re.findall(r"`([\w-]+)`", named.group())) == set(EXPORTERS)


# The map of the rooms


def rooms() -> Iterator[Path]:
    """Every path that the map names."""
    above: list[str] = []
    for line in MAP.strip("\n").splitlines():
        level = (len(line) - len(line.lstrip())) // 2
        first, _, rest = line.strip().partition("  ")
        names = [n for n in re.split(r", ", first) if not n.startswith("*")]
        names += re.findall(r"(?:^|[,;:] )([a-z_]+(?:\.py|/))(?=[:, ])", rest)  # told in the line of another
        above = [*above[:level], names[0]]
        yield from (ROOT.joinpath(*above[:level], n) for n in names if level or n == names[0])


def test_the_map_shows_the_house() -> None:
    named = list(rooms())
    missing = [name(path) for path in named if not path.exists()]
    assert missing == []
    packages = {p.parent for top in ("app", "model") for p in (ROOT / top).rglob("__init__.py")}
    inside = {ROOT / "app/views/canvas/tools"}  # one purpose with what is around
    assert sorted(name(p) for p in packages - inside - set(named)) == []
