from __future__ import annotations

import numpy as np
import psutil
import pytest
import torch

from model.affinity import windowed_affinity
from model.evaluation.benchmark import SyntheticVideo, chunked_affinity, run_benchmark, unfold_affinity
from model.features import load_extractor
from model.propagator import Propagator
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest

OPTIONS = PropagationOptions(short_side=None, radius=3, top_k=5)


def test_the_plain_ways_give_the_same_votes_as_the_tiled_one() -> None:
    features = torch.nn.functional.normalize(torch.randn(2, 16, 13, 18), dim=1)
    values = torch.rand(1, 3, 13, 18)
    tiled = windowed_affinity(
        features[0], features[1:], radius=3, top_k=5, temperature=0.1, window="square", dtype=torch.float32
    )
    for way in (unfold_affinity, chunked_affinity):
        plain = way(features[0], features[1], 3, 5, 0.1)
        torch.testing.assert_close(plain.apply(values), tiled.apply(values), atol=1e-5, rtol=1e-4)


def test_a_benchmark_measures_every_stage() -> None:
    with SyntheticVideo(48, 64, 40) as video:
        result = run_benchmark(video, load_extractor("lab", "cpu"), OPTIONS, objects=3, frames=6, rounds=1)
    assert result.frames == 6 and result.references == 5 and result.objects == 3
    assert set(result.stages) == {"decode", "encode", "affinity", "labels", "other"}
    assert sum(stage.share for stage in result.stages.values()) == pytest.approx(1)
    assert result.affinity is not None and set(result.affinity) == {"unfold", "dense", "tiled"}
    assert result.frames_per_second > 0 and result.as_dict()["working_size"] == [48, 64]


def test_a_video_too_short_to_measure_is_refused() -> None:
    with SyntheticVideo(48, 64, 5) as video, pytest.raises(ValueError, match="5 frames are too few"):
        run_benchmark(video, load_extractor("lab", "cpu"), OPTIONS)


def test_the_synthetic_video_moves_and_repeats_exactly() -> None:
    with SyntheticVideo(48, 64, 90) as video:
        assert video[3].image.shape == (48, 64, 3)
        assert not np.array_equal(video[3].image, video[4].image)
        assert all(np.array_equal(f.image, video[f.index].image) for f in video.frames(40, 50))


def test_memory_stays_flat_over_a_long_video() -> None:
    """What grows with the length would show here: 2 000 frames hold 200 times the labels of 10."""
    process = psutil.Process()
    anchor = Anchor(0, LabelMap(np.pad(np.ones((24, 32), np.uint8), ((12, 12), (16, 16)))))
    with SyntheticVideo(48, 64, 2000) as video:
        engine = Propagator(video, load_extractor("lab", "cpu"))
        store = engine.store(OPTIONS)
        store._budget = 100 * store.get(0).nbytes  # reached within the warm-up
        sizes = [
            process.memory_info().rss
            for result in engine.run(PropagationRequest((anchor,), options=OPTIONS))
            if result.frame % 250 == 249
        ]
    assert len(sizes) == 8
    assert sizes[-1] - sizes[1] < 8 * 2**20
