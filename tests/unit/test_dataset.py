from __future__ import annotations

import errno
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from model.flow import FlowOptions, Motion
from model.recipes import Recipe
from model.training import cache as cache_module
from model.training.corpus import Corpus, load_corpus
from model.training.dataset import (
    PairDataset,
    jitter,
    nearby_view,
    random_view,
    warp,
    warp_motion,
)
from model.types import FloatArray, UInt8Array
from tests.corpora import FPS, TINY, TINY_DENSE, moving_texture, write_clip, write_corpus
from tests.videos import texture


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    return load_corpus([write_corpus(folder / "data")], folder / "cache")


def colour_at(view: Tensor, x: float, y: float) -> Tensor:
    """Bilinear colour of a view [3, S, S] at pixel (x, y)."""
    left, top = int(x), int(y)
    dx, dy = x - left, y - top
    v = view.float()
    upper = (1 - dx) * v[:, top, left] + dx * v[:, top, left + 1]
    lower = (1 - dx) * v[:, top + 1, left] + dx * v[:, top + 1, left + 1]
    return (1 - dy) * upper + dy * lower


def test_what_lies_in_the_folders_is_found(corpus: Corpus) -> None:
    assert [len(c) for c in corpus.videos] == [12, 12] and [len(c) for c in corpus.photos] == [4]
    assert corpus.skipped == ()
    assert all(c.fps == pytest.approx(FPS) for c in corpus.videos)
    assert corpus.videos[0].read(3).shape == (64, 80, 3)
    about = corpus.describe()
    assert (about["videos"], about["video_frames"], about["photos"]) == (2, 24, 4)


def test_nested_folders_count_once(tmp_path: Path, corpus: Corpus) -> None:
    folder = write_corpus(tmp_path / "data")
    again = load_corpus([folder, folder / "photos", folder / "clip0.avi"], tmp_path / "cache")
    assert again.describe() == corpus.describe()


def test_broken_files_among_good_ones_are_skipped_and_named(tmp_path: Path) -> None:
    folder = write_corpus(tmp_path / "data")
    (folder / "text.mp4").write_text("this is no video")
    (folder / "empty.mp4").touch()
    (folder / "nowhere.mp4").symlink_to(folder / "missing.mp4")
    write_clip(folder / "single.avi", [texture(0, 64, 64)])
    (folder / "photos" / "empty.jpg").touch()
    (folder / "photos" / "text.jpg").write_text("this is no photo")
    (folder / "damaged").mkdir()
    (folder / "damaged" / "text.png").write_text("this is no photo")
    loaded = load_corpus([folder], tmp_path / "cache")
    assert [len(c) for c in loaded.videos] == [12, 12] and [len(c) for c in loaded.photos] == [4]
    assert len(loaded.skipped) == 5
    for name in ("text.mp4", "empty.mp4", "nowhere.mp4", "single.avi", "damaged"):
        (reason,) = [r for r in loaded.skipped if f"{name}:" in r or f"{name} " in r]
        assert "\n" not in reason


def test_a_corpus_without_anything_usable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nowhere: no such folder"):
        load_corpus([tmp_path / "nowhere"], tmp_path / "cache")
    with pytest.raises(ValueError, match="no usable video or photo under"):
        load_corpus([tmp_path], tmp_path / "cache")
    (tmp_path / "text.mp4").write_text("this is no video")
    with pytest.raises(ValueError, match=r"no usable video or photo under .*text\.mp4"):
        load_corpus([tmp_path], tmp_path / "cache")


def test_a_clip_is_decoded_once_and_again_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, cache = write_clip(tmp_path / "a.avi", [texture(n, 48, 64) for n in range(3)]), tmp_path / "cache"
    first = cache_module.cached_clip(source, cache, 24)
    assert first.read(2).shape == (24, 32, 3)
    with tarfile.open(first.tar) as tar:
        assert tar.getnames() == ["meta.json", "000000.jpg", "000001.jpg", "000002.jpg"]
    with monkeypatch.context() as patch:
        patch.setattr(cache_module, "open_video", lambda path: pytest.fail("decoded again"))
        assert np.array_equal(cache_module.cached_clip(source, cache, 24).read(1), first.read(1))
    write_clip(source, [texture(n, 48, 64) for n in range(5)])
    changed = cache_module.cached_clip(source, cache, 24)
    assert len(changed) == 5 and changed.tar != first.tar


