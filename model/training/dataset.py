"""Training samples: two views that show the same things, from a video or from one photo.

A video gives two frames a few tenths of a second apart under one shared crop and flip, never recoloured:
the loss compares their colours. A photo gives two crops whose correspondence is known exactly.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from model.encoder import STRIDE
from model.flow import Motion
from model.recipes import Recipe
from model.tracks import between_pixels, tracks
from model.training.corpus import AnyCorpus, Frames, Pick, Picker
from model.types import FloatArray, UInt8Array


class Sample(NamedTuple):
    """One pair of views; a batch has the same fields with a leading B.

    views:     uint8 [2, 3, S, S] RGB.
    to_source: float32 [2, 2, 3], affine maps from view pixels (x, y) to pixels of the source picture.
    photo:     bool []: are both views of one photo, so that `to_source` gives their exact correspondence?
    source:    int64 []: which clip or photo of the corpus they are of.
    motion:    float16 [2, 2, S, S], what moves in each view as of `model.flow.Motion`; photos stand still. Nothing,
               [0], where nobody asks for it.
    tracked:   float32 [2, g*g, 2], where each cell of a view is in the other one, as (x, y) in its cells: in videos as
               far as flow leads, else NaN. Nothing, [0], where nobody asks for it.
    """

    views: Tensor
    to_source: Tensor
    photo: Tensor
    source: Tensor
    motion: Tensor
    tracked: Tensor


class _Views(NamedTuple):
    """Two of each, or none."""

    pictures: list[UInt8Array]
    maps: list[FloatArray]
    motion: list[FloatArray]
    tracked: list[FloatArray]


class PairDataset(Dataset[Sample]):
    """An endless sequence of samples: sample n depends on (seed, n) only, so a run resumes anywhere.

    Which clip or photo a sample is of, the corpus picks; the sample follows from that and (seed, n), wherever it lies.

    motion: estimates what moves in the frames of videos, for recipes with flow; it needs a frame more for each view.
    """

    def __init__(self, corpus: AnyCorpus, recipe: Recipe, seed: int, motion: Motion | None = None) -> None:
        self.corpus, self.recipe, self.seed, self.motion = corpus, recipe, seed, motion
        self._pick: Picker | None = None

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_pick": None}  # it does not travel to other processes: each makes its own

    def __getitem__(self, index: int) -> Sample:
        if self._pick is None:
            self._pick = self.corpus.picker(self.recipe, self.seed)
        rng = np.random.default_rng((self.seed, index))
        pick = self._pick(index, rng)
        views = self._photo_views(pick, rng) if pick.photo else self._video_views(pick.frames, rng)
        stacked = torch.from_numpy(np.stack(views.pictures)).permute(0, 3, 1, 2).contiguous()
        moved = torch.from_numpy(np.stack(views.motion)).half() if views.motion else torch.zeros(0, dtype=torch.float16)
        tracked = torch.from_numpy(np.stack(views.tracked)) if views.tracked else torch.zeros(0)
        maps = torch.from_numpy(np.stack(views.maps))
        return Sample(stacked, maps, torch.tensor(pick.photo), torch.tensor(pick.source), moved, tracked)

    def _video_views(self, clip: Frames, rng: np.random.Generator) -> _Views:
        seconds = rng.choice(self.recipe.gaps, p=self.recipe.gap_odds)
        gap = int(np.clip(round(seconds * clip.fps), 1, len(clip) - 1))
        first = int(rng.integers(len(clip) - gap))
        read, frames, size = cache(clip.read), (first, first + gap), self.recipe.crop
        view = random_view(rng, read(first).shape[:2], size, self.recipe.crop_scale, rotation=0)
        views = [view, view]
        motion, tracked = [], []
        if (options := self.recipe.tracks) is not None:
            if rng.random() < options.crops:
                views[1] = nearby_view(rng, view, size)
            way = [*range(*frames, max(1, round(options.step * clip.fps))), frames[1]]
            tracked = tracked_cells(lambda v, s: [warp(read(f), v, s) for f in way], views, size, options.agree)
        if self.motion is not None:
            for frame, seen in zip(frames, views, strict=True):
                motion.append(warp_motion(self.motion.of(read, frame, len(clip)), seen, size))
        pictures = [warp(read(frame), seen, size) for frame, seen in zip(frames, views, strict=True)]
        return _Views(pictures, views, motion, tracked)

    def _photo_views(self, pick: Pick, rng: np.random.Generator) -> _Views:
        image = pick.frames.read(pick.frame)
        size, scale = self.recipe.crop, self.recipe.crop_scale
        first = random_view(rng, image.shape[:2], size, scale, rotation=10)
        second = nearby_view(rng, first, size)
        views = [warp(image, view, size) for view in (first, second)]
        if self.recipe.jitter:
            views = [jitter(rng, view) for view in views]
        still = [np.zeros((2, size, size), np.float32)] * 2 if self.motion is not None else []
        unknown = (
            [np.full(((size // STRIDE) ** 2, 2), np.nan, np.float32)] * 2 if self.recipe.tracks is not None else []
        )
        return _Views(views, [first, second], still, unknown)


def tracked_cells(
    pictures: Callable[[FloatArray, int], list[UInt8Array]], views: list[FloatArray], size: int, agree: float
) -> list[FloatArray]:
    """Where each cell of one view is in the other, both ways: float32 [g*g, 2] as (x, y) in cells, NaN if unknown.

    pictures: the frames from that of the first view to that of the second, as a view of a given size shows them.
    """
    margin = size // 4  # what moves out of the view on the way, and in again, is followed through it
    wider = views[0].copy()
    wider[:, 2] -= views[0][:, :2] @ np.full(2, margin, np.float32)
    steps = np.arange(0, size, STRIDE, dtype=np.float32)
    cells = np.stack(np.meshgrid(steps, steps), axis=-1).reshape(-1, 2)
    found = []
    for way, (seen, shown) in zip(tracks(pictures(wider, size + 2 * margin), agree), (views, views[::-1]), strict=True):
        start = mapped(inverse(wider), mapped(seen, cells))
        end = mapped(inverse(shown), mapped(wider, between_pixels(way, start)))
        found.append(np.asarray(end / STRIDE, np.float32))
    return found


def mapped(view: FloatArray, points: FloatArray) -> FloatArray:
    """Points [..., 2] through an affine map [2, 3]."""
    return np.asarray(points @ view[:, :2].T + view[:, 2], np.float32)


def inverse(view: FloatArray) -> FloatArray:
    """The affine map [2, 3] that undoes another one."""
    back = np.linalg.inv(view[:, :2])
    return np.column_stack([back, -back @ view[:, 2]])


def random_view(
    rng: np.random.Generator, shape: tuple[int, ...], size: int, scale: tuple[float, float], rotation: float
) -> FloatArray:
    """A random square crop of an image of `shape`, maybe mirrored and turned by up to `rotation` degrees.

    Returns the affine map [2, 3] from view pixels (size × size) to source pixels.
    """
    height, width = shape[:2]
    side = min(height, width) * rng.uniform(*scale)
    zoom = side / size
    centre = np.array([rng.uniform(side, 2 * width - side), rng.uniform(side, 2 * height - side)]) / 2
    angle = np.deg2rad(rng.uniform(-rotation, rotation))
    mirror = rng.choice([-1.0, 1.0])
    linear = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    linear = linear @ np.diag([mirror, 1.0])
    offset = centre - linear @ np.full(2, (size - 1) / 2)
    return np.column_stack([linear, offset]).astype(np.float32)


def nearby_view(rng: np.random.Generator, view: FloatArray, size: int) -> FloatArray:
    """Another view of the same place: shifted by up to 30 % of the crop, zoomed by up to 1.5, turned by up to 20°."""
    zoom = np.exp(rng.uniform(-np.log(1.5), np.log(1.5)))
    angle = np.deg2rad(rng.uniform(-20, 20))
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle = np.full(2, (size - 1) / 2)
    shift = rng.uniform(-0.3, 0.3, 2) * size
    linear = view[:, :2] @ turn
    offset = view[:, :2] @ (middle + shift - turn @ middle) + view[:, 2]
    return np.column_stack([linear, offset]).astype(np.float32)


def warp(image: UInt8Array, view: FloatArray, size: int) -> UInt8Array:
    """The view as a picture uint8 [size, size, 3]; what lies outside the image is mirrored in."""
    zoom = float(np.sqrt(abs(np.linalg.det(view[:, :2]))))
    if zoom > 1.3:  # warpAffine does not average, so shrinking needs its own low-pass first
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * zoom)  # type: ignore[assignment]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(image, view, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT), np.uint8)


def warp_motion(motion: FloatArray, view: FloatArray, size: int) -> FloatArray:
    """The motion of a picture, float32 [2, H, W], as the view shows it, turned and mirrored: [2, size, size]."""
    zoom = float(np.sqrt(abs(np.linalg.det(view[:, :2]))))
    channels_last = np.ascontiguousarray(motion.transpose(1, 2, 0))
    if zoom > 1.3:
        channels_last = cv2.GaussianBlur(channels_last, (0, 0), 0.4 * zoom)  # type: ignore[assignment]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = cv2.warpAffine(channels_last, view, (size, size), flags=flags, borderMode=cv2.BORDER_REFLECT)
    turned = np.asarray(seen) @ np.linalg.inv(view[:, :2] / zoom).T  # lengths are relative already: zoom leaves them
    return np.asarray(turned.transpose(2, 0, 1), np.float32)


def jitter(rng: np.random.Generator, image: UInt8Array) -> UInt8Array:
    """Brightness, contrast, gamma, colour balance and sometimes blur or grey: changes that keep every place."""
    x = image.astype(np.float32) / 255
    x = x ** np.float32(np.exp(rng.uniform(-0.4, 0.4)))
    x = (x - 0.5) * rng.uniform(0.7, 1.3) + 0.5 + rng.uniform(-0.15, 0.15)
    x = x * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    grey = x.mean(axis=2, keepdims=True)
    x = grey + (x - grey) * (0.0 if rng.random() < 0.1 else rng.uniform(0.5, 1.5))
    if rng.random() < 0.3:
        x = cv2.GaussianBlur(x, (0, 0), rng.uniform(0.3, 1.2))
    return np.asarray(np.clip(x * 255, 0, 255).round(), np.uint8)
