"""The libraries of this system that PyInstaller put into a bundle, and their licences, by Debian's package manager.

Elsewhere they are named, but without a text.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator
from pathlib import Path
from shutil import which

from licences import Notice

DOCUMENTS = Path("/usr/share/doc")
COMMON = re.compile(r"/usr/share/(common-licenses/[\w.+-]*\w)")


def names(folder: Path) -> list[str]:
    """The files right in a bundle's folder that are no links into a package of Python's, and not Python itself."""
    found = (path for path in folder.glob("*.so*") if not path.is_symlink())
    return sorted(path.name for path in found if not path.name.startswith("libpython"))


def notices(files: Iterable[str]) -> Iterator[Notice]:
    """One for every package that they belong to, and for every file that belongs to none."""
    files = list(files)
    owners = _owners(files) if which("dpkg") else {}
    for package in sorted(set(owners.values())):
        yield _package(package)
    for name in sorted(set(files) - set(owners)):
        yield Notice(name, "", "of its own", "", {})


def _owners(files: list[str]) -> dict[str, str]:
    """The package (`libx11-6:amd64`) of each file that has one."""
    said = _ask("dpkg", "--search", *(f"*/lib/*/{name}" for name in files))
    found = (line.rpartition(": ") for line in said.splitlines() if not line.startswith("diversion"))
    return {Path(path).name: owner.partition(", ")[0] for owner, _, path in found if Path(path).name in files}


def _package(package: str) -> Notice:
    form = "--showformat=${Version}\n${Homepage}"
    version, _, home = _ask("dpkg-query", "--show", form, package).partition("\n")
    name = package.partition(":")[0]
    texts = dict(_texts(DOCUMENTS / name / "copyright"))
    return Notice(name, version, "see below" if texts else "of its own", home, texts)


def _texts(path: Path) -> Iterator[tuple[str, str]]:
    """What the package says, and the common licences that it refers to."""
    if path.is_file():
        text = path.read_text("utf-8", "replace").strip()
        yield path.name, text
        for name in sorted(set(COMMON.findall(text))):
            if (DOCUMENTS.parent / name).is_file():
                yield name, (DOCUMENTS.parent / name).read_text("utf-8", "replace").strip()


def _ask(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
