from __future__ import annotations

import numpy as np
import torch

from model.features import load_extractor
from model.memory import Entry, FeatureStore, Memory
from model.spool import Spool
from model.timing import Stopwatch
from model.types import PropagationOptions
from tests.videos import MemoryVideo, texture


def entry(value: float) -> Entry:
    return Entry(torch.full((2, 3, 4), value), torch.tensor([True, False]))


def walk(memory: Memory, frames: range, anchors: set[int]) -> None:
    for frame in frames:
        memory.add(frame, entry(frame), anchor=frame in anchors)


def test_the_papers_memory() -> None:
    """Frames 0 and 5, and t-5, t-3, t-1."""
    memory = Memory(PropagationOptions(), 1)
    walk(memory, range(20), {0})
    assert list(memory.references(20)) == [0, 5, 15, 17, 19]
    assert float(memory.references(20)[17].values[0, 0, 0]) == 17


def test_early_frames_have_what_there_is() -> None:
    memory = Memory(PropagationOptions(), 1)
    walk(memory, range(2), {0})
    assert list(memory.references(2)) == [0, 1]


def test_backwards_is_the_mirror_image() -> None:
    memory = Memory(PropagationOptions(), -1)
    walk(memory, range(30, 10, -1), {30})
    assert list(memory.references(10)) == [11, 13, 15, 25, 30]


def test_an_anchor_restarts_all_but_the_permanent_references() -> None:
    memory = Memory(PropagationOptions(), 1)
    walk(memory, range(13), {0, 11})
    assert list(memory.references(13)) == [0, 11, 12]


def test_only_the_nearest_anchors_are_used() -> None:
    memory = Memory(PropagationOptions(anchors=2), 1)
    walk(memory, range(0, 50), set(range(0, 50, 10)))
    assert list(memory.references(50)) == [30, 40, 45, 47, 49]


def test_memory_does_not_grow_with_the_video() -> None:
    memory = Memory(PropagationOptions(), 1)
    walk(memory, range(5000), {0})
    assert len(memory._passing) <= 6


def test_the_feature_store_keeps_to_its_budget_and_forgets_the_oldest() -> None:
    video = MemoryVideo([texture(i, 32, 48) for i in range(6)])
    one = (4 + 4) * 8 * 12 * 4  # 4 channels of features and 4 of colour on an 8×12 grid, fp32
    store = FeatureStore(video, load_extractor("lab", "cpu"), (32, 48), Stopwatch(), budget=3 * one)
    first = [store.get(i) for i in range(6)]
    reads = video.reads
    assert store.get(5) is first[5] and store.get(4) is first[4]
    again = store.get(0)
    assert again is not first[0] and torch.equal(again, first[0])
    assert store._bytes == 3 * one and video.reads <= reads + 1


def test_the_store_scales_to_the_working_size() -> None:
    video = MemoryVideo([texture(0, 64, 96)])
    store = FeatureStore(video, load_extractor("lab", "cpu"), (32, 48), Stopwatch())
    assert store.get(0).shape == (8, 8, 12)


def test_a_spool_returns_what_it_was_given_in_any_order() -> None:
    rng = np.random.default_rng(0)
    with Spool() as spool:
        put = {}
        for frame in (3, 1, 7):
            values = torch.from_numpy(rng.random((2, 3, 4), np.float32))
            put[frame] = (Entry(values, torch.tensor([True, frame == 7])), torch.rand(3, 4))
            spool.put(frame, *put[frame])
        assert 1 in spool and 2 not in spool
        for frame in (7, 3, 1):
            got, confidence = spool.get(frame, torch.device("cpu"))
            torch.testing.assert_close(got.values, put[frame][0].values, atol=1e-3, rtol=0)
            torch.testing.assert_close(confidence, put[frame][1], atol=1e-3, rtol=0)
            assert torch.equal(got.known, put[frame][0].known)


def test_a_stopwatch_adds_up() -> None:
    stopwatch = Stopwatch()
    for _ in range(2):
        with stopwatch("a"):
            pass
    assert set(stopwatch.seconds) == {"a"} and stopwatch.seconds["a"] >= 0
