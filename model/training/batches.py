"""The batches of a run: which samples belong to a step, read ahead by other processes."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Callable, Iterator

import cv2
from torch.utils.data import DataLoader

from model.training.dataset import PairDataset, Sample
from model.training.distributed import World


class Batches:
    """One batch after the other, those of each step the same whatever came before.

    data:  makes the samples with crops of a given side; crops may change size on the way.
    parts: in how many parts this process takes its share of each batch.
    """

    def __init__(
        self, data: Callable[[int], PairDataset], batch: int, workers: int, world: World, parts: int = 1
    ) -> None:
        self._data, self._batch, self._workers, self._world, self._parts = data, batch, workers, world, parts
        self._crop = 0
        self._open: Iterator[Sample] = iter(())

    def of(self, step: int, crop: int) -> list[Sample]:
        """This process's share of the batch of a step, in order: the step after the last, unless the crop is new."""
        if crop != self._crop:
            numbers = sample_numbers(step, self._batch, self._world.rank, self._world.size, self._parts)
            pin = self._world.device.type == "cuda"
            self._crop, self._open = crop, _read_ahead(self._data(crop), numbers, self._workers, pin)
        return [next(self._open) for _ in range(self._parts)]


def _read_ahead(data: PairDataset, numbers: Iterator[list[int]], workers: int, pin: bool) -> Iterator[Sample]:
    # No method: its worker processes end when nobody holds the iterator, and in a cycle somebody always would.
    yield from DataLoader(
        data,
        batch_sampler=numbers,
        num_workers=workers,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_prepare_worker,
    )


def sample_numbers(first_step: int, batch: int, rank: int, size: int, parts: int = 1) -> Iterator[list[int]]:
    """Part by part, step by step, the numbers of this process's samples.

    Those of all processes together, each with all its parts, are one batch, in order.
    """
    length = batch // size // parts
    for step in itertools.count(first_step):
        for part in range(parts):
            begin = step * batch + (rank * parts + part) * length
            yield list(range(begin, begin + length))


def _prepare_worker(number: int) -> None:
    # Ctrl+C and torchrun signal the whole group, but the training process wants its step finished; it ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    cv2.setNumThreads(1)
