"""Position encodings (LIIR 6): where a cell is, added to what it looks like, inside the encoder.

LIIR adds them to the output of the first convolution. They help matching inside a video and mislead between videos,
where a like position means nothing; so frames that serve as negatives get theirs shifted at random, circularly, which
keeps neighbours together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

KINDS = ("none", "absolute_1d", "absolute_2d", "sinusoidal_2d")
_WAVELENGTH = 10_000.0  # the longest wave of the sinusoidal encoding is 2π times as many cells
_SPREAD = 0.02  # of learnable encodings at the start
_SALT = 2  # keeps the draws here apart from those of samples and of the bank


@dataclass(frozen=True, slots=True)
class PositionOptions:
    """What positions look like.

    kind:  "absolute_1d" = one free vector per place, "absolute_2d" = one per column, and one per row, both learnable;
           "sinusoidal_2d" = waves, nothing to learn; "none".
    shift: shift the positions of frames that serve as negatives.
    """

    kind: str = "absolute_1d"
    shift: bool = True

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"positions are {', '.join(KINDS[:-1])} or {KINDS[-1]}, not {self.kind!r}")


class PositionEncoding(nn.Module):
    """Adds the encoding E of its kind to features [B, C, h, w].

    grid: (h, w) that learnable encodings are made for, best that of most training steps; other grids get them resized
    bicubically over the whole picture, and a cell is then encoded by where in the picture it is. Waves go by cells.
    """

    def __init__(self, kind: str, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        if kind.endswith("_2d") and channels % 4:
            raise ValueError(f"{kind} positions need a multiple of 4 channels, not {channels}")
        self.kind, self.channels = kind, channels
        height, width = grid
        if kind == "absolute_1d":
            self.place = nn.Parameter(_SPREAD * torch.randn(channels, height, width))
        elif kind == "absolute_2d":
            self.column = nn.Parameter(_SPREAD * torch.randn(channels // 2, width))
            self.row = nn.Parameter(_SPREAD * torch.randn(channels // 2, height))
        else:
            assert kind in KINDS, kind

    def forward(self, features: Tensor, shifts: Tensor | None = None) -> Tensor:
        """features [B, C, h, w] + E of that grid.

        shifts: int64 [B, 2], cells down and to the right that each frame's E is moved, what falls out coming in on the
        other side; nothing is then learned of E. None for frames of the query's own video.
        """
        if self.kind == "none":
            return features
        height, width = features.shape[-2:]
        encoding = self.encoding(height, width).to(features)
        return features + (encoding if shifts is None else shift_circularly(encoding.detach(), shifts))

    def encoding(self, height: int, width: int) -> Tensor:
        """E of eq (6) for a grid: [C, height, width]. In two dimensions the first half of the channels says x."""
        if self.kind == "sinusoidal_2d":
            return waves(self.channels, height, width)
        own: Tensor
        if self.kind == "absolute_1d":
            own = self.place
        else:
            h, w = self.row.shape[1], self.column.shape[1]
            own = torch.cat([self.column[:, None].expand(-1, h, -1), self.row[:, :, None].expand(-1, -1, w)])
        if own.shape[1:] == (height, width):
            return own
        return F.interpolate(own[None], (height, width), mode="bicubic", align_corners=False)[0]


def waves(channels: int, height: int, width: int) -> Tensor:
    """The sinusoidal encoding [C, height, width]: sines and cosines of x in the first half, of y in the second.

    Channel 2i of a half is sin(p / 10000^(4i / C)), channel 2i + 1 its cosine; p counts cells.
    """
    scale = _WAVELENGTH ** (-torch.arange(0, channels // 2, 2) / (channels // 2))

    def along(count: int) -> Tensor:
        angle = scale[:, None] * torch.arange(count)
        return torch.stack([angle.sin(), angle.cos()], dim=1).flatten(0, 1)

    x, y = along(width)[:, None].expand(-1, height, -1), along(height)[:, :, None].expand(-1, -1, width)
    return torch.cat([x, y])


def shift_circularly(encoding_Chw: Tensor, shifts_B2: Tensor) -> Tensor:
    """One moved copy of E per frame, [B, C, h, w]: what was at (y, x) is at ((y + down) mod h, (x + right) mod w)."""
    _, height, width = encoding_Chw.shape
    down, right = shifts_B2.to(encoding_Chw.device).unbind(1)
    y = (torch.arange(height, device=down.device) - down[:, None]) % height
    x = (torch.arange(width, device=right.device) - right[:, None]) % width
    return encoding_Chw[:, y[:, :, None], x[:, None, :]].movedim(0, 1)


def random_shifts(grid: tuple[int, int], seed: int, numbers: Sequence[int]) -> Tensor:
    """How far to shift the positions of each frame: int64 [F, 2], down in 0..h-1 and right in 0..w-1.

    numbers: one per frame, the number of its training sample. A shift depends on it and the seed alone, and so not on
    how many processes share the batch.
    """
    draws = [np.random.default_rng((seed, number, _SALT)).integers(grid) for number in numbers]
    return torch.from_numpy(np.stack(draws))
