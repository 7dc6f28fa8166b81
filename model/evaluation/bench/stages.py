"""The stages of a propagated frame, each by itself, with the work that it cannot do without.

decode: the picture's bytes, written. encode: the network's products. affinity: those of every cell with all cells in
its windows. labels: the picture is read, the channels are read, and the label map is written.
"""

from __future__ import annotations

from itertools import cycle

import torch

from model.evaluation.bench.figures import Roof, Stage
from model.evaluation.bench.measure import Meter, flops
from model.evaluation.bench.synthetic import blobs
from model.features import FeatureExtractor, fill_in
from model.labels import Channels
from model.matching import carry, confidence, frame_affinity
from model.memory import FeatureStore
from model.propagator import working_size
from model.timing import Stopwatch
from model.types import PropagationOptions
from model.video import VideoSource

_AT_ONCE = 4  # frames that are decoded or encoded between two looks at the clock


def time_stages(
    source: VideoSource,
    extractor: FeatureExtractor,
    options: PropagationOptions,
    objects: int,
    references: int,
    roof: Roof,
    meter: Meter,
) -> tuple[Stage, ...]:
    """decode, encode, affinity and labels of a frame, as a meter takes them.

    The video has at least `references` + 1 frames.
    """
    device = extractor.device
    options = fill_in(options, extractor)
    size = working_size(source.size, options.short_side)
    pixels = source.size[0] * source.size[1]
    pictures = [source[frame].image for frame in range(references + 1)]

    stretch = min(len(source), _AT_ONCE * 4)

    def decode() -> None:
        with source.handle() as fresh:  # with nothing in its cache
            for _ in fresh.frames(0, stretch):
                pass

    decoding = meter.seconds(decode) / stretch

    store = FeatureStore(source, extractor, size, Stopwatch(), 1)

    turn = cycle(range(len(pictures)))  # next is always one that the store has forgotten

    def encode() -> None:
        for _ in range(_AT_ONCE):
            frame = next(turn)
            store.get(frame, pictures[frame])

    products = flops(encode) / _AT_ONCE
    encoding = meter.seconds(encode) / _AT_ONCE

    looks = torch.stack([store.get(frame, pictures[frame]) for frame in range(references + 1)])
    query, keys = looks[-1], looks[:-1]
    anchor = blobs(0, source.size, objects)
    assert anchor.labels is not None
    channels = Channels(anchor.labels.objects, (), source.size, size)
    values, known = channels.encode(anchor)
    values = values.to(device)
    remembered = [values] * references

    def match() -> torch.Tensor:
        affinity = frame_affinity(query, keys, options, [True] + [False] * (references - 1))
        carry(affinity, remembered, known.expand(references, -1))
        return confidence(affinity, options.temperature)

    match()  # builds its masks
    matching = meter.seconds(match)
    picture = pictures[0] if options.edges == "guided" else None
    labelling = meter.seconds(lambda: channels.decode_labels(values, known, picture))

    radii = [options.radius_with(1)] + [options.radius] * (references - 1)
    compared = sum(window_cells(channels.grid, radius, options.window) for radius in radii)
    return (
        Stage("decode", decoding, 3 * pixels, "byte", roof.bytes),
        Stage("encode", encoding, products, "FLOP", roof.flops),
        Stage("affinity", matching, 2 * compared * keys.shape[1], "FLOP", roof.flops),
        Stage("labels", labelling, 4 * pixels + values.nbytes, "byte", roof.bytes),
    )


def window_cells(grid: tuple[int, int], radius: int, window: str) -> int:
    """How many cells of one reference the windows of all cells of a grid hold together."""
    height, width = grid
    total = 0
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if window == "square" or dy * dy + dx * dx <= radius * radius:
                total += max(0, height - abs(dy)) * max(0, width - abs(dx))
    return total
