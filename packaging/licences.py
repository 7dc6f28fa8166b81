"""Writes the licences of everything that a bundle holds beside our own code, from what is installed here.

python packaging/licences.py THIRD_PARTY.md
"""

from __future__ import annotations

import re
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = "mer-studio"
EXTRAS = ("deeplabcut", "sleap")  # those that a bundle has
BOOTLOADER = "pyinstaller"  # it starts the bundle
QT = ("pyside6-essentials", "shiboken6")  # whose distributions carry no text
LGPL = [Path(__file__).with_name("licence_texts") / name for name in ("LGPL-3.0.txt", "GPL-3.0.txt")]
TEXT = re.compile(r"(licen[cs]e|copying|notice|third.?party)[^/]*$", re.IGNORECASE)
CODE = {".py", ".pyc", ".pyi", ".so", ".h", ".html", ".json", ".js"}
HEAD = """# Software in MER Studio that others wrote

MER Studio itself is under the MIT licence; see LICENSE. Qt (by way of PySide6) and FFmpeg (by way of PyAV and OpenCV)
are used under the LGPL, as libraries of their own in files of their own, which you may replace by versions of yours.

PyAV brings x264 and x265, which are under the GPL, version 2 or later: whoever passes this folder on has to keep to the
GPL as well. Its text is below; the sources are those of [PyAV](https://github.com/PyAV-Org/PyAV).
"""


@dataclass(frozen=True, slots=True)
class Notice:
    """What there is to say of one piece of software. texts: its licence, word for word, by the name of the file."""

    name: str
    version: str
    licence: str
    home: str
    texts: dict[str, str]


def distributions(name: str, extras: Iterable[str] = ()) -> dict[str, metadata.Distribution]:
    """What is installed of a distribution's requirements, and theirs, by name; not the distribution itself."""
    found: dict[str, metadata.Distribution] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(name, extra) for extra in ("", *extras)]
    while waiting:
        wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        name, extra = wanted
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue  # not needed here
        found[canonicalize_name(name)] = distribution
        for line in distribution.requires or ():
            need = Requirement(line)
            if need.marker is None or need.marker.evaluate({**default_environment(), "extra": extra}):
                waiting += [(need.name, also) for also in ("", *need.extras)]
    found.pop(canonicalize_name(PROJECT), None)
    return found


def notice(distribution: metadata.Distribution) -> Notice:
    about = distribution.metadata
    classes = [c.rpartition(" :: ")[2] for c in about.get_all("Classifier", ()) if c.startswith("License ::")]
    licence = about.get("License-Expression") or "; ".join(classes) or (about.get("License") or "").split("\n")[0]
    links = dict(link.split(", ", 1) for link in about.get_all("Project-URL", ()) if ", " in link)
    home = about.get("Home-page") or next((links[k] for k in ("Homepage", "Source", "Repository") if k in links), "")
    return Notice(about["Name"], distribution.version, licence or "see below", home, dict(_texts(distribution)))


def _texts(distribution: metadata.Distribution) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    if canonicalize_name(distribution.metadata["Name"]) in QT:
        yield from ((path.name, path.read_text("utf-8").strip()) for path in LGPL)
    for file in distribution.files or ():
        if TEXT.search(file.as_posix()) and file.suffix.lower() not in CODE:
            path = Path(str(distribution.locate_file(file)))
            text = path.read_text("utf-8", "replace").strip() if path.is_file() else ""
            if text and text not in seen:
                seen.add(text)
                yield file.as_posix(), text


def python() -> Notice:
    """The interpreter."""
    texts = {}
    for folder in (Path(sysconfig.get_path("stdlib")), Path(sys.base_prefix)):
        for path in (folder / "LICENSE.txt", folder / "LICENSE"):
            if path.is_file():
                texts = {path.name: path.read_text("utf-8", "replace").strip()}
    return Notice("Python", sys.version.split()[0], "PSF-2.0", "https://www.python.org", texts)


def page(notices: list[Notice]) -> str:
    """Markdown: a table of all, then their licences, each text once."""
    lines = [HEAD, "| name | version | licence |", "|---|---|---|"]
    lines += [f"| {_linked(n)} | {n.version} | {n.licence.replace('|', '/')} |" for n in notices]
    lines.append("")
    by_text: dict[str, list[str]] = {}
    for one in notices:
        for file, text in one.texts.items():
            by_text.setdefault(text, []).append(f"{one.name}: {file}")
    for text, owners in by_text.items():
        fence = "`" * max(3, 1 + max((len(run) for run in re.findall(r"`+", text)), default=0))
        lines += [f"## {owners[0]}", "", *(f"and {other}\n" for other in owners[1:]), f"{fence}text", text, fence, ""]
    return "\n".join(lines)


def _linked(one: Notice) -> str:
    return f"[{one.name}]({one.home})" if one.home.startswith("http") else one.name


def main(target: Path, found: dict[str, metadata.Distribution], others: Iterable[Notice] = ()) -> None:
    """found and others: what is told of, beside Python and what starts the bundle."""
    found = dict(found)
    with suppress(metadata.PackageNotFoundError):  # where no bundle is made
        found[BOOTLOADER] = metadata.distribution(BOOTLOADER)
    notices = sorted((*map(notice, found.values()), *others), key=lambda one: one.name.lower())
    target.write_text(page([python(), *notices]), encoding="utf-8")
    silent = [one.name for one in notices if not one.texts]
    print(
        f"{target}: {len(notices) + 1} pieces of software; without a text of their own: {', '.join(silent) or 'none'}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), distributions(PROJECT, EXTRAS))
