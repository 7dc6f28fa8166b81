"""What the method sees, as pictures: motion, value, clusters, features, similarities and votes.

Pure functions: arrays or tensors in, uint8 RGB out. What is known per cell becomes blocks of 4×4 pixels about the
cells' centres, without smoothing: a picture shall not show more than there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.encoder import STRIDE
from model.flow import flow_picture
from model.types import BoolArray, FloatArray, UInt8Array

RAMP: UInt8Array = np.ascontiguousarray(
    cv2.applyColorMap(np.arange(256, dtype=np.uint8)[None], cv2.COLORMAP_CIVIDIS)[0, :, ::-1]
)
"""uint8 [256, 3] RGB from low to high: perceptually even, and the same to the colour-blind."""

UNKNOWN = (64, 64, 64)
"""What has no value."""

_CLUSTERS = np.array(  # Okabe and Ito's, which the colour-blind tell apart; none is an object's
    [[230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167]],
    np.uint8,
)
_SUBPIXEL = 4  # fractional bits of drawn coordinates
_CLIPPED = 0.01  # share of cells beyond either end of a colour channel: a few odd ones shall not take all contrast


def ramp_colours(values: NDArray[np.floating], low: float = 0.0, high: float = 1.0) -> UInt8Array:
    """Values [...] -> colours [..., 3]: `low` and less is dark blue, `high` and more yellow, NaN `UNKNOWN`."""
    if not low < high:
        raise ValueError(f"a ramp goes from low to high, not from {low} to {high}")
    known = ~np.isnan(values)
    steps = np.where(known, (values - low) / (high - low) * 255, 0).round().clip(0, 255).astype(np.uint8)
    return np.where(known[..., None], RAMP[steps], np.array(UNKNOWN, np.uint8))


def by_cells(cells: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """What cells [h, w, ...] have, for every pixel of a picture of (height, width): that of the nearest cell."""
    rows, columns = (
        np.minimum((np.arange(n) + STRIDE // 2) // STRIDE, count - 1)
        for n, count in zip(size, cells.shape, strict=False)
    )
    return np.asarray(cells[rows[:, None], columns])


def map_picture(values: FloatArray, size: tuple[int, int], low: float = 0.0, high: float = 1.0) -> UInt8Array:
    """A map on cells [h, w], such as value or confidence, in the colours of the ramp: [height, width, 3]."""
    return np.asarray(by_cells(ramp_colours(values, low, high), size), np.uint8)


def flow_colours(flow: FloatArray) -> UInt8Array:
    """Motion float32 [2, H, W] as of `model.flow.Motion` -> [H, W, 3]: the hue says where things go, white is still."""
    picture = flow_picture(torch.from_numpy(np.ascontiguousarray(flow)))
    return np.asarray((picture * 255).round().permute(1, 2, 0).numpy(), np.uint8)


def flow_wheel(side: int, outside: tuple[int, int, int] = (255, 255, 255)) -> UInt8Array:
    """The legend of `flow_colours`, [side, side, 3]: what moves from the middle to a point has the colour there."""
    radius = (side - 1) / 2
    x = np.broadcast_to(np.arange(side) - radius, (side, side)).astype(np.float32)
    y = x.T
    wheel = flow_colours(-np.stack([x, y]) / np.float32(max(radius, 1)))
    cover = (radius + 0.5 - np.hypot(x, y)).clip(0, 1)[..., None]
    return np.asarray((cover * wheel + (1 - cover) * np.array(outside)).round(), np.uint8)


def feature_colours(features: Tensor) -> UInt8Array:
    """Features of N frames [N, C, h, w] -> [N, h, w, 3]: their three principal components as red, green and blue.

    Like colours are like features, in all frames alike. The same features always get the same colours: of the two
    directions that a component may have, the one is taken in which its largest channel is positive. Contrast is
    stretched per component, 1 % of the cells at either end being clipped; a component that does not vary is grey.
    """
    count, channels, h, w = features.shape
    vectors = features.detach().double().cpu().permute(0, 2, 3, 1).reshape(-1, channels)
    vectors = vectors - vectors.mean(dim=0)
    variances, directions = torch.linalg.eigh(vectors.T @ vectors / len(vectors))  # the largest last
    directions = directions.flip(1)[:, :3]
    largest = directions.gather(0, directions.abs().argmax(dim=0, keepdim=True))
    projected = np.full((len(vectors), 3), 0.5)
    parts = (vectors @ (directions * largest.sign())).numpy()
    low, high = np.quantile(parts, [_CLIPPED, 1 - _CLIPPED], axis=0)
    for n in range(parts.shape[1]):
        if variances[-1 - n] > 1e-12 and high[n] > low[n]:
            projected[:, n] = (parts[:, n] - low[n]) / (high[n] - low[n])
    return np.asarray((projected.clip(0, 1) * 255).round().reshape(count, h, w, 3), np.uint8)


def cluster_picture(
    image: UInt8Array, clusters: NDArray[np.integer], grown: BoolArray, centres: FloatArray
) -> UInt8Array:
    """Which cluster every cell is of, over the picture in grey: [H, W, 3].

    clusters [h, w] from 0; grown bool [h, w]: cells that a region grew over, which are brighter and outlined;
    centres [K, 2]: (x, y) in cells, marked with rings; NaN where there is none.
    """
    size = (image.shape[0], image.shape[1])
    grey = image.mean(axis=2, keepdims=True)
    region = np.asarray(by_cells(grown, size), np.uint8)
    strength = np.where(region, 0.75, 0.4)[..., None]
    colours = _CLUSTERS[by_cells(clusters, size) % len(_CLUSTERS)]
    drawn = np.asarray(((1 - strength) * grey + strength * colours).round(), np.uint8)
    drawn[cv2.morphologyEx(region, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0] = 255
    for number, (x, y) in enumerate(centres):
        if not np.isnan(x):
            colour = tuple(int(c) for c in _CLUSTERS[number % len(_CLUSTERS)])
            ring(drawn, x * STRIDE, y * STRIDE, max(size) / 100, colour, filled=True)
    return drawn


def similarity_row(query: Tensor, references: Tensor, x: int, y: int) -> Tensor:
    """How much the query's cell (x, y) is like every cell of the references, whatever the window: [R, h, w].

    query [C, h, w], references [R, C, h, w]: matching vectors, whose products are compared (eq 1 without softmax).
    """
    return torch.einsum("c,rchw->rhw", query[:, y, x].float(), references.float())


def similarity_picture(
    image: UInt8Array, similarity: FloatArray, seen: BoolArray, low: float, high: float
) -> UInt8Array:
    """The similarities [h, w] of one query cell in the ramp's colours where it looks, over a reference: [H, W, 3].

    seen: bool [h, w], the cells inside its window; the rest is the picture itself, dimmed.
    """
    size = (image.shape[0], image.shape[1])
    colours = map_picture(similarity, size, low, high)
    return np.where(by_cells(seen, size)[..., None], colours, image // 3).astype(np.uint8)


def draw_votes(image: UInt8Array, votes: Iterable[tuple[float, float, float]], radius: float) -> UInt8Array:
    """A copy of `image` with a ring for every vote (x, y, weight), in pixels; areas are as the weights.

    radius: in pixels, of a vote that has all the weight.
    """
    drawn = image.copy()
    for x, y, weight in votes:
        ring(drawn, x, y, radius * weight**0.5, (255, 255, 255))
    return drawn


def ring(
    image: UInt8Array, x: float, y: float, radius: float, colour: tuple[int, ...], *, filled: bool = False
) -> None:
    """Draw a ring with a dark halo into `image`, its middle at pixel (x, y)."""
    scale = 1 << _SUBPIXEL
    centre = (round(x * scale), round(y * scale))
    for width, shade in ((4, (0, 0, 0)), (2, (255, 255, 255) if filled else colour)):
        cv2.circle(image, centre, round(radius * scale), shade, width, cv2.LINE_AA, _SUBPIXEL)
    if filled:
        cv2.circle(image, centre, round(radius * scale), colour, cv2.FILLED, cv2.LINE_AA, _SUBPIXEL)
