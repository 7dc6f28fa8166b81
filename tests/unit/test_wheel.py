"""The wheel, as a user would install it: built, unpacked elsewhere and asked for its files."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the unpacked wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    build = [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("mer_studio-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_wheel_holds_the_two_packages_and_nothing_beside(site: Path) -> None:
    import app

    assert {p.name for p in site.iterdir()} == {"app", "model", f"mer_studio-{app.__version__}.dist-info"}
    for package in ("app", "model"):
        code = {p.relative_to(ROOT) for p in (ROOT / package).rglob("*.py")}
        assert code == {p.relative_to(site) for p in (site / package).rglob("*.py")}


def test_the_wheel_installs_the_command(site: Path) -> None:
    (entry_points,) = site.glob("*.dist-info/entry_points.txt")
    assert entry_points.read_text().split("\n")[:2] == ["[console_scripts]", "mer = app.__main__:main"]


def test_every_resource_is_found_in_the_wheel(site: Path) -> None:
    names = [str(p.relative_to(ROOT / "resources")) for p in (ROOT / "resources").rglob("*") if p.is_file()]
    assert "encoder.pt" in names
    code = "import sys; from model.resources import resource; print(*map(resource, sys.argv[1:]), sep='\\n')"
    environment = os.environ | {"PYTHONPATH": str(site)}
    done = subprocess.run(
        [sys.executable, "-c", code, *names], cwd=site.parent, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    for name, found in zip(names, map(Path, done.stdout.splitlines()), strict=True):
        assert found.is_relative_to(site)
        assert found.read_bytes() == (ROOT / "resources" / name).read_bytes()


def test_a_missing_resource_is_named() -> None:
    from model.resources import resource

    with pytest.raises(ValueError, match=r"^no-such-file is missing from .*: install mer-studio again$"):
        resource("no-such-file")
