"""Recipes: each system as one small frozen dataclass. Everything a run does is a field, and so in its run card."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Any

from model.bank import BankOptions
from model.compactness import CompactnessOptions
from model.encoder import EncoderConfig
from model.flow import FlowOptions
from model.motion import ValueOptions
from model.positions import PositionOptions
from model.recipes.data import from_data
from model.sampler import SamplerOptions
from model.tracks import TrackOptions
from model.weight_map import WeightMapOptions


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an encoder is trained. Lengths in cells are at stride 4.

    Defaults are what a weights file means that is older than a field: a new field's default changes nothing.

    similarity:     "dot" = <q, k> / sqrt(C) (eq 1 with MAST's scale), "cosine" = cos(q, k) / temperature.
    radius:         window radius R of the training affinity, cells.
    reconstruction: weight of the colour reconstruction loss (eqs 1-4, 18-20).
    correspondence: weight of the cross-entropy against the exact correspondence of two views of one photo.
    jitter:         change the colours of the two views of a photo independently; they are then left out of the
                    colour reconstruction. Features trained so match shapes well and ignore what colour tells.
    photo_share:    share of photo pairs in a batch, if the corpus has photos.
    gaps, gap_odds: distance of the two frames in seconds (2, 5 and 8 frames at 30 fps) and their odds.
    crop:           side of the training crop in pixels; crop_scale: its side as a share of the short side.
    crop_late:      the same once `late_from` of the training is over; None = crop.

    Parts that a recipe may lack (None):

    flow:           channel fusion with the motion of each frame (eq 5).
    value:          value extraction (eqs 6-12).
    sampler:        windows from clusters in place of `radius` (eqs 13-15).
    weight:         the colour loss weighted by the value map (eq 20).
    bank:           negatives of other videos (eqs 16, 17), from `second_phase` on.
    compactness:    the compactness prior (LIIR 7, 8); in training from `second_phase` on.
    tracks:         cross-entropy against where flow leads over the frames between the two of a video.
    positions:      position encoding (LIIR 6).
    late_from, second_phase: shares of the training. In the second phase batch statistics are frozen as well.
    """

    name: str
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    similarity: str = "dot"
    temperature: float = 0.07
    radius: int = 12
    reconstruction: float = 1.0
    correspondence: float = 0.0
    jitter: bool = False
    photo_share: float = 0.5
    gaps: tuple[float, ...] = (2 / 30, 5 / 30, 8 / 30)
    gap_odds: tuple[float, ...] = (0.4, 0.4, 0.2)
    crop: int = 128
    crop_scale: tuple[float, float] = (0.3, 0.8)
    batch: int = 32
    learning_rate: float = 1e-3
    warmup: int = 100
    flow: FlowOptions | None = None
    value: ValueOptions | None = None
    sampler: SamplerOptions | None = None
    weight: WeightMapOptions | None = None
    bank: BankOptions | None = None
    compactness: CompactnessOptions | None = None
    positions: PositionOptions | None = None
    tracks: TrackOptions | None = None
    crop_late: int | None = None
    late_from: float = 0.3
    second_phase: float = 0.75

    def __post_init__(self) -> None:
        if self.weight is not None and self.weight.mode != "off" and self.value is None:
            raise ValueError(f"recipe {self.name}: weight needs a value map to weigh by; give it value as well")
        for name in ("late_from", "second_phase"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"recipe {self.name}: {name} is between 0 and 1, not {getattr(self, name)}")

    @property
    def is_plain(self) -> bool:
        """Is it the encoder and its affinity alone, without any of the parts?"""
        parts = (self.flow, self.value, self.sampler, self.weight, self.bank, self.compactness, self.positions)
        return all(part is None for part in parts)

    def crop_at(self, progress: float) -> int:
        """The side of the crops at this share of the training."""
        return self.crop if self.crop_late is None or progress < self.late_from else self.crop_late

    def in_second_phase(self, progress: float) -> bool:
        """Do negatives and compactness count by now? Not in a recipe that has neither."""
        return (self.bank is not None or self.compactness is not None) and progress >= self.second_phase

    def weight_of(self, term: str) -> float:
        """The weight of a loss term, by the name it has in the metrics, in the total of eq (21)."""
        gamma = 0.0 if self.bank is None else self.bank.gamma
        weights = {"reconstruction": self.reconstruction, "correspondence": self.correspondence}
        tracks = 0.0 if self.tracks is None else self.tracks.weight
        return (weights | {"contrast": gamma, "compactness": 1.0, "tracks": tracks})[term]

    def changed(self, changes: Mapping[str, object]) -> Recipe:
        """With some fields replaced, all at once, by dotted name: {"flow": None, "sampler.threshold": 0.4}.

        ValueError for a field that there is not, a part that the recipe lacks, or a value that cannot be.
        """
        whole = {name: value for name, value in changes.items() if "." not in name}
        for name, value in changes.items():
            part, dot, switch = name.partition(".")
            if not dot:
                continue
            old = whole.get(part, getattr(self, part, None))
            if not is_dataclass(old) or switch not in {f.name for f in fields(old)}:
                raise ValueError(f"recipe {self.name} has no {name} to change")
            whole[part] = replace(old, **{switch: value})  # type: ignore[type-var]
        if unknown := set(whole) - {f.name for f in fields(self)}:
            raise ValueError(f"recipe {self.name} has no {min(unknown)} to change")
        return replace(self, **whole)  # type: ignore[arg-type]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: object) -> Recipe:
        """The recipe of a weights file or run card; a field that it lacks had its default then.

        ValueError for what is no recipe, or the recipe of a newer version.
        """
        return from_data(cls, data, "recipe")


_DENSE = Recipe("dense", similarity="cosine", correspondence=0.04)

_MER = Recipe(
    "mer",
    flow=FlowOptions(),
    value=ValueOptions(),
    sampler=SamplerOptions(),
    weight=WeightMapOptions(),
    bank=BankOptions(),
    compactness=CompactnessOptions(),
    crop_late=256,
    warmup=500,
)

RECIPES = {
    r.name: r
    for r in (
        Recipe("mast"),
        _DENSE,
        replace(
            _DENSE,
            name="tracked",
            tracks=TrackOptions(),
            gaps=(2 / 30, 5 / 30, 10 / 30, 20 / 30),  # flow leads further than colours alone
            gap_odds=(0.2, 0.3, 0.3, 0.2),
        ),
        Recipe(
            "liir",
            bank=BankOptions(capacity=1440, gamma=0.0),  # the joint affinity alone
            positions=PositionOptions(),
            compactness=CompactnessOptions(),
            crop_late=256,
        ),
        _MER,
        replace(  # to the letter of the paper, where it has one
            _MER,
            name="mer_faithful",
            photo_share=0.0,
            flow=FlowOptions(encoding="wheel"),
            value=ValueOptions(reduce="sum", clamp="none", inference="per_target"),
            crop=256,
            crop_late=None,
        ),
    )
}


def get_recipe(name: str, **changes: object) -> Recipe:
    """The recipe of that name, with some fields replaced. ValueError for an unknown name or field."""
    if name not in RECIPES:
        raise ValueError(f"unknown recipe {name!r}; there are: {', '.join(sorted(RECIPES))}")
    try:
        return replace(RECIPES[name], **changes)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"recipe {name}: {error}") from None
