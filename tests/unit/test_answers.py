"""Answers about frames: they are what propagation goes by."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from app.core.annotations import FrameLabels, PackedMap
from app.jobs.answers import Answers, enlarged
from app.jobs.queries import Click, ClickSegment, Clusters, FeaturePca, Flow, Vote, Votes
from model.features import load_extractor
from model.matching import frame_affinity
from model.propagator import Propagator
from model.types import LabelMap, Origin, PropagationOptions
from tests.videos import MemoryVideo, moving_squares

HEIGHT, WIDTH = 64, 96


@pytest.fixture(scope="module")
def parts() -> tuple[MemoryVideo, Propagator, Answers]:
    video = MemoryVideo(moving_squares(6, HEIGHT, WIDTH)[0])
    extractor = load_extractor("lab", "cpu")
    propagator = Propagator(video, extractor)
    return video, propagator, Answers(video, extractor, propagator)


@pytest.mark.parametrize("short_side", [None, 32])
def test_votes_are_those_of_the_affinity_in_pixels_of_the_video(parts, short_side: int | None) -> None:
    _, propagator, answers = parts
    options = PropagationOptions(short_side=short_side)
    x, y = 41.0, 22.0
    votes = answers(Votes(4, x, y, (0, 3), options))
    scale = 1.0 if short_side is None else short_side / HEIGHT
    row, column = (round(((p + 0.5) * scale - 0.5) / 4) for p in (y, x))
    store = propagator.store(options)
    expected = frame_affinity(*store.match(4, (0, 3), value="off"), options).votes(row, column)
    assert votes == tuple(
        Vote((0, 3)[e.reference], (e.x * 4 + 0.5) / scale - 0.5, (e.y * 4 + 0.5) / scale - 0.5, e.weight)
        for e in expected
    )
    assert sum(v.weight for v in votes) == pytest.approx(1, abs=1e-5)


def test_a_pixel_at_the_border_has_votes_too(parts) -> None:
    answers = parts[2]
    options = PropagationOptions()
    assert answers(Votes(1, WIDTH - 1, HEIGHT - 1, (0,), options))
    assert answers(Votes(1, 0, 0, (0,), options))


def test_votes_point_to_where_the_thing_was(parts) -> None:
    """The square at the left moves down by 4 pixels a frame."""
    votes = parts[2](Votes(2, 14, 24, (0,), PropagationOptions(colour=0.0)))
    place = np.average([[v.x, v.y] for v in votes], axis=0, weights=[v.weight for v in votes])
    assert np.hypot(*(place - (14, 16))) < 5


def test_votes_follow_what_is_labelled_into_an_anchor(parts) -> None:
    """The square at the left has moved by 16 pixels since it was labelled, further than windows of 2 cells reach."""
    truth = moving_squares(6, HEIGHT, WIDTH)[1]
    here = (
        FrameLabels(Origin.HUMAN, PackedMap.pack(LabelMap(truth[0]))),
        FrameLabels(Origin.PROPAGATED, PackedMap.pack(LabelMap(truth[3]))),
    )
    y, x = np.argwhere(truth[4] == 7).mean(axis=0)
    options = PropagationOptions(radius=2, anchor_radius=2, follow_radius=2, trust=1.0)
    known = (0, here[0]), (3, here[1])
    for labels, found in ((known, True), (known[:1], False)):  # nobody knows where it has gone
        best = parts[2](Votes(4, x, y, (0, 3), options, labels))[0]
        assert best.frame == 0 and (np.hypot(best.x - (x - 16), best.y - y) < 6) == found


def test_a_labelled_frame_from_before_an_object_has_no_head_start(parts) -> None:
    truth = moving_squares(6, HEIGHT, WIDTH)[1]
    whole = FrameLabels(Origin.PROPAGATED, PackedMap.pack(LabelMap(truth[3])))
    ids = np.unique(truth[0][truth[0] > 0])
    assert len(ids) > 1
    options = PropagationOptions(trust=5.0)  # so much that nobody else would be heard
    y, x = np.argwhere(truth[4] == ids[-1]).mean(axis=0)
    for drawn, alone in ((ids, True), (ids[:-1], False)):
        mask = np.where(np.isin(truth[0], drawn), truth[0], 0).astype(np.uint8)
        first = FrameLabels(Origin.HUMAN, PackedMap.pack(LabelMap(mask)))
        votes = parts[2](Votes(4, x, y, (0, 3), options, ((0, first), (3, whole))))
        assert ({v.frame for v in votes} == {0}) == alone


def test_pictures_show_what_is_there(parts) -> None:
    answers, options = parts[2], PropagationOptions()
    features = answers(FeaturePca(2, options)).rgb
    assert features.dtype == np.uint8 and features.shape == (HEIGHT // 4, WIDTH // 4, 3) and features.std() > 10
    clusters = answers(Clusters(2, options)).rgb
    assert clusters.shape == (HEIGHT, WIDTH, 3) and len(np.unique(clusters.reshape(-1, 3), axis=0)) > 10


def test_flow_is_in_the_colours_of_its_legend(parts) -> None:
    """What moves down has the colour of the wheel's lower part; what stands still is white."""
    picture = parts[2](Flow(3, PropagationOptions()))
    assert picture.legend is not None
    down = picture.legend[-4, picture.legend.shape[1] // 2].astype(float)
    square = picture.rgb[22:34, 8:20].reshape(-1, 3).astype(float).mean(axis=0)
    still = picture.rgb[-8:, :20].reshape(-1, 3).astype(float).mean(axis=0)
    assert np.linalg.norm(square - down) < np.linalg.norm(square - 255)
    assert np.linalg.norm(still - 255) < 60


def test_a_click_is_at_home_in_pixels_of_the_video(parts) -> None:
    """Worked on at half the size, the mask still lies where the click was."""
    options = PropagationOptions(short_side=48)
    found = parts[2](ClickSegment(2, (Click(15, 23),), options))
    assert found.mask.shape == (HEIGHT, WIDTH) and found.mask.dtype == np.bool_
    assert found.mask[23, 15]
    again = parts[2](ClickSegment(2, (Click(15, 23), Click(80, 60, False)), options))
    assert again.mask[23, 15] and not again.mask[60, 80]


def test_enlarged_masks_keep_their_place_and_follow_edges() -> None:
    image = np.full((64, 64, 3), 40, np.uint8)
    image[:, 34:] = 200
    mask = np.zeros((16, 16), np.bool_)
    mask[:, 9:] = True  # its edge is at 36, the picture's at 34
    large = enlarged(mask, image)
    assert large[:, 50:].all() and not large[:, :24].any()
    assert large.sum() == pytest.approx(30 * 64, rel=0.04)


def test_answers_leave_the_random_state_alone(parts) -> None:
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    parts[2](Clusters(1, PropagationOptions()))
    assert torch.rand(1) == before
