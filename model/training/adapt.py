"""Adaptation: a short training on one video alone, from an encoder in use, that ends as soon as it stops to help there.

Batch statistics stay as they are, for one video's would be no good to any other picture. Some stretches of the video
are held out. On pairs of their frames every cell is carried from one to the other and back; how far from home it comes
is the cycle error, which asks for no labels. The weights with the least are what is adapted.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from model.device import bf16_is_fast, pick_device
from model.encoder import STRIDE
from model.features import FeatureExtractor, fill_in, load_extractor
from model.flow import Motion
from model.matching import frame_affinity
from model.propagator import Propagator
from model.recipes import Recipe
from model.training.batches import Batches
from model.training.cache import decoded, jpeg
from model.training.checkpoint import load_file
from model.training.corpus import Pick, Picker
from model.training.dataset import PairDataset
from model.training.distributed import World
from model.training.schedule import learning_rate
from model.training.state import TrainingState, save_weights
from model.training.trainer import Learner
from model.types import PropagationOptions, UInt8Array
from model.video import VideoSource

FEWEST = 12
"""Frames that a video must have."""

_PLACES = 4  # stretches that are held out, at most
_GAP = 0.2  # seconds between the frames of a pair
_LONGEST = 300  # frames that are learned from, between two stretches that are held out
_SHORT_SIDE = 256  # of the pictures that are learned from, pixels
_MEASURED_AT = 240  # short side that errors are measured at, pixels
_RATE = 1e-4  # a tenth of what training from scratch begins with
_WARMUP = 5  # steps
_CHECKS = 6  # measurements of a whole budget
_PATIENCE = 2  # measurements without a better one after which it ends


@dataclass(frozen=True, slots=True)
class AdaptStep:
    """How far it is: share of the budget, steps done, and the cycle error if it was measured now, pixels."""

    share: float
    step: int
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Adapted:
    """before, after: cycle errors in pixels at a short side of 240; steps: those of the best weights.

    after is not below before, and nothing was written, where it did not help.
    """

    before: float
    after: float
    steps: int

    @property
    def helped(self) -> bool:
        return self.after < self.before


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Consecutive frames as JPEGs."""

    fps: float
    pictures: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.pictures)

    def read(self, index: int) -> UInt8Array:
        picture = decoded(self.pictures[index])
        assert picture is not None, "written by ourselves"
        return picture


@dataclass(frozen=True, slots=True)
class _OneVideo:
    """A corpus of the stretches of one video. Single frames serve as photos, for recipes that learn from these."""

    videos: tuple[_Stretch, ...]

    def describe(self) -> dict[str, object]:
        digest = hashlib.sha256(b"".join(picture for stretch in self.videos for picture in stretch.pictures))
        return {"videos": 1, "video_frames": sum(map(len, self.videos)), "photos": 0, "sha256": digest.hexdigest()}

    def picker(self, recipe: Recipe, seed: int) -> Picker:
        share = recipe.photo_share if recipe.correspondence > 0 else 0.0
        odds = np.array([len(stretch) for stretch in self.videos], float)
        odds /= odds.sum()

        def pick(index: int, rng: np.random.Generator) -> Pick:
            stretch = self.videos[int(rng.choice(len(odds), p=odds))]
            if int((index + 1) * share) == int(index * share):
                return Pick(False, 0, stretch)
            return Pick(True, 1, stretch, int(rng.integers(len(stretch))))

        return pick


