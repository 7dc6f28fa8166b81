"""Data sets and results in the folder layout of DAVIS.

ROOT/JPEGImages/480p/<sequence>/00000.jpg
ROOT/Annotations/480p/<sequence>/00000.png    object ids as palette indices, 255 = void
ROOT/ImageSets/**/<set>.txt                   optional: one sequence a line
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from model.files import replacing
from model.palette import PALETTE
from model.types import UInt8Array

RESOLUTION = "480p"


def read_mask(path: Path) -> UInt8Array:
    """Object ids uint8 [H, W] of an indexed or grey PNG.

    Raises ValueError on a file that is missing, broken, or in true colour, which carries no ids.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ("P", "L", "1"):
                raise ValueError(f"{path}: a mask holds object ids as palette indices; this is a {image.mode} image")
            return np.array(image, np.uint8)
    except OSError as error:
        raise ValueError(f"{path} cannot be read as a mask: {error.strerror or error}") from error


def write_mask(path: Path, ids: UInt8Array) -> None:
    """Write object ids uint8 [H, W] as an indexed PNG with the DAVIS palette, atomically."""
    image = Image.fromarray(ids)
    image.putpalette(PALETTE.tobytes())
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as partial:
        image.save(partial, format="PNG")


@dataclass(frozen=True, slots=True)
class DavisSequence:
    """One labelled video.

    frames: the folder of its pictures (which may be missing where only masks are compared).
    masks:  its ground truth, one file a frame, in the order of the frames.
    """

    name: str
    frames: Path
    masks: tuple[Path, ...]

    def truth(self, frame: int) -> UInt8Array:
        """Object ids uint8 [H, W] of one frame; 255 is void."""
        return read_mask(self.masks[frame])


def find_sequences(root: Path, names: Iterable[str] | None = None) -> tuple[DavisSequence, ...]:
    """The labelled sequences of a DAVIS folder.

    names: sequences, or sets such as "2017/val" for ROOT/ImageSets/2017/val.txt; None = every sequence.
    Raises ValueError where the folder is not laid out like DAVIS or lacks a name.
    """
    annotations = root / "Annotations" / RESOLUTION
    if not annotations.is_dir():
        raise ValueError(f"{root} is not a DAVIS folder: it has no Annotations/{RESOLUTION}")
    present = sorted(p.name for p in annotations.iterdir() if p.is_dir())
    wanted = dict.fromkeys(present if names is None else _expand(root, present, names))
    if not wanted:
        raise ValueError(f"{annotations} holds no sequence; expected one folder of PNG masks for each")
    sequences = []
    for name in wanted:
        masks = tuple(sorted(p for p in (annotations / name).glob("*.png") if not p.name.startswith(".")))
        if not masks:
            raise ValueError(f"{annotations / name} holds no PNG mask")
        sequences.append(DavisSequence(name, root / "JPEGImages" / RESOLUTION / name, masks))
    return tuple(sequences)


def _expand(root: Path, present: list[str], names: Iterable[str]) -> list[str]:
    """Sequence names, with the names of sets replaced by what the sets list."""
    expanded = []
    for name in names:
        listing = root / "ImageSets" / f"{name}.txt"
        members = listing.read_text().split() if name not in present and listing.is_file() else [name]
        for member in members:
            if member not in present:
                raise ValueError(f"{root} has no sequence or set {member!r}; it has {', '.join(present)}")
            expanded.append(member)
    return expanded
