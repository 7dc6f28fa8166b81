"""Windows that follow what moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from model.affinity import TILE, Affinity
from model.features import load_extractor
from model.following import AWAY, Windows, displacement, near_objects
from model.grid import by_label
from model.matching import frame_affinity
from model.memory import Entry
from model.propagator import Propagator
from model.types import Anchor, LabelMap, PropagationOptions, PropagationRequest
from tests.videos import MemoryVideo, moving_squares

GRID = (40, 60)


def labels(*boxes: tuple[slice, slice] | None, known: tuple[bool, ...] | None = None) -> Entry:
    """Each channel a box of cells, or nothing."""
    values = torch.zeros(len(boxes), *GRID)
    for channel, box in zip(values, boxes, strict=True):
        if box is not None:
            channel[box] = 1
    return Entry(by_label(values), torch.tensor(known or (True,) * len(boxes)))


def box(y: int, x: int, side: int = 6) -> tuple[slice, slice]:
    return slice(y, y + side), slice(x, x + side)


def test_tiles_near_an_object_go_back_to_where_it_was_and_others_look_away() -> None:
    moved = displacement(labels(box(20, 42)), labels(box(8, 10)))
    assert moved is not None and moved.shape == (5, 8, 2) and moved.dtype == torch.int64
    near = torch.zeros(5, 8, dtype=torch.bool)
    near[1:5, 4:7] = True  # the object lies in the tiles (2..3, 5); those around go with it
    assert (moved[near] == torch.tensor([-12, -32])).all() and (moved[~near] == AWAY).all()


def test_each_tile_goes_with_what_has_most_cells_around() -> None:
    now = labels(box(16, 8), box(16, 24, side=2), box(0, 56, side=4))
    moved = displacement(now, labels(box(18, 8), box(16, 30, side=2), box(0, 56, side=4)))
    assert moved is not None
    assert moved[2, 1].tolist() == [2, 0]  # both are near, the first is larger
    assert moved[2, 3].tolist() == [0, 6]
    assert moved[0, 7].tolist() == [0, 0]


def test_what_stays_what_is_gone_and_what_is_unknown_is_not_followed() -> None:
    here, there = box(8, 8), box(20, 30)
    assert displacement(labels(here), labels(here)) is None
    assert displacement(labels(None), labels(there)) is None
    assert displacement(labels(here), labels(None)) is None
    assert displacement(labels(here), labels(there, known=(False,))) is None
    assert displacement(labels(here, known=(False,)), labels(there)) is None
    halves = Entry(labels(here).values / 2, torch.tensor([True]))
    assert displacement(halves, labels(there)) is None  # nobody knows where it is


def scattered(count: int) -> tuple[Tensor, Tensor]:
    """Frames of unlike cells, the last of which shows the first one's cells 20 further down and across."""
    features = torch.nn.functional.normalize(torch.randn(count, 8, *GRID, generator=torch.manual_seed(0)), dim=1)
    features[-1] = features[0].roll((20, 20), (1, 2))
    keys = torch.cat([features, torch.zeros(count, 4, *GRID)], dim=1)  # of one colour
    return keys[-1], keys[:-1]


