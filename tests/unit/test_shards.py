"""Shards: what is packed, in which order it is read, and that it is what files would give."""

from __future__ import annotations

import json
import pickle
import shutil
import tarfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from model.flow import FlowOptions, Motion
from model.training import pack as packing
from model.training.batches import sample_numbers
from model.training.corpus import Corpus, load_corpus
from model.training.dataset import PairDataset
from model.training.pack import pack
from model.training.shard_index import read_index
from model.training.shards import ShardCorpus, Stretches, open_corpus
from model.training.walk import Walk
from tests.corpora import TINY, TINY_DENSE, moving_texture, write_clip
from tests.shards import CLIPS, FRAMES, PHOTOS, SHARD_BYTES, as_files, write_long_corpus
from tests.videos import texture


@pytest.fixture(scope="module")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_long_corpus(tmp_path_factory.mktemp("shards") / "footage")


@pytest.fixture(scope="module")
def packed(footage: Path) -> Path:
    out = footage.parent / "packed"
    pack([footage], out, shard_bytes=SHARD_BYTES)
    return out


@pytest.fixture(scope="module")
def corpus(packed: Path) -> ShardCorpus:
    opened = open_corpus([packed], packed.parent / "nothing")
    assert isinstance(opened, ShardCorpus) and not (packed.parent / "nothing").exists()
    return opened


@pytest.fixture(scope="module")
def files(footage: Path) -> Corpus:
    return load_corpus([footage], footage.parent / "cache")


# What is packed


def test_a_shard_is_a_tar_of_samples_as_webdataset_reads_them(packed: Path) -> None:
    index = read_index(packed)
    assert len(index.shards) > 6 and index.complete and index.skipped == ()
    assert sorted(p.name for p in packed.iterdir()) == ["index.jsonl", *(s.name for s in index.shards)]
    for shard in index.shards:
        assert (packed / shard.name).stat().st_size == shard.bytes < SHARD_BYTES + 60_000
        with tarfile.open(packed / shard.name) as tar:
            names = tar.getnames()
        parts = [name.partition(".")[::2] for name in names]
        samples = {key: [ending for k, ending in parts if k == key] for key, _ in parts}
        assert [key for key, _ in parts] == [key for key in samples for _ in samples[key]]  # each in one piece
        assert len(samples) == len(shard.videos) + len(shard.photos)
        for endings in samples.values():
            assert endings == ["json", *(f"{n:03d}.jpg" for n in range(len(endings) - 1))]


