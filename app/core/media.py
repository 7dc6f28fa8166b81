"""The video that a project is about."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Media:
    """path: absolute. size: (height, width). fingerprint: tells another video under the same name."""

    path: Path
    size: tuple[int, int]
    frames: int
    fps: float
    fingerprint: str = ""
