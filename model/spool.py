"""A place on disk for the labels of a whole pass, so that fusing two passes costs no memory."""

from __future__ import annotations

import tempfile
from types import TracebackType
from typing import Self

import numpy as np
import torch
from torch import Tensor

from model.memory import Entry


class Spool:
    """Entries and confidences by frame, in half precision in an unnamed temporary file."""

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by __exit__
        self._places: dict[int, tuple[int, Tensor]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def __contains__(self, frame: int) -> bool:
        return frame in self._places

    def put(self, frame: int, entry: Entry, confidence: Tensor) -> None:
        """Set aside labels with their confidence [h, w]."""
        self._places[frame] = self._file.seek(0, 2), entry.known
        for part in (entry.values, confidence):
            np.save(self._file, part.half().cpu().numpy())

    def get(self, frame: int, device: torch.device) -> tuple[Entry, Tensor]:
        """What was put, the values on `device`."""
        place, known = self._places[frame]
        self._file.seek(place)
        values, confidence = (torch.from_numpy(np.load(self._file)).float() for _ in range(2))
        return Entry(values.to(device), known), confidence