def test_every_frame_is_there_once_and_as_the_cache_keeps_it(packed: Path, files: Corpus) -> None:
    clips = {clip.source: clip for clip in (*files.videos, *files.photos)}
    seen: Counter[tuple[str, int]] = Counter()
    lengths = []
    for path in sorted(packed.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                data = tar.extractfile(member).read()  # type: ignore[union-attr]
                if member.name.endswith(".json"):
                    meta = json.loads(data)
                    clip, frame = clips[meta["source"]], meta["first"]
                    assert (clip.kind, clip.fps) == (meta["kind"], meta["fps"])
                    lengths.append(0)
                    continue
                start, length = clip.offsets[frame]
                assert data == clip.tar.read_bytes()[start : start + length]
                seen[clip.source, frame] += 1
                lengths[-1] += 1
                frame += 1
    assert set(seen.values()) == {1} and len(seen) == CLIPS * FRAMES + PHOTOS
    assert set(lengths) == {1, 16, 22}  # photos, and 70 frames as 16 + 16 + 16 + 22


def test_the_card_says_what_files_would_say(corpus: ShardCorpus, files: Corpus) -> None:
    ours, theirs = corpus.describe(), files.describe()
    for name in ("videos", "video_frames", "photos", "skipped"):
        assert ours[name] == theirs[name], name


def test_what_cannot_be_read_is_skipped_and_named(tmp_path: Path) -> None:
    folder = tmp_path / "footage"
    folder.mkdir()
    write_clip(folder / "b.avi", moving_texture(1, frames=5, height=40, width=48))
    (folder / "a.mp4").write_text("this is no video")
    (folder / "z.mp4").write_text("this is no video")
    write_clip(folder / "single.avi", [texture(0, 40, 48)])
    index = pack([folder], tmp_path / "out")
    for reason, name in zip(index.skipped, ("a.mp4", "single.avi", "z.mp4"), strict=True):
        assert name in reason and "\n" not in reason
    opened = open_corpus([tmp_path / "out"], tmp_path / "cache")
    assert opened.describe()["videos"] == 1 and len(opened.describe()["skipped"]) == 3  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"no usable video or photo .*a\.mp4"):
        pack([folder], tmp_path / "none", without=[folder / "b.avi"])
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("at", [1, 4, 7])
def test_a_packing_that_was_stopped_goes_on_to_the_same_bytes(
    footage: Path, packed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, killed: bool
) -> None:
    """Stopped between two shards, or in the middle of one with half a line in the index and half a shard beside it."""
    out, seen = tmp_path / "out", []

    def stop(shard: Any, sources: int) -> None:
        seen.append(shard)
        if len(seen) == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack([footage], out, shard_bytes=SHARD_BYTES, told=stop)
    if killed:
        (out / ".shard-00009.tar.1.partial").write_bytes(b"half")
        with open(out / "index.jsonl", "a") as file:
            file.write('{"name": "shard-000')
    with pytest.raises(ValueError, match="holds shards already"):
        pack([footage], out, shard_bytes=SHARD_BYTES)
    with pytest.raises(ValueError, match="other sources, or of another size"):
        pack([footage], out, shard_bytes=SHARD_BYTES + 1, resume=True)
    with pytest.raises(ValueError, match="not packed to the end"):
        open_corpus([out], tmp_path / "cache")
    open_corpus([out / "shard-*.tar"], tmp_path / "cache")  # what is there can be used all the same
    pack([footage], out, shard_bytes=SHARD_BYTES, resume=True)
    assert {p.name: p.read_bytes() for p in out.iterdir()} == {p.name: p.read_bytes() for p in packed.iterdir()}
    monkeypatch.setattr(packing, "jpegs", lambda *a: pytest.fail("decoded again"))
    assert pack([footage], out, shard_bytes=SHARD_BYTES, resume=True).complete


# The way through


def lap(walk: Walk, routes: int, length: int, number: int = 0) -> list[list[int]]:
    return [[walk(route, number * length + turn) for turn in range(length)] for route in range(routes)]


def test_a_lap_leads_past_every_unit_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("model.training.walk.WINDOW", 7)
    counts = np.array([5, 0, 9, 1, 12, 6, 8, 7])  # 48
    walk, owner = Walk(counts, 4, seed=3), np.repeat(np.arange(8), counts)
    laps = [lap(walk, 4, 12, number) for number in range(3)]
    for routes in laps:
        assert sorted(chain(*routes)) == list(range(48))
        shards = [set(owner[route]) for route in routes]
        for number, own in enumerate(shards):  # only where one part ends and the next begins
            assert len(own & set().union(*shards[number + 1 :])) <= 1
    assert laps[0] != laps[1] != laps[2]
    assert all(route != sorted(route) for route in laps[0])
    assert lap(Walk(counts, 4, seed=4), 4, 12) != laps[0]
    assert [Walk(counts, 4, seed=3)(2, turn) for turn in range(20, 30)] == [walk(2, turn) for turn in range(20, 30)]


def test_what_is_left_over_comes_in_another_lap() -> None:
    walk = Walk(np.array([4, 4, 3]), 4, seed=0)
    left = [set(range(11)) - set(chain(*lap(walk, 4, 2, number))) for number in range(12)]
    assert {len(units) for units in left} == {3}
    assert set.intersection(*left) == set()
    assert {Walk(np.array([2]), 5, 0)(route, turn) for route in range(5) for turn in range(3)} == {0, 1}


