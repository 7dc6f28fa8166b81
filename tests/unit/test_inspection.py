"""What `mer inspect` works out, on a video whose motion is known: textured noise that moves by whole cells."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from app.runs.inspection import MARGIN, Inspection, _Window, usual_references
from app.runs.inspection_page import TILE
from model.features import load_extractor
from model.flow import FlowOptions
from model.motion import ValueOptions
from model.network import MatchingNetwork
from model.pictures import RAMP
from model.recipes import Recipe
from model.training.state import save_weights
from model.types import VOID, Anchor, LabelMap, PropagationOptions
from model.video import VideoSource, open_video

HEIGHT, WIDTH = 64, 96
STEP = 8  # pixels, two cells, that everything moves to the right from frame to frame
OPTIONS = PropagationOptions(short_side=None, radius=5, anchor_radius=5, top_k=3, temperature=0.05, trust=0.0)


@pytest.fixture
def video(tmp_path: Path) -> Iterator[VideoSource]:
    rng = np.random.default_rng(0)
    texture = cv2.GaussianBlur(rng.integers(0, 255, (HEIGHT, WIDTH + 8 * STEP, 3), np.uint8), (0, 0), 3)
    texture = cv2.normalize(texture, None, 0, 255, cv2.NORM_MINMAX)
    for n in range(6):
        left = (6 - n) * STEP
        cv2.imwrite(str(tmp_path / f"{n:03d}.png"), texture[:, left : left + WIDTH])
    with open_video(tmp_path) as source:
        yield source


def inspection(
    video: VideoSource, references: tuple[int, ...] = (3,), options: PropagationOptions = OPTIONS, **labels: LabelMap
) -> Inspection:
    anchors = {int(name[1:]): Anchor(int(name[1:]), label) for name, label in labels.items()}
    return Inspection(video, load_extractor("lab", "cpu"), 4, references, options, anchors)


def test_references_are_those_of_a_propagation() -> None:
    options = PropagationOptions(long_term=(5,), short_term=(1, 3, 5), anchors=2)
    assert usual_references(23, (0,), options) == (0, 5, 18, 20, 22)
    assert usual_references(2, (0,), options) == (0, 1)
    assert usual_references(23, (0, 21, 30), options) == (0, 21, 22)  # anchors behind, and what came after the last
    assert usual_references(7, (10, 40), options) == (8, 10, 40)  # backwards
    assert usual_references(0, (0,), options) == ()


def test_votes_come_from_where_the_pixel_was(video: VideoSource) -> None:
    ballots = inspection(video, (2, 3)).ballots((48, 32))
    best = {frame: max((b for b in ballots if b.frame == frame), key=lambda b: b.weight) for frame in (2, 3)}
    assert (best[3].x, best[3].y) == (48 - STEP, 32)
    assert (best[2].x, best[2].y) == (48 - 2 * STEP, 32)
    assert sum(b.weight for b in ballots) == pytest.approx(1, abs=1e-5)
    assert [b.weight for b in ballots] == sorted((b.weight for b in ballots), reverse=True)


def test_votes_are_placed_in_pixels_of_the_video_whatever_the_working_size(video: VideoSource) -> None:
    options = PropagationOptions(short_side=32, radius=5, top_k=1)
    small = Inspection(video, load_extractor("lab", "cpu"), 4, (3,), options)
    (ballot,) = small.ballots((48, 32))
    # Cells are 8 pixels of the video apart now, centred on 0.5, 8.5, …
    assert (ballot.x, ballot.y) == (48.5 - STEP, 32.5)


def test_votes_name_the_object_they_vote_for(video: VideoSource) -> None:
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    ids[28:36, 36:44] = 7  # where pixel (48, 32) of frame 4 was in frame 3
    ids[:, 60:] = VOID
    seen = inspection(video, (2, 3), _3=LabelMap(ids))
    for point, frame, expected in (((48, 32), 3, 7), ((48, 32), 2, None), ((24, 32), 3, 0), ((80, 32), 3, 0)):
        assert {b.object for b in seen.ballots(point) if b.frame == frame} == {expected}


def test_what_looks_like_the_object_has_the_louder_votes(video: VideoSource) -> None:
    bright = video[3].image.mean(axis=2) > 128
    mask, now = LabelMap(bright.astype(np.uint8)), video[4].image.mean(axis=2) > 128
    points = [(x, y) for x in range(24, WIDTH, 16) for y in range(8, HEIGHT, 16)]

    def wrong(likeness: float) -> float:
        """The votes that are not of the pixel's own kind."""
        seen = inspection(video, (3,), replace(OPTIONS, likeness=likeness, temperature=1.0, top_k=9), _3=mask)
        return sum(b.weight for p in points for b in seen.ballots(p) if b.object != now[p[1], p[0]])

    assert wrong(30.0) < 0.8 * wrong(0.0)


