"""Builds the bundle, dist/mer-studio, from what is installed where this runs, and tries it out.

    python packaging/bundle.py

On Linux and macOS `make bundle` makes the environment first. On Windows: pip install -e ".[bundle]" in one of its own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import icons
import launch_test
import licences
import packages
import system_libraries

ROOT = Path(__file__).parents[1]
HERE = ROOT / "packaging"
MADE = ROOT / "build" / "bundle"
BUNDLE = ROOT / "dist" / "mer-studio"
APPLICATION = ROOT / "dist" / "MER Studio.app"  # on macOS
LICENCES = "THIRD_PARTY.md"
DESKTOP = {"linux": "linux", "win32": "windows"}  # macOS reads all from the application itself


def main() -> None:
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    icons.render(MADE / "icons")
    arguments = ["--noconfirm", "--log-level", "WARN", "--distpath", str(BUNDLE.parent), "--workpath", str(MADE)]
    subprocess.run([sys.executable, "-m", "PyInstaller", *arguments, HERE / "mer-studio.spec"], check=True)
    inside = APPLICATION / "Contents/Frameworks" if sys.platform == "darwin" else BUNDLE / "_internal"
    packages.copy(inside)
    shutil.copy(ROOT / "LICENSE", BUNDLE)
    licences.main(BUNDLE / LICENCES, packages.bundled(), system_libraries.notices(system_libraries.names(inside)))
    shutil.copy(BUNDLE / LICENCES, inside / "model/_resources")
    if sys.platform == "darwin":
        sign()
    if desktop := DESKTOP.get(sys.platform):
        shutil.copytree(HERE / desktop, BUNDLE / desktop)
    if sys.platform == "linux":
        shutil.copytree(MADE / "icons", BUNDLE / "linux/icons", ignore=shutil.ignore_patterns("*.ic*"))
        shutil.copy(icons.SOURCE, BUNDLE / "linux/icons")
    print(f"{BUNDLE}: {size(BUNDLE) / 1e6:.0f} MB", flush=True)
    launch_test.main(launch_test.EXECUTABLE)


def sign() -> None:
    """By the identity in $CODESIGN_IDENTITY, or by none: macOS runs no program that is not signed at all."""
    rights = os.environ.get("CODESIGN_ENTITLEMENTS")
    command = ["codesign", "--force", "--deep", "--sign", os.environ.get("CODESIGN_IDENTITY", "-")]
    command += ["--options", "runtime", "--entitlements", rights] if rights else []
    subprocess.run([*command, APPLICATION], check=True)


def size(folder: Path) -> int:
    """Bytes; what is linked to counts once."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if not path.is_dir())


if __name__ == "__main__":
    main()
