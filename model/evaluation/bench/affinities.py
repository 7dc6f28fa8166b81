"""The affinity of one reference in several ways: the plain ones show what tiles, or the kernel, are worth."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import Affinity, windowed_affinity
from model.evaluation.bench.measure import Meter
from model.features import FeatureExtractor
from model.memory import FeatureStore
from model.propagator import working_size
from model.timing import Stopwatch
from model.types import PropagationOptions
from model.video import VideoSource


def compare_affinities(
    source: VideoSource, extractor: FeatureExtractor, options: PropagationOptions, meter: Meter
) -> dict[str, float]:
    """Milliseconds by way: "unfold" and "dense" in square windows of fp32, "fast" as propagation has it."""
    size = working_size(source.size, options.short_side)
    store = FeatureStore(source, extractor, size, Stopwatch())
    query, key = store.get(1).float(), store.get(0).float()
    radius, top_k, temperature = options.radius, options.top_k, options.temperature
    ways: dict[str, Callable[[], Affinity]] = {
        "unfold": lambda: unfold_affinity(query, key, radius, top_k, temperature),
        "dense": lambda: chunked_affinity(query, key, radius, top_k, temperature),
        "fast": lambda: windowed_affinity(
            query, key[None], radius=radius, top_k=top_k, temperature=temperature, window=options.window
        ),
    }
    ways["fast"]()  # builds its masks
    return {name: 1e3 * meter.seconds(way) for name, way in ways.items()}


@torch.inference_mode()
def unfold_affinity(query: Tensor, reference: Tensor, radius: int, top_k: int, temperature: float) -> Affinity:
    """The textbook way: every key's (2R+1)² square window is copied out, then compared, in fp32.

    query and reference [C, h, w]. It needs h·w·(2R+1)²·C numbers at once, so it goes row by row.
    """
    channels, h, w = query.shape
    side = 2 * radius + 1
    padded = F.pad(reference, (radius,) * 4)
    inside = F.pad(torch.ones(1, h, w), (radius,) * 4)
    weights, indices = [], []
    for y in range(h):
        keys = F.unfold(padded[None, :, y : y + side], side).view(channels, side * side, w)
        real = F.unfold(inside[None, :, y : y + side], side).view(side * side, w) > 0
        logits = torch.einsum("cw,ckw->wk", query[:, y], keys) / temperature
        logits = logits.masked_fill(~real.T.to(logits.device), -torch.inf)
        best, place = logits.topk(min(top_k, side * side), dim=1)
        dy, dx = place // side - radius, place % side - radius
        x = torch.arange(w, device=place.device)[:, None]
        weights.append(best.softmax(1))
        indices.append(((y + dy).clamp(0, h - 1)) * w + (x + dx).clamp(0, w - 1))
    return Affinity(torch.cat(weights), torch.cat(indices), (h, w), 1)


@torch.inference_mode()
def chunked_affinity(query: Tensor, reference: Tensor, radius: int, top_k: int, temperature: float) -> Affinity:
    """All cells against all cells, 512 queries at a time, what lies outside the square window masked."""
    _, h, w = query.shape
    keys = reference.flatten(1)
    y = torch.arange(h * w, device=query.device) // w
    x = torch.arange(h * w, device=query.device) % w
    weights, indices = [], []
    for begin in range(0, h * w, 512):
        rows = torch.arange(begin, min(begin + 512, h * w), device=query.device)
        logits = query.flatten(1)[:, rows].T @ keys / temperature
        far = ((y[rows, None] - y).abs() > radius) | ((x[rows, None] - x).abs() > radius)
        best, place = logits.masked_fill_(far, -torch.inf).topk(top_k, dim=1)
        weights.append(best.softmax(1))
        indices.append(place)
    return Affinity(torch.cat(weights), torch.cat(indices), (h, w), 1)
