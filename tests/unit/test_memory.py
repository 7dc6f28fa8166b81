from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.features import MotionFeatures, cell_colours, load_extractor, without_colour
from model.flow import FlowOptions, Motion
from model.memory import Entry, FeatureStore, Memory, cell_bytes, trusted
from model.network import MatchingNetwork
from model.recipes import Recipe
from model.spool import Spool
from model.timing import Stopwatch
from model.training.state import save_weights
from model.types import PropagationOptions, UInt8Array
from tests.corpora import TINY_MER
from tests.videos import MemoryVideo, moving_squares, texture

PAPER = PropagationOptions(long_term=(5,), short_term=(1, 3, 5))


def entry(value: float) -> Entry:
    return Entry(torch.full((2, 3, 4), value), torch.tensor([True, False]))


def walk(memory: Memory, frames: range, anchors: set[int]) -> None:
    for frame in frames:
        memory.add(frame, entry(frame), anchor=frame in anchors)


def test_the_papers_memory() -> None:
    """Frames 0 and 5, and t-5, t-3, t-1."""
    memory = Memory(PAPER, 1)
    walk(memory, range(20), {0})
    assert list(memory.references(20)) == [0, 5, 15, 17, 19]
    assert float(memory.references(20)[17].values[0, 0, 0]) == 17


def test_anchors_that_do_not_know_of_every_object_have_no_head_start() -> None:
    nothing = torch.zeros(2, 3, 4)
    first, both = Entry(nothing, torch.tensor([True, False])), Entry(nothing, torch.tensor([True, True]))
    assert trusted({0: first, 4: both, 8: both}, {0, 8}) == [False, False, True]
    assert trusted({0: first, 4: first}, {0}) == [True, False]  # the second object is known nowhere


def test_early_frames_have_what_there_is() -> None:
    memory = Memory(PAPER, 1)
    walk(memory, range(2), {0})
    assert list(memory.references(2)) == [0, 1]


def test_backwards_is_the_mirror_image() -> None:
    memory = Memory(PAPER, -1)
    walk(memory, range(30, 10, -1), {30})
    assert list(memory.references(10)) == [11, 13, 15, 25, 30]


def test_an_anchor_restarts_all_but_the_permanent_references() -> None:
    memory = Memory(PAPER, 1)
    walk(memory, range(13), {0, 11})
    assert list(memory.references(13)) == [0, 11, 12]


def test_only_the_nearest_anchors_are_used() -> None:
    memory = Memory(replace(PAPER, anchors=2), 1)
    walk(memory, range(0, 50), set(range(0, 50, 10)))
    assert list(memory.references(50)) == [30, 40, 45, 47, 49]


def test_anchors_ahead_are_looked_at_when_they_are_near() -> None:
    made: list[int] = []

    def encode(frame: int) -> Entry:
        made.append(frame)
        return entry(frame)

    memory = Memory(replace(PAPER, anchors=2), 1, anchors=[40, 90], encode=encode)
    walk(memory, range(10), {0})
    assert list(memory.references(10)) == [0, 5, 7, 9, 40]
    assert float(memory.references(10)[40].values[0, 0, 0]) == 40
    walk(memory, range(10, 30), set())
    assert list(memory.references(30)) == [0, 5, 25, 27, 29, 40]
    assert made == [40], "each is made once, and only when it is wanted"


def test_memory_does_not_grow_with_the_video() -> None:
    memory = Memory(PAPER, 1)
    walk(memory, range(5000), {0})
    assert len(memory._passing) <= 6


def test_the_feature_store_keeps_to_its_budget_and_forgets_the_oldest() -> None:
    video = MemoryVideo([texture(i, 32, 48) for i in range(6)])
    one = (4 + 4) * 8 * 12 * 4  # 4 channels of features and 4 of colour on an 8×12 grid, fp32
    store = FeatureStore(video, load_extractor("lab", "cpu"), (32, 48), Stopwatch(), budget=3 * one)
    encoded: list[int] = []
    real = store._encode

    def encode(frame: int, image: UInt8Array | None) -> Tensor:
        encoded.append(frame)
        return real(frame, image)

    store._encode = encode  # type: ignore[method-assign]
    first = [store.get(i) for i in range(6)]
    for frame in (5, 4, 0):
        assert torch.equal(store.get(frame), first[frame])
    assert encoded == [0, 1, 2, 3, 4, 5, 0]
    assert store._bytes == 3 * one


