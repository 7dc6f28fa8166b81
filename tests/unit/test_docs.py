"""What the documents name is there: files, commands with their options, keys, recipes, formats, rooms."""

from __future__ import annotations

import ast
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from typer.main import get_command

from app.cli import app
from app.controllers.exchanging import LABELS
from app.core.actions import ACTIONS
from app.core.keymap import normal
from app.io.export import EXPORTERS
from model.evaluation.studies import STUDIES
from model.recipes import RECIPES

ROOT = Path(__file__).parents[2]


def script(name: str) -> ModuleType:
    """A script of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


check, generate = script("check"), script("generate")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAP = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8").split("```")[1]

WHEEL_ONLY = {"model/_resources"}
CANVAS_KEYS = {"Enter"}  # keys of the canvas itself, in no table


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def code_spans(text: str) -> list[str]:
    """What stands in single backticks outside of blocks."""
    return re.findall(r"`([^`]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_pictures_and_commands_lead_somewhere(page: Path) -> None:
    assert list(check.problems(page)) == []


def test_this_would_notice_what_leads_nowhere(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    wrong = ["[a](nowhere.md)", "![b](no.png)", "[c](#nowhere)", "`mer train --onion`", "`make onions`", "`mer onion`"]
    wrong += ["```sh\nmer propagate a.mp4 --labels b.png --out c --onion 3\n```", "```sh\nmer evaluate onions D\n```"]
    wrong += ["```sh\nfor f in *.mp4; do mer propogate $f; done\n```"]
    for text in wrong:
        page.write_text(f"# Page\n\n{text}\n", encoding="utf-8")
        assert len(list(check.problems(page))) == 1, text
    right = ["[a](page.md#page)", "[b](https://example.org/x)", "`mer train --resume`", "`[c](no.md)`", "`make lint`"]
    right += ["```sh\nfor f in *.mp4; do mer propagate $f --labels a.png \\\n  --out b; done  # all\n```"]
    page.write_text("# Page\n\n" + "\n\n".join(right), encoding="utf-8")
    assert list(check.problems(page)) == []


@pytest.mark.parametrize("page", generate.PAGES, ids=name)
def test_tables_are_those_of_the_program(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert generate.filled(text) == text, f"{name(page)} is out of date: python docs/generate.py makes it anew"


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


COMMANDS = list(check.commands(README))


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_the_readme_s_commands_are_understood(arguments: list[str]) -> None:
    title, values = check.parsed(arguments)
    if title == "ablate":
        assert values["study"] in STUDIES
    if recipes := values.get("recipe"):
        assert set(str(recipes).split(",")) <= set(RECIPES)
    if title == "export":
        given = [text.partition("=")[::2] for text in values["option"] or ()]  # type: ignore[attr-defined]
        EXPORTERS[str(values["form"])].chosen(dict(given))


def test_every_command_is_in_the_readme() -> None:
    group = get_command(app)
    shown = {n for n, command in group.commands.items() if not command.hidden}  # type: ignore[attr-defined]
    assert shown <= {arguments[0] for arguments in COMMANDS if arguments}


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


@pytest.mark.parametrize("page", [p for p in PAGES if p.name != "commands.md"], ids=name)  # `1` is a value there
def test_keys_that_are_named_in_passing_reach_something(page: Path) -> None:
    bound = {key for action in ACTIONS for key in action.keys} | CANVAS_KEYS
    for span in code_spans(page.read_text(encoding="utf-8")):
        try:
            key = normal(span)
        except ValueError:
            continue  # not a key
        assert key in bound, f"`{span}` does nothing"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_menus_that_are_named_have_that_entry(page: Path) -> None:
    for menu, entry in re.findall(r"\*([A-Z]\w+) → ([^*→]+)\*", page.read_text(encoding="utf-8")):
        entries = {action.text for action in ACTIONS if action.category.value == menu}
        assert entry in entries, f"{menu} → {entry}: there is no such entry"


def test_messages_that_help_is_given_for_are_still_said() -> None:
    """The longest piece of each, without numbers and names, is somewhere in the program."""
    said = set()
    for path in [*(ROOT / "app").rglob("*.py"), *(ROOT / "model").rglob("*.py")]:
        nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        said |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    text = "\n".join(said)
    page = (ROOT / "docs" / "trouble.md").read_text(encoding="utf-8")
    messages = re.findall(r"^\| (?:`([^`]+)`|“?\"([^\"]+)\") \|", page, flags=re.MULTILINE)
    assert len(messages) > 20
    for message in [one or other for one, other in messages]:
        pieces = re.split(r"…|: |\d+|'[^']*'|×|:0|RGB|sleap|film\.mp4|going forward", message)
        piece = max((piece.strip(" :;,.()") for piece in pieces), key=len)
        assert piece in text, f"{message}: nobody says {piece!r}"


def test_figures_are_told_alike() -> None:
    rows = re.findall(r"^\|.*\|$", (ROOT / "docs" / "evaluation.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    figures = {figure for row in rows for figure in re.findall(r"(?<![\w.@])\d+\.\d+\b", re.sub(r"`[^`]*`", "", row))}
    assert len(figures) > 10
    assert {figure for figure in figures if figure not in README} == set()


def test_every_picture_is_shown_and_can_be_made_anew() -> None:
    shown = {Path(t).stem for p in PAGES for t in re.findall(r"\]\(([^)\s]+\.png)\)", p.read_text(encoding="utf-8"))}
    made = set(re.findall(r'shot\("([\w-]+)"', (ROOT / "docs" / "pictures.py").read_text(encoding="utf-8")))
    there = {path.stem for path in (ROOT / "docs" / "images").iterdir()}
    assert there == shown == made | {"demo", "bench"}  # these come from `mer demo` and `mer bench`


def test_every_page_can_be_found() -> None:
    """From the index, in one step."""
    index = (ROOT / "docs" / "README.md").read_text(encoding="utf-8")
    missing = [p.name for p in (ROOT / "docs").glob("*.md") if p.name != "README.md" and f"]({p.name})" not in index]
    assert missing == []


def test_what_can_be_imported_is_told() -> None:
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8").split("## Import")[1].split("## Video")[0]
    assert {suffix for suffix in LABELS if f"`{suffix}`" not in text} <= {".hdf5"}


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
