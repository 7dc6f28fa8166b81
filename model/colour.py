"""Colour for the encoder: sRGB to the Lab values it was trained on.

Float Lab (D65), each channel scaled to about -1..1: (L, a, b) -> ((L - 50) / 50, a / 127, b / 127).
OpenCV converts on the CPU, where it is ten times quicker; the same formulas in torch convert elsewhere.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from torch import Tensor

# Linear sRGB -> XYZ, each row divided by the D65 white point.
_RGB_TO_XYZ = torch.tensor(
    [
        [0.412453 / 0.950456, 0.357580 / 0.950456, 0.180423 / 0.950456],
        [0.212671, 0.715160, 0.072169],
        [0.019334 / 1.088754, 0.119193 / 1.088754, 0.950227 / 1.088754],
    ]
)
_EPSILON = 0.008856  # below it the cube root is replaced by a straight line (CIE 1976)
_SCALE = np.array([1 / 50, 1 / 127, 1 / 127], np.float32)
_SHIFT = np.array([-1, 0, 0], np.float32)


def rgb_to_lab(image: Tensor) -> Tensor:
    """uint8 RGB [..., 3, H, W] -> normalised Lab float32 [..., 3, H, W] on the same device."""
    if image.dtype != torch.uint8 or image.ndim < 3 or image.shape[-3] != 3:
        raise ValueError(f"an image is uint8 [..., 3, H, W], not {image.dtype} {list(image.shape)}")
    return _opencv(image) if image.device.type == "cpu" else rgb_to_lab_torch(image)


def _opencv(image: Tensor) -> Tensor:
    # Lab has no neighbourhoods, so a batch is one tall picture.
    tall = image.movedim(-3, -1).reshape(-1, image.shape[-1], 3).numpy()
    lab = cv2.cvtColor(tall.astype(np.float32) * np.float32(1 / 255), cv2.COLOR_RGB2Lab)
    lab = lab * _SCALE + _SHIFT
    return torch.from_numpy(lab).view(*image.shape[:-3], *image.shape[-2:], 3).movedim(-1, -3)


def rgb_to_lab_torch(image: Tensor) -> Tensor:
    """The conversion itself, on any device; within 5e-3 of OpenCV's, which approximates the cube root."""
    v = image.float() / 255
    linear = torch.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055).pow(2.4))
    xyz = torch.einsum("ij,...jhw->...ihw", _RGB_TO_XYZ.to(image.device), linear)
    f = torch.where(xyz > _EPSILON, xyz.clamp_min(_EPSILON).pow(1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = f.unbind(-3)
    return torch.stack([(116 * y - 66) / 50, 500 * (x - y) / 127, 200 * (y - z) / 127], dim=-3)
