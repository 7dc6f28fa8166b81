"""MER's Multi-Cluster Sampler: how far each query cell looks around (eqs 13-15).

The paper leaves much open; this is our reading. K-means on [feature, place] of query and references together finds
clusters; their mean spatial radius is the first window (13, 14). From every cluster's centre a region grows over the
query, cell by neighbouring cell, while features stay similar to the cluster's. Grown cells and the rest get different
second windows, size+. How the two windows add up (15) is the affinity's business: `model.affinity.WindowPair`.

The prose contradicts itself about what happens to grown cells, so both are there: "contract" narrows their second
window and widens the others', "grow" the reverse, and "fixed" is the control: one window for all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from model.affinity import WindowPair
from model.types import BoolArray


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """How windows are chosen. Lengths in cells.

    size:       what becomes of grown cells' second window: "contract", "grow", or "fixed" (no clusters, no second one).
    radius:     the window of "fixed".
    combine:    how the two windows add up (15): "logits" or "mixture".
    delta:      weight of the second window, δ.
    clusters:   K.
    threshold:  cosine similarity to the cluster above which a region grows, θ.
    smallest, largest: bounds of the first window.
    narrow, wide: second window over first, for those that contract and those that expand.
    spatial:    weight of a distance as long as the grid beside the distance of two unit features.
    downsample: K-means looks at every so-many-th cell, both ways.
    rounds:     most rounds of K-means.
    """

    size: str = "contract"
    radius: int = 12
    combine: str = "logits"
    delta: float = 0.5
    clusters: int = 5
    threshold: float = 0.45
    smallest: int = 6
    largest: int = 14
    narrow: float = 0.5
    wide: float = 1.25
    spatial: float = 1.0
    downsample: int = 4
    rounds: int = 8

    def __post_init__(self) -> None:
        checks = {
            "size": self.size in ("contract", "grow", "fixed"),
            "radius": self.radius >= 0,
            "combine": self.combine in ("logits", "mixture"),
            "delta": self.delta >= 0,
            "clusters": self.clusters >= 1,
            "threshold": -1 <= self.threshold <= 1,
            "smallest": self.smallest >= 0,
            "largest": self.largest >= self.smallest,
            "narrow": 0 <= self.narrow <= 1,
            "wide": self.wide >= 1,
            "spatial": self.spatial >= 0,
            "downsample": self.downsample >= 1,
            "rounds": self.rounds >= 1,
        }
        for name, ok in checks.items():
            if not ok:
                raise ValueError(f"sampler option {name} cannot be {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Sampling:
    """The windows of one query, or of a batch of them (then every field has B in front), and how they came about.

    windows:  what the affinity wants.
    clusters: int64 [h, w] the cluster of every query cell, 0..K-1.
    centres:  float32 [K, 2] as (x, y) in cells, over query and references; NaN for a cluster that no cell fell to.
    grown:    bool [h, w] the cells that some region grew over.
    """

    windows: WindowPair
    clusters: Tensor
    centres: Tensor
    grown: Tensor

    @property
    def radius(self) -> Tensor:
        """int64 [h, w]: how far each cell looks, the wider of its two windows."""
        return torch.maximum(self.windows.plus, self.windows.origin[..., None, None])


@torch.no_grad()
def sample_windows(query: Tensor, references: Tensor, options: SamplerOptions | None = None) -> Sampling:
    """The windows of every query cell. The same input gives the same windows.

    query [C, h, w] and references [R, C, h, w], or a batch: [B, C, h, w] and [B, R, C, h, w]. Features of any length;
    only their direction counts.
    """
    options = options or SamplerOptions()
    if query.ndim == 4:
        return _sample(query.float(), references.float(), options)
    many = _sample(query[None].float(), references[None].float(), options)
    windows = replace(many.windows, origin=many.windows.origin[0], plus=many.windows.plus[0])
    return Sampling(windows, many.clusters[0], many.centres[0], many.grown[0])


def _sample(query: Tensor, references: Tensor, options: SamplerOptions) -> Sampling:
    batch, channels, height, width = query.shape
    if options.size == "fixed":
        return _fixed(query, options)
    scale, step = options.spatial / max(height, width), options.downsample
    y, x = torch.meshgrid(*(torch.arange(n, device=query.device).float() for n in (height, width)), indexing="ij")
    places = torch.stack([x, y])

    maps = torch.cat([m[..., ::step, ::step] for m in (query[:, None], references)], dim=1)
    features = F.normalize(maps, dim=2).transpose(1, 2).flatten(2).mT
    spread = places[None, :, None, ::step, ::step].expand(batch, -1, maps.shape[1], -1, -1).flatten(2).mT
    points = torch.cat([features, spread * scale], dim=2)
    centroids = k_means(points, options.clusters, options.rounds)
    centres, reach = cluster_extents(spread, _nearest(points, centroids), options.clusters)
    origin = reach.nanmean(dim=1).clamp(options.smallest, options.largest).round().long()

    looks, spots = centroids[..., :channels], centroids[..., channels:, None, None]
    product = torch.einsum("bchw,bkc->bkhw", query, looks) / query.norm(dim=1, keepdim=True).clamp_min(1e-12)
    length = looks.norm(dim=2)[..., None, None]
    similar = (product > options.threshold * length).cpu().numpy()
    distance = (places * scale - spots).square().sum(dim=2) + length**2 - 2 * product  # squared, less 1
    seeds = distance.flatten(2).argmin(dim=2).cpu().numpy()
    regions = np.stack([grow_regions(*one) for one in zip(similar, seeds, strict=True)])
    grown = torch.from_numpy(regions).to(query.device)

    narrow, wide = ((origin * factor).round().long()[:, None, None] for factor in (options.narrow, options.wide))
    plus = torch.where(grown == (options.size == "contract"), narrow, wide)
    windows = WindowPair(origin, plus, options.delta, options.combine)
    return Sampling(windows, distance.argmin(dim=1), centres, grown)


def _fixed(query: Tensor, options: SamplerOptions) -> Sampling:
    """The control: one window for all, one cluster."""
    batch, _, height, width = query.shape
    origin = torch.full((batch,), options.radius, device=query.device)
    clusters = torch.zeros(batch, height, width, dtype=torch.long, device=query.device)
    centres = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=query.device).expand(batch, 1, 2)
    windows = WindowPair(origin, origin[:, None, None].expand_as(clusters), 0.0, options.combine)
    return Sampling(windows, clusters, centres, clusters.bool())


def k_means(points: Tensor, clusters: int, rounds: int) -> Tensor:
    """Centroids [B, K, D] of points [B, N, D], seeded by k-means++ with the same draws every time.

    A cluster that loses all its points stays where it was.
    """
    draws = torch.rand(clusters, generator=torch.Generator().manual_seed(0)).to(points.device)
    rows = torch.arange(len(points), device=points.device)
    centroids = points[:, :1]
    apart = torch.full_like(points[..., 0], torch.inf)
    for draw in draws[1:]:  # the farther from all centroids so far, the likelier
        apart = torch.minimum(apart, (points - centroids[:, -1:]).square().sum(dim=2))
        odds = apart.cumsum(dim=1)
        chosen = torch.searchsorted(odds, draw * odds[:, -1:]).clamp_max(points.shape[1] - 1)
        centroids = torch.cat([centroids, points[rows, chosen[:, 0], None]], dim=1)
    for _ in range(rounds):
        members = F.one_hot(_nearest(points, centroids), clusters).to(points.dtype).mT
        size = members.sum(dim=2, keepdim=True)
        centroids = torch.where(size > 0, members @ points / size.clamp_min(1), centroids)
    return centroids


def _nearest(points: Tensor, centroids: Tensor) -> Tensor:
    """int64 [B, N] the centroid next to every point."""
    return (points @ centroids.mT - centroids.square().sum(dim=2)[:, None] / 2).argmax(dim=2)


def cluster_extents(places: Tensor, clusters: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Where the clusters lie and how far they reach: centres [B, K, 2], mean distance of members from these [B, K].

    places [B, N, 2], clusters int64 [B, N]. NaN for a cluster without members. The mean over clusters is (13).
    """
    members = F.one_hot(clusters, count).to(places.dtype).mT
    size = members.sum(dim=2, keepdim=True)
    centres = members @ places / size
    distance = (places - centres.gather(1, clusters[..., None].expand_as(places))).norm(dim=2, keepdim=True)
    return centres, (members @ distance / size)[..., 0]


def grow_regions(similar: BoolArray, seeds: NDArray[np.int64]) -> BoolArray:
    """bool [h, w]: the cells that some seed reaches by steps up, down and sideways over cells similar to its cluster.

    similar: bool [K, h, w]; seeds: [K] cells. From a seed that is not similar itself nothing grows.
    """
    grown = np.zeros(similar.shape[1:], np.bool_)
    for mask, seed in zip(similar.astype(np.uint8, order="C"), seeds.tolist(), strict=True):
        y, x = divmod(seed, mask.shape[1])
        if mask[y, x]:
            cv2.floodFill(mask, None, (x, y), 2, flags=4)
            grown |= mask == 2
    return grown
