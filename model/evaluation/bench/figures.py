"""The figures of a benchmark, as JSON takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Roof:
    """The most that this machine does: a large matrix product in FLOP/s, a copy in bytes/s (read and written).

    dtype: of the product, the one that the work is done in. threads: torch's, for both.
    """

    flops: float
    bytes: float
    dtype: str
    threads: int


@dataclass(frozen=True, slots=True)
class Stage:
    """One piece of work: seconds for a frame (or a step), how much of the unit "FLOP" or "byte" it cannot do without
    (0 if nobody counted), and the roof for that, per second."""

    name: str
    seconds: float
    work: float
    unit: str
    roof: float

    @property
    def rate(self) -> float:
        """Per second."""
        return self.work / self.seconds

    @property
    def ratio(self) -> float:
        """Of the roof, 0..1."""
        return self.rate / self.roof

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"rate": self.rate, "ratio": self.ratio}


@dataclass(frozen=True, slots=True)
class Run:
    """A propagation: of a video of this size (height, width), worked on at another.

    frames:   measured, with memory full.
    first:    seconds per frame, decoding included, of a first pass.
    update:   the same of a second pass over these frames behind a correction, when their features are still kept.
    stages:   each by itself; where the propagator does two at a time, they add up to more than `first`.
    resident: bytes of main memory that the process held at the end.
    """

    video: str
    size: tuple[int, int]
    working_size: tuple[int, int]
    objects: int
    references: int
    frames: int
    first: float
    update: float
    stages: tuple[Stage, ...]
    resident: int | None

    @property
    def name(self) -> str:
        """By heights: 480p, or "1080p at 480p" where it is worked on at less; with the objects if there are several."""
        height, worked = self.size[0], self.working_size[0]
        at = "" if worked == height else f" at {worked}p"
        return f"{height}p{at}" + (f", {self.objects} objects" if self.objects > 1 else "")

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"stages": [stage.as_dict() for stage in self.stages]}


@dataclass(frozen=True, slots=True)
class Length:
    """A pass over so many frames: seconds per frame behind the warm-up, and bytes held on the way (frame -> bytes)."""

    size: tuple[int, int]
    frames: int
    seconds: float
    resident: Mapping[int, int | None]

    @property
    def early(self) -> int | None:
        """Bytes held when a tenth was done."""
        return min(((abs(10 * frame - self.frames), held) for frame, held in self.resident.items()), default=(0, None))[
            1
        ]

    @property
    def late(self) -> int | None:
        """Bytes held at the end."""
        return self.resident[max(self.resident)] if self.resident else None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"early": self.early, "late": self.late}


@dataclass(frozen=True, slots=True)
class Figures:
    """All figures of one run of `mer bench`; what was not asked for is empty or None.

    affinity: milliseconds per reference by way: "unfold", "dense", "tiled" (and "kernel" where it runs).
    parts:    seconds per frame by part of the method, the plain way first.
    """

    machine: Mapping[str, Any]
    roof: Roof
    runs: tuple[Run, ...] = ()
    training: Stage | None = None
    lengths: tuple[Length, ...] = ()
    affinity: Mapping[str, float] = field(default_factory=dict)
    parts: Mapping[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {
            "machine": dict(self.machine),
            "roof": asdict(self.roof),
            "runs": [run.as_dict() for run in self.runs],
            "training": None if self.training is None else self.training.as_dict(),
            "lengths": [length.as_dict() for length in self.lengths],
            "affinity_ms_per_reference": dict(self.affinity),
            "parts": dict(self.parts),
        }
