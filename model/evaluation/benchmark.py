"""What the machine does per second: every stage of a propagation, end to end, and the affinity three ways.

Timings are the least of several rounds: other programs can only slow a round down. Compare ratios within one run.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import Affinity, windowed_affinity
from model.device import describe
from model.features import FeatureExtractor
from model.propagator import Propagator, working_size
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest, UInt8Array
from model.video import VideoSource
from model.video.source import Reader

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """Seconds per frame of one stage, and what share of the whole that is."""

    seconds: float
    share: float


@dataclass(frozen=True, slots=True)
class Benchmark:
    """All figures of one run.

    stages: by name, decode to labels; frames_per_second: end to end, decoding included.
    affinity: milliseconds per reference by way: "unfold", "dense", "tiled"; None if not measured.
    """

    video: str
    size: tuple[int, int]
    frames: int
    references: int
    objects: int
    stages: dict[str, Stage]
    frames_per_second: float
    affinity: dict[str, float] | None
    machine: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "video": self.video,
            "working_size": list(self.size),
            "frames": self.frames,
            "references": self.references,
            "objects": self.objects,
            "seconds_per_frame": {name: stage.seconds for name, stage in self.stages.items()},
            "frames_per_second": self.frames_per_second,
            "affinity_ms_per_reference": self.affinity,
            "machine": self.machine,
        }


def run_benchmark(
    source: VideoSource,
    extractor: FeatureExtractor,
    options: PropagationOptions,
    *,
    objects: int = 1,
    frames: int = 30,
    rounds: int = 3,
    compare: bool = True,
    note: Note = lambda text: None,
) -> Benchmark:
    """Propagate `objects` made-up objects over up to `frames` frames, after a warm-up, the best of `rounds`.

    compare: also time the affinity of one reference in the plain ways. note: told what is being measured.
    ValueError if the video is shorter than the memory reaches.
    """
    needed = max(*options.short_term, *options.long_term, 0) + 3
    if len(source) < needed:
        raise ValueError(f"{source.path}: {len(source)} frames are too few to measure, {needed} are needed")
    stop = min(len(source), needed + frames)
    anchor = Anchor(0, LabelMap(_stripes(source.size, objects)))
    best: dict[str, float] = {}
    for round_number in range(rounds):
        note(f"propagating {stop} frames, round {round_number + 1} of {rounds}")
        seconds = _timed_run(source, extractor, PropagationRequest((anchor,), stop=stop, options=options), needed)
        if not best or seconds["total"] < best["total"]:
            best = seconds
    measured = stop - needed
    per_frame = {name: value / measured for name, value in best.items()}
    total = per_frame.pop("total")
    per_frame["other"] = max(0.0, total - sum(per_frame.values()))
    size = working_size(source.size, options.short_side)
    ways = None
    if compare:
        note("comparing ways to the affinity of one reference")
        ways = compare_affinities(extractor, source[0].image, source[1].image, size, options, rounds)
    machine = describe()
    return Benchmark(
        video=source.path.name,
        size=size,
        frames=measured,
        references=1 + len(options.long_term) + len(options.short_term),
        objects=objects,
        stages={name: Stage(value, value / total) for name, value in per_frame.items()},
        frames_per_second=1 / total,
        affinity=ways,
        machine={
            "device": str(extractor.device),
            "cores": machine.cores,
            "threads": machine.threads,
            "torch": machine.torch,
        },
    )


def _timed_run(
    source: VideoSource, extractor: FeatureExtractor, request: PropagationRequest, warm_up: int
) -> dict[str, float]:
    """Seconds per stage and in total of the frames behind the warm-up, when memory is full."""
    propagator = Propagator(source, extractor)
    begun, before = 0.0, {}
    for result in propagator.run(request):
        if result.frame == warm_up - 1:
            begun, before = time.perf_counter(), propagator.timings
    total = time.perf_counter() - begun
    return {name: value - before[name] for name, value in propagator.timings.items()} | {"total": total}


def compare_affinities(
    extractor: FeatureExtractor,
    query: UInt8Array,
    reference: UInt8Array,
    size: tuple[int, int],
    options: PropagationOptions,
    rounds: int,
) -> dict[str, float]:
    """Milliseconds of one reference's affinity: unfolded windows, dense in chunks, and tiled. Same votes each."""
    height, width = size
    small = np.stack([cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA) for image in (query, reference)])
    features = extractor(torch.from_numpy(small).permute(0, 3, 1, 2))
    q, k = features[0], features[1]
    r, top_k, temperature = options.radius, options.top_k, options.temperature
    ways: dict[str, Callable[[], Affinity]] = {
        "unfold": lambda: unfold_affinity(q, k, r, top_k, temperature),
        "dense": lambda: chunked_affinity(q, k, r, top_k, temperature),
        "tiled": lambda: windowed_affinity(
            q, k[None], radius=r, top_k=top_k, temperature=temperature, window=options.window
        ),
    }
    ways["tiled"]()  # builds its masks
    return {name: 1e3 * min(_seconds(way) for _ in range(rounds)) for name, way in ways.items()}


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


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


def _stripes(size: tuple[int, int], objects: int) -> UInt8Array:
    """Made-up objects that share the frame: their number is what costs, not their shape."""
    height, width = size
    columns = np.arange(width) * objects // width + 1
    return np.ascontiguousarray(np.broadcast_to(columns.astype(np.uint8), (height, width)))


class SyntheticVideo(VideoSource):
    """Noise that drifts, of any size and length, made when asked for: nothing but decoding is missing from it."""

    def __init__(self, height: int, width: int, frames: int) -> None:
        rng = np.random.default_rng(0)
        coarse = rng.random((math.ceil(height / 16), math.ceil(width / 16) + 1, 3), np.float32)
        self._picture = (cv2.resize(coarse, (2 * width, height)) * 255).astype(np.uint8)
        super().__init__(Path(f"synthetic {width}x{height}"), (height, width), 25.0, np.arange(frames) / 25, (), 0)

    def _open_reader(self) -> Reader:
        return _SyntheticReader(self._picture, self.size[1])


class _SyntheticReader(Reader):
    def __init__(self, picture: UInt8Array, width: int) -> None:
        self._picture, self._width = picture, width

    def read(self, index: int) -> UInt8Array | None:
        self.position = index + 1
        shift = abs((3 * index + self._width) % (2 * self._width) - self._width)  # there and back again
        return np.ascontiguousarray(self._picture[:, shift : shift + self._width])

    def close(self) -> None:
        """Nothing is held."""