def test_a_reference_is_seen_in_both_places_and_no_cell_votes_twice() -> None:
    query, keys = scattered(3)
    options = PropagationOptions(radius=4, anchor_radius=4, follow_radius=6, top_k=3)
    rows, columns = -(-GRID[0] // TILE), -(-GRID[1] // TILE)
    back, near = torch.full((rows, columns, 2), -20), torch.ones(rows, columns, dtype=torch.bool)
    found = frame_affinity(query, keys, options, [True, False], Windows([back, None], near))
    assert found.references == 2 and found.weight.shape[1] == 3
    vote = found.votes(30, 40)[0]
    assert (vote.reference, vote.y, vote.x) == (0, 10, 20)
    alone = frame_affinity(query, keys, options, [True, False])
    assert (alone.votes(30, 40)[0].y, alone.votes(30, 40)[0].x) != (10, 20)

    nowhere = frame_affinity(query, keys, options, [True, False], Windows([torch.zeros_like(back), None], near))
    wider = frame_affinity(query, keys, replace(options, anchor_radius=6), [True, False])
    torch.testing.assert_close(nowhere.weight, wider.weight)
    assert nowhere.index.equal(wider.index)
    voters = (index[weight > 0].tolist() for index, weight in zip(nowhere.index, nowhere.weight, strict=True))
    assert all(len(set(row)) == len(row) for row in voters)


def test_near_an_object_is_its_own_tile_and_those_around() -> None:
    near = torch.zeros(5, 8, dtype=torch.bool)
    near[1:5, 4:7] = True
    assert near_objects(labels(box(20, 42))).equal(near)
    near[0:2, 0:3] = True
    assert near_objects(labels(box(20, 42), box(2, 10, side=3))).equal(near)


def test_while_an_object_is_out_of_sight_it_may_be_anywhere() -> None:
    here = box(20, 42)
    assert near_objects(labels(here, None)).all()
    assert not near_objects(labels(here, None, known=(True, False))).all()


def test_windows_in_an_only_anchor_are_wide_near_objects_and_there_only() -> None:
    query, keys = scattered(3)
    options = PropagationOptions(radius=2, anchor_radius=9, top_k=3)
    near = near_objects(labels(box(20, 42)))
    found = frame_affinity(query, keys, options, [True, False], Windows([None, None], near))
    wide = frame_affinity(query, keys, options, [True, False])
    narrow = frame_affinity(query, keys, replace(options, anchor_radius=2), [True, False])
    cells = near.repeat_interleave(TILE, 0).repeat_interleave(TILE, 1)[: GRID[0], : GRID[1]].flatten()
    assert found.references == 2 and 0 < int(cells.sum()) < len(cells)
    for part, expected in ((cells, wide), (~cells, narrow)):
        torch.testing.assert_close(found.weight[part], expected.weight[part])
        assert found.index[part].equal(expected.index[part])
    assert not narrow.index[cells].equal(wide.index[cells])
    several = frame_affinity(query, keys, options, [True, True], Windows([None, None], near))
    assert several.index.equal(frame_affinity(query, keys, options, [True, True]).index)  # none is wide among several


def test_among_several_anchors_no_window_that_follows_is_wider_than_others() -> None:
    query, keys = scattered(4)
    near = torch.ones(-(-GRID[0] // TILE), -(-GRID[1] // TILE), dtype=torch.bool)
    looks = Windows([torch.full((*near.shape, 2), -20), torch.full((*near.shape, 2), -20), None], near)
    options = PropagationOptions(radius=3, anchor_radius=3, follow_radius=9, top_k=3)
    for anchored, alike in (([True, False, False], False), ([True, True, False], True)):
        windows = Windows([looks.moved[0], looks.moved[1] if alike else None, None], near)
        wide = frame_affinity(query, keys, options, anchored, windows)
        less = frame_affinity(query, keys, replace(options, follow_radius=3), anchored, windows)
        assert wide.index.equal(less.index) == alike


def test_an_anchor_goes_on_being_of_use_when_its_object_has_gone_far(monkeypatch: pytest.MonkeyPatch) -> None:
    """A square crosses the picture: its anchor has votes there to the end, where windows follow it."""
    pictures, truth = moving_squares(frames=14, width=160, speed=6)
    anchor = Anchor(0, LabelMap(np.where(truth[0] == 7, 7, 0).astype(np.uint8)))
    shares = {}
    for follow in (0, 5):
        votes: list[Affinity] = []

        def watched(*looks: object, votes: list[Affinity] = votes) -> Affinity:
            votes.append(frame_affinity(*looks))  # type: ignore[arg-type]
            return votes[-1]

        monkeypatch.setattr("model.propagator.frame_affinity", watched)
        options = PropagationOptions(short_side=None, radius=5, anchor_radius=5, follow_radius=follow, trust=1.0)
        propagator = Propagator(MemoryVideo(pictures), load_extractor("lab", "cpu"))
        list(propagator.run(PropagationRequest((anchor,), options=options)))
        height, width = votes[-1].grid
        of_anchor = (votes[-1].weight * (votes[-1].index < height * width)).sum(1).view(height, width)
        shares[follow] = float(of_anchor[torch.from_numpy(truth[-1] == 7)[::4, ::4]].mean())
    assert shares[0] < 0.3 and shares[5] > 0.9  # where it is now, nothing of it was at first
