"""Compressed maps, and the store of what is known of frames."""

from __future__ import annotations

import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from app.core.annotations import AnnotationStore, FrameLabels, PackedGrid, PackedMap
from model.types import LabelMap, Origin

HUMAN, PROPAGATED = FrameLabels(Origin.HUMAN), FrameLabels(Origin.PROPAGATED)


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=20)))
def test_a_map_comes_back_pixel_for_pixel(ids: np.ndarray) -> None:
    packed = PackedMap.pack(LabelMap(ids, (9,)))
    again = PackedMap(packed.shape, packed.objects, packed.data).unpack()
    assert np.array_equal(again.ids, ids)
    assert again.objects == LabelMap(ids, (9,)).objects
    assert packed == PackedMap.pack(again) and packed.digest == PackedMap.pack(again).digest


def test_what_was_packed_last_is_at_hand() -> None:
    """A stroke is shown as soon as it is kept."""
    first, second = (LabelMap(np.full((3, 4), value, np.uint8)) for value in (1, 2))
    packed = PackedMap.pack(first)
    assert packed.unpack() is first
    assert PackedMap.pack(second).unpack() is second
    again = packed.unpack()
    assert again is not first and np.array_equal(again.ids, first.ids)


def test_maps_that_differ_in_what_was_looked_for_are_not_equal() -> None:
    ids = np.zeros((3, 4), np.uint8)
    assert PackedMap.pack(LabelMap(ids, (1,))) != PackedMap.pack(LabelMap(ids))


@given(arrays.arrays(np.float32, (5, 7), elements=st.floats(-1, 2, width=32)))
def test_a_grid_comes_back_to_a_256th(values: np.ndarray) -> None:
    again = PackedGrid.pack(values).unpack()
    assert again.dtype == np.float32 and again.shape == values.shape
    assert np.abs(again - values.clip(0, 1)).max() <= 0.5 / 255 + 1e-6


PIXELS = zlib.compress(bytes(12))


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((3, 5), PIXELS),  # too little
        ((3, 3), PIXELS),  # too much
        ((3, 4), PIXELS[:-1]),  # cut off
        ((3, 4), PIXELS[:-4] + bytes(4)),  # wrong checksum
        ((3, 4), b"no zlib stream"),
        ((3, 4), b""),
        ((0, 0), PIXELS),
    ],
)
def test_what_lies_about_its_size_or_is_damaged_is_refused(shape: tuple[int, int], data: bytes) -> None:
    for packed in (PackedMap(shape, (), data), PackedGrid(shape, data)):
        with pytest.raises(ValueError, match="damaged"):
            packed.unpack()


def test_a_bomb_takes_no_more_memory_than_the_map_it_claims_to_be() -> None:
    bomb = PackedMap((10, 10), (), zlib.compress(bytes(200 << 20), 9))
    tracemalloc.start()
    with pytest.raises(ValueError, match="damaged"):
        bomb.unpack()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20


@given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from([HUMAN, PROPAGATED, None])), max_size=40))
def test_the_store_knows_its_human_frames_in_order(puts: list[tuple[int, FrameLabels | None]]) -> None:
    store, model = AnnotationStore(), {}
    for frame, labels in puts:
        store.put(frame, labels)
        model[frame] = labels
    known = {frame: labels for frame, labels in model.items() if labels is not None}
    human = [frame for frame in sorted(known) if known[frame] is HUMAN]
    assert list(store) == sorted(known) and len(store) == len(known)
    assert store.human == tuple(human)
    for frame in range(-1, 14):
        assert store.get(frame) is known.get(frame) and (frame in store) == (frame in known)
        assert store.human_before(frame) == max((f for f in human if f < frame), default=None)
        assert store.human_after(frame) == min((f for f in human if f > frame), default=None)
