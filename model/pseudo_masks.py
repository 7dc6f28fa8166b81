"""Pseudo-masks: a short clip parted into segments that hold together in space and time, without a single label.

K-means over all cells of the clip on [feature, colour, place, time] (Mask-VOS's space-time clustering): what looks
alike and stays near belongs together in every frame. The segments are no objects, but move like parts of objects.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from model.sampler import k_means

_SAMPLES = 4096  # cells that the centroids are found on
_ROUNDS = 10


@torch.no_grad()
def pseudo_masks(
    features: Tensor, colours: Tensor, segments: int = 5, *, colour: float = 2.0, space: float = 1.5, time: float = 0.3
) -> Tensor:
    """int64 [T, h, w] in 0..M-1: the segment of every cell of a clip. The same clip gives the same segments.

    features: unit length [T, C, h, w]; colours: normalised Lab [T, 3, h, w]; segments: M.
    colour, space, time: weights of a colour distance of 1, of a distance as long as the grid and as the clip, beside
    the distance of two unit features. ValueError for less than one segment.
    """
    if segments < 1:
        raise ValueError(f"a clip is parted into 1 segment or more, not {segments}")
    count, _, height, width = features.shape
    longest = max(height, width)
    t, y, x = torch.meshgrid(
        torch.arange(count).float() * (time / count),
        torch.arange(height).float() * (space / longest),
        torch.arange(width).float() * (space / longest),
        indexing="ij",
    )
    place = torch.stack([t, y, x], dim=1).to(features.device)
    looks = torch.cat([features.float(), colours.float() * colour], dim=1)
    smooth = F.avg_pool2d(looks, 3, 1, 1, count_include_pad=False)
    points = torch.cat([smooth, place], dim=1).permute(0, 2, 3, 1).flatten(0, 2)
    step = max(1, len(points) // _SAMPLES)
    centroids = k_means(points[None, ::step], segments, _ROUNDS)[0]
    nearest = (points @ centroids.T - centroids.square().sum(dim=1) / 2).argmax(dim=1)
    return nearest.view(count, height, width)
