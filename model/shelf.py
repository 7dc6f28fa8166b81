"""Features that do not fit into memory, on disk: to read them takes a hundredth of the time that encoding takes."""

from __future__ import annotations

import logging
import tempfile
import weakref
from collections import OrderedDict
from collections.abc import Hashable
from pathlib import Path
from typing import IO

import torch
from torch import Tensor

Parts = tuple[Tensor, ...]


class Shelf:
    """Tensors [C, h, w] by key in an unnamed temporary file, the least recently used dropped beyond a byte budget.

    All items are alike: as many parts, of the same shapes and types, as the first. Where the disk fails nothing more is
    put away; whoever asks for what is not here makes it again.

    folder: where the file is; None = where the system keeps such files.
    """

    def __init__(self, budget: int, folder: Path | None = None) -> None:
        self._budget, self._folder = budget, folder
        self._places: OrderedDict[Hashable, int] = OrderedDict()
        self._file: IO[bytes] | None = None
        self._layout: list[tuple[tuple[int, ...], torch.dtype]] = []
        self._size = self._slots = 0

    def __len__(self) -> int:
        return len(self._places)

    def put(self, key: Hashable, parts: Parts) -> None:
        """Put an item away, unless it is here already."""
        if not self._layout:
            self._layout = [(_rows(part).shape, part.dtype) for part in parts]
            self._size = sum(part.nbytes for part in parts)
        assert [(_rows(part).shape, part.dtype) for part in parts] == self._layout
        if key in self._places:
            self._places.move_to_end(key)
            return
        if self._size * (self._slots + 1) <= self._budget:
            place = self._size * self._slots
            self._slots += 1
        elif self._places:
            _, place = self._places.popitem(last=False)
        else:
            return
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - lives as long as the shelf
                weakref.finalize(self, self._file.close)
            self._file.seek(place)
            for part in parts:
                self._file.write(_rows(part).cpu().contiguous().view(torch.uint8).numpy().data)
            self._file.flush()
        except OSError as error:
            logging.getLogger("mer.shelf").warning("features are no longer kept on disk: %s", error)
            self._budget = 0
            self._places.clear()
            return
        self._places[key] = place

    def get(self, key: Hashable, device: torch.device) -> Parts | None:
        """What was put away, on `device`; None if it is not here (any more)."""
        place = self._places.get(key)
        if place is None or self._file is None:
            return None
        self._places.move_to_end(key)
        read = bytearray(self._size)
        try:
            self._file.seek(place)
            whole = self._file.readinto(read) == self._size  # type: ignore[attr-defined]
        except OSError:
            whole = False
        if not whole:
            del self._places[key]
            return None
        parts, start = [], 0
        for shape, dtype in self._layout:
            count = torch.Size(shape).numel()
            rows = torch.frombuffer(read, dtype=dtype, count=count, offset=start).view(shape)
            parts.append(rows.permute(2, 0, 1).to(device))
            start += rows.nbytes
        return tuple(parts)


def _rows(part: Tensor) -> Tensor:
    """[C, h, w] -> [h, w, C], as features lie in memory."""
    return part.permute(1, 2, 0)
