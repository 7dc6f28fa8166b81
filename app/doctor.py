"""What this machine and this installation offer, and what to do where something is amiss."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module, metadata
from pathlib import Path

GIB = 2**30


class Level(StrEnum):
    """MISSING is what the program cannot do without."""

    OK = "ok"
    WARNING = "warning"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Finding:
    """One row: what was looked for, what was found, how good that is, and what to do about it."""

    name: str
    found: str
    level: Level = Level.OK
    remedy: str = ""


# distribution, module that must load, level if it does not, remedy
PACKAGES = (
    ("torch", "torch", Level.MISSING, "pip install torch torchvision"),
    ("torchvision", "torchvision", Level.MISSING, "install the torchvision that belongs to this torch"),
    ("opencv-python", "cv2", Level.MISSING, "pip install opencv-python"),
    ("av", "av", Level.WARNING, "pip install av, for exact frames and for writing video"),
    ("PySide6-Essentials", "PySide6.QtGui", Level.WARNING, "pip install PySide6-Essentials, for the window"),
)
ENCODERS = (("h264", "overlay videos"), ("libvpx-vp9", "VP9 export"), ("prores_ks", "ProRes export"))


def examine() -> Iterator[Finding]:
    """Everything that is looked at, row by row."""
    python = platform.python_version()
    supported = python.split(".")[:2] in (["3", "11"], ["3", "12"])
    level = Level.OK if supported else Level.WARNING
    yield Finding("Python", python, level, "" if supported else "use Python 3.11 or 3.12: others are not tested")
    loads = True
    for distribution, module, level, remedy in PACKAGES:
        finding = _package(distribution, module, level, remedy)
        loads = loads and finding.level is not Level.MISSING
        yield finding
    if loads:
        yield from _devices()
        yield _weights()
    yield from _memory_and_disk()
    yield from _encoders()


def _package(distribution: str, module: str, level: Level, remedy: str) -> Finding:
    try:
        import_module(module)
        return Finding(distribution, metadata.version(distribution))
    except (ImportError, OSError) as error:  # a library that a package needs may be missing too
        return Finding(distribution, str(error).splitlines()[0], level, remedy)


def _devices() -> Iterator[Finding]:
    from model.device import describe

    machine = describe()
    for device in machine.devices:
        memory = "" if device.memory is None else f", {device.memory / GIB:.1f} GiB"
        speed = "bf16 in hardware" if device.bf16 else "fp32"
        yield Finding(device.name, f"{device.title}{memory}, {speed}")
    few = machine.threads < machine.cores
    yield Finding(
        "threads",
        f"{machine.threads} of {machine.cores} cores",
        Level.WARNING if few else Level.OK,
        "unset OMP_NUM_THREADS to use all cores" if few else "",
    )


def _weights() -> Finding:
    from model.features import load_extractor

    try:
        encoder = load_extractor(None, "cpu")
    except ValueError as error:
        return Finding("bundled weights", str(error), Level.MISSING, "or name a file with --weights")
    return Finding("bundled weights", f"recipe {encoder.recipe}, sha256 {encoder.sha256[:16]}")


def _memory_and_disk() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    little = memory.available < 2 * GIB
    yield Finding(
        "memory",
        f"{memory.total / GIB:.1f} GiB, {memory.available / GIB:.1f} GiB available",
        Level.WARNING if little else Level.OK,
        "close other programs, or use a smaller --size" if little else "",
    )
    free = shutil.disk_usage(Path.cwd()).free
    little = free < 2 * GIB
    yield Finding(
        "disk",
        f"{free / GIB:.1f} GiB free in {Path.cwd()}",
        Level.WARNING if little else Level.OK,
        "make room before long runs" if little else "",
    )


def _encoders() -> Iterator[Finding]:
    try:
        import av
    except ImportError:
        return
    for name, use in ENCODERS:
        try:
            yield Finding(f"encoder {name}", av.codec.Codec(name, "w").long_name)
        except ValueError:
            yield Finding(f"encoder {name}", "not in this PyAV", Level.WARNING, f"pip install av again, for {use}")