def test_what_was_computed_in_bf16_is_kept_in_bf16_but_for_the_colours() -> None:
    video = MemoryVideo([texture(0, 32, 48)])
    stores = [
        FeatureStore(video, load_extractor("untrained", "cpu", precision), (32, 48), Stopwatch())
        for precision in ("fp32", "bf16")
    ]
    exact, kept = (store.get(0) for store in stores)
    assert [store._bytes for store in stores] == [(64 + 4) * 8 * 12 * 4, (64 * 2 + 4 * 4) * 8 * 12]
    assert kept.dtype == torch.float32 and torch.equal(kept[-4:], exact[-4:])
    assert (without_colour(kept) * without_colour(exact)).sum(dim=0).min() > 0.99


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("weights", ["lab", "untrained", "tiny-mer"])
def test_what_a_store_will_need_is_known_before(tmp_path: Path, weights: str, precision: str) -> None:
    """By raw colours, by an encoder, and by a network that keeps what keys are made from as well."""
    path = tmp_path / "encoder.pt"
    save_weights(path, MatchingNetwork(RECIPE), RECIPE)
    extractor = load_extractor(path if weights == "tiny-mer" else weights, "cpu", precision)
    video = MemoryVideo([texture(i, 32, 48) for i in range(3)])
    store = FeatureStore(video, extractor, (32, 48), Stopwatch())
    for frame in range(3):
        store.get(frame)
    assert store._bytes == cell_bytes(extractor) * 8 * 12 * 3


def test_the_store_scales_to_the_working_size() -> None:
    video = MemoryVideo([texture(0, 64, 96)])
    store = FeatureStore(video, load_extractor("lab", "cpu"), (32, 48), Stopwatch())
    assert store.get(0).shape == (8, 8, 12)


RECIPE = replace(TINY_MER, flow=FlowOptions(gap=2))


class Engine:
    """A video of twelve frames, a network whose parts all do something, and a store of its features."""

    def __init__(self, tmp_path: Path, recipe: Recipe = RECIPE, budget: int = 1 << 30) -> None:
        torch.manual_seed(0)
        network = MatchingNetwork(recipe)
        with torch.no_grad():
            for name, parameter in network.named_parameters():
                if name in ("fusion.alpha", "extraction.gamma"):
                    parameter += 1.0
                elif name in ("extraction.query.weight", "extraction.key.weight"):
                    parameter *= 5.0  # sharper attention, so that it matters what is looked at
        save_weights(tmp_path / "encoder.pt", network, recipe)
        extractor = load_extractor(tmp_path / "encoder.pt", "cpu", "fp32")
        assert isinstance(extractor, MotionFeatures)
        self.extractor = extractor
        self.video = MemoryVideo(moving_squares(12, 64, 160)[0])
        self.store = FeatureStore(self.video, extractor, (64, 160), Stopwatch(), budget)
        self.encoded: list[int] = []
        real = extractor.encode

        def encode(images: Tensor, motion: Tensor | None) -> Tensor:
            shown = images[0].permute(1, 2, 0).numpy()
            self.encoded.append(next(n for n, i in enumerate(self.video.images) if np.array_equal(i, shown)))
            return real(images, motion)

        extractor.encode = encode  # type: ignore[method-assign]

    def plain(self, frame: int) -> Tensor:
        """x of a frame, from scratch."""
        motion = Motion(RECIPE.flow or FlowOptions()).of(self.video.images.__getitem__, frame, 12)
        image = torch.from_numpy(self.video.images[frame]).permute(2, 0, 1)[None]
        return MotionFeatures.encode(self.extractor, image, torch.from_numpy(motion)[None])[0]

    def out(self, target: int, references: list[int], frames: list[int]) -> Tensor:
        x = {f: self.plain(f) for f in {target, *references, *frames}}
        stacked = torch.stack([x[r] for r in references]), torch.stack([x[f] for f in frames])
        return self.extractor.extract(x[target], *stacked)[0]