@pytest.mark.parametrize("point", [(-1, 5), (96, 5), (5, 64), (5, -0.6)])
def test_a_point_outside_the_video_is_refused(video: VideoSource, point: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=r"lies outside the 96×64 video"):
        inspection(video).ballots(point)


def test_every_pixel_of_the_video_can_be_asked_for(video: VideoSource) -> None:
    seen = inspection(video)
    for point in ((0, 0), (95, 63), (-0.5, -0.5), (95.5, 63.5)):
        assert seen.ballots(point)


def test_the_most_similar_place_is_the_brightest_and_what_is_not_seen_has_no_colour(video: VideoSource) -> None:
    tiles, low, high = inspection(video).pixel_tiles((48, 32))
    assert [tile.title for tile in tiles] == ["this pixel", "frame 3"] and tiles[1].note == "100 % of the votes"
    assert low < high
    heat = tiles[1].windows[1]
    side = 8 * (OPTIONS.radius + MARGIN) + 1

    def colour(x: int, y: int) -> list[int]:
        """Of the cell at pixel (x, y) of the video: its corner, beside the ring of a vote."""
        scale = TILE / side
        at_x, at_y = ((p - origin + side / 2 - 1.5) * scale for p, origin in ((x, 48), (y, 32)))
        return [int(c) for c in heat[int(at_y), int(at_x)]]

    assert colour(48 - STEP, 32) == RAMP[255].tolist()
    assert colour(48, 32) in RAMP.tolist() and colour(48, 32) != RAMP[255].tolist()
    assert colour(48 + 24, 32) not in RAMP.tolist()  # six cells away, outside the window: the picture, dimmed


def test_a_window_is_enlarged_about_its_cell_with_votes_where_they_belong() -> None:
    picture = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    picture[18:23, 30:35] = (0, 200, 0)  # about cell (8, 5), pixel (32, 20)
    window = _Window(x=6, y=4, radius=5)
    plain, voted = window.enlarged(picture, []), window.enlarged(picture, [(8, 5, 0.5)])
    assert plain.shape == (TILE, TILE, 3)
    assert not plain[0].any() and plain[-1, -1].tolist() == [60, 60, 60]  # 8 cells up lies outside the frame
    y, x = (axis.mean() for axis in np.nonzero(plain[..., 1] == 200))
    ring_y, ring_x = (axis.mean() for axis in np.nonzero((plain != voted).any(axis=2)))
    assert (ring_x, ring_y) == (pytest.approx(x, abs=0.6), pytest.approx(y, abs=0.6))
    scale = TILE / (8 * (5 + MARGIN) + 1)
    assert x - TILE / 2 == pytest.approx(8 * scale, abs=1) and y - TILE / 2 == pytest.approx(4 * scale, abs=1)


def test_pages_hold_the_pictures_at_the_working_size(video: VideoSource) -> None:
    pages = dict(inspection(video, (2, 3)).pages())
    assert set(pages) == {"flow", "confidence", "clusters", "radius", "features"}
    for page in pages.values():
        assert page.image.width >= WIDTH and page.image.height > HEIGHT
    flow = np.asarray(pages["flow"].image)[64 : 64 + HEIGHT, 24 : 24 + WIDTH]
    assert (flow[16:48, 32:80] > 200).all()  # all of it moves alike: what the camera did is taken off


def test_an_encoder_with_value_extraction_shows_its_value_map(video: VideoSource, tmp_path: Path) -> None:
    recipe = Recipe("own", flow=FlowOptions(), value=ValueOptions(windows=4))
    weights = tmp_path / "encoder.pt"
    save_weights(weights, MatchingNetwork(recipe), recipe)
    pages = dict(Inspection(video, load_extractor(weights, "cpu"), 4, (3,), OPTIONS).pages())
    picture = np.asarray(pages["value"].image)[64 : 64 + HEIGHT, 24 : 24 + WIDTH]
    inner = picture[8:-8, 8:-8].reshape(-1, 3)
    assert {tuple(colour) for colour in inner} <= {tuple(colour) for colour in RAMP}
    assert len(np.unique(inner, axis=0)) > 1
