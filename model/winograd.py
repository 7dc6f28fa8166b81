"""3×3 convolutions with a quarter of the multiplications: Winograd's F(4×4, 3×3) (Lavin and Gray, 2016).

A tile of 4×4 outputs is a polynomial product, worked out at six points in each direction: transform 6×6 inputs,
multiply by a matrix over the channels at each of the 36 points, transform back. The result is that of the convolution
but for rounding. The points are those with the smallest errors in bfloat16 whose transforms bfloat16 holds exactly.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TILE = 4
_POINTS = tuple(map(Fraction, ("0", "1", "-1", "1/2", "-2")))  # and infinity
SIDE = TILE + 2
_BLOCK = 2**22  # numbers transformed at once: they stay in the processor's cache


class WinogradConv(nn.Module):
    """relu(conv(x) + residual) for a 3×3 convolution with stride 1 and padding 1.

    weight [K, C, 3, 3], bias [K]; dtype: of the multiplications, and of what comes and goes.
    """

    _kernels: Tensor
    _bias: Tensor
    _forth: Tensor
    _back: Tensor

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        super().__init__()
        forth, back = tile_transforms(weight.device, dtype)
        self.register_buffer("_kernels", kernels_at_points(weight, dtype))
        self.register_buffer("_bias", bias.to(dtype))
        self.register_buffer("_forth", forth)
        self.register_buffer("_back", back)

    def forward(self, image: Tensor, residual: Tensor | None = None) -> Tensor:
        """image [B, C, H, W], residual [B, K, H, W] -> [B, K, H, W], channels last."""
        batch, _, height, width = image.shape
        channels = self._kernels.shape[2]
        out = image.new_empty(batch, height, width, channels)
        for n in range(batch):
            beside = None if residual is None else residual[n].permute(1, 2, 0)
            self._one(image[n].permute(1, 2, 0), beside, out[n])
        return out.permute(0, 3, 1, 2)

    def _one(self, image: Tensor, residual: Tensor | None, out: Tensor) -> None:
        """The same of one picture, all [H, W, channels]; a block of rows of tiles at a time."""
        height, width, channels = image.shape
        rows, columns = -(-height // TILE), -(-width // TILE)
        padded = image.new_zeros(rows * TILE + 2, columns * TILE + 2, channels)
        padded[1 : height + 1, 1 : width + 1] = image
        tiles = padded.unfold(0, SIDE, TILE).unfold(1, SIDE, TILE).permute(3, 4, 0, 1, 2)
        step = max(1, _BLOCK // (SIDE**2 * columns * max(channels, out.shape[2])))
        for row in range(0, rows, step):
            block = tiles[:, :, row : row + step]
            count = block.shape[2] * columns
            points = self._forth @ block.reshape(SIDE**2, count * channels)
            products = torch.bmm(points.view(SIDE**2, count, channels), self._kernels)
            products[SIDE + 1] += self._bias  # at (1, 1), from where it reaches every output alike
            pixels = (self._back @ products.flatten(1)).view(TILE, TILE, -1, columns, out.shape[2])
            pixels = pixels.permute(2, 0, 3, 1, 4).reshape(-1, columns * TILE, out.shape[2])
            place = slice(row * TILE, min(height, (row + block.shape[2]) * TILE))
            pixels = pixels[: place.stop - place.start, :width]
            if residual is None:
                torch.clamp_min(pixels, 0, out=out[place])
            else:
                torch.add(pixels, residual[place], out=out[place]).relu_()


def winograd_pays(device: torch.device, dtype: torch.dtype) -> bool:
    """On processors without matrix units; those with, and GPUs, have convolutions that nothing here can beat."""
    if device.type != "cpu":
        return False
    matrix_unit = getattr(torch.cpu, "_is_amx_tile_supported", bool)()  # private, so it may go
    return dtype == torch.float32 or (dtype == torch.bfloat16 and not matrix_unit)


class DirectConv(nn.Module):
    """The same in the usual way, for any kernel and stride."""

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype, stride: int, padding: int) -> None:
        super().__init__()
        self.register_buffer("_weight", weight.to(dtype).contiguous(memory_format=torch.channels_last))
        self.register_buffer("_bias", bias.to(dtype))
        self._stride, self._padding = stride, padding

    _weight: Tensor
    _bias: Tensor

    def forward(self, image: Tensor, residual: Tensor | None = None) -> Tensor:
        """image [B, C, H, W], residual [B, K, H', W'] -> [B, K, H', W'], channels last."""
        out = F.conv2d(image, self._weight, self._bias, self._stride, self._padding)
        return out.relu_() if residual is None else out.add_(residual).relu_()


def tile_transforms(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """What leads a tile of 6×6 inputs to the points [36, 36], and products at the points to 4×4 outputs [16, 36]."""
    forth, _, back = (matrix.to(device) for matrix in transforms())
    return torch.kron(forth, forth).to(dtype), torch.kron(back, back).to(dtype)


def kernels_at_points(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Kernels [K, C, 3, 3] -> [36, C, K], worked out in fp32."""
    kernel = transforms()[1].to(weight.device).float()
    return torch.einsum("ij,ocjk,lk->ilco", kernel, weight.float(), kernel).flatten(0, 1).to(dtype).contiguous()


@cache
def transforms() -> tuple[Tensor, Tensor, Tensor]:
    """B^T [6, 6], G [6, 3] and A^T [4, 6], float64, of F(4, 3): A^T (G g * B^T d) correlates d [6] with g [3]."""
    forth, kernel, back = [], [], []
    for point in _POINTS:
        others = [p for p in _POINTS if p != point]
        scale = Fraction(1)
        for other in others:
            scale *= point - other
        forth.append([*_polynomial(others), Fraction(0)])
        kernel.append([point**power / scale for power in range(3)])
        back.append([point**power for power in range(TILE)])
    forth.append(_polynomial(_POINTS))
    kernel.append([Fraction(0), Fraction(0), Fraction(1)])
    back.append([Fraction(0)] * (TILE - 1) + [Fraction(1)])
    matrices = (
        torch.tensor([[float(x) for x in row] for row in m], dtype=torch.float64) for m in (forth, kernel, back)
    )
    forth_t, kernel_t, back_t = matrices
    return forth_t, kernel_t, back_t.T.contiguous()


def _polynomial(roots: list[Fraction] | tuple[Fraction, ...]) -> list[Fraction]:
    """The coefficients of (x - r0) (x - r1) ..., the constant first."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        coefficients = [s - root * c for s, c in zip(shifted, [*coefficients, Fraction(0)], strict=True)]
    return coefficients
