"""What comes together on one frame: two passes that meet there, and what a person said of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from model.grid import by_label
from model.memory import Entry
from model.types import BACKGROUND, KeypointSet, LabelMap


def fuse(backward: tuple[Entry, Tensor], forward: tuple[Entry, Tensor], near: float) -> tuple[Entry, Tensor]:
    """Two passes over one frame, each an entry with its confidence [h, w], weighted by that and by nearness.

    near: how near the frame is to the anchor that the backward pass came from, 0..1; it is 1 - near to the other.
    """
    (behind, sure_b), (ahead, sure_f) = backward, forward
    weight_b = near * sure_b.clamp_min(1e-3)
    weight_f = (1 - near) * sure_f.clamp_min(1e-3)
    share = by_label(weight_b / (weight_b + weight_f)).to(behind.values.device)
    share = torch.where(ahead.known[:, None, None].to(share.device), share, 1.0)
    share = torch.where(behind.known[:, None, None].to(share.device), share, 0.0)
    values = share * behind.values + (1 - share) * ahead.values
    return Entry(values, behind.known | ahead.known), torch.maximum(sure_b, sure_f)


def overrule(propagated: Entry, human: Entry, objects: int) -> Entry:
    """What a person labelled replaces what was propagated; other objects keep what room is left."""
    told = human.known.to(human.values.device)[:, None, None]
    values = torch.where(told, human.values, propagated.values)
    room = (1 - human.values[:objects].sum(dim=0)).clamp(0, 1)
    values[:objects] = torch.where(told[:objects], values[:objects], values[:objects] * room)
    return Entry(values, propagated.known | human.known)


def merge_labels(propagated: LabelMap | None, human: LabelMap | None) -> LabelMap | None:
    """The person's map, with the propagated objects it says nothing about where it is background."""
    if propagated is None or human is None:
        return propagated
    others = np.isin(propagated.ids, [n for n in propagated.objects if n not in human.objects])
    ids = np.where((human.ids == BACKGROUND) & others, propagated.ids, human.ids)
    return LabelMap(ids, (*propagated.objects, *human.objects))


def merge_keypoints(propagated: KeypointSet | None, human: KeypointSet | None) -> KeypointSet | None:
    if propagated is None or human is None:
        return propagated
    xy, visible, confidence = propagated.xy.copy(), propagated.visible.copy(), propagated.confidence.copy()
    for i, name in enumerate(human.names):
        at = propagated.names.index(name)
        xy[at], visible[at], confidence[at] = human.xy[i], human.visible[i], human.confidence[i]
    return KeypointSet(propagated.names, xy, visible, confidence)