@pytest.mark.parametrize(
    ("frame", "before"), [(8, [7, 5, 3]), (4, [3, 1]), (1, [0]), (0, [1, 3, 5])], ids=["8", "4", "1", "0"]
)
def test_a_cached_frame_is_its_own_target_with_the_frames_before_it(
    tmp_path: Path, frame: int, before: list[int]
) -> None:
    engine = Engine(tmp_path)
    key = engine.store.get(frame)
    torch.testing.assert_close(key[:-4], engine.out(frame, before, [frame])[0], atol=1e-5, rtol=1e-4)
    engine.extractor.extract = None  # type: ignore[assignment, method-assign]
    assert torch.equal(engine.store.get(frame), key), "it is kept"
    assert torch.equal(key[-4:-1], cell_colours(torch.from_numpy(engine.video.images[frame]).permute(2, 0, 1)[None])[0])


def test_per_target_works_references_out_for_every_query(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    query, keys = engine.store.match(8, [0, 5, 7], value="per_target")
    expected = engine.out(8, [0, 5, 7], [8, 0, 5, 7])
    torch.testing.assert_close(torch.cat([query[None], keys])[:, :-4], expected, atol=1e-5, rtol=1e-4)
    _, others = engine.store.match(9, [0, 5, 8], value="per_target")
    assert not torch.allclose(keys[0], others[0], atol=1e-4)
    _, cached = engine.store.match(8, [0, 5, 7])
    again = engine.store.match(9, [0, 5, 8])[1]
    assert torch.equal(cached[0], again[0]) and not torch.allclose(cached[0], keys[0], atol=1e-4)


def test_switched_off_value_extraction_leaves_the_plain_features(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    query, keys = engine.store.match(6, [5, 3], value="off")
    for key, frame in ((query, 6), (keys[0], 5), (keys[1], 3)):
        x = engine.plain(frame)
        torch.testing.assert_close(key[:-4], x / x.norm(dim=0), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(engine.store.get(6)[:-4], query[:-4], atol=1e-4)


@pytest.mark.parametrize("value", ["cached", "per_target", "off"])
def test_every_frame_is_encoded_once(tmp_path: Path, value: str) -> None:
    engine = Engine(tmp_path)
    for frame in range(1, 12):
        engine.store.match(frame, range(max(0, frame - 3), frame), value=value)
    assert sorted(engine.encoded) == list(range(12))


def test_motion_and_value_map_can_be_shown(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    for frame in (0, 7):
        motion, value = engine.store.motion(frame), engine.store.value_map(frame)
        assert motion is not None and value is not None
        expected = Motion(FlowOptions(gap=2)).of(engine.video.images.__getitem__, frame, 12)
        np.testing.assert_allclose(motion, expected, atol=1e-6)
        assert value.shape == (16, 40) and 0 <= value.min() < value.max() <= 1
    lab = FeatureStore(engine.video, load_extractor("lab", "cpu"), (64, 160), Stopwatch())
    assert lab.motion(0) is None and lab.value_map(0) is None


def test_the_budget_holds_for_all_that_is_kept(tmp_path: Path) -> None:
    budget = 5 * (16 + 4) * 16 * 40 * 4
    engine, free = Engine(tmp_path, budget=budget), Engine(tmp_path)
    for frame in (*range(12), 3):
        torch.testing.assert_close(engine.store.get(frame), free.store.get(frame), atol=1e-5, rtol=1e-4)
        assert sum(t.nbytes for parts in engine.store._kept.values() for t in parts) == engine.store._bytes <= budget


def test_parts_may_come_alone(tmp_path: Path) -> None:
    flow_alone = replace(RECIPE, value=None, weight=None)
    store = Engine(tmp_path, flow_alone).store
    assert store.value_map(3) is None and store.motion(3) is not None
    assert torch.equal(store.get(3), store.match(3, [2], value="per_target")[0])
    value_alone = Engine(tmp_path, replace(RECIPE, flow=None)).store
    assert value_alone.value_map(3) is not None and value_alone.motion(3) is None
    assert value_alone.get(3).isfinite().all()


def test_a_single_frame_is_its_own_reference(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    store = FeatureStore(MemoryVideo(engine.video.images[:1]), engine.extractor, (64, 160), Stopwatch())
    assert store.get(0).shape == (20, 16, 40)


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
