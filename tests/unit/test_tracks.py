from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.losses import known_places, pair_losses, places_learned_from
from model.recipes import RECIPES, Recipe
from model.tracks import TrackOptions, tracks
from model.training.corpus import Corpus, load_corpus
from model.training.dataset import PairDataset, inverse, mapped, random_view
from model.types import UInt8Array
from tests.corpora import FPS, TINY_DENSE, moving_texture, write_corpus
from tests.videos import texture

TRACKED = replace(
    TINY_DENSE, name="tiny-tracked", jitter=False, gaps=(6 / FPS,), gap_odds=(1.0,), tracks=TrackOptions()
)


def scene(frames: int) -> list[UInt8Array]:
    """A picture that moves to the left by 2 pixels a frame, behind a square that stands still."""
    pictures = moving_texture(1, frames, 128, 128, speed=2, coarseness=4)
    square = np.kron(texture(2, 16, 16), np.ones((4, 4, 1), np.uint8))
    for picture in pictures:
        picture[32:96, 32:96] = square
    return pictures


def test_flow_is_followed_from_frame_to_frame_and_what_was_hidden_is_not_believed() -> None:
    forth, back = tracks(scene(6), agree=1.5)
    y, x = np.mgrid[:128, :128]
    for way, left in ((forth, 10), (back, -10)):
        moved, stood = way - np.stack([x - left, y], axis=-1), way - np.stack([x, y], axis=-1)
        assert np.isfinite(moved[4:20, 20:108]).mean() > 0.95
        assert np.nanmean(np.abs(moved[4:20, 20:108])) < 0.5
        assert np.nanmean(np.abs(stood[48:80, 48:80])) < 0.5
    assert not np.isfinite(forth[:, :6]).any()  # it leaves the picture
    hidden = np.isnan(forth[40:88, 98:104]).mean()  # the square comes in front of it
    assert hidden > 4 * np.isnan(forth[4:20, 20:108]).mean() and hidden > 0.1


def test_two_pictures_alike_lead_every_pixel_home() -> None:
    picture = texture(3, 48, 64)
    for way in tracks([picture, picture], agree=0.5):
        np.testing.assert_allclose(way, np.stack(np.meshgrid(range(64), range(48)), axis=-1), atol=0.05)


def test_a_map_and_its_inverse_cancel() -> None:
    view = random_view(np.random.default_rng(1), (60, 90), 32, (0.3, 0.8), rotation=20)
    points = np.random.default_rng(2).uniform(0, 32, (5, 2)).astype(np.float32)
    np.testing.assert_allclose(mapped(inverse(view), mapped(view, points)), points, atol=1e-3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    folder = tmp_path_factory.mktemp("corpus")
    return load_corpus([write_corpus(folder / "data")], folder / "cache")


@pytest.mark.parametrize("crops", [0.0, 1.0])
def test_tracked_cells_look_alike_in_both_views_whatever_the_crops(corpus: Corpus, crops: float) -> None:
    recipe = replace(TRACKED, photo_share=0.0, crop=64, crop_scale=(0.6, 0.8), tracks=TrackOptions(crops=crops))
    data = PairDataset(corpus, recipe, 0)
    errors, elsewhere = [], []
    for n in range(8):
        sample = data[n]
        assert torch.equal(sample.to_source[0], sample.to_source[1]) == (crops == 0)
        for query, place in enumerate(sample.tracked):
            views = sample.views.float()[[query, 1 - query]]
            for cell, (x, y) in enumerate(place.tolist()):
                column, row = cell % 16, cell // 16
                if not (0 <= x < 15 and 0 <= y < 15):  # unknown, or outside
                    continue
                here = views[0, :, 4 * row, 4 * column]
                errors.append(float((here - views[1, :, round(4 * y), round(4 * x)]).abs().mean()))
                elsewhere.append(float((here - views[1, :, 4 * row, 4 * column]).abs().mean()))
    assert len(errors) > 400
    assert np.mean(errors) < 0.5 * np.mean(elsewhere)


def test_photos_have_no_tracks_and_nobody_else_is_made_to_wait(corpus: Corpus) -> None:
    data, plain = (PairDataset(corpus, recipe, 0) for recipe in (TRACKED, replace(TRACKED, tracks=None)))
    for n in range(6):
        assert data[n].tracked.shape == (2, 64, 2)
        assert bool(data[n].tracked.isnan().all()) == bool(data[n].photo) or not data[n].photo
        assert plain[n].tracked.shape == (0,)
    assert any(bool(data[n].tracked.isfinite().any()) for n in range(6))


def test_the_loss_learns_from_videos_by_tracks_and_from_photos_by_their_maps() -> None:
    torch.manual_seed(0)
    features, lab = torch.randn(4, 2, 8, 6, 6), torch.rand(4, 2, 3, 24, 24)
    photo = torch.tensor([False, True, False, True])
    maps = torch.eye(2, 3).expand(4, 2, 2, 3)
    tracked = torch.full((4, 2, 36, 2), torch.nan)
    tracked[:, :, 7] = torch.tensor([2.0, 3.0])  # one cell is known, and lies in column 2 of row 3
    place = known_places(maps, photo, tracked, 6)
    assert place[photo].isfinite().all() and int(place[~photo].isfinite().all(dim=-1).sum()) == 4
    losses = pair_losses(features, features.roll(1, dims=0), lab, 1, place, photo, TRACKED)
    assert {name: len(loss) for name, loss in losses.items()} == {"reconstruction": 4, "correspondence": 2, "tracks": 2}
    normal = torch.nn.functional.normalize(features, dim=2).flatten(3)
    for n, loss in zip((0, 2), losses["tracks"], strict=True):
        both = []
        for query, reference in ((0, 1), (1, 0)):
            rivals = torch.cat([normal[n, reference], normal[n - 1, reference]], dim=1)
            logits = normal[n, query, :, 7] @ rivals / TRACKED.temperature
            both.append(float(-logits.log_softmax(0)[3 * 6 + 2]))
        assert float(loss) == pytest.approx(sum(both) / 2, rel=1e-4)
    assert set(places_learned_from(photo, replace(TRACKED, tracks=None))) == {"correspondence"}


def test_the_recipe_keeps_its_switches(tmp_path: Path) -> None:
    recipe = RECIPES["tracked"].changed({"tracks.weight": 0.1, "tracks.crops": 0.25})
    assert Recipe.from_dict(recipe.as_dict()) == recipe
    assert recipe.weight_of("tracks") == 0.1
    with pytest.raises(ValueError, match="crops from 0 to 1"):
        recipe.changed({"tracks.crops": 2.0})
