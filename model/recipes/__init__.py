"""Recipes: each system as one small frozen dataclass. Everything a run does is a field, and so in its run card."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace

from model.encoder import EncoderConfig


@dataclass(frozen=True, slots=True)
class Recipe:
    """How an encoder is trained. Lengths in cells are at stride 4.

    similarity:     "dot" = <q, k> / sqrt(C) (eq 1 with MAST's scale), "cosine" = cos(q, k) / temperature.
    radius:         window radius R of the training affinity, cells.
    reconstruction: weight of the colour reconstruction loss (eqs 1-4, 18-19).
    correspondence: weight of the cross-entropy against the exact correspondence of two views of one photo.
    jitter:         change the colours of the two views of a photo independently; they are then left out of the
                    colour reconstruction. Features trained so match shapes well and ignore what colour tells.
    photo_share:    share of photo pairs in a batch, if the corpus has photos.
    gaps, gap_odds: distance of the two frames in seconds (2, 5 and 8 frames at 30 fps) and their odds.
    crop:           side of the training crop in pixels; crop_scale: its side as a share of the short side.
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

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


RECIPES = {
    r.name: r
    for r in (
        Recipe("mast"),
        Recipe("dense", similarity="cosine", correspondence=0.04),
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
