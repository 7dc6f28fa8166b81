"""The mask decoder: what matching carried to a frame, corrected by what the frame shows (after Mask-VOS).

Matching copies labels cell by cell, so its errors add up: stray spots, holes, edges that creep. Mask-VOS embeds masks
with what they lie on, by a frame-mask encoder V, and decodes the embedding of the query's own coarse mask together with
that which the votes carry from the references:

    Ȳ_q = A Y_r,   V_q = A V([I_r, Y_r]),   V̄_q = V([I_q, Ȳ_q]),   Ŷ_q = D([V_q, V̄_q])

Our V is not learned. V̄_q is Ȳ_q beside its means over squares and along what looks alike; V_q is what the labelled
frames alone say, and how well cells match what voted for them; besides there is which cells look like the object as it
was labelled, wherever they are (`model.mask_views`). D is a small network of one cell's views. It answers with a change
of the log-odds of Ȳ_q and starts with none: untrained, it leaves labels alone. Objects are decoded one by one with the
same weights. Ŷ_q can take the place of Ȳ_q for another round.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.mask_views import VIEWS, odds_of


@dataclass(frozen=True, slots=True)
class DecoderConfig:
    """hidden: width of D's two inner layers; colour: weight of colours beside features in what looks alike.

    strength: the part of the change of log-odds that is made.
    feedback: the part of what it comes to that later frames vote with: in full, what is wrong in it would add up.
    """

    hidden: int = 32
    colour: float = 48.0
    strength: float = 0.5
    feedback: float = 0.3


class MaskDecoder(nn.Module):
    """D, applied to each cell's views (`model.mask_views.views`)."""

    def __init__(self, config: DecoderConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DecoderConfig()
        self.enter = nn.Linear(VIEWS, config.hidden)
        self.inner = nn.Linear(config.hidden, config.hidden)
        self.leave = nn.Linear(config.hidden, 1)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, views: Tensor) -> Tensor:
        """The log-odds of Ŷ_q less those of Ȳ_q, in full: views [..., VIEWS] -> [...]."""
        change: Tensor = self.leave(F.relu(self.inner(F.relu(self.enter(views)))))[..., 0]
        return change

    def correct(self, own: Tensor, views: Tensor) -> Tensor:
        """Ŷ_q from Ȳ_q [N, h, w] and its views [N, VIEWS, h, w]: shares, objects that claim too much of a cell cut."""
        return share_out(corrected(own, self(views.movedim(1, -1)) * self.config.strength))

    def remembered(self, carried: Tensor, decoded: Tensor) -> Tensor:
        """What later frames vote with: Ȳ_q with a part of its correction."""
        return torch.lerp(carried, decoded, self.config.feedback)


def corrected(own: Tensor, change: Tensor) -> Tensor:
    """Shares [N, h, w] with their log-odds changed: within 0..1, and exactly the same where nothing changes."""
    odds = odds_of(own)
    return (own + (torch.sigmoid(odds + change) - torch.sigmoid(odds))).clamp(0, 1)


def others_of(values: Tensor) -> Tensor:
    """For each object of shares [L, h, w] what all others have of a cell, [L, h, w]."""
    return (values.sum(dim=0, keepdim=True) - values).clamp(0, 1)


def share_out(values: Tensor) -> Tensor:
    """Objects [L, h, w] that claim more of a cell than there is get it in proportion."""
    return values / values.sum(dim=0, keepdim=True).clamp_min(1)
