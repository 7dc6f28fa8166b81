"""An encoder that counts how often it is asked."""

from __future__ import annotations

import torch

from model.features import load_extractor


class Counting:
    """Raw colours. `encoded`: frames so far."""

    name, sha256, recipe, device = "lab", "-", "none", torch.device("cpu")

    def __init__(self) -> None:
        self._extractor = load_extractor("lab", "cpu")
        self.encoded = 0

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        self.encoded += len(images)
        return self._extractor(images)
