"""What goes into a bundle beside the program: desktop files, icons, licences."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from email.message import Message
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from app import __version__

ROOT = Path(__file__).parents[2]
LINUX = ROOT / "packaging" / "linux"
TYPE = "application/x-mer-studio-project"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="scripts of a shell")


def script(name: str) -> ModuleType:
    """A module of that folder, which is no package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "packaging"))
        return import_module(name)


def entry(path: Path) -> dict[str, str]:
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes="#")
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read(path, encoding="utf-8")
    assert parser.sections() == ["Desktop Entry"]
    return dict(parser["Desktop Entry"])


@pytest.fixture(scope="module")
def icons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("icons")
    script("icons").render(folder)
    return folder


@pytest.fixture
def bundle(tmp_path: Path, icons: Path) -> Path:
    """The outside of a bundle: a stand-in for the executable, and all that install.sh wants."""
    folder = tmp_path / "a bundle 100%"
    shutil.copytree(LINUX, folder / "linux")
    shutil.copytree(icons, folder / "linux" / "icons", ignore=shutil.ignore_patterns("*.ic*"))
    shutil.copy(ROOT / "resources/icons/mer-studio.svg", folder / "linux" / "icons")
    (folder / "mer").write_text("#!/bin/sh\necho the bundle\n")
    (folder / "mer").chmod(0o755)
    return folder


