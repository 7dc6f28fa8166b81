"""How time, work and memory are measured."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from model.device import bf16_is_fast
from model.evaluation.bench.figures import Roof

_ROOF_ROUNDS = 5


@dataclass(frozen=True, slots=True)
class Meter:
    """Takes the time of work on a device.

    rounds: of which the shortest counts.
    clock:  seconds. That of the wall, or of this process's own share of the processors where others want them too.
    """

    device: torch.device
    rounds: int = 2
    clock: Callable[[], float] = time.perf_counter

    def now(self) -> float:
        """The time when everything asked of the device is done."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return self.clock()

    def seconds(self, work: Callable[[], object]) -> float:
        """That some work takes."""
        return min(self._once(work) for _ in range(self.rounds))

    def _once(self, work: Callable[[], object]) -> float:
        begun = self.now()
        work()
        return self.now() - begun


def flops(work: Callable[[], object]) -> int:
    """Floating-point operations of the products and convolutions in some work; a multiply-add counts as two."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def find_roof(meter: Meter) -> Roof:
    """Time a large matrix product in the type that networks run in here, and a copy that no cache holds."""
    meter, device = replace(meter, rounds=_ROOF_ROUNDS), meter.device
    dtype = torch.bfloat16 if bf16_is_fast(device) else torch.float32
    side, count = (8192, 2**30) if device.type == "cuda" else (2048, 2**28)
    a, b = torch.randn(2, side, side, device=device, dtype=dtype)
    product = torch.empty_like(a)
    source = torch.ones(count, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def multiply() -> Tensor:
        return torch.mm(a, b, out=product)

    def copy() -> Tensor:
        return target.copy_(source)

    for warm_up in (multiply, copy):
        warm_up()
    return Roof(
        flops=2 * side**3 / meter.seconds(multiply),
        bytes=2 * count / meter.seconds(copy),
        dtype=str(dtype).removeprefix("torch."),
        threads=torch.get_num_threads(),
    )


def resident() -> int | None:
    """Bytes of main memory that this process holds; None where that cannot be told."""
    statm = Path("/proc/self/statm")
    if statm.exists():
        import resource

        return int(statm.read_text().split()[1]) * resource.getpagesize()
    try:
        import psutil
    except ImportError:
        return None
    return int(psutil.Process().memory_info().rss)
