"""The Motion Enhancement Engine: channel fusion and the Value Extraction Network (eqs 5-12; docs/method.md, 9)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.flow import ENCODINGS, encode_flow
from model.positions import PositionEncoding

_GRID = 32  # cells per side that positions are learned on: crops of 128 pixels
_SALT = 3  # keeps the draws here apart from those of samples, of the bank and of positions


class ChannelFusion(nn.Module):
    """O = I + α · F, eq (5): the picture in normalised Lab with the motion added, for the encoder to see.

    A 1×1 convolution turns the channels of the encoded flow into those of the picture. α is learned and starts at 0,
    so at first there is no fusion; the convolution does not start at 0 as well, or neither would ever get a gradient.
    """

    def __init__(self, encoding: str) -> None:
        super().__init__()
        self.encoding = encoding
        self.mix = nn.Conv2d(ENCODINGS[encoding], 3, 1, bias=False)
        self.alpha = nn.Parameter(torch.zeros(()))

    def forward(self, image: Tensor, flow: Tensor) -> Tensor:
        """image [B, 3, H, W], with the dropped colour gone already; flow [B, 2, H, W], as of `model.flow.Motion`."""
        fused: Tensor = image + self.alpha * self.mix(encode_flow(flow, self.encoding))
        return fused


@dataclass(frozen=True, slots=True)
class ValueOptions:
    """The Value Extraction Network.

    windows:   N of eq (7): the grid is cut into N×N windows.
    reduce:    how the similarities of a window to those of the references become one value. "max" = mean over the
               references of the best; "mean" = mean over references and windows; "sum" = the sum over both, as printed.
    omega:     Ω of eq (7), what is taken off.
    clamp:     "relu" = what is negative then becomes 0; "none" = as printed, where Ω falls out with normalisation.
    drop_key:  share of the keys that is hidden from all queries of a frame in a training step (DropKey).
    inference: "cached" = each frame is its own target, once; "per_target" = as printed and trained, references are
               worked out again for every target; "off" = features without value extraction.
    """

    windows: int = 16
    reduce: str = "max"
    omega: float = 0.6
    clamp: str = "relu"
    drop_key: float = 0.1
    inference: str = "cached"

    def __post_init__(self) -> None:
        checks = {
            "windows": self.windows >= 1,
            "reduce": self.reduce in ("max", "mean", "sum"),
            "omega": 0 <= self.omega <= 1,
            "clamp": self.clamp in ("relu", "none"),
            "drop_key": 0 <= self.drop_key < 1,
            "inference": self.inference in INFERENCE,
        }
        for name, ok in checks.items():
            if not ok:
                raise ValueError(f"value {name} cannot be {getattr(self, name)!r}")


INFERENCE = ("cached", "per_target", "off")


@torch.no_grad()
def value_map(target: Tensor, references: Tensor, options: ValueOptions) -> Tensor:
    """V_m, eqs (7) and (8): which regions of the target have appeared in the references.

    target [B, C, h, w], references [B, R, C, h, w] -> [B, h, w], each map stretched to 0..1 (all 0 if it has no
    contrast). Without a gradient: the map says where to look, and shall not be bent to please the loss.
    """
    with torch.autocast(target.device.type, enabled=False):  # differences of cosines near 1 are all there is to see
        here = _windows(target.float(), options.windows)
        there = _windows(references.float().flatten(0, 1), options.windows).view(*references.shape[:2], *here.shape[1:])
        similarity = torch.einsum("bid,brjd->brij", here, there)
        if options.reduce == "max":
            value = similarity.amax(dim=-1).mean(dim=1)
        elif options.reduce == "mean":
            value = similarity.mean(dim=(1, 3))
        else:
            value = similarity.sum(dim=(1, 3))
        value = value - options.omega  # M(x, x) = 1
        if options.clamp == "relu":
            value = value.relu()
        low, high = value.aminmax(dim=1, keepdim=True)
        value = torch.where(high > low, (value - low) / (high - low), 0.0)
        grid = value.view(-1, 1, options.windows, options.windows)
        return F.interpolate(grid, target.shape[-2:], mode="bilinear")[:, 0]


def _windows(features: Tensor, count: int) -> Tensor:
    """[B, C, h, w] -> the N×N windows as unit vectors [B, N*N, D], row by row.

    Where the grid does not divide, it is stretched until it does, so that windows are alike and cover all of it.
    """
    size = [-(-side // count) * count for side in features.shape[-2:]]
    if size != list(features.shape[-2:]):
        features = F.interpolate(features, size, mode="bilinear")
    windows = F.unfold(features, (size[0] // count, size[1] // count), stride=(size[0] // count, size[1] // count))
    return F.normalize(windows, dim=1).transpose(1, 2)


class ValueExtraction(nn.Module):
    """The Value Extraction Network, eqs (9)-(12): frames attend to what is of value in the target.

    ν is a 3×3 convolution, the three Φ are 1×1 convolutions; d = C, so all live in the space of the features.
    """

    def __init__(self, options: ValueOptions, channels: int) -> None:
        super().__init__()
        self.options = options
        self.embed = nn.Conv2d(channels + 1, channels, 3, padding=1)
        self.key = nn.Conv2d(channels, channels, 1)
        self.query = nn.Conv2d(channels, channels, 1)
        self.value = nn.Conv2d(channels, channels, 1)
        self.position = PositionEncoding("absolute_1d", channels, (_GRID, _GRID))
        self.gamma = nn.Parameter(torch.zeros(()))

    def keys(self, target: Tensor, references: Tensor) -> tuple[Tensor, Tensor]:
        """Key of eq (9) [B, C, h, w] and the value map in it [B, h, w], from [B, C, h, w] and [B, R, C, h, w]."""
        value = value_map(target, references, self.options)
        embedded = self.embed(torch.cat([target, value[:, None].to(target.dtype)], dim=1))
        return self.key(self.position(embedded)), value

    def forward(self, frames: Tensor, key: Tensor, hidden: Tensor | None = None) -> Tensor:
        """Out of eqs (10)-(12) for any frames [B, C, h, w], with the Key of their target: the frames while γ is 0.

        hidden: bool [B, h*w], keys that nobody may look at (DropKey); never all of a frame's.
        """
        placed = self.position(frames)
        query, value = self.query(placed), self.value(placed)
        q, k, v = (t.flatten(2).transpose(1, 2)[:, None] for t in (query, key, value))
        seen = None if hidden is None else ~hidden[:, None, None]
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=seen)
        out: Tensor = self.gamma * attended[:, 0].transpose(1, 2).reshape(frames.shape) + frames
        return out


def hidden_keys(cells: int, share: float, seed: int, numbers: Sequence[int]) -> Tensor:
    """DropKey's draw: bool [F, cells], True for the same share of keys in each frame, and never for all of them.

    numbers: one per frame, the number of its training sample; a draw depends on it and the seed alone.
    """
    hidden = torch.zeros(len(numbers), cells, dtype=torch.bool)
    for row, number in zip(hidden, numbers, strict=True):
        drawn = np.random.default_rng((seed, number, _SALT)).permutation(cells)[: int(share * cells)]
        row[torch.from_numpy(drawn)] = True
    return hidden
