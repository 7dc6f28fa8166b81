"""A folder of images as a video.

Pillow reads them: it tells a size from the header alone, notices cut files, and comes with torchvision.
"""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from model.types import UInt8Array
from model.video.source import (
    CACHE_BYTES,
    NOMINAL_FPS,
    VIDEO_SUFFIXES,
    Reader,
    VideoSource,
    check_size,
    over_black,
)

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF")
"""What is looked for in an image file. Not PostScript and the like: Pillow would have other programs run it."""
EXIF_ORIENTATION = 0x0112


class FolderSource(VideoSource):
    """One frame per image file, in the natural order of their names (2 before 10).

    Grey becomes RGB, 16 bits become 8, transparency is laid over black, EXIF orientation is applied; of an image
    with several pages the first counts.
    """

    def __init__(self, path: Path, fps: float = NOMINAL_FPS, cache_bytes: int = CACHE_BYTES) -> None:
        if not (np.isfinite(fps) and fps > 0):
            raise ValueError(f"a frame rate of {fps} cannot be: give a number above 0")
        files = _images(path)
        size = _size(files[0])
        for file in files[1:]:
            height, width = _size(file)
            if (height, width) != size:
                raise ValueError(
                    f"{file} has {width}×{height} pixels, but {files[0].name} has {size[1]}×{size[0]}: "
                    "all images of one video are of one size"
                )
        self._files = files
        super().__init__(path, size, float(fps), np.arange(len(files)) / fps, (), cache_bytes)
        if self._open_reader().read(0) is None:
            raise ValueError(f"{files[0]} is damaged: replace it or take it out of the folder")

    def _open_reader(self) -> Reader:
        return _FolderReader(self._files, self.size)


class _FolderReader(Reader):
    def __init__(self, files: list[Path], size: tuple[int, int]) -> None:
        self._files = files
        self._size = size

    def read(self, index: int) -> UInt8Array | None:
        try:
            image = _load(self._files[index], self._size)
        except OSError as error:
            if error.errno is not None:  # the disk's error, not the file's
                raise ValueError(f"{self._files[index]} can no longer be read: {error.strerror}") from error
            return None
        except MemoryError:
            raise
        except Exception:  # damaged bytes can trip a decoder anywhere
            return None
        return image if image is not None and image.shape[:2] == self._size else None

    def close(self) -> None:
        """No file stays open."""


def _images(folder: Path) -> list[Path]:
    files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith(".")]
    if not files:
        if videos := sorted(p.name for p in folder.iterdir() if p.suffix.lower() in VIDEO_SUFFIXES):
            raise ValueError(f"{folder} holds no images, but the video {videos[0]}: open that")
        raise ValueError(f"{folder} holds no images: choose a folder with some of {' '.join(SUFFIXES)}")
    files.sort(key=_natural)
    for one, other in pairwise(files):
        if one.stem == other.stem:
            raise ValueError(f"{folder} holds both {one.name} and {other.name}: keep one of them")
    return files


def _natural(path: Path) -> tuple[list[str | int], str]:
    parts = re.split(r"(\d+)", path.stem)
    return [int(part) if part.isdecimal() else part for part in parts], path.name


def _size(path: Path) -> tuple[int, int]:
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if _orientation(image) >= 5:  # lies on its side
                width, height = height, width
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an image: replace it or take it out of the folder") from error
    check_size(path, height, width)
    return height, width


def _orientation(image: Image.Image) -> int:
    # Not image.getexif(): for PNG that decodes everything to look behind the pixels too.
    return int(Image.Image.getexif(image).get(EXIF_ORIENTATION, 1))


def _load(path: Path, size: tuple[int, int]) -> UInt8Array | None:
    """None if by now it is of another size: it is not decoded then."""
    with Image.open(path, formats=FORMATS) as image:
        if image.size not in (size, size[::-1]):
            return None
        upright = ImageOps.exif_transpose(image) if _orientation(image) > 1 else image
        if upright.mode.startswith("I"):
            grey = np.rint(np.asarray(upright).clip(0, 65535) / 257).astype(np.uint8)
            return np.repeat(grey[..., None], 3, axis=2)
        if upright.has_transparency_data:
            return over_black(np.asarray(upright.convert("RGBA")))
        return np.array(upright.convert("RGB"))
