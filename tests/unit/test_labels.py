from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from model.labels import Channels
from model.types import VOID, Anchor, KeypointSet, LabelMap, present_ids


def channels(
    source: tuple[int, int], working: tuple[int, int], objects: tuple[int, ...] = (), names: tuple[str, ...] = ()
) -> Channels:
    return Channels(objects, names, source, working)


def disk(height: int, width: int, number: int = 1, radius: int = 20) -> np.ndarray:
    ids = np.zeros((height, width), np.uint8)
    cv2.circle(ids, (width // 2, height // 2), radius, number, -1)
    return ids


@pytest.mark.parametrize(
    ("source", "working"),
    [((96, 128), (96, 128)), ((97, 131), (97, 131)), ((192, 256), (96, 128)), ((64, 64), (64, 64))],
)
def test_a_mask_survives_the_grid(source: tuple[int, int], working: tuple[int, int]) -> None:
    ids = disk(*source, number=9)
    ids[:10, :13] = 3  # touching the corner
    ids[-13:, -10:] = 254
    c = channels(source, working, (3, 9, 254))
    back = c.decode_labels(*c.encode(Anchor(0, LabelMap(ids))))
    assert back.shape == source and back.objects == (3, 9, 254)
    assert (back.ids == ids).mean() > 0.97
    for number in (3, 9, 254):
        found, true = back.ids == number, ids == number
        # No drift: the centre of every object stays within a fifth of a cell.
        assert np.abs(np.argwhere(found).mean(0) - np.argwhere(true).mean(0)).max() < 0.8 * source[0] / working[0]


def test_a_straight_edge_stays_where_it_is() -> None:
    """Labels are centred on pixels 2i - 1: taken as 2×2 blocks instead, every edge would move by 1.5 pixels."""
    for edge in range(20, 29):
        ids = np.zeros((48, 64), np.uint8)
        ids[:, :edge] = 1
        c = channels((48, 64), (48, 64), (1,))
        back = c.decode_labels(*c.encode(Anchor(0, LabelMap(ids))))
        found = (back.ids == 1).sum(axis=1)
        assert abs(found - edge).max() <= 1, edge


@pytest.mark.parametrize("at", range(30, 34))
def test_what_is_thinner_than_a_cell_is_kept(at: int) -> None:
    ids = np.zeros((48, 64), np.uint8)
    ids[:, at : at + 2] = ids[at - 10 : at - 8] = 1
    c = channels((48, 64), (48, 64), (1,))
    back = c.decode_labels(*c.encode(Anchor(0, LabelMap(ids)))).ids
    assert (ids & back).sum() > 0.95 * ids.sum() and (ids | back).sum() < 1.6 * ids.sum()


def test_a_lone_object_in_the_corner_is_decoded_like_any_other() -> None:
    for corner in (np.s_[:12, :12], np.s_[-12:, -12:], np.s_[:12, -12:]):
        ids = np.zeros((61, 83), np.uint8)
        ids[corner] = 5
        c = channels((61, 83), (61, 83), (5,))
        back = c.decode_labels(*c.encode(Anchor(0, LabelMap(ids)))).ids
        found, true = back == 5, ids == 5
        assert (found & true).sum() / (found | true).sum() > 0.8


def test_objects_a_frame_does_not_know_are_reported() -> None:
    c = channels((32, 32), (32, 32), (1, 2), ("nose",))
    values, known = c.encode(Anchor(0, LabelMap(disk(32, 32, radius=8))))
    assert known.tolist() == [True, False, False]
    assert values.shape == (3, 16, 16) and values[1:].abs().sum() == 0
    assert c.decode_labels(values, known).objects == (1,)


def test_nothing_there_is_background() -> None:
    c = channels((32, 40), (32, 40), (1,))
    assert not c.decode_labels(torch.zeros(1, 16, 20), torch.tensor([True])).ids.any()


@given(st.floats(26, 100), st.floats(26, 70), st.sampled_from([(96, 128), (48, 64), (192, 256)]))
def test_a_point_survives_the_grid(x: float, y: float, working: tuple[int, int]) -> None:
    c = channels((96, 128), working, (), ("a", "b"))
    points = KeypointSet.of({"a": (x, y), "b": None})
    values, known = c.encode(Anchor(0, keypoints=points))
    back = c.decode_keypoints(values, known)
    np.testing.assert_allclose(back.xy[0], (x, y), atol=0.15 * 96 / working[0])
    assert back.confidence[0] > 0.7 and back.visible[0]
    assert np.isnan(back.xy[1]).all() and back.confidence[1] == 0 and not back.visible[1]


def test_refocus_keeps_a_point_in_place_for_hundreds_of_frames() -> None:
    c = channels((96, 128), (96, 128), (), ("a",))
    values, known = c.encode(Anchor(0, keypoints=KeypointSet.of({"a": (50.3, 41.6)})))
    for _ in range(300):
        melted = torch.nn.functional.avg_pool2d(values[None], 3, stride=1, padding=1)[0]
        values = c.refocus(melted)
    back = c.decode_keypoints(values, known)
    np.testing.assert_allclose(back.xy[0], (50.3, 41.6), atol=1.0)
    assert back.confidence[0] > 0.7


def test_refocus_leaves_masks_and_lost_points_alone() -> None:
    c = channels((32, 32), (32, 32), (1,), ("a",))
    values = torch.rand(2, 16, 16)
    values[1] *= 0.1
    torch.testing.assert_close(c.refocus(values), values)


def test_harden_gives_each_cell_to_one() -> None:
    c = channels((16, 16), (16, 16), (4, 6), ("a",))
    values = torch.zeros(3, 8, 8)
    values[0], values[1], values[2] = 0.3, 0.45, 0.123
    values[1, 0] = 0.31  # first row: background has 0.39
    hard = c.harden(values)
    assert hard[1, 1:].eq(1).all() and hard[:2, 0].eq(0).all() and hard[0].eq(0).all()
    assert hard[2].eq(values[2]).all()


@pytest.mark.parametrize("values", [[], [0], [0, 3], [2, 7, 15], [0, 15, 16], [1, VOID], list(range(256))])
def test_the_values_of_a_map_are_found_whether_few_or_many(values: list[int]) -> None:
    rng = np.random.default_rng(0)
    ids = rng.permutation(np.resize(np.array(values, np.uint8), 400 if values else 0)).reshape(20, -1)
    assert present_ids(ids) == set(values)