def install(bundle: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    home = os.environ | {"HOME": str(bundle.parent / "home"), "XDG_DATA_HOME": "", "XDG_CONFIG_HOME": ""}
    return subprocess.run([bundle / "linux/install.sh", *arguments], env=home, capture_output=True, text=True)


def test_the_desktop_entry_is_one() -> None:
    values = entry(LINUX / "mer-studio.desktop")
    assert values["Type"] == "Application" and values["Exec"] == "mer %f" and values["Icon"] == "mer-studio"
    assert values["Terminal"] == "false"
    for lists in ("Categories", "Keywords", "MimeType"):
        assert re.fullmatch(r"([^;]+;)+", values[lists]), lists
    assert {TYPE, "inode/directory", "video/mp4"} <= set(values["MimeType"].split(";"))
    if checker := shutil.which("desktop-file-validate"):
        done = subprocess.run([checker, LINUX / "mer-studio.desktop"], capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_software_centres_are_told_of_this_version() -> None:
    root = ET.parse(LINUX / "mer-studio.metainfo.xml").getroot()
    said = {child.tag: (child.text or "").strip() for child in root}
    assert said["name"] == "MER Studio" and said["project_license"] == "MIT"
    assert said["summary"] == entry(LINUX / "mer-studio.desktop")["Comment"]
    assert said["launchable"] == "mer-studio.desktop"
    assert next(release.get("version") for release in root.iter("release")) == __version__
    assert [kind.text for kind in root.iter("mediatype")] == [TYPE]
    if checker := shutil.which("appstreamcli"):
        validate = [checker, "validate", "--no-net", LINUX / "mer-studio.metainfo.xml"]
        done = subprocess.run(validate, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout


def test_projects_have_a_type() -> None:
    space = "{http://www.freedesktop.org/standards/shared-mime-info}"
    (kind,) = ET.parse(LINUX / "mer-studio.mime.xml").getroot().findall(f"{space}mime-type")
    assert kind.get("type") == TYPE
    assert [glob.get("pattern") for glob in kind.findall(f"{space}glob")] == ["*.mer"]


def test_a_bundle_is_put_into_the_menu_and_taken_out_again(bundle: Path, tmp_path: Path) -> None:
    prefix = tmp_path / "pre fix"
    done = install(bundle, "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    installed = entry(prefix / "share/applications/mer-studio.desktop")
    assert installed["Exec"] == f'"{bundle.parent}/a bundle 100%%/mer" %f'
    assert installed["Name"] == "MER Studio"
    command = subprocess.run([prefix / "bin/mer"], capture_output=True, text=True)
    assert command.stdout == "the bundle\n"
    with Image.open(prefix / "share/icons/hicolor/48x48/apps/mer-studio.png") as picture:
        assert picture.size == (48, 48)
    if shutil.which("update-mime-database"):
        assert f"{TYPE}:*.mer" in (prefix / "share/mime/globs").read_text()

    done = install(bundle, "--uninstall", "--prefix", prefix)
    assert done.returncode == 0, done.stderr
    left = [p for p in prefix.rglob("*") if "mer" in p.name and not p.is_dir() and "pre fix/share/mime/" not in str(p)]
    assert left == []
    assert (bundle / "mer").exists()


def test_a_path_that_a_menu_cannot_hold_is_refused(bundle: Path, tmp_path: Path) -> None:
    odd = bundle.rename(bundle.with_name('a "bundle"'))
    done = install(odd, "--prefix", tmp_path / "prefix")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "prefix").exists()


def test_the_icon_is_drawn_in_all_sizes(icons: Path) -> None:
    for size in script("icons").SIZES:
        with Image.open(icons / f"{size}.png") as picture:
            assert picture.size == (size, size)
            assert picture.getpixel((0, 0))[3] == 0, "the corners are round"
            assert picture.getpixel((size // 2, size // 2))[3] == 255
    with Image.open(icons / "mer-studio.ico") as picture:
        assert {(16, 16), (48, 48), (256, 256)} <= picture.info["sizes"]
    with Image.open(icons / "mer-studio.icns") as picture:
        assert picture.size[0] >= 512


def test_licences_of_all_that_is_needed_are_gathered() -> None:
    licences = script("licences")
    found = licences.distributions(licences.PROJECT)
    assert {"torch", "numpy", "opencv-python", "pyside6-essentials", "sympy"} <= set(found)  # sympy: by way of torch
    assert not {"mer-studio", "pytest", "ruff"} & set(found)
    qt = licences.notice(found["pyside6-essentials"])
    assert "LGPL" in qt.licence and any("LESSER GENERAL PUBLIC LICENSE" in text for text in qt.texts.values())
    assert licences.notice(found["torch"]).texts
    assert licences.python().texts


def test_the_page_of_licences_says_each_text_once_and_cannot_be_broken_by_one(tmp_path: Path) -> None:
    licences = script("licences")

    def distribution(name: str, text: str, **fields: str) -> Any:
        path = tmp_path / name / "LICENSE"
        path.parent.mkdir()
        path.write_text(text)
        about = Message()
        about["Name"] = name
        for key, value in fields.items():
            about[key.replace("_", "-")] = value
        file = Path(name) / "LICENSE"
        return SimpleNamespace(metadata=about, version="1", files=[file], locate_file=lambda f: tmp_path / f)

    same = [distribution(name, "do as you like", License_Expression="MIT") for name in ("one", "two")]
    odd = distribution("odd", "```\nquoted\n```", License="A | B\nand more", Home_page="https://example.org")
    page = licences.page([licences.notice(d) for d in (*same, odd)])
    assert page.count("do as you like") == 1 and "and two: two/LICENSE" in page
    assert "| [odd](https://example.org) | 1 | A / B |" in page
    assert "````text\n```\nquoted\n```\n````" in page


def test_licences_of_the_system_s_libraries_are_gathered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    libraries = script("system_libraries")
    inside = tmp_path / "_internal"
    inside.mkdir()
    for name in ("libswan.so.1", "libown.so", "libpython3.11.so.1.0"):
        (inside / name).touch()
    (inside / "libQt6Core.so.6").symlink_to("PySide6/Qt/lib/libQt6Core.so.6")
    assert libraries.names(inside) == ["libown.so", "libswan.so.1"]

    said = {"dpkg": "swan:amd64: /usr/lib/x/libswan.so.1\n", "dpkg-query": "1.2-3\nhttps://example.org"}
    monkeypatch.setattr(libraries, "_ask", lambda program, *_: said[program].strip())
    monkeypatch.setattr(libraries, "which", lambda program: program)
    monkeypatch.setattr(libraries, "DOCUMENTS", tmp_path / "doc")
    (tmp_path / "doc/swan").mkdir(parents=True)
    (tmp_path / "doc/swan/copyright").write_text("on Debian in /usr/share/common-licenses/LGPL-2.1.\n")
    (tmp_path / "common-licenses").mkdir()
    (tmp_path / "common-licenses/LGPL-2.1").write_text("the whole text")
    own, swan = sorted(libraries.notices(libraries.names(inside)), key=lambda one: one.name)
    assert (swan.name, swan.version, swan.home) == ("swan", "1.2-3", "https://example.org")
    assert swan.texts["common-licenses/LGPL-2.1"] == "the whole text" and "on Debian" in swan.texts["copyright"]
    assert own.name == "libown.so" and own.texts == {}


@pytest.mark.parametrize(
    ("wanted", "paths"),
    [
        (True, ("torch/__init__.py", "torch/bin/torch_shm_manager", "torch/testing/_internal/common_utils.py")),
        (True, ("torchvision/models/resnet.py", "PySide6/QtWidgets.abi3.so", "PySide6/Qt/lib/libQt6Gui.so.6")),
        (True, ("PySide6/Qt/plugins/platforms/libqxcb.so", "tables/tests/__init__.py", "numpy/testing/__init__.py")),
        (True, ("PySide6/libpyside6qml.abi3.so.6.11", "PySide6/support/deprecated.py", "nvidia/cublas/lib/x.so")),
        (False, ("../../../bin/isympy", "torch/include/ATen/ATen.h", "torch/bin/protoc", "torch/lib/libdnnl.a")),
        (False, ("torchvision/_C.so", "torchvision/image.pyd", "torchvision/__init__.py", "torchvision/io/image.py")),
        (False, ("PySide6/Qt/qml/QtQuick/x.so", "PySide6/Qt/lib/libQt6Quick3D.so.6", "PySide6/QtQml.abi3.so")),
        (False, ("PySide6/QtCore.pyi", "PySide6/designer", "pandas/tests/io/x.py", "sympy/core/tests/x.py")),
    ],
)
def test_what_a_bundle_has_of_packages(wanted: bool, paths: tuple[str, ...]) -> None:
    left_out = script("packages").LEFT_OUT
    assert [path for path in paths if bool(left_out.match(path)) == wanted] == []


def test_packages_are_copied_with_their_times(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was compiled is only good for a source of the same time."""
    packages = script("packages")
    typer = {name: found for name, found in packages.bundled().items() if name in ("typer", "torchvision")}
    monkeypatch.setattr(packages, "bundled", lambda: typer)
    packages.copy(tmp_path)
    origin = Path(str(typer["typer"].locate_file("typer/main.py")))
    assert (tmp_path / "typer/main.py").stat().st_mtime == origin.stat().st_mtime
    assert (tmp_path / "torchvision/models/resnet.py").is_file()
    assert "import" not in (tmp_path / "torchvision/__init__.py").read_text()
    assert set(packages.modules()) >= {"typer", "torchvision"}
