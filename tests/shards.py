"""A corpus that fills several small shards, and shards that are read from files in secret."""

from __future__ import annotations

import json
import tarfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import pytest

from model.training.cache import Clip
from model.training.corpus import Corpus
from model.training.shards import Stretches
from model.types import UInt8Array
from tests.corpora import moving_texture, write_clip
from tests.videos import texture

CLIPS, FRAMES, PHOTOS = 3, 70, 6
SHARD_BYTES = 30_000


def write_long_corpus(folder: Path) -> Path:
    """Three clips of 70 frames, which are four stretches each, and six photos."""
    photos = folder / "photos"
    photos.mkdir(parents=True)
    for n in range(CLIPS):
        write_clip(folder / f"clip{n}.avi", moving_texture(n, FRAMES, height=40, width=48, speed=2))
    for n in range(PHOTOS):
        cv2.imwrite(str(photos / f"{n}.png"), texture(10 + n, 48, 56))
    return folder


@dataclass(frozen=True, slots=True)
class _Part:
    """Some frames of a clip, or photos of a folder, in the frame cache."""

    clip: Clip
    first: int
    length: int

    @property
    def fps(self) -> float:
        return self.clip.fps

    def __len__(self) -> int:
        return self.length

    def read(self, index: int) -> UInt8Array:
        assert 0 <= index < self.length
        return self.clip.read(self.first + index)


def as_files(patch: pytest.MonkeyPatch, packed: Path, files: Corpus) -> None:
    """Whoever takes a stretch out of these shards gets the same frames out of the frame cache instead."""
    clips = {clip.source: clip for clip in (*files.videos, *files.photos)}
    parts: dict[tuple[str, int], _Part] = {}
    for path in packed.glob("*.tar"):
        with tarfile.open(path) as tar:
            members = tar.getmembers()
            for member in members:
                if member.name.endswith(".json"):
                    meta = json.loads(tar.extractfile(member).read())  # type: ignore[union-attr]
                    key = member.name.partition(".")[0]
                    length = sum(m.name.startswith(f"{key}.") for m in members) - 1
                    parts[path.name, member.offset] = _Part(clips[meta["source"]], meta["first"], length)

    def get(stretches: Stretches, number: int) -> _Part:
        shard = next(s for s, end in zip(stretches.shards, stretches.counts.cumsum(), strict=True) if number < end)
        return parts[shard.name, int(stretches.places[number, 0])]

    patch.setattr(Stretches, "__getitem__", get)
