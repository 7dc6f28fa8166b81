"""One process or many: the few places where that makes a difference.

Many processes train as one would on the whole batch: losses are shares of a mean over the batch of all processes,
and batch normalisation takes its statistics from all of them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

# The others wait while the first process decodes the corpus. If one dies, torchrun ends the rest at once.
_PATIENCE = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class World:
    """The processes of a run: this one's rank, how many there are, and its device."""

    rank: int
    size: int
    device: torch.device

    @classmethod
    def join(cls, device: torch.device) -> World:
        """Join the processes that `torchrun` started, or be alone. ValueError for a device that cannot be shared."""
        if "WORLD_SIZE" not in os.environ:
            return cls(0, 1, device)
        if device.type == "cuda":
            number = int(os.environ["LOCAL_RANK"])
            if number >= torch.cuda.device_count():
                raise ValueError(f"{torch.cuda.device_count()} GPUs are too few: start one process for each")
            device = torch.device("cuda", number)
            torch.cuda.set_device(device)
        elif device.type != "cpu":
            raise ValueError(f"several processes train on cuda or cpu, not on {device.type}: choose with --device")
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=_PATIENCE)
        return cls(dist.get_rank(), dist.get_world_size(), device)

    @property
    def first(self) -> bool:
        """Is this the process that writes files?"""
        return self.rank == 0

    def leave(self) -> None:
        if dist.is_initialized():
            dist.destroy_process_group()

    def wrap(self, model: nn.Module) -> nn.Module:
        """`model` with gradients averaged over the processes and, in place, with shared batch statistics.

        Names and parameters of `model` stay, so its state_dict and optimiser do too.
        """
        if self.size == 1:
            return model
        if self.device.type == "cuda":
            model = nn.SyncBatchNorm.convert_sync_batchnorm(model)  # type: ignore[no-untyped-call]
        else:
            share_statistics(model)
        return DistributedDataParallel(model)

    @contextmanager
    def alone(self, network: nn.Module) -> Iterator[None]:
        """Gradients of what `network`, as of `wrap`, does in the block stay here until those of a later pass join."""
        if isinstance(network, DistributedDataParallel):
            with network.no_sync():
                yield
        else:
            yield

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, without a gradient."""
        return values.detach() if self.size == 1 else sum_over_processes(values.detach())

    def previous(self, samples: Tensor) -> Tensor:
        """For each of this process's samples [B, ...] the one before it in the whole batch, the last before the first.

        Gradients flow back to the process a sample came from.
        """
        if self.size == 1:
            return samples.roll(1, dims=0)
        last = [samples[-1] if r == self.rank else torch.zeros_like(samples[-1]) for r in range(self.size)]
        return torch.cat([sum_over_processes(torch.stack(last))[self.rank - 1, None], samples[:-1]])

    def gather(self, samples: Tensor) -> Tensor:
        """This process's samples [B, ...] and those of all others, in the order of the whole batch; no gradient."""
        samples = samples.detach()
        if self.size == 1:
            return samples
        parts = [torch.empty_like(samples, memory_format=torch.contiguous_format) for _ in range(self.size)]
        dist.all_gather(parts, samples.contiguous())
        return torch.cat(parts)

    def agree(self, *values: float) -> list[float]:
        """The largest of each value over all processes, so that all take the same decision."""
        if self.size == 1:
            return list(values)
        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(shared, dist.ReduceOp.MAX)
        return [float(v) for v in shared]

    def wait(self) -> None:
        if self.size > 1:
            dist.barrier()

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """The block runs in the first process, then in all others."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation [B, C, H, W] over the equally large batches of all processes, on any device.

    torch's SyncBatchNorm does the same, but on GPUs only.
    """

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> Self:
        """The same layer with the same parameters and statistics, shared."""
        shared = cls(norm.num_features, norm.eps, norm.momentum)
        shared.weight, shared.bias = norm.weight, norm.bias
        shared.running_mean, shared.running_var = norm.running_mean, norm.running_var
        shared.num_batches_tracked = norm.num_batches_tracked
        return shared

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        wide = x.float()
        moments = torch.stack([wide.mean(dim=(0, 2, 3)), wide.square().mean(dim=(0, 2, 3))])
        mean, square = (sum_over_processes(moments) / dist.get_world_size()).unbind()
        variance = (square - mean.square()).clamp_min(0)
        self._track(mean.detach(), variance.detach(), x.numel() // len(mean) * dist.get_world_size())
        scale = self.weight * torch.rsqrt(variance + self.eps)
        shift = self.bias - mean * scale
        return (wide * scale[:, None, None] + shift[:, None, None]).to(x.dtype)

    def _track(self, mean: Tensor, variance: Tensor, count: int) -> None:
        assert self.running_mean is not None and self.running_var is not None and self.momentum is not None
        assert self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / (count - 1)), self.momentum)
        self.num_batches_tracked += 1


def share_statistics(model: nn.Module) -> None:
    """Replace every batch normalisation inside `model` by one that is shared by all processes."""
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.BatchNorm2d:
                setattr(module, name, SharedBatchNorm2d.of(child))


class _SumOverProcesses(torch.autograd.Function):
    """The loss is the sum of what the processes contribute, so the gradient of a shared sum is a shared sum."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.contiguous().clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous().clone()
        dist.all_reduce(total)
        return total


def sum_over_processes(values: Tensor) -> Tensor:
    """The elementwise sum over all processes, through which gradients flow back to each of them."""
    total: Tensor = _SumOverProcesses.apply(values)
    return total
