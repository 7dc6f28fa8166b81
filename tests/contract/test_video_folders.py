"""What is particular to folders of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from model.video import open_video
from tests.contract.clips import cut, number_of, picture


def test_a_folder_is_in_natural_order_whatever_the_suffix(tmp_path: Path) -> None:
    folder = tmp_path / "Bilder ü 日本"
    folder.mkdir()
    for number, name in enumerate(["img1.png", "img2.JPG", "img09.bmp", "img10.webp", "img100.tiff"]):
        Image.fromarray(picture(number)).save(folder / name)
    (folder / "notes.txt").write_text("not an image")
    (folder / "._img1.png").write_bytes(b"what macOS leaves behind")
    with open_video(folder) as source:
        assert [number_of(frame.image) for frame in source.frames()] == [0, 1, 2, 3, 4]
        assert source.fps == 25
        assert source.times == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    with open_video(folder, fps=10) as source:
        assert source.fps == 10
        assert source.times[-1] == pytest.approx(0.4)


def test_all_kinds_of_images_become_8_bit_rgb(tmp_path: Path) -> None:
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    colour = np.stack([ramp, ramp[:, ::-1], ramp[::-1]], axis=-1)
    half = np.where(np.indices((8, 32))[1] < 8, 255, 51).astype(np.uint8)
    palette = Image.fromarray(ramp).convert("P")
    turned = Image.Exif()
    turned[0x0112] = 6  # to be shown a quarter turn clockwise
    Image.fromarray(colour).save(tmp_path / "0.png")
    Image.fromarray(np.dstack([colour, half])).save(tmp_path / "1.png")
    Image.fromarray(ramp).save(tmp_path / "2.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "3.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "4.tif")
    Image.fromarray(np.dstack([ramp, half])).save(tmp_path / "5.png")
    palette.save(tmp_path / "6.png")
    Image.fromarray(np.rot90(colour)).save(tmp_path / "7.webp", lossless=True, exif=turned)
    grey = np.dstack([ramp] * 3)
    expected = [
        colour,
        np.rint(colour * (half[..., None] / 255)),
        grey,
        grey,
        grey,
        np.rint(grey * (half[..., None] / 255)),
        np.asarray(palette.convert("RGB")),
        colour,
    ]
    with open_video(tmp_path) as source:
        for frame, image in zip(source.frames(), expected, strict=True):
            assert np.array_equal(frame.image, image), f"image {frame.index}"


def test_a_damaged_image_is_replaced_by_the_one_before(tmp_path: Path) -> None:
    for number in range(4):
        Image.fromarray(picture(number)).save(tmp_path / f"{number}.png")
    cut(tmp_path / "2.png")
    with open_video(tmp_path) as source:
        assert [number_of(frame.image) for frame in source.frames()] == [0, 1, 1, 3]
        assert "1 damaged frames (2)" in source.notes[0]
        (tmp_path / "3.png").unlink()
    with open_video(tmp_path) as source:
        (tmp_path / "1.png").unlink()
        with pytest.raises(ValueError, match=r"1\.png can no longer be read"):
            source[1]
