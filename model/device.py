"""What the machine offers: devices, quick number formats, cores and memory."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import torch


def pick_device(name: str | None = None) -> torch.device:
    """The device of this name ("cpu", "cuda", "cuda:1", "mps"), or the quickest here. ValueError if it is absent."""
    present = [device.name for device in _devices()]
    if name is None:
        return torch.device(present[0])
    wanted = "cuda:0" if name == "cuda" else name
    if wanted not in present:
        raise ValueError(f"there is no device {name!r} here: choose from {', '.join(present)}")
    return torch.device(wanted)


def bf16_is_fast(device: torch.device) -> bool:
    """Whether bfloat16 products run in hardware: AVX-512 BF16 or AMX processors, CUDA cards from Ampere on."""
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device)[0] >= 8
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")  # private, so they may go
    return device.type == "cpu" and any(getattr(torch.cpu, check, bool)() for check in checks)


@dataclass(frozen=True, slots=True)
class Device:
    """name as `pick_device` takes it; memory in bytes, None where it is not known."""

    name: str
    title: str
    memory: int | None
    bf16: bool


@dataclass(frozen=True, slots=True)
class Machine:
    """What `describe` found. devices: the quickest first. cores: those this process may use. threads: torch's own."""

    torch: str
    devices: tuple[Device, ...]
    cores: int
    threads: int


def describe() -> Machine:
    """The machine as far as it matters to speed and memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return Machine(torch.__version__, tuple(_devices()), cores, torch.get_num_threads())


def _devices() -> list[Device]:
    found = []
    for i in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(i)
        device = torch.device("cuda", i)
        found.append(Device(str(device), properties.name, properties.total_memory, bf16_is_fast(device)))
    memory = _main_memory()
    if torch.backends.mps.is_available():  # shares the main memory
        found.append(Device("mps", "Apple GPU", memory, False))
    found.append(Device("cpu", _processor(), memory, bf16_is_fast(torch.device("cpu"))))
    return found


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _main_memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        return None
