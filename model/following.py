"""Windows that follow what moves: an anchor stays as it was drawn, while its objects go elsewhere.

After a while an object is out of the windows around its old place, and the one frame whose labels are certain could say
no more about it. So near an object every anchor is looked at twice: where the query cell is, which holds for what does
not move, and where the object was then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import TILE
from model.memory import Entry

AWAY = 1 << 15
"""Cells by which windows are moved that shall hold nothing."""

_NEAR = 1  # tiles around an object's own that follow it as well
_OWN = 0.5  # a cell is an object's from this share on


class Windows(NamedTuple):
    """Where a frame looks at its R references.

    moved: [R] of each, how far a second window is moved that follows the objects, as of `displacement`; None = none.
    near:  bool [rows, columns], the tiles that are near an object; all while one is out of sight, for it may come back
           anywhere. Only these need wide windows in an anchor.
    """

    moved: list[Tensor | None]
    near: Tensor


def windows(references: Mapping[int, Entry], anchors: Collection[int], latest: int, *, follow: bool = True) -> Windows:
    """The windows of a frame in its references, which are given by frame.

    latest: the one among them from which labels came last. follow: whether there are second windows.
    """
    now = references[latest]
    moved = [
        displacement(now, then) if follow and frame in anchors and frame != latest else None
        for frame, then in references.items()
    ]
    return Windows(moved, near_objects(now))


def near_objects(now: Entry) -> Tensor:
    """`Windows.near` of the frame before the one that looks."""
    mine = _shown(now)
    out_of_sight = now.known.to(mine.device) & ~mine.flatten(1).any(1)
    return (_around(mine).amax(0) > 0) | out_of_sight.any()


def displacement(now: Entry, then: Entry) -> Tensor | None:
    """How far back what is labelled has come since `then`: (dy, dx) in cells for each tile, int64 [rows, columns, 2].

    A tile goes with the object or keypoint that has the most cells in it and around it. One that is near none has
    nothing to follow: its windows are moved `AWAY`, out of every picture.
    now: labels of the frame before the one that looks; then: those of the anchor.
    None if nothing that both frames show has moved.
    """
    mine, theirs = _shown(now), _shown(then)
    shown = mine.flatten(1).any(1) & theirs.flatten(1).any(1)
    if not bool(shown.any()):
        return None
    mine, theirs = mine[shown], theirs[shown]
    moved = (_centres(theirs.float()) - _centres(mine.float())).round().long()
    if not bool(moved.any()):
        return None
    most, whose = _around(mine).max(dim=0)
    return torch.where((most > 0)[..., None], moved[whose], AWAY)


def _shown(entry: Entry) -> Tensor:
    """bool [L, h, w]: the cells that are each object's own."""
    return (entry.shares > _OWN) & entry.known[:, None, None].to(entry.values.device)


def _around(masks: Tensor) -> Tensor:
    """How much of each mask [L, h, w] lies in each tile and around it: [L, rows, columns]."""
    h, w = masks.shape[1:]
    cells = F.avg_pool2d(F.pad(masks.float(), (0, -w % TILE, 0, -h % TILE)), TILE)
    return F.avg_pool2d(cells, 2 * _NEAR + 1, stride=1, padding=_NEAR)


def _centres(masks: Tensor) -> Tensor:
    """(y, x) of the middle of each mask [L, h, w]: [L, 2]."""
    h, w = masks.shape[1:]
    y, x = torch.arange(h, device=masks.device).float(), torch.arange(w, device=masks.device).float()
    down, across = masks.sum(2), masks.sum(1)
    return torch.stack([down @ y, across @ x], dim=1) / down.sum(1, keepdim=True)