def test_every_stretch_and_photo_comes_once_in_a_lap(corpus: ShardCorpus) -> None:
    """12 stretches and 6 photos: with 8 samples in a batch a third of them photos, each kind its own lap."""
    recipe = replace(TINY, photo_share=0.25, batch=8)
    picker, rng = corpus.picker(recipe, 0), np.random.default_rng(0)
    picks = [picker(n, rng) for n in range(8 * 6)]
    assert [sum(p.photo for p in picks[step * 8 : step * 8 + 8]) for step in range(6)] == [2] * 6
    photos = [p.source for p in picks[: 3 * 8] if p.photo]
    assert len(photos) == PHOTOS == len(set(photos))
    first = [p.frames.read(0).tobytes() for p in picks[: 2 * 8] if not p.photo]
    assert len(set(first)) == len(first) == len(corpus.videos)
    assert len({p.source for p in picks if not p.photo}) == CLIPS


@pytest.mark.parametrize("size", [2, 4])
def test_processes_read_from_different_shards(corpus: ShardCorpus, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    read: set[tuple[int, int]] = set()
    real = Stretches.__getitem__
    monkeypatch.setattr(Stretches, "__getitem__", lambda s, n: (read.add((id(s), n)), real(s, n))[1])
    data = PairDataset(corpus, replace(TINY, batch=4, photo_share=0.0), 0)
    everything, shards = [], []
    for rank in range(size):
        read.clear()
        numbers = sample_numbers(0, 4, rank, size)
        for _ in range(len(corpus.videos) // 4):
            list(map(data.__getitem__, next(numbers)))
        everything += [n for _, n in read]
        owner = np.repeat(np.arange(len(corpus.videos.counts)), corpus.videos.counts)
        shards.append({int(owner[n]) for _, n in read})
    assert sorted(everything) == list(range(len(corpus.videos)))  # together all, none twice
    for rank, own in enumerate(shards):
        assert len(own & set().union(*shards[:rank], *shards[rank + 1 :])) <= 2  # at the two ends of its part


# The samples


@pytest.mark.parametrize("motion", [None, Motion(FlowOptions())], ids=["plain", "motion"])
def test_a_stretch_gives_the_sample_that_its_frames_in_files_give(
    packed: Path, corpus: ShardCorpus, files: Corpus, monkeypatch: pytest.MonkeyPatch, motion: Motion | None
) -> None:
    data = PairDataset(corpus, TINY_DENSE, 3, motion)
    streamed = [data[n] for n in range(18)]
    assert {bool(s.photo) for s in streamed} == {True, False}
    as_files(monkeypatch, packed, files)
    for n, sample in enumerate(streamed):
        assert all(torch.equal(a, b) for a, b in zip(sample, data[n], strict=True))


def test_a_sample_depends_on_seed_and_number_alone(corpus: ShardCorpus) -> None:
    one, other = PairDataset(corpus, TINY_DENSE, 3), PairDataset(corpus, TINY_DENSE, 4)
    list(map(one.__getitem__, range(4)))
    elsewhere = pickle.loads(pickle.dumps(one))
    for n in (7, 40, 1_000_003):
        assert all(torch.equal(a, b) for a, b in zip(one[n], elsewhere[n], strict=True))
        assert not torch.equal(one[n].views, other[n].views)


def test_a_sample_reads_its_stretch_and_nothing_else(packed: Path, tmp_path: Path) -> None:
    """Whatever else lies in the shards is overwritten, and nobody notices."""
    copy = tmp_path / "copy"
    shutil.copytree(packed, copy)
    corpus = open_corpus([copy], tmp_path / "cache")
    assert isinstance(corpus, ShardCorpus)
    data = PairDataset(corpus, replace(TINY, photo_share=0.0), 0)
    before, source = data[5], int(data[5].source)
    (number,) = [n for n in range(len(corpus.videos)) if corpus.videos.places[n, 2] == source][-1:]
    assert corpus.picker(data.recipe, 0)(5, np.random.default_rng(0)).source == source
    kept = {tuple(place) for place in corpus.videos.places.tolist() if place[2] == source}
    for shard, line in zip(corpus.videos.shards, read_index(copy).shards, strict=True):
        content = bytearray(shard.stat().st_size)
        for start, length, owner in line.videos:
            if (start, length, owner) in kept:
                content[start : start + length] = shard.read_bytes()[start : start + length]
        shard.write_bytes(content)
    assert torch.equal(data[5].views, before.views) and number < len(corpus.videos)
    for shard in corpus.videos.shards:
        shard.write_bytes(bytes(shard.stat().st_size))
    with pytest.raises(ValueError, match=r"shard-\d+\.tar: damaged; pack or copy it again"):
        data[5]


# Names


def test_shards_are_named_in_several_ways(packed: Path, corpus: ShardCorpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*names: str) -> dict[str, object]:
        return open_corpus([Path(name) for name in names], packed.parent / "cache").describe()

    last = len(read_index(packed).shards) - 1
    whole = corpus.describe()
    assert opened(f"{packed}/shard-{{00000..{last:05d}}}.tar") == whole
    assert opened(f"{packed}/*.tar") == opened(*(str(p) for p in sorted(packed.glob("*.tar")))) == whole
    assert opened(f"{packed}/shard-0000[0-1].tar")["shards"] == 2
    monkeypatch.chdir(packed)
    assert opened("shard-{00002..00004}.tar")["shards"] == 3
    assert opened("shard-00001.tar", "shard-00001.tar")["shards"] == 1


def test_two_folders_are_one_corpus(packed: Path, corpus: ShardCorpus, tmp_path: Path) -> None:
    shutil.copytree(packed, tmp_path / "more")
    both = open_corpus([packed, tmp_path / "more"], tmp_path / "cache")
    assert isinstance(both, ShardCorpus)
    assert both.describe()["videos"] == 2 * CLIPS and both.describe()["photos"] == 2 * PHOTOS
    sources = np.concatenate([both.videos.places[:, 2], both.photos.places[:, 2]])
    assert len(np.unique(sources)) == 2 * (CLIPS + PHOTOS)


def truncate(folder: Path) -> None:
    shard = folder / "shard-00001.tar"
    shard.write_bytes(shard.read_bytes()[:-10])


@pytest.mark.parametrize(
    "spoil, source, message",
    [
        (None, "shard-00099.tar", r"shard-00099\.tar: no such shard"),
        (None, "shard-{00003..00001}.tar", "counts from 00003 down to 00001"),
        (None, "other-*.tar", r"other-\*\.tar: no such shard"),
        (lambda f: (f / "shard-00001.tar").unlink(), "", r"shard-00001\.tar: is missing"),
        (truncate, "", r"shard-00001\.tar: is missing, or not as long as it was"),
        (lambda f: (f / "extra.tar").touch(), "extra.tar", r"extra\.tar: is not in the index"),
        (lambda f: (f / "index.jsonl").unlink(), "shard-00001.tar", r"it has no index\.jsonl"),
        (lambda f: (f / "index.jsonl").write_text("[]\n"), "", r"index\.jsonl: not an index that this version reads"),
        (lambda f: (f / "index.jsonl").write_text(""), "", r"index\.jsonl: not an index that this version reads"),
    ],
)
def test_what_is_wrong_with_shards_is_said_at_once(
    packed: Path, tmp_path: Path, spoil: Callable[[Path], Any] | None, source: str, message: str
) -> None:
    folder = tmp_path / "folder"
    shutil.copytree(packed, folder)
    if spoil is not None:
        spoil(folder)
    with pytest.raises(ValueError, match=message) as caught:
        open_corpus([folder / source], tmp_path / "cache")
    assert "\n" not in str(caught.value)


def test_shards_and_footage_do_not_mix(packed: Path, footage: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"footage: footage beside shards; pack it"):
        open_corpus([packed, footage], tmp_path)
    with pytest.raises(ValueError, match="nothing can be left out of shards"):
        open_corpus([packed], tmp_path, without=[footage])


def test_a_photo_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    for n in range(3):
        cv2.imwrite(str(photos / f"{n}.png"), texture(n, 40, 48))
    (photos / "1a.png").write_text("this is no photo")
    index = pack([photos], tmp_path / "out")
    assert sum(len(shard.photos) for shard in index.shards) == 3 and index.skipped == ()
