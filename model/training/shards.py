"""A corpus of shards: read by stream, so it may be larger than memory and disk.

Nothing of it is kept but the index. A sample reads the bytes of one stretch, in one piece, and which stretch that is
follows from the seed and the number of the sample: slot s of every batch has a route of its own through the shards
(`model.training.walk`). Processes have different slots of the batch, so they read from different shards.
"""

from __future__ import annotations

import glob
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.recipes import Recipe
from model.training.cache import decoded
from model.training.corpus import AnyCorpus, Pick, Picker, load_corpus
from model.training.shard_index import NAME, Shard, read_index
from model.training.walk import Walk
from model.types import UInt8Array

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


class Stretch:
    """Consecutive frames of a video, or one photo, out of a shard: what `Clip` is for the frame cache."""

    def __init__(self, shard: Path, data: bytes) -> None:
        self._shard = shard
        try:
            with tarfile.open(fileobj=io.BytesIO(data)) as tar:
                meta, *frames = (data[m.offset_data : m.offset_data + m.size] for m in tar)
            self.fps = float(json.loads(meta)["fps"])
        except (tarfile.TarError, LookupError, ValueError):
            raise _damaged(shard) from None
        self._frames = frames

    def __len__(self) -> int:
        return len(self._frames)

    def read(self, index: int) -> UInt8Array:
        """Frame `index` as RGB uint8 [H, W, 3]. ValueError if the shard is damaged."""
        image = decoded(self._frames[index])
        if image is None:
            raise _damaged(self._shard)
        return image


def _damaged(shard: Path) -> ValueError:
    return ValueError(f"{shard}: damaged; pack or copy it again, the run goes on with --resume")


@dataclass(frozen=True, slots=True, eq=False)
class Stretches:
    """All stretches of one kind. shards: the files; counts: int64 [S], how many lie in each.

    places: int64 [N, 3], first byte, bytes and number of the source, shard after shard.
    """

    shards: tuple[Path, ...]
    counts: NDArray[np.int64]
    places: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, number: int) -> Stretch:
        """Reads it. ValueError if the shard is damaged; OSError if it cannot be read."""
        shard = self.shards[int(np.searchsorted(np.cumsum(self.counts), number, side="right"))]
        start, length, _ = (int(v) for v in self.places[number])
        with open(shard, "rb") as file:
            file.seek(start)
            return Stretch(shard, file.read(length))


@dataclass(frozen=True, slots=True, eq=False)
class ShardCorpus:
    """The stretches and photos of some shards. about: what `describe` says."""

    videos: Stretches
    photos: Stretches
    about: dict[str, object]

    def describe(self) -> dict[str, object]:
        """What the run card says of the corpus: counts, and one hash over names, sizes and places."""
        return dict(self.about)

    def picker(self, recipe: Recipe, seed: int) -> Picker:
        """Every slot of a batch is for videos or for photos, in the recipe's share rounded down, and has its route."""
        share = (recipe.photo_share if len(self.videos) else 1.0) if len(self.photos) else 0.0
        return _Slots(self, recipe.batch, share, seed)


class _Slots:
    def __init__(self, corpus: ShardCorpus, batch: int, share: float, seed: int) -> None:
        self._corpus, self._batch, self._share = corpus, batch, share
        photos = int(batch * share)
        self._photos = Walk(corpus.photos.counts, photos, seed) if photos else None
        self._videos = Walk(corpus.videos.counts, batch - photos, seed) if photos < batch else None

    def __call__(self, index: int, rng: np.random.Generator) -> Pick:
        step, slot = divmod(index, self._batch)
        before = int(slot * self._share)  # slots for photos among those before this one
        photo = int((slot + 1) * self._share) > before
        walk, route = (self._photos, before) if photo else (self._videos, slot - before)
        assert walk is not None
        stretches = self._corpus.photos if photo else self._corpus.videos
        number = walk(route, step)
        return Pick(photo, int(stretches.places[number, 2]), stretches[number])


