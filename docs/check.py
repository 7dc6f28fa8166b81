"""Is what the documents name there? `make lint` runs it: links, headings, pictures, commands and targets of make.

    python docs/check.py

It prints one line for each thing that is not, and exits with 1 if there is any.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from typer.main import get_command

from app.cli import app

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_BEFORE = {"do", "then", "time", "sudo", "nohup", "srun", "exec"}  # words that a command may stand behind


@cache
def _mer_command() -> Any:
    return get_command(app)


def problems(page: Path) -> Iterator[str]:
    """What is wrong with a page, in words."""
    text = page.read_text(encoding="utf-8")
    yield from _links(page, re.sub(r"`[^`\n]*`", "", _BLOCK.sub("", text)))
    for arguments in commands(text):
        try:
            parsed(arguments)
        except Exception as error:
            yield f"mer {shlex.join(arguments)}: {' '.join(str(error).split())}"
    for span in re.findall(r"`(mer [^`]+)`", _BLOCK.sub("", text)):
        yield from _named(span)
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE):
        if target not in targets:
            yield f"make {target}: there is no such target"


def _named(span: str) -> Iterator[str]:
    """A command in running text, which need not be complete: its name and its options."""
    command = _mer_command()
    words = span.split()[1:]
    while words and hasattr(command, "commands") and re.fullmatch(r"[a-z-]+", words[0]) and words[0][0] != "-":
        found = command.commands.get(words[0])
        if found is None:
            yield f"{span}: there is no such command"
            return
        command, words = found, words[1:]
    context = command.make_context("mer", [], resilient_parsing=True)
    known = {name for parameter in command.get_params(context) for name in (*parameter.opts, *parameter.secondary_opts)}
    for word in words:
        if word.startswith("-") and word.partition("=")[0] not in known:
            yield f"{span}: there is no option {word}"


def _links(page: Path, text: str) -> Iterator[str]:
    """text: without code."""
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, heading = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists():
            yield f"{target}: there is no such file"
        elif heading and heading not in headings(file):
            yield f"{target}: there is no such heading"


def headings(page: Path) -> set[str]:
    """As links name them: lower case, without punctuation, - for a space."""
    lines = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in lines}


def commands(text: str) -> Iterator[list[str]]:
    """The arguments of every call of `mer` in a block of a page."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _calls(line)


def _calls(line: str) -> Iterator[list[str]]:
    """Those of one line of a shell: it may hold several, in a loop or behind each other."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=";|&<>")
    reader.whitespace_split = True
    reader.commenters = "#"
    words: list[str] = []
    for word in [*reader, ";"]:
        if not word.strip(";|&<>"):
            yield from _mer(words)
            words = []
        else:
            words.append(word)


def _mer(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in _BEFORE or re.match(r"\w+=", words[0])):
        words = words[1:]
    if "-m" in words and words[words.index("-m") + 1 :][:1] == ["app"]:  # by way of python or torchrun
        yield words[words.index("-m") + 2 :]
    elif words[:1] == ["mer"]:
        yield words[1:]


def parsed(arguments: list[str]) -> tuple[str, dict[str, object]]:
    """A command and its values, as `mer` would understand them. Fails where it would complain."""
    command = _mer_command()
    context = command.make_context("mer", [], resilient_parsing=True)
    title = "mer"
    asks = bool({"--help", "--version"} & set(arguments))
    arguments = [word for word in arguments if word not in ("--help", "--version")]
    while arguments and hasattr(command, "resolve_command"):
        wanted = arguments[0]
        title, found, arguments = command.resolve_command(context, arguments)
        if found is None:
            raise ValueError(f"{wanted}: there is no such command")
        command = found
        group = hasattr(command, "resolve_command")
        given = [] if group else list(arguments)
        context = command.make_context(title, given, parent=context, resilient_parsing=group or asks)
    return title or "", dict(context.params)


def main() -> int:
    found = [(page, problem) for page in PAGES for problem in problems(page)]
    for page, problem in found:
        print(f"{page.relative_to(ROOT)}: {problem}")
    if not found:
        print(f"{len(PAGES)} pages of documents: what they name is there")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