@pytest.mark.parametrize("length", [0, 700, 3000, -2000])
def test_a_damaged_cache_file_is_made_again(tmp_path: Path, length: int) -> None:
    source = write_clip(tmp_path / "a.avi", [texture(n, 48, 64) for n in range(3)])
    clip = cache_module.cached_clip(source, tmp_path / "cache", 48)
    whole = clip.tar.read_bytes()
    cut = whole[:length] if length >= 0 else whole[: int(clip.offsets[-1].sum()) - 1]
    clip.tar.write_bytes(cut)
    assert len(cache_module.cached_clip(source, tmp_path / "cache", 48)) == 3
    assert clip.tar.read_bytes() == whole


def test_a_full_disk_is_an_error_and_not_a_broken_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "addfile", full)
    folder = write_corpus(tmp_path / "data")
    with pytest.raises(OSError, match="No space left") as caught:
        load_corpus([folder], tmp_path / "cache")
    assert "cache" in str(caught.value.filename)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_sample_depends_on_seed_and_number_alone(corpus: Corpus) -> None:
    one, two, other = (PairDataset(corpus, TINY_DENSE, seed) for seed in (3, 3, 4))
    list(map(one.__getitem__, range(4)))
    for n in (7, 8):
        assert all(torch.equal(a, b) for a, b in zip(one[n], two[n], strict=True))
        assert not torch.equal(one[n].views, other[n].views)
    assert not torch.equal(one[7].views, one[9].views)


@pytest.mark.parametrize("share, counts", [(0.5, {4}), (0.25, {2}), (0.3, {2, 3}), (0.0, {0}), (1.0, {8})])
def test_every_batch_has_its_share_of_photos(corpus: Corpus, share: float, counts: set[int]) -> None:
    data = PairDataset(corpus, replace(TINY, photo_share=share), 0)
    found = {sum(int(data[n].photo) for n in range(begin, begin + 8)) for begin in range(0, 40, 8)}
    assert found <= counts


def test_a_corpus_of_one_kind_serves_every_sample(corpus: Corpus) -> None:
    for one_kind, photo in ((replace(corpus, photos=()), False), (replace(corpus, videos=()), True)):
        assert all(bool(PairDataset(one_kind, TINY, 0)[n].photo) == photo for n in range(4))


