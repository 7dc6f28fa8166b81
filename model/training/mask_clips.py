"""Clips ready for the mask decoder: features, votes and masks of a few frames, worked out once.

Encoder and affinity stay as they are while the decoder learns, and votes do not depend on labels. So both are computed
once per clip, as propagation would, and a training rollout only sends labels along the votes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import Affinity
from model.features import FeatureExtractor, as_key, cell_colours, fill_in
from model.grid import by_cell
from model.labels import Channels
from model.matching import frame_affinity
from model.memory import Entry, Memory
from model.pseudo_masks import pseudo_masks
from model.recipes.mask_vos import MaskVosRecipe
from model.training.checkpoint import load_file, save_file
from model.training.corpus import Corpus, Frames
from model.training.pasted import paste_objects
from model.types import Anchor, LabelMap, PropagationOptions, UInt8Array

PASTED = 2
"""The first two masks of a drawn clip are of pasted objects, empty where there are none; the others are segments."""


@dataclass(frozen=True, slots=True, eq=False)
class MaskClip:
    """T frames of a clip and how each looks at those before it.

    features:   float16 [T, C, h, w], unit length; colours: float16 [T, 3, h, w], normalised Lab.
    references: of each frame, the frames before it that it looks at; () for the first.
    weight, index: votes of each frame but the first, [T-1, h*w, k] as in `Affinity`, float16 and int32.
    masks:      uint8 [L, T, h, w]: share of each cell that an object covers, in 255ths.
    """

    features: Tensor
    colours: Tensor
    references: tuple[tuple[int, ...], ...]
    weight: Tensor
    index: Tensor
    masks: Tensor

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) in cells."""
        return self.features.shape[-2], self.features.shape[-1]

    def votes(self, frame: int) -> Affinity:
        """The votes of a frame, 1..T-1."""
        weight, index = self.weight[frame - 1].float(), self.index[frame - 1].long()
        return Affinity(weight, index, self.grid, len(self.references[frame]))

    def save(self, path: Path) -> None:
        """OSError, naming the file, if it cannot be written."""
        save_file(path, {name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def load(cls, path: Path) -> MaskClip:
        """ValueError if the file is none of these."""
        content = load_file(path)
        try:
            clip = cls(**{name: content[name] for name in cls.__slots__})
        except KeyError:
            raise ValueError(f"{path}: not a prepared clip; delete it, it will be made again") from None
        return clip


@torch.inference_mode()
def prepare(
    images: Sequence[UInt8Array], masks: Tensor, extractor: FeatureExtractor, options: PropagationOptions
) -> MaskClip:
    """Encode frames uint8 [H, W, 3] and match them as a propagation from the first frame would.

    masks: uint8 [L, T, h, w], see `MaskClip`.
    """
    options = fill_in(options, extractor)
    features, colours = [], []
    for image in images:
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
        features.append(extractor(pixels)[0])
        colours.append(cell_colours(pixels.to(extractor.device))[0])
    keys = [as_key(f, c) for f, c in zip(features, colours, strict=True)]
    memory = Memory(options, 1)
    nothing = Entry(torch.zeros(0), torch.zeros(0, dtype=torch.bool))
    looked_at: list[tuple[int, ...]] = []
    weights, indices = [], []
    for frame, key in enumerate(keys):
        looked_at.append(tuple(memory.references(frame)) if frame else ())
        if frame:
            votes = frame_affinity(key, torch.stack([keys[r] for r in looked_at[frame]]), options)
            weights.append(votes.weight.half().cpu())
            indices.append(votes.index.int().cpu())
        memory.add(frame, nothing, anchor=frame == 0)
    return MaskClip(
        torch.stack(features).half().cpu(),
        torch.stack(colours).half().cpu(),
        tuple(looked_at),
        torch.stack(weights),
        torch.stack(indices),
        masks,
    )


def draw_clip(rng: np.random.Generator, corpus: Corpus, recipe: MaskVosRecipe, extractor: FeatureExtractor) -> MaskClip:
    """A stretch of a video at random, mostly with objects pasted in, and what it parts into.

    ValueError if no video of the corpus is long enough.
    """
    long_enough = [clip for clip in corpus.videos if len(clip) >= recipe.length]
    if not long_enough:
        raise ValueError(
            f"no video has {recipe.length} frames or more, which {recipe.name} learns from; add longer ones"
        )
    images = _stretch(rng, long_enough[int(rng.integers(len(long_enough)))], recipe)
    ids = [np.zeros(recipe.size, np.uint8)] * len(images)
    if rng.random() >= recipe.real_share:
        others = corpus.photos or corpus.videos
        pictures = []
        for _ in range(4):
            other = others[int(rng.integers(len(others)))]
            pictures.append(other.read(int(rng.integers(len(other)))))
        images, ids = paste_objects(rng, images, pictures)
    channels = Channels(tuple(range(1, 1 + PASTED)), (), recipe.size, recipe.size)
    covers = [by_cell(channels.encode(Anchor(0, LabelMap(frame, channels.objects)))[0]) for frame in ids]
    pasted = (torch.stack(covers, dim=1) * 255).round().byte()
    clip = prepare(images, pasted, extractor, PropagationOptions())
    segments = F.one_hot(pseudo_masks(clip.features, clip.colours, recipe.segments), recipe.segments)
    return replace(clip, masks=torch.cat([pasted, segments.movedim(-1, 0).byte() * 255]))


def _stretch(rng: np.random.Generator, clip: Frames, recipe: MaskVosRecipe) -> list[UInt8Array]:
    """Frames of a clip, every one or every second, under one crop and zoom."""
    height, width = recipe.size
    step = int(rng.integers(1, 3)) if len(clip) >= 2 * recipe.length else 1
    first = int(rng.integers(len(clip) - step * (recipe.length - 1)))
    frames = [clip.read(first + step * n) for n in range(recipe.length)]
    source_height, source_width = frames[0].shape[:2]
    zoom = max(rng.uniform(0.6, 1.6), height / source_height, width / source_width)
    rows, columns = int(height / zoom), int(width / zoom)
    y, x = int(rng.integers(source_height - rows + 1)), int(rng.integers(source_width - columns + 1))
    how = cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR
    crops = [np.ascontiguousarray(frame[y : y + rows, x : x + columns]) for frame in frames]
    return [np.asarray(cv2.resize(crop, (width, height), interpolation=how), np.uint8) for crop in crops]
