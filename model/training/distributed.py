"""One process or many: the few places where that makes a difference."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run: this one's rank, how many there are, and its device."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: torch.device) -> World:
        """Join the processes that `torchrun` started, or be alone."""
        if "WORLD_SIZE" not in os.environ:
            return cls(0, 1, device)
        if device.type == "cuda":
            device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
            torch.cuda.set_device(device)
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Is this the process that writes files?"""
        return self.rank == 0

    def leave(self) -> None:
        if self.size > 1:
            dist.destroy_process_group()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Average gradients over the processes."""
        return DistributedDataParallel(model) if self.size > 1 else model

    def agree(self, value: float) -> float:
        """The largest value over all processes, so that all take the same decision."""
        if self.size == 1:
            return value
        shared = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return float(shared)

    def wait(self) -> None:
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """The block runs in the first process, then in all others."""
        if not self.first:
            self.wait()
        try:
            yield
        finally:
            if self.first:
                self.wait()
