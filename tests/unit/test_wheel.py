"""Wheel and source distribution, as a user would get them: built, unpacked elsewhere, compared and run."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def build(project: Path, target: Path, *kinds: str) -> None:
    arguments = [argument for kind in kinds for argument in ("-t", kind)]
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-d", str(target), *arguments],
        cwd=project,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def unpacked(wheel: Path, target: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    return target


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both."""
    folder = tmp_path_factory.mktemp("dist")
    build(ROOT, folder, "wheel", "sdist")
    return folder


@pytest.fixture(scope="module")
def site(made: Path) -> Path:
    """A folder with the unpacked wheel."""
    (wheel,) = made.glob("mer_studio-*.whl")
    return unpacked(wheel, made / "site")


@pytest.fixture(scope="module")
def source(made: Path) -> Path:
    """A folder with the unpacked source distribution."""
    (archive,) = made.glob("mer_studio-*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(made / "source", filter="data")
    (folder,) = (made / "source").iterdir()
    return folder


def test_the_wheel_holds_the_two_packages_and_nothing_beside(site: Path) -> None:
    import app

    assert {p.name for p in site.iterdir()} == {"app", "model", f"mer_studio-{app.__version__}.dist-info"}
    for package in ("app", "model"):
        code = {p.relative_to(ROOT) for p in (ROOT / package).rglob("*.py")}
        assert code == {p.relative_to(site) for p in (site / package).rglob("*.py")}


def test_the_source_distribution_holds_what_the_wheel_is_made_of(source: Path) -> None:
    assert {p.name for p in source.iterdir()} == {
        *("app", "model", "resources", "README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"),
        *("PKG-INFO", ".gitignore"),
    }
    assert contents(source / "resources") == contents(ROOT / "resources")


def test_the_source_distribution_builds_the_same_wheel_again(site: Path, source: Path, tmp_path: Path) -> None:
    build(source, tmp_path, "wheel")
    (again,) = tmp_path.glob("mer_studio-*.whl")
    assert contents(unpacked(again, tmp_path / "site")) == contents(site)


def test_the_wheel_installs_the_command(site: Path) -> None:
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    assert entry_points.read_text().split("\n")[:2] == ["[console_scripts]", "mer = app.__main__:main"]


def test_every_resource_is_found_in_the_wheel(site: Path) -> None:
    names = [str(p.relative_to(ROOT / "resources")) for p in (ROOT / "resources").rglob("*") if p.is_file()]
    assert {"encoder.pt", "style/window.qss", "icons/mer-studio.svg"} <= set(names)
    code = "import sys; from model.resources import resource; print(*map(resource, sys.argv[1:]), sep='\\n')"
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=site.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name, found in zip(names, map(Path, done.stdout.splitlines()), strict=True):
        assert found.is_relative_to(site)
        assert found.read_bytes() == (ROOT / "resources" / name).read_bytes()


@pytest.mark.slow
def test_the_installed_command_runs_the_demo(made: Path, tmp_path: Path) -> None:
    """In an environment that has the dependencies, and of the project nothing but the wheel."""
    home, elsewhere = tmp_path / "venv", tmp_path / "elsewhere"
    elsewhere.mkdir()
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages = Path(subprocess.run([python, "-c", query], capture_output=True, text=True).stdout.strip())
    # As text: what this environment has been given by way of .pth files, such as this checkout, is not there.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [python, "-m", "pip", "--quiet", "--disable-pip-version-check", "install", "--no-deps", "--no-index"]
    (wheel,) = made.glob("mer_studio-*.whl")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    environment["MER_HOME"] = str(tmp_path / "home")
    subprocess.run([*pip, "--ignore-installed", str(wheel)], check=True, env=environment)

    mer = [str(home / "bin" / "mer"), "demo", "--frames", "3", "--size", "48"]
    done = subprocess.run(mer, cwd=elsewhere, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (elsewhere / "demo" / "contact_sheet.png").is_file()
    query = "import app; print(app.__file__)"
    where = subprocess.run([python, "-c", query], cwd=elsewhere, env=environment, capture_output=True)
    assert Path(where.stdout.decode().strip()).is_relative_to(packages)


def test_a_missing_resource_is_named() -> None:
    from model.resources import resource

    with pytest.raises(ValueError, match=r"^no-such-file is missing from .*: install mer-studio again$"):
        resource("no-such-file")
