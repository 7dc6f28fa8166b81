"""Collect every word of the window for translators, as a file of Qt Linguist.

    python packaging/translations.py [FILE]      # build/mer.ts; `make translations` does the same

To translate: copy it to mer_de.ts, fill it in with `pyside6-linguist`, and make what the program reads of it:
`pyside6-lrelease mer_de.ts -qm resources/i18n/mer_de.qm`. Qt's own `lupdate` finds what is written out in the views;
the words of tables (actions, settings, hints, names of changes) it does not, so all are collected here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from app.core import hints  # noqa: E402
from app.core.actions import ACTIONS, GESTURES, SUBMENUS, Category  # noqa: E402
from app.core.run_options import RUN_OPTIONS  # noqa: E402
from app.core.settings import SETTINGS, Topic  # noqa: E402
from app.core.skeletons import PRESETS  # noqa: E402
from app.io.export import EXPORTERS  # noqa: E402

Message = tuple[str, str]  # context, text
FOLDERS = ("app/views", "app/controllers", "app/jobs")
BORROWED = {("app/runs/proof.py", "say"): "Encoders"}  # functions that are given `self.tr` of somebody else


def messages() -> set[Message]:
    """All of them; "%n" in a text stands for a number, which some languages have several forms for."""
    files = [path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*.py"))]
    found = {message for path in (*files, ROOT / "app/runs/proof.py") for message in _written(path)}
    return found | set(_of_tables()) | set(_of_changes())


def _of_tables() -> Iterator[Message]:
    for action in ACTIONS:
        yield from (("Actions", action.text), ("Actions", action.tooltip))
    for text in (*Category, *SUBMENUS.values(), *(part for gesture in GESTURES for part in gesture)):
        yield "Actions", str(text)
    for setting in (*SETTINGS, *RUN_OPTIONS):
        for text in (setting.label, setting.help, setting.unit, *(words for _, words in setting.choices)):
            yield "Settings", text
    for name in PRESETS:
        yield "Settings", name
    for exporter in EXPORTERS.values():
        yield from (("Exchanging", text) for text in (exporter.title, *(option.label for option in exporter.options)))
    for topic in Topic:
        yield "Settings", topic.value
    for node in ast.parse(Path(hints.__file__).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign):
            texts = (part.value for part in ast.walk(node) if isinstance(part, ast.Constant))
            yield from (("Hints", text) for text in texts if isinstance(text, str) and " " in text)


def _of_changes() -> Iterator[Message]:
    """Names of what can be undone: of commits, and defaults of arguments called name."""
    for node in ast.walk(ast.parse((ROOT / "app/core/document.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_commit":
            for part in ast.walk(node.args[0]):
                if isinstance(part, ast.Constant) and isinstance(part.value, str):
                    yield "Changes", part.value
        if isinstance(node, ast.FunctionDef):
            named = dict(zip(reversed(node.args.args), reversed(node.args.defaults), strict=False))
            for argument, default in named.items():
                if argument.arg == "name" and isinstance(default, ast.Constant) and isinstance(default.value, str):
                    yield "Changes", default.value


def _written(path: Path) -> Iterator[Message]:
    """What is written out in a module: `self.tr(…)`, `QCoreApplication.translate(…)`, and helpers that do it."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    helpers = dict(_helpers(tree))
    helpers |= {name: context for (file, name), context in BORROWED.items() if path == ROOT / file}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("app."):
            theirs = dict(_helpers(ast.parse(_module(node.module)))) if node.module else {}
            helpers |= {(a.asname or a.name): theirs[a.name] for a in node.names if a.name in theirs}
            for name in node.names:
                if (ROOT / f"{node.module.replace('.', '/')}/{name.name}.py").exists():
                    inner = _helpers(ast.parse(_module(f"{node.module}.{name.name}")))
                    helpers |= {f"{name.asname or name.name}.{helper}": context for helper, context in inner}
    yield from _calls(tree, "", helpers)


def _module(name: str) -> str:
    path = ROOT / name.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _helpers(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Functions of a module that translate in a context of their own."""
    constants = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and isinstance(node.body[-1], ast.Return):
            call = node.body[-1].value
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "QCoreApplication.translate":
                context = call.args[0]
                named = constants.get(context.id) if isinstance(context, ast.Name) else ast.literal_eval(context)
                yield node.name, str(named)


def _calls(node: ast.AST, context: str, helpers: dict[str, str]) -> Iterator[Message]:
    for child in ast.iter_child_nodes(node):
        inside = child.name if isinstance(child, ast.ClassDef) and not context else context
        if isinstance(child, ast.Call):
            name, texts = ast.unparse(child.func), [a.value for a in child.args if isinstance(a, ast.Constant)]
            if name == "self.tr" and texts:
                yield inside, str(texts[0])
            elif name in helpers and texts:
                yield helpers[name], str(texts[0])
            elif name == "QCoreApplication.translate" and len(texts) > 1:
                yield str(texts[0]), str(texts[1])
        yield from _calls(child, inside, helpers)


def linguist(found: set[Message]) -> str:
    """The content of a .ts file."""
    lines = ['<?xml version="1.0" encoding="utf-8"?>', "<!DOCTYPE TS>", '<TS version="2.1" sourcelanguage="en">']
    for context in sorted({context for context, _ in found}):
        lines += ["<context>", f"    <name>{escape(context)}</name>"]
        for text in sorted(text for where, text in found if where == context and text):
            numerus, forms = (' numerus="yes"', "<numerusform></numerusform>") if "%n" in text else ("", "")
            lines += [
                f"    <message{numerus}>",
                f"        <source>{escape(text)}</source>",
                f'        <translation type="unfinished">{forms}</translation>',
                "    </message>",
            ]
        lines.append("</context>")
    return "\n".join([*lines, "</TS>", ""])


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "build" / "mer.ts"
    target.parent.mkdir(parents=True, exist_ok=True)
    every = messages()
    target.write_text(linguist(every), encoding="utf-8")
    print(f"{target}: {len(every)} texts in {len({context for context, _ in every})} contexts")
