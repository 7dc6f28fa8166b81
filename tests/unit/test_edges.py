from __future__ import annotations

import cv2
import numpy as np

from model.edges import EdgeGuide
from model.labels import Channels
from model.types import Anchor, LabelMap


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


def picture_and_mask() -> tuple[np.ndarray, np.ndarray]:
    """A bright star on a dark ground: corners that no quarter grid can hold."""
    mask = np.zeros((120, 160), np.uint8)
    angles = np.linspace(0, 2 * np.pi, 11)[:-1]
    radius = np.where(np.arange(10) % 2, 18, 50)
    points = np.stack([80 + radius * np.cos(angles), 60 + radius * np.sin(angles)], 1).round().astype(np.int32)
    cv2.fillPoly(mask, [points], 1)
    rng = np.random.default_rng(0)
    image = np.where(mask[..., None] == 1, 190, 60) + rng.normal(0, 6, (120, 160, 1))
    return np.repeat(image, 3, axis=2).clip(0, 255).astype(np.uint8), mask


def test_masks_are_drawn_to_the_edges_of_the_picture() -> None:
    image, mask = picture_and_mask()
    channels = Channels((1,), (), (120, 160), (60, 80))
    encoded = channels.encode(Anchor(0, LabelMap(mask)))
    plain = channels.decode_labels(*encoded).ids == 1
    guided = channels.decode_labels(*encoded, image).ids == 1
    assert overlap(guided, mask == 1) > overlap(plain, mask == 1) + 0.01
    assert overlap(guided, mask == 1) > 0.95


def test_a_picture_without_edges_changes_little() -> None:
    _, mask = picture_and_mask()
    channels = Channels((1,), (), (120, 160), (120, 160))
    encoded = channels.encode(Anchor(0, LabelMap(mask)))
    flat = np.full((120, 160, 3), 128, np.uint8)
    plain, guided = (channels.decode_labels(*encoded, image).ids == 1 for image in (None, flat))
    assert overlap(plain, guided) > 0.85


def test_refining_keeps_certainty_where_the_picture_is_busy() -> None:
    image = np.random.default_rng(1).integers(0, 256, (40, 40, 3), np.uint8)
    guide = EdgeGuide(image, 4)
    box = slice(5, 30), slice(8, 33)
    for value in (0.0, 1.0):
        np.testing.assert_allclose(guide.refine(np.full((25, 25), value, np.float32), *box), value, atol=1e-4)
    refined = guide.refine(np.random.default_rng(2).random((25, 25), np.float32), *box)
    assert refined.dtype == np.float32 and refined.min() >= 0 and refined.max() <= 1
