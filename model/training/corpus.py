"""What is trained on: clips and photos found in folders, and which of them a sample is made of."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sized
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np

from model.recipes import Recipe
from model.training.cache import PHOTO_SUFFIXES, Clip, cached_clip
from model.types import UInt8Array
from model.video import VIDEO_SUFFIXES


class Frames(Protocol):
    """Frames of a video, or photos. fps: frames per second, 0 for photos."""

    @property
    def fps(self) -> float: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> UInt8Array:
        """RGB uint8 [H, W, 3]."""


class Pick(NamedTuple):
    """What a sample is made of: frames of a video, or the photo number `frame` of those in `frames`.

    source: the number of the video or photo, as of `Sample`.
    """

    photo: bool
    source: int
    frames: Frames
    frame: int = 0


Picker = Callable[[int, np.random.Generator], Pick]  # for the number of a sample, with what is drawn for it


class AnyCorpus(Protocol):
    """What is trained on, wherever it lies."""

    @property
    def videos(self) -> Sized: ...

    def describe(self) -> dict[str, object]:
        """What the run card says of it; "sha256" tells one from another."""

    def picker(self, recipe: Recipe, seed: int) -> Picker: ...


@dataclass(frozen=True, slots=True)
class Corpus:
    """All cached clips of some folders. skipped: unreadable sources, each with its reason."""

    videos: tuple[Clip, ...]
    photos: tuple[Clip, ...]
    skipped: tuple[str, ...]

    def describe(self) -> dict[str, object]:
        """What the run card says of the corpus: counts and one hash over names and frame counts."""
        digest = hashlib.sha256()
        for clip in (*self.videos, *self.photos):
            digest.update(f"{clip.source}:{len(clip)}\n".encode())
        return {
            "videos": len(self.videos),
            "video_frames": sum(map(len, self.videos)),
            "photos": sum(map(len, self.photos)),
            "skipped": list(self.skipped),
            "sha256": digest.hexdigest(),
        }

    def picker(self, recipe: Recipe, seed: int) -> Picker:
        """Clips at random, for any sample, whatever came before.

        The recipe's share of photos holds in every stretch of samples, whatever the corpus sizes; clips are drawn with
        odds growing with the square root of their length, so that long ones do not drown the rest.
        """
        share = (recipe.photo_share if self.videos else 1.0) if self.photos else 0.0
        weight = np.sqrt([len(c) for c in self.videos])
        odds = weight / weight.sum() if len(weight) else weight
        counts = np.cumsum([len(c) for c in self.photos])

        def pick(index: int, rng: np.random.Generator) -> Pick:
            # Low-discrepancy choice: the share holds in every stretch of samples, not only on average.
            if int((index + 1) * share) == int(index * share):
                number = int(rng.choice(len(odds), p=odds))
                return Pick(False, number, self.videos[number])
            number = int(rng.integers(counts[-1]))
            folder = int(np.searchsorted(counts, number, side="right"))
            clip = self.photos[folder]
            return Pick(True, len(self.videos) + number, clip, number - (int(counts[folder]) - len(clip)))

        return pick


def load_corpus(
    folders: Iterable[Path],
    cache: Path,
    short_side: int = 256,
    workers: int = 2,
    without: Iterable[Path] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Find (recursively), decode and cache everything under `folders`.

    Videos need at least two frames. Folders of pictures are photos, or videos where `frame_folder` says so. ValueError
    if nothing is usable, OSError if the cache cannot be written.

    without: sources that are left out. progress: called with how many sources are cached, and how many there are.
    """
    folders = list(folders)
    sources = find_sources(folders, without)

    def load(source: Path) -> Clip | str:
        try:
            clip = cached_clip(source, cache, short_side)
        except ValueError as error:
            return str(error)
        return clip if clip.kind == "photos" or len(clip) > 1 else f"{source}: a single frame is no video"

    loaded = []
    with ThreadPoolExecutor(workers) as pool:
        for result in pool.map(load, sources):
            loaded.append(result)
            if progress is not None:
                progress(len(loaded), len(sources))
    clips = [c for c in loaded if isinstance(c, Clip)]
    skipped = tuple(c for c in loaded if isinstance(c, str))
    if not clips:
        names = ", ".join(str(f) for f in folders)
        reason = f" ({skipped[0]})" if skipped else ""
        raise ValueError(f"no usable video or photo under {names}{reason}; name a folder that holds some")
    return Corpus(tuple(c for c in clips if c.kind == "video"), tuple(c for c in clips if c.kind == "photos"), skipped)


def find_sources(folders: Iterable[Path], without: Iterable[Path] = ()) -> list[Path]:
    """Every video file and every folder of pictures below the folders, each once, but those left out.

    ValueError for a folder that does not exist.
    """
    left_out = {path.resolve() for path in without}
    # Folders may lie inside each other.
    found = {source.resolve(): source for folder in folders for source in _sources(folder)}
    return [source for place, source in found.items() if place not in left_out]


def _sources(folder: Path) -> list[Path]:
    if folder.is_file():
        return [folder]
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; check the name")
    found = []
    for path in sorted([folder, *folder.rglob("*")]):
        if path.is_dir():
            if any(p.suffix.lower() in PHOTO_SUFFIXES for p in path.iterdir()):
                found.append(path)
        elif path.suffix.lower() in VIDEO_SUFFIXES:
            found.append(path)
    return found
