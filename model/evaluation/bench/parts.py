"""What each part of the method adds to the time of a frame.

The networks are as new: how long they take does not depend on what they learned.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from model.evaluation.bench.measure import Meter
from model.evaluation.bench.runs import time_passes, warm_up
from model.features import EncoderFeatures, FeatureExtractor, MotionFeatures
from model.network import MatchingNetwork
from model.recipes import get_recipe
from model.types import PropagationOptions
from model.video import VideoSource

PLAIN = "plain: one window in every reference"


def time_parts(
    source: VideoSource, device: torch.device, bf16: bool, options: PropagationOptions, frames: int, meter: Meter
) -> dict[str, float]:
    """Seconds per frame of a first pass by what is added to the plain way: one part at a time, and those of `options`.

    All take turns, round after round, so that a machine that slows down in time slows all of them. ValueError if the
    video is shorter than memory reaches.
    """
    behind = warm_up(options)
    if len(source) <= behind:
        raise ValueError(f"{source.path}: {len(source)} frames are too few to measure, {behind + 1} are needed")
    stop = min(len(source), behind + frames)
    parts = list(_parts(device, bf16, options))
    seconds = dict.fromkeys((name for name, *_ in parts), float("inf"))
    for _ in range(meter.rounds):
        for name, extractor, chosen in parts:
            passes = time_passes(source, extractor, chosen, 1, behind, stop, meter)
            seconds[name] = min(seconds[name], passes.first / (stop - behind))
    return seconds


def _parts(
    device: torch.device, bf16: bool, options: PropagationOptions
) -> Iterator[tuple[str, FeatureExtractor, PropagationOptions]]:
    plain = replace(
        options,
        anchor_radius=options.radius,
        follow_radius=0,
        likeness=0,
        sampler="fixed",
        compact=1.0,
        edges="bilinear",
    )
    encoder = _network("mast", device, bf16)
    yield PLAIN, encoder, plain
    yield "wider window in an anchor", encoder, replace(plain, anchor_radius=options.anchor_radius)
    yield "windows that follow objects", encoder, replace(plain, follow_radius=max(1, options.follow_radius))
    yield "likeness to the objects", encoder, replace(plain, likeness=options.likeness)
    yield "masks bent to edges", encoder, replace(plain, edges="guided")
    yield "these four: the default", encoder, replace(options, compact=1.0)
    yield "multi-cluster sampler", encoder, replace(plain, sampler="contract")
    yield "compactness prior", encoder, replace(plain, compact=0.1)
    yield "forward-backward check", encoder, replace(plain, cycle=True)
    yield "flow and channel fusion", _network("mer", device, bf16, value=None, weight=None), plain
    engine = _network("mer", device, bf16)
    yield "flow and value extraction, cached", engine, replace(plain, value="cached")
    yield "the same, for every query anew", engine, replace(plain, value="per_target")


def _network(name: str, device: torch.device, bf16: bool, **changes: object) -> FeatureExtractor:
    recipe = get_recipe(name, **changes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = MatchingNetwork(recipe)
    about = ("untrained", "-", recipe.name)
    if recipe.flow is None and recipe.value is None:
        return EncoderFeatures(network, device, bf16, *about)
    return MotionFeatures(network, recipe, device, bf16, *about)
