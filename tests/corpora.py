"""A small corpus of moving textures, and options that learn from it in seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from model.bank import BankOptions
from model.compactness import CompactnessOptions
from model.encoder import EncoderConfig
from model.flow import FlowOptions
from model.motion import ValueOptions
from model.positions import PositionOptions
from model.recipes import RECIPES, Recipe
from model.sampler import SamplerOptions
from model.training.trainer import TrainingOptions, train
from model.types import UInt8Array
from model.weight_map import WeightMapOptions
from tests.videos import texture

FPS = 10.0
NARROW = EncoderConfig((8, 8, 16, 16), 16)
TINY = Recipe(
    "tiny",
    NARROW,
    radius=4,
    gaps=(0.1, 0.2),
    gap_odds=(0.5, 0.5),
    crop=32,
    crop_scale=(0.5, 0.9),
    batch=4,
    warmup=3,
)
TINY_DENSE = replace(TINY, name="tiny-dense", similarity="cosine", correspondence=0.2, jitter=True, batch=6)

TINY_MER = replace(  # every part, and every change on the way
    TINY_DENSE,
    name="tiny-mer",
    jitter=False,
    flow=FlowOptions(),
    value=ValueOptions(windows=4),
    sampler=SamplerOptions(smallest=2, largest=4, downsample=2),
    weight=WeightMapOptions(),
    bank=BankOptions(capacity=12, per_frame=2),
    compactness=CompactnessOptions(train_above=0.1),
    positions=PositionOptions(),
    crop_late=40,
    second_phase=0.4,
)
TINY_STEADY = replace(  # without thresholds, at which the last digit of a number decides
    TINY_MER,
    name="tiny-steady",
    sampler=SamplerOptions(size="fixed", radius=4),
    compactness=CompactnessOptions(train_above=0.0),
)

TINY_FROZEN = replace(  # without anything that a sample owes to the others of its batch
    TINY, name="tiny-frozen", bank=BankOptions(capacity=32, per_frame=2), second_phase=0.0, batch=8
)


def write_clip(path: Path, images: list[UInt8Array]) -> Path:
    """A video file of these pictures [H, W, 3] RGB."""
    height, width = images[0].shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), FPS, (width, height))
    for image in images:
        writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    writer.release()
    return path


def write_frames(folder: Path, images: list[UInt8Array], first: int = 0, step: int = 1) -> Path:
    """A folder of these pictures, numbered."""
    folder.mkdir(parents=True)
    for n, image in enumerate(images):
        cv2.imwrite(str(folder / f"{first + n * step:05d}.png"), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return folder


def moving_texture(
    seed: int, frames: int = 12, height: int = 64, width: int = 80, speed: int = 3, coarseness: int = 1
) -> list[UInt8Array]:
    """A texture that moves to the left by `speed` pixels per frame."""
    ground = texture(seed, height // coarseness, (width + speed * frames) // coarseness)
    ground = np.asarray(cv2.resize(ground, (width + speed * frames, height)), np.uint8)
    return [np.ascontiguousarray(ground[:, t * speed : t * speed + width]) for t in range(frames)]


def write_corpus(folder: Path) -> Path:
    """Two clips and four photos."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for n in range(2):
        write_clip(folder / f"clip{n}.avi", moving_texture(n))
    for n in range(4):
        cv2.imwrite(str(photos / f"{n}.png"), texture(10 + n, 64, 72))
    return folder


def register(patch: pytest.MonkeyPatch | None = None) -> None:
    """Make the small recipes known by name, until `patch` is undone."""
    for recipe in (TINY, TINY_DENSE, TINY_MER, TINY_STEADY, TINY_FROZEN):
        if patch is None:
            RECIPES[recipe.name] = recipe
        else:
            patch.setitem(RECIPES, recipe.name, recipe)


def undisturbed(corpus: Path, folder: Path, **changes: Any) -> Path:
    """The folder of a run of six steps that nothing disturbs."""
    with pytest.MonkeyPatch.context() as patch:
        register(patch)
        return train(options(corpus, folder / "straight", **changes)).parent


def options(corpus: Path, out: Path, **changes: Any) -> TrainingOptions:
    """A short run, the same whatever the machine."""
    fixed: dict[str, Any] = {"recipe": "tiny", "steps": 6, "device": "cpu", "precision": "fp32", "workers": 0}
    return TrainingOptions((corpus,), out, **(fixed | {"cache": corpus.parent / "cache"} | changes))