def adapt(
    source: VideoSource,
    weights: Path,
    target: Path,
    *,
    minutes: float | None = 2.0,
    steps: int | None = None,
    batch: int = 8,
    device: str | None = None,
    precision: str = "auto",
    seed: int = 0,
) -> Generator[AdaptStep, None, Adapted]:
    """Adapt the encoder in `weights` to a video, and write it to `target` if it helped.

    Yields after every step; the generator's return value is what came of it. Closing it ends the work, and `target`
    then holds the best that was measured so far, if any was better. minutes, steps: the budget, whichever is used up
    first; measuring does not count. ValueError for a video that is too short, or no weights; OSError if the target
    cannot be written.
    """
    if minutes is None and steps is None:
        raise ValueError("an adaptation needs a budget: minutes or steps")
    learned, pairs = plan(len(source), source.fps)
    content = load_file(weights)
    try:
        original = Recipe.from_dict(content["recipe"])
    except KeyError:
        raise ValueError(f"{weights}: no encoder weights in it; give an encoder.pt") from None
    recipe = replace(original, bank=None, compactness=None, batch=batch, learning_rate=_RATE, warmup=_WARMUP)
    crop = recipe.crop_at(1.0)
    where = pick_device(device)
    bf16 = precision == "bf16" or (precision == "auto" and bf16_is_fast(where))
    torch.manual_seed(seed)
    state = TrainingState.fresh(recipe, where, weights)
    motion = None if recipe.flow is None else Motion(recipe.flow, None)
    corpus = _OneVideo(tuple(_stretch(source, first, stop) for first, stop in learned))
    world = World(0, 1, where)
    learner = Learner(recipe, seed, state, world, bf16, frozen=True)

    def samples(crop: int) -> PairDataset:
        return PairDataset(corpus, replace(recipe, crop=crop), seed, motion)

    batches = Batches(samples, batch, 0, world)
    before = cycle_error(source, load_extractor(weights, device, precision), pairs)
    yield AdaptStep(0.0, 0, before)
    best, best_step, worse = before, 0, 0
    candidate = target.with_name(f"{target.name}.candidate")
    elapsed, due = 0.0, 1.0 / _CHECKS
    try:
        while worse < _PATIENCE:
            share = _share(state.step, elapsed, steps, minutes)
            if share >= due or share >= 1:
                save_weights(candidate, state.average, original)
                error = cycle_error(source, load_extractor(candidate, device, precision), pairs)
                worse = 0 if error < best else worse + 1
                if error < best:
                    best, best_step = error, state.step
                    candidate.replace(target)
                due += 1.0 / _CHECKS
                yield AdaptStep(min(share, 1.0), state.step, error)
            if share >= 1:
                break
            begun = time.monotonic()
            learner.step(batches.of(state.step, crop), learning_rate(recipe, state.step, share), share)
            state.step += 1
            elapsed += time.monotonic() - begun
            yield AdaptStep(share, state.step)
    finally:
        candidate.unlink(missing_ok=True)
    return Adapted(before, best, best_step)


def plan(frames: int, fps: float) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Stretches first..stop-1 that are learned from, and pairs of frames, in none of them, that errors are measured on.

    ValueError for a video of fewer frames than `FEWEST`.
    """
    if frames < FEWEST:
        raise ValueError(f"{frames} frames are too few to adapt to; there must be {FEWEST}")
    gap = max(1, min(round(_GAP * fps), frames // 16))
    length = 2 * gap + 1
    places = max(1, min(_PLACES, frames // (3 * length)))
    starts = [round((2 * n + 1) * frames / (2 * places) - length / 2) for n in range(places)]
    pairs = [(start, start + reach) for start in starts for reach in (gap, 2 * gap)]
    ends = [0, *(start + length for start in starts)]
    learned = [
        (max(first, (first + stop - _LONGEST) // 2), min(stop, (first + stop + _LONGEST) // 2))
        for first, stop in zip(ends, [*starts, frames], strict=True)
    ]
    return [(first, stop) for first, stop in learned if stop - first > 1], pairs


@torch.inference_mode()
def cycle_error(source: VideoSource, extractor: FeatureExtractor, pairs: Sequence[tuple[int, int]]) -> float:
    """How far from home cells of one frame come back from another, mean in pixels at a short side of 240.

    A cell goes where its best vote comes from. No cell misses by more than the window's radius, wherever it gets lost.
    """
    options = fill_in(PropagationOptions(short_side=_MEASURED_AT, top_k=1), extractor)
    store = Propagator(source, extractor).store(options)
    errors = []
    for one, other in pairs:
        there = frame_affinity(*store.match(one, (other,), value=options.value or "cached"), options)
        back = frame_affinity(*store.match(other, (one,), value=options.value or "cached"), options)
        height, width = store.get(one).shape[-2:]
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        home = torch.stack([x, y]).float().to(store.device)  # of each cell, in cells
        place = there.apply(home[None])
        unit = 2 * place / torch.tensor([max(width - 1, 1), max(height - 1, 1)], device=place.device)[:, None, None] - 1
        returned = F.grid_sample(
            back.apply(home[None])[None], unit.permute(1, 2, 0)[None], padding_mode="border", align_corners=True
        )[0]
        errors.append(STRIDE * (returned - home).norm(dim=0).clamp_max(options.radius).mean())
    return float(torch.stack(errors).mean())


def _share(step: int, elapsed: float, steps: int | None, minutes: float | None) -> float:
    parts = [0.0 if steps is None else step / steps, 0.0 if minutes is None else elapsed / (60 * minutes)]
    return max(parts)


def _stretch(source: VideoSource, first: int, stop: int) -> _Stretch:
    with closing(source.frames(first, stop)) as frames:
        return _Stretch(source.fps, tuple(jpeg(frame.image, _SHORT_SIDE) for frame in frames))
