"""The recipe of the mask decoder: what `model.training.mask_vos` learns from, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from model.mask_decoder import DecoderConfig
from model.recipes.data import from_data

NAME = "mask_vos"


@dataclass(frozen=True, slots=True)
class MaskVosRecipe:
    """Everything a decoder's training does; the encoder that it belongs to stays as it is.

    clips:         how many are prepared; length, size: of each, in frames and pixels (height, width).
    segments:      M, the pseudo-masks that a clip is parted into.
    real_share:    clips without anything pasted in: they have pseudo-masks alone.
    segment_odds:  how often a pseudo-mask is learned from where there is a pasted object as well.
    forget, spoil: how often the first frame hardly votes, and labels on the way are damaged.
    tasks:         of a step: objects carried through a clip each, by the decoder as it is then.
    cells:         at most so many of each frame are learned from, two thirds of them where labels are not settled.
    fits, batch:   optimiser steps on the cells of the last three steps, and cells of each.
    learning_rate: falls to 0 as a cosine, in every step.
    """

    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    clips: int = 84
    length: int = 9
    size: tuple[int, int] = (128, 160)
    segments: int = 5
    real_share: float = 0.25
    segment_odds: float = 0.25
    forget: float = 0.35
    spoil: float = 0.5
    tasks: int = 40
    cells: int = 260
    fits: int = 200
    batch: int = 4096
    learning_rate: float = 6e-3

    def __post_init__(self) -> None:
        checks = {
            "clips": self.clips >= 1,
            "length": self.length >= 2,
            "size": len(self.size) == 2 and all(side >= 32 and side % 4 == 0 for side in self.size),
            "segments": self.segments >= 1,
            "learning_rate": self.learning_rate > 0,
        }
        checks |= {n: getattr(self, n) >= 1 for n in ("tasks", "cells", "fits", "batch")}
        checks |= {n: 0 <= getattr(self, n) <= 1 for n in ("real_share", "segment_odds", "forget", "spoil")}
        for name, ok in checks.items():
            if not ok:
                raise ValueError(f"recipe {NAME}: {name} cannot be {getattr(self, name)!r}")

    @property
    def name(self) -> str:
        return NAME

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> MaskVosRecipe:
        """ValueError for what is no such recipe, or that of a newer version."""
        return from_data(cls, data, "recipe")