def open_corpus(
    sources: Sequence[Path],
    cache: Path,
    without: Iterable[Path] = (),
    progress: Callable[[int, int], None] | None = None,
) -> AnyCorpus:
    """What a training learns from: shards if the sources are such, and otherwise as of `load_corpus`.

    A source of shards is a folder with an index, a shard, or a pattern of names such as `DIR/shard-{00000..00127}.tar`
    or `DIR/*.tar`. ValueError for shards and footage side by side, shards that are missing, or `without` with shards.
    """
    packed = [_is_packed(source) for source in sources]
    if not any(packed):
        return load_corpus(sources, cache, without=without, progress=progress)
    if not all(packed):
        raise ValueError(f"{sources[packed.index(False)]}: footage beside shards; pack it with `mer shards` as well")
    if tuple(without):
        raise ValueError("nothing can be left out of shards; leave it out when you pack them")
    return _open_shards(sources)


def _is_packed(source: Path) -> bool:
    return source.suffix == ".tar" or (source / NAME).is_file()


def _open_shards(sources: Iterable[Path]) -> ShardCorpus:
    wanted: dict[Path, set[str] | None] = {}  # folder -> names, None for all
    for source in sources:
        if source.suffix != ".tar":
            wanted[source] = None
            continue
        for path in _named(source):
            names = wanted.setdefault(path.parent, set())
            if names is not None:
                names.add(path.name)
    shards: list[tuple[Path, Shard]] = []
    skipped: list[str] = []
    first: list[int] = []  # number of the folder's first source, for each shard
    count = 0
    for folder, chosen in wanted.items():
        index = read_index(folder)
        if chosen is None and not index.complete:
            raise ValueError(f"{folder}: not packed to the end; go on with `mer shards … --resume`, or name the shards")
        if missing := (chosen or set()) - {shard.name for shard in index.shards}:
            raise ValueError(f"{folder / min(missing)}: is not in the index of its folder; check the name")
        here = [(folder / s.name, s) for s in index.shards if chosen is None or s.name in chosen]
        shards += here
        first += [count] * len(here)
        count += index.sources
        skipped += index.skipped
    for path, shard in shards:
        if not path.is_file() or path.stat().st_size != shard.bytes:
            raise ValueError(f"{path}: is missing, or not as long as it was; copy or pack it again")
    videos = _gather([(path, shard.videos) for path, shard in shards], first)
    photos = _gather([(path, shard.photos) for path, shard in shards], first)
    photos.places[:, 2] = count + np.arange(len(photos))  # each is a source of its own
    digest = hashlib.sha256()
    for part in (videos, photos):
        digest.update(part.places.tobytes() + part.counts.tobytes())
    about: dict[str, object] = {
        "shards": len(shards),
        "videos": len(np.unique(videos.places[:, 2])),
        "video_frames": sum(shard.frames for _, shard in shards),
        "photos": len(photos),
        "skipped": skipped,
        "sha256": digest.hexdigest(),
    }
    return ShardCorpus(videos, photos, about)


def _gather(parts: list[tuple[Path, list[list[int]]]], first: list[int]) -> Stretches:
    places = [np.array(places, np.int64).reshape(-1, 3) for _, places in parts]
    for array, offset in zip(places, first, strict=True):
        array[:, 2] += offset
    counts = np.array([len(array) for array in places], np.int64)
    return Stretches(tuple(path for path, _ in parts), counts, np.concatenate(places))


def _named(pattern: Path) -> list[Path]:
    """The files that a pattern with {first..last}, * and ? names. ValueError if a pattern finds none."""
    spread = [str(pattern)]
    while match := _RANGE.search(spread[0]):
        first, last = match.groups()
        numbers = [f"{n:0{len(first)}d}" for n in range(int(first), int(last) + 1)]
        spread = [text.replace(match.group(), number) for text in spread for number in numbers]
        if not spread:
            raise ValueError(f"{pattern}: counts from {first} down to {last}; give the smaller number first")
    found = [Path(path) for text in spread for path in (sorted(glob.glob(text)) or [text])]
    if absent := [path for path in found if not path.is_file()]:
        raise ValueError(f"{absent[0]}: no such shard; check the name")
    return found
