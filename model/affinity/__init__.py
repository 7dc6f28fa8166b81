"""Windowed affinity between one query frame and several reference frames (eqs 1–3; docs/method.md, 4)."""

from __future__ import annotations

from model.affinity.dense import dense_affinity, sampled_logits
from model.affinity.reference import reference_affinity
from model.affinity.tiled import windowed_affinity
from model.affinity.votes import Affinity, Vote
from model.affinity.window import TILE, Radius, WindowPair

__all__ = [
    "TILE",
    "Affinity",
    "Radius",
    "Vote",
    "WindowPair",
    "dense_affinity",
    "reference_affinity",
    "sampled_logits",
    "windowed_affinity",
]
