"""Windows that follow what moves: an anchor stays as it was drawn, while its objects go elsewhere.

After a while an object is out of the windows around its old place, and the one frame whose labels are certain could say
no more about it. So near an object every anchor is looked at twice: where the query cell is, which holds for what does
not move, and where the object was then.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from model.affinity import TILE
from model.memory import Entry

AWAY = 1 << 15
"""Cells by which windows are moved that shall hold nothing."""

_NEAR = 1  # tiles around an object's own that follow it as well
_OWN = 0.5  # a cell is an object's from this share on


def displacements(references: Mapping[int, Entry], anchors: Collection[int], latest: int) -> list[Tensor | None]:
    """`displacement` for each reference of a frame, by frame; None for those that are no anchors.

    latest: the one among them from which labels came last.
    """
    now = references[latest]
    return [
        displacement(now, then) if frame in anchors and frame != latest else None for frame, then in references.items()
    ]


def displacement(now: Entry, then: Entry) -> Tensor | None:
    """How far back what is labelled has come since `then`: (dy, dx) in cells for each tile, int64 [rows, columns, 2].

    A tile goes with the object or keypoint that has the most cells in it and around it. One that is near none has
    nothing to follow: its windows are moved `AWAY`, out of every picture.
    now: labels of the frame before the one that looks, [L, h, w]; then: those of the anchor.
    None if nothing that both frames show has moved.
    """
    mine, theirs = ((entry.values > _OWN) & entry.known[:, None, None].to(entry.values.device) for entry in (now, then))
    shown = mine.flatten(1).any(1) & theirs.flatten(1).any(1)
    if not bool(shown.any()):
        return None
    mine, theirs = mine[shown].float(), theirs[shown].float()
    moved = (_centres(theirs) - _centres(mine)).round().long()
    if not bool(moved.any()):
        return None
    h, w = mine.shape[1:]
    cells = F.avg_pool2d(F.pad(mine, (0, -w % TILE, 0, -h % TILE)), TILE)
    around = F.avg_pool2d(cells, 2 * _NEAR + 1, stride=1, padding=_NEAR)
    most, whose = around.max(dim=0)
    return torch.where((most > 0)[..., None], moved[whose], AWAY)


def _centres(masks: Tensor) -> Tensor:
    """(y, x) of the middle of each mask [L, h, w]: [L, 2]."""
    h, w = masks.shape[1:]
    y, x = torch.arange(h, device=masks.device).float(), torch.arange(w, device=masks.device).float()
    down, across = masks.sum(2), masks.sum(1)
    return torch.stack([down @ y, across @ x], dim=1) / down.sum(1, keepdim=True)
