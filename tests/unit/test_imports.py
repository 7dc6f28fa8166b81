"""What may be loaded by what. Each check starts a new interpreter, for this one has loaded everything already."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PYAV_BACKEND = {"model.video.file", "model.video.index"}  # loaded by `open_video` where PyAV is to be had
TRITON_KERNEL = {"model.affinity.kernel"}  # loaded on CUDA where Triton is to be had


def modules_in(package: str) -> list[str]:
    """Every module below `package`, by its files: new ones are checked without being listed here."""
    files = sorted((ROOT / package.replace(".", "/")).rglob("*.py"))
    names = [".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__") for f in files]
    assert package in names
    return names


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True)


def test_the_application_core_loads_neither_torch_nor_qt() -> None:
    code = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(name)
print(*sorted({"torch", "torchvision", "PySide6", "shiboken6", "qtpy", "qtawesome", "av"} & set(sys.modules)))
"""
    done = run(code, *modules_in("app.core"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


def test_model_needs_torch_torchvision_numpy_and_opencv_alone() -> None:
    """A training machine has no more than these: no Qt, no PyAV, nothing of the application."""
    code = """
import importlib, sys
absent = {"app", "av", "imageio", "platformdirs", "psutil", "pycocotools", "pydantic", "PySide6", "qtawesome", "qtpy",
          "rich", "scipy", "shiboken6", "triton", "typer"}
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"model must be importable without {name}", name=name)
sys.meta_path.insert(0, Absent())
for name in sys.argv[1:]:
    importlib.import_module(name)
"""
    modules = modules_in("model")
    optional = PYAV_BACKEND | TRITON_KERNEL
    assert set(modules) >= optional
    done = run(code, *(name for name in modules if name not in optional))
    assert done.returncode == 0, done.stderr


def test_the_packaging_folder_does_not_hide_the_packaging_library() -> None:
    done = run("import packaging.version; print(packaging.version.__file__)")
    assert done.returncode == 0, done.stderr
    assert ROOT / "packaging" not in Path(done.stdout.strip()).parents
