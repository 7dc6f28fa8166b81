"""What a run will need, known before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TIGHT = 0.8  # of what is free: more than that may not be there any more when it is needed


class Resource(StrEnum):
    MEMORY = "memory"
    DEVICE = "device memory"
    DISK = "disk"


@dataclass(frozen=True, slots=True)
class Need:
    """Bytes of a resource that a run takes at most, and bytes that are free."""

    resource: Resource
    needed: int
    free: int

    @property
    def share(self) -> float:
        """What is needed of what is free: 1 = all of it."""
        return self.needed / self.free if self.free > 0 else float("inf")


@dataclass(frozen=True, slots=True)
class Preflight:
    """frames to make, seconds that they take (None = not measured yet), needs.

    features: bytes of features that the run may keep; None = as the settings say.
    chunk:    frames whose features these are, when memory has room for fewer than the settings allow: a later update
              encodes the others again, but it fits.
    """

    frames: int
    seconds: float | None
    needs: tuple[Need, ...]
    features: int | None = None
    chunk: int | None = None

    @property
    def fits(self) -> bool:
        return all(need.share <= 1 for need in self.needs)

    @property
    def tight(self) -> tuple[Need, ...]:
        """What leaves little room, or none, the worst first."""
        return tuple(sorted((n for n in self.needs if n.share > TIGHT), key=lambda n: -n.share))
