"""The weight-map loss (eqs 18–20): the error of copied colours, weighted by what the value map says of each pixel.

The value map tells moving objects from background. Early in training its heights weigh most, so that matching is
learned on objects; late its depths do, so that objects are not learned by heart. Eqs (18) and (19) alone, which weigh
all pixels alike, are the mode "off".
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from model.grid import to_pixels

COLOUR_SCALE = 20.0  # Lab errors are small; smooth-L1 turns linear at an error of 1/20
OMEGA_MAX = 2.0  # the weight map ω lies in [0, 2]


@dataclass(frozen=True, slots=True)
class WeightMapOptions:
    """How the value map weighs the colour loss.

    mode:    "abs" = |ρ - ω|, eq (20). In mid-training it ignores pixels whose ω is near ρ, which "blend" does not:
             (1 - t)·ω + t·|rho_max - ω| has the same weights at both ends of training (t = 0 and t = 1) and goes
             straight from the ones to the others. "off" weighs all pixels alike.
    rho_max: ρ goes from 0 to this, linearly over training.
    """

    mode: str = "abs"
    rho_max: float = 2.0

    def __post_init__(self) -> None:
        if self.mode not in ("abs", "blend", "off"):
            raise ValueError(f"weight map mode is abs, blend or off, not {self.mode!r}")
        if not 0 < self.rho_max <= OMEGA_MAX:
            raise ValueError(f"rho_max is above 0 and at most {OMEGA_MAX:g}, not {self.rho_max}")


def colour_error(copied_BCHW: Tensor, target_BCHW: Tensor) -> Tensor:
    """z of eq (19): smooth-L1 of twenty times the Lab error, pixel by pixel and channel by channel [B, C, H, W]."""
    return F.smooth_l1_loss(copied_BCHW * COLOUR_SCALE, target_BCHW * COLOUR_SCALE, reduction="none")


def omega(value_B1hw: Tensor, height: int, width: int) -> Tensor:
    """The weight map ω of eq (20) at full size: value maps [B, 1, h, w] on cells -> [B, 1, height, width] in [0, 2].

    Each map is stretched to the whole of [0, 2]; one without any contrast singles nothing out and becomes 0. No
    gradient flows back: the value map shall not learn to hide errors.
    """
    value = value_B1hw.detach().float()
    low, high = value.aminmax(dim=-1, keepdim=True)
    low, high = low.amin(dim=-2, keepdim=True), high.amax(dim=-2, keepdim=True)
    spread = high - low
    stretched = torch.where(spread > 0, (value - low) / spread, 0.0)
    return to_pixels(OMEGA_MAX * stretched, height, width)


def pixel_weights(omega_B1HW: Tensor, progress: float, options: WeightMapOptions) -> Tensor:
    """The weight of every pixel in eq (20), divided by the mean of its picture: [B, 1, H, W] with mean 1 each.

    progress: 0 at the start of training, 1 at its end. Where no pixel has any weight, as at the start of training on a
    map without contrast, all weigh the same: any other constant would be divided away too.
    """
    assert 0 <= progress <= 1, progress
    if options.mode == "off":
        return torch.ones_like(omega_B1HW)
    if options.mode == "abs":
        weights = (options.rho_max * progress - omega_B1HW).abs()
    else:
        weights = torch.lerp(omega_B1HW, (options.rho_max - omega_B1HW).abs(), progress)
    mean = weights.mean(dim=(1, 2, 3), keepdim=True)
    return torch.where(mean > 0, weights / mean, 1.0)


def weight_map_loss(
    copied_BCHW: Tensor, target_BCHW: Tensor, value_B1hw: Tensor, progress: float, options: WeightMapOptions
) -> Tensor:
    """L_m, eq (20), of every sample [B]; with mode "off" eq (18).

    copied, target: colours in normalised Lab, the channels that are compared; value: the value maps of the targets.
    """
    height, width = target_BCHW.shape[-2:]
    weights = pixel_weights(omega(value_B1hw, height, width), progress, options)
    return (colour_error(copied_BCHW, target_BCHW) * weights).mean(dim=(1, 2, 3))
