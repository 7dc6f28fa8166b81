from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from model.affinity import Affinity
from model.features import load_extractor
from model.matching import carry, confidence, frame_affinity
from model.propagator import Propagator
from model.types import PropagationOptions
from tests.videos import MemoryVideo, moving_squares

OPTIONS = PropagationOptions(short_side=None, radius=6, top_k=5)


def seen_by(pictures: list[np.ndarray], frame: int, references: tuple[int, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    store = Propagator(MemoryVideo(pictures), load_extractor("lab", "cpu")).store(OPTIONS)
    return store.match(frame, references)


def test_a_cell_hands_on_its_labels_each_to_the_same_place() -> None:
    """Two references of 1×2 cells; the first cell asks the second of the other one, the second cell asks both."""
    affinity = Affinity(torch.tensor([[1.0, 0.0], [0.75, 0.25]]), torch.tensor([[3, 3], [0, 2]]), (1, 2), 2)
    values = torch.rand(2, 3, 2, 4)
    known = torch.ones(2, 3, dtype=torch.bool)
    known[0, 2], values[0, 2] = False, 0  # the first reference knows nothing of the last label
    carried = carry(affinity, values, known)
    assert carried.shape == (3, 2, 4)
    torch.testing.assert_close(carried[:, :, :2], values[1, :, :, 2:])
    torch.testing.assert_close(carried[:2, :, 2:], 0.75 * values[0, :2, :, :2] + 0.25 * values[1, :2, :, :2])
    torch.testing.assert_close(carried[2, :, 2:], values[1, 2, :, :2])


def test_trust_gives_anchors_a_head_start() -> None:
    """The picture before looks just like this one; the anchor's, a little darker, wins where it is trusted."""
    pictures = [np.full((32, 32, 3), brightness, np.uint8) for brightness in (124, 128, 128)]
    looks = seen_by(pictures, 2, (0, 1))
    for trust, trusted, chosen in ((2.0, None, 1), (2.0, [True, False], 0), (0.0, [True, False], 1)):
        options = replace(OPTIONS, top_k=1, trust=trust)
        votes = frame_affinity(*looks, options, trusted).votes(3, 3)
        assert [vote.reference for vote in votes] == [chosen]


def test_confidence_does_not_depend_on_the_temperature_of_the_votes() -> None:
    pictures, _ = moving_squares()
    looks = seen_by(list(pictures), 4, (0, 3))
    maps = []
    for temperature in (0.05, 0.2, 0.8):
        maps.append(confidence(frame_affinity(*looks, replace(OPTIONS, temperature=temperature)), temperature))
    assert maps[0].max() - maps[0].min() > 0.3  # it tells cells apart
    for other in maps[1:]:
        torch.testing.assert_close(other, maps[0], atol=1e-3, rtol=0)


def test_confidence_by_hand() -> None:
    """At twice the temperature that they are judged at, weights 3 : 1 stand for 9 : 1."""
    affinity = Affinity(torch.tensor([[0.75, 0.25], [1.0, 0.0]]), torch.tensor([[0, 1], [1, 1]]), (1, 2), 1)
    torch.testing.assert_close(confidence(affinity, 0.1), torch.tensor([[0.531, 1.0]]), atol=1e-3, rtol=0)


def test_several_anchors_vote_within_the_usual_window_and_loudly_in_frames_between_them() -> None:
    pictures, _ = moving_squares()
    looks = seen_by(list(pictures), 4, (0, 3, 6))
    options = replace(OPTIONS, temperature=0.8, between_temperature=0.05, anchor_radius=12)
    for anchored, temperature, radius in (
        ([True, False, False], 0.8, 12),
        ([True, True, False], 0.8, 6),
        ([True, False, True], 0.05, 6),
    ):
        same = replace(options, temperature=temperature, radius=6, anchor_radius=radius)
        at = options.temperature_at(4, [frame for frame, anchor in zip((0, 3, 6), anchored, strict=True) if anchor])
        expected = frame_affinity(*looks, same, anchored)
        found = frame_affinity(*looks, options, anchored, temperature=at)
        torch.testing.assert_close(found.weight, expected.weight)
        assert (at, options.radius_with(sum(anchored))) == (temperature, radius)
    assert options.temperature_at(4, ()) == 0.8
