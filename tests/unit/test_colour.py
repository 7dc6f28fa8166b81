from __future__ import annotations

import pytest
import torch
from torch import Tensor

from model.colour import rgb_to_lab, rgb_to_lab_torch

# sRGB and its CIE L*a*b* (D65), from colour tables.
KNOWN = {
    (0, 0, 0): (0.0, 0.0, 0.0),
    (255, 255, 255): (100.0, 0.0, 0.0),
    (128, 128, 128): (53.59, 0.0, 0.0),
    (255, 0, 0): (53.24, 80.09, 67.20),
    (0, 255, 0): (87.73, -86.18, 83.18),
    (0, 0, 255): (32.30, 79.19, -107.86),
}


@pytest.mark.parametrize("convert", [rgb_to_lab, rgb_to_lab_torch])
@pytest.mark.parametrize("rgb", KNOWN)
def test_known_colours(convert: object, rgb: tuple[int, int, int]) -> None:
    image = torch.tensor(rgb, dtype=torch.uint8).view(3, 1, 1)
    lightness, a, b = convert(image).flatten().tolist()  # type: ignore[operator]
    assert (50 * lightness + 50, 127 * a, 127 * b) == pytest.approx(KNOWN[rgb], abs=0.3)


def test_both_conversions_agree() -> None:
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(rgb_to_lab(image), rgb_to_lab_torch(image), atol=5e-3, rtol=0)


@pytest.mark.parametrize("shape", [(3, 5, 7), (2, 3, 5, 7), (2, 4, 3, 5, 7)])
def test_leading_dimensions_are_pictures_of_their_own(shape: tuple[int, ...]) -> None:
    images = torch.randint(0, 256, shape, dtype=torch.uint8)
    lab = rgb_to_lab(images)
    assert lab.shape == images.shape and lab.dtype == torch.float32
    one_by_one = [rgb_to_lab(image) for image in images.reshape(-1, 3, 5, 7)]
    assert torch.equal(lab.reshape(-1, 3, 5, 7), torch.stack(one_by_one))


@pytest.mark.parametrize("image", [torch.rand(3, 4, 4), torch.zeros(4, 4, 3, dtype=torch.uint8)])
def test_anything_but_an_rgb_image_is_refused(image: Tensor) -> None:
    with pytest.raises(ValueError, match="an image is uint8"):
        rgb_to_lab(image)
