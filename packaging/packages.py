"""Which files of other people's packages go into a bundle: those that pip installed, as they are.

PyInstaller could look through them for what is imported. It would take long, miss what is only imported by name, and
has nothing to win: PyTorch wants its sources at hand, and libraries find each other by where they lie.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from licences import EXTRAS, PROJECT, distributions

# Needed by sleap-io for formats that we neither read nor write, and by those.
UNUSED = {
    *("aiohttp", "aiohappyeyeballs", "aiosignal", "frozenlist", "multidict", "propcache", "yarl"),
    *("anyio", "certifi", "h11", "h2", "hpack", "httpcore", "httpx", "hyperframe", "idna"),
    *("colorcet", "imageio-ffmpeg", "rich-click", "skia-python"),
    *("hdmf", "jsonschema", "jsonschema-specifications", "ndx-multisubjects", "ndx-pose", "pynwb", "referencing"),
    *("rpds-py", "ruamel-yaml"),
}

# Tests, headers and tools; torchvision's operators, which are never called, link with CUDA, and load only with the one
# build of PyTorch that they were made for; the parts of Qt that have no place in a window of widgets.
LEFT_OUT = re.compile(
    r"""
    \.\. | tests?/ | scripts/ | hooks/ | bin/ | share/
    | (numpy|pandas|sympy|networkx|h5py|mpmath)/(.*/)?tests/
    | torch/bin/(?!torch_shm_manager) | torch/(include|share|test)/ | torch/lib/.*\.(a|lib)$
    | torchvision\.libs/ | torchvision/(.*\.(so|pyd|dll|dylib)$ | (datasets|io|prototype)/ | __init__\.py$)
    | torchvision/__pycache__/__init__\.
    | PySide6/(Qt/)?(qml|translations|metatypes|libexec|include|typesystems|glue|modules|resources|doc|scripts)/
    | PySide6/(.*\.(pyi|exe)$ | [a-z]+$ | [A-Z]\w+\.app/)
    | PySide6/(Qt/lib/lib|Qt/lib/)?Qt6?(Designer|Help|Labs|Lottie|Qml|Quick|Sql|Test|UiTools|WaylandCompositor)
    | PySide6/(Qt/)?plugins/(designer|qml\w+|sqldrivers|vectorimageformats|wayland-graphics-integration-server)/
    """,
    re.VERBOSE,
)


def bundled() -> dict[str, metadata.Distribution]:
    """The distributions whose files go into a bundle, by name."""
    found = distributions(PROJECT, EXTRAS)
    return {name: distribution for name, distribution in found.items() if name not in UNUSED}


def files(distribution: metadata.Distribution) -> Iterator[tuple[Path, Path]]:
    """Where a file is, and its place below the folder of packages."""
    for file in distribution.files or ():
        source = Path(str(distribution.locate_file(file)))
        if not LEFT_OUT.match(file.as_posix()) and source.is_file():
            yield source, Path(file)


def modules() -> list[str]:
    """What they make importable, the uppermost names."""
    tops = {file.parts[0] for distribution in bundled().values() for _, file in files(distribution)}
    return sorted({top.partition(".")[0] for top in tops if "-" not in top})


def copy(target: Path) -> None:
    """Copy all of them, with their times: a compiled module is only good for the source that it was compiled from."""
    for distribution in bundled().values():
        for source, place in files(distribution):
            (target / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / place)
    stub = target / "torchvision" / "__init__.py"
    stub.write_text('"""In place of torchvision\'s own, which insists on operators that are not here."""\n')