def coordinates(height: int, width: int) -> UInt8Array:
    """Red is twice x, green is twice y."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 2 * y, 0 * x], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("seed", range(8))
def test_a_view_shows_what_its_map_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    image = coordinates(100, 120)
    first = random_view(rng, image.shape[:2], 32, (0.3, 0.5), rotation=10)
    for view in (first, nearby_view(rng, first, 32)):
        seen = warp(image, view, 32).astype(float)
        y, x = np.mgrid[:32, :32]
        source = np.stack([x, y, np.ones_like(x)], axis=-1) @ view.T
        inside = ((source > 6) & (source < (113, 93))).all(axis=-1)
        assert inside.sum() > 100 or view is not first
        np.testing.assert_allclose(seen[inside][:, :2] / 2, source[inside], atol=0.6)


def test_views_lie_inside_the_picture_and_are_as_large_as_asked() -> None:
    rng = np.random.default_rng(0)
    mirrored = set()
    for _ in range(50):
        view = random_view(rng, (60, 90), 33, (0.3, 0.8), rotation=0)
        corners = np.array([[0, 0, 1], [32, 32, 1]]) @ view.T
        assert (corners > -1).all() and (corners < (90, 60)).all()
        side = abs(np.linalg.det(view[:, :2])) ** 0.5 * 33
        assert 0.3 * 60 - 0.1 <= side <= 0.8 * 60 + 0.1
        mirrored.add(bool(np.linalg.det(view[:, :2]) < 0))
    assert mirrored == {True, False}


def test_two_views_of_a_photo_agree_where_their_maps_meet(corpus: Corpus) -> None:
    data = PairDataset(corpus, replace(TINY, photo_share=1.0, gaps=(0.1,), gap_odds=(1.0,)), 0)
    errors = []
    for n in range(6):
        sample = data[n]
        back = torch.linalg.inv(sample.to_source[1, :, :2])
        for y in range(2, 30, 3):
            for x in range(2, 30, 3):
                source = sample.to_source[0, :, :2] @ torch.tensor([x, y], dtype=torch.float32)
                u, v = (back @ (source + sample.to_source[0, :, 2] - sample.to_source[1, :, 2])).tolist()
                if 0 <= u < 31 and 0 <= v < 31:
                    errors.append((colour_at(sample.views[1], u, v) - sample.views[0, :, y, x]).abs().mean())
    assert len(errors) > 100 and float(torch.stack(errors).mean()) < 4


def test_views_of_a_video_are_two_moments_under_one_map(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.avi", [np.full((48, 48, 3), 20 * t, np.uint8) for t in range(12)])
    corpus = load_corpus([tmp_path], tmp_path / "cache")
    for seconds, frames in ((0.2, 2), (0.5, 5), (9.0, 11), (0.0, 1)):
        data = PairDataset(corpus, replace(TINY, gaps=(seconds,), gap_odds=(1.0,)), 0)
        sample = data[0]
        assert not sample.photo and torch.equal(sample.to_source[0], sample.to_source[1])
        first, second = sample.views.float().mean(dim=(1, 2, 3)).tolist()
        assert second - first == pytest.approx(20 * frames, abs=3)


def test_samples_tell_which_clip_or_photo_they_are_of(corpus: Corpus) -> None:
    data = PairDataset(corpus, replace(TINY, photo_share=0.5), 0)
    seen = [(bool(data[n].photo), int(data[n].source)) for n in range(60)]
    assert {s for photo, s in seen if not photo} == {0, 1}
    assert {s for photo, s in seen if photo} == {2, 3, 4, 5}


def test_asking_for_motion_changes_nothing_else(corpus: Corpus) -> None:
    plain, moving = (PairDataset(corpus, TINY_DENSE, 3, motion) for motion in (None, Motion(FlowOptions())))
    for n in range(6):
        one, two = plain[n], moving[n]
        assert all(torch.equal(a, b) for a, b in zip(one[:4], two[:4], strict=True))
        assert one.motion.shape == (0,) and two.motion.shape == (2, 2, 32, 32) and two.motion.dtype == torch.float16
        assert bool(two.motion.any()) != bool(two.photo)


class Spy(Motion):
    """Notes which frames it is asked for, and says that all moves down and to the right."""

    def __init__(self, gap: int) -> None:
        super().__init__(FlowOptions(gap=gap))
        self.pairs: list[tuple[int, int]] = []

    def __call__(self, previous: UInt8Array, current: UInt8Array) -> FloatArray:
        self.pairs.append((round(previous.mean() / 20), round(current.mean() / 20)))
        return np.broadcast_to(np.float32([[[0.6]], [[0.8]]]), (2, *current.shape[:2]))


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_motion_is_that_of_the_whole_frames_before_the_views(tmp_path: Path, gap: int) -> None:
    write_clip(tmp_path / "a.avi", [np.full((48, 64, 3), 20 * t, np.uint8) for t in range(12)])
    corpus = load_corpus([tmp_path], tmp_path / "cache")
    mirrored = set()
    for n in range(8):
        spy = Spy(gap)
        sample = PairDataset(corpus, replace(TINY, gaps=(0.3,), gap_odds=(1.0,)), 0, spy)[n]
        shown = [round(float(v) / 20) for v in sample.views.float().mean(dim=(1, 2, 3))]
        assert [now for _, now in spy.pairs] == shown
        assert [before for before, _ in spy.pairs] == [f - gap if f >= gap else f + gap for f in shown]
        mirror = bool(torch.linalg.det(sample.to_source[0, :, :2]) < 0)
        mirrored.add(mirror)
        for view, frame in enumerate(shown):
            sign = 1 if frame >= gap else -1  # there is nothing before it: the motion ahead, turned round
            expected = torch.tensor([-0.6 if mirror else 0.6, 0.8]) * sign
            torch.testing.assert_close(sample.motion[view].float().mean(dim=(1, 2)), expected, atol=2e-3, rtol=0)
    assert mirrored == {True, False}


def test_the_motion_of_a_view_is_what_one_would_see_in_it(tmp_path: Path) -> None:
    """Mirrored crops of a texture that moves to the left: they show it moving to the right."""
    images = moving_texture(4, frames=6, height=96, width=120, speed=4, coarseness=2)
    for n, view in enumerate(random_view(np.random.default_rng(s), (96, 120), 48, (0.7, 0.9), 0) for s in range(6)):
        raw = np.broadcast_to(np.float32([[[1.0]], [[0.0]]]), (2, 96, 120))
        shown = warp_motion(raw, view, 48)
        before, now = (warp(images[t], view, 48).astype(float) for t in (2, 3))
        step = round(4 * 48 / (np.sqrt(abs(np.linalg.det(view[:, :2]))) * 48))
        errors = {s: np.abs(np.roll(before, -s * step, axis=1) - now)[:, 10:-10].mean() for s in (1, -1)}
        best = min(errors, key=lambda s: errors[s])  # 1: things went to the left, so they came from the right
        np.testing.assert_allclose(shown.mean(axis=(1, 2)), (best, 0), atol=1e-5, err_msg=str(n))


def test_the_motion_turns_with_the_view() -> None:
    angle = np.deg2rad(30)
    turn = 1.7 * np.array([[np.cos(angle), -np.sin(angle), 20], [np.sin(angle), np.cos(angle), 5]], np.float32)
    raw = np.broadcast_to(np.float32([[[1.0]], [[0.0]]]), (2, 96, 120))
    seen = warp_motion(raw, turn.astype(np.float32), 16).mean(axis=(1, 2))
    np.testing.assert_allclose(seen, (np.cos(angle), -np.sin(angle)), atol=1e-5)  # lengths stay, the view is turned


def test_a_late_crop_shows_the_same_in_more_detail(corpus: Corpus) -> None:
    small, large = (PairDataset(corpus, replace(TINY, crop=crop), 0) for crop in (32, 64))
    for n in range(4):
        shrunk = torch.nn.functional.avg_pool2d(large[n].views.float(), 2)
        assert (shrunk - small[n].views.float()).abs().mean() < 12
        assert int(small[n].source) == int(large[n].source)


def test_only_photos_are_recoloured(corpus: Corpus) -> None:
    data, plain = (PairDataset(corpus, replace(TINY_DENSE, jitter=jitter), 0) for jitter in (True, False))
    for n in range(4):
        assert torch.equal(data[n].views, plain[n].views) == (not data[n].photo)
        assert torch.equal(data[n].to_source, plain[n].to_source)


def test_recolouring_moves_nothing() -> None:
    image = np.full((16, 32, 3), 60, np.uint8)
    image[:, 13:] = (200, 180, 160)
    for seed in range(20):
        changed = jitter(np.random.default_rng(seed), image)
        assert changed.shape == image.shape and changed.dtype == np.uint8
        steps = np.abs(np.diff(changed.astype(float).mean(axis=(0, 2))))
        assert steps.argmax() == 12


def test_shrinking_does_not_alias() -> None:
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 255
    view = random_view(np.random.default_rng(0), (256, 256), 64, (0.9, 0.9), rotation=0)
    assert warp(stripes, view, 64).std() < 10  # without a low-pass they beat against the grid: over 70


def test_recipe_defaults_are_pinned() -> None:
    """Checkpoints and published weights were made with these."""
    recipe = Recipe("mast")
    assert (recipe.similarity, recipe.radius, recipe.crop, recipe.batch) == ("dot", 12, 128, 32)
    assert recipe.gaps == (2 / 30, 5 / 30, 8 / 30) and recipe.gap_odds == (0.4, 0.4, 0.2)
