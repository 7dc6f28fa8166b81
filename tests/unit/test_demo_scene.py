"""The painted sample: its truth must be exact, or the demo proves nothing."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from app.demo.cast import CARRIER, KEYPOINTS, OBJECTS, Thing
from app.demo.motion import Camera, Points, Swim, apply, invert
from app.demo.scene import FPS, Scene, film_size
from app.demo.sprite import Sprite
from app.demo.textures import cells, lit, noise
from app.demo.water import Water

FINER = 4
LATE = 47  # the koi have crossed, and leaves hide one of them and the turtle in part


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(size=160, seed=0)


def thing_of(scene: Scene, number: int) -> Thing:
    return next(t for t in scene.things if t.number == number)


def solid(sprite: Sprite) -> Points:
    """Rest coordinates [N, 2] of everything inside the sprite's outline, FINER points to the pixel's side."""
    cover = cv2.resize(sprite.cover, None, fx=FINER, fy=FINER)
    y, x = np.nonzero(cover > 0.5)
    return ((np.stack([x, y], axis=1) + 0.5) / FINER - 0.5) / sprite.density + sprite.corner


def covered(scene: Scene, thing: Thing, frame: int) -> np.ndarray:
    """bool [H, W]: what the thing would cover alone, by sending its rest points forward."""
    height, width = scene.size
    mask = np.zeros(height * width, bool)
    for name, part in thing.parts.items():
        points = scene.place(thing, name, solid(part.sprite), frame / FPS)
        at = np.rint(points).astype(int)
        inside = (at >= 0).all(axis=1) & (at < (width, height)).all(axis=1)
        count = np.bincount(at[inside] @ (1, width), minlength=height * width)
        corners = scene.place(thing, name, np.array([(0.0, 0.0), (1.0, 0.0)]), frame / FPS)
        full = (FINER * part.sprite.density / np.linalg.norm(corners[1] - corners[0])) ** 2
        mask |= count >= full / 2
    return mask.reshape(height, width)


def grown(mask: np.ndarray) -> np.ndarray:
    return cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8)).astype(bool)


@pytest.mark.parametrize("frame", [0, 20, LATE])
def test_who_is_seen_follows_from_motion_and_order(scene: Scene, frame: int) -> None:
    """The truth looks up every pixel backwards; sending the bodies forwards must tell the same story."""
    expected = np.zeros(scene.size, np.uint8)
    border = np.zeros(scene.size, bool)
    for thing in scene.things:
        mine = covered(scene, thing, frame)
        expected[mine] = thing.number
        border |= grown(mine) & grown(~mine)
    ids = scene.labels(frame).ids
    assert_array_equal(ids[~border], expected[~border])
    assert np.mean(ids == expected) > 0.995


def test_things_hide_each_other(scene: Scene) -> None:
    """There is something to see: the upper koi over the lower one, and leaves over it and over the turtle."""
    red, dark, turtle = (covered(scene, thing_of(scene, n), LATE) for n in (1, 2, 3))
    leaves = np.any([covered(scene, t, LATE) for t in scene.things if t.floating], axis=0)
    ids = scene.labels(LATE).ids
    for hidden, seen in ((red & dark & ~leaves, 1), (red & leaves, 0), (turtle & leaves, 0)):
        assert hidden.sum() > 40
        assert np.mean(ids[hidden] == seen) > 0.9


@pytest.mark.parametrize("number", OBJECTS)
def test_centroids_move_as_the_motion_says(scene: Scene, number: int) -> None:
    thing = thing_of(scene, number)
    higher = scene.things[scene.things.index(thing) + 1 :]

    def centroids(frame: int) -> tuple[np.ndarray, np.ndarray]:
        expected = covered(scene, thing, frame)
        for other in higher:
            expected &= ~covered(scene, other, frame)
        seen = scene.labels(frame).ids == number
        return np.argwhere(seen).mean(axis=0)[::-1], np.argwhere(expected).mean(axis=0)[::-1]

    places = [centroids(frame) for frame in (0, 8, 16, LATE)]
    for seen, expected in places:
        assert_allclose(seen, expected, atol=0.3)
    assert np.linalg.norm(places[-1][0] - places[0][0]) > 10


def test_picture_and_truth_are_in_register(scene: Scene) -> None:
    """The white koi stands out most where the truth says it is; two pixels aside it does so less."""
    grey = scene.image(0).mean(axis=2)
    mask = (scene.labels(0).ids == 1).astype(np.uint8)
    ring = cv2.dilate(mask, np.ones((7, 7), np.uint8)) - mask

    def contrast(dx: int, dy: int) -> float:
        inside, outside = (np.roll(m, (dy, dx), (0, 1)).astype(bool) for m in (mask, ring))
        return float(grey[inside].mean() - grey[outside].mean())

    aside = [contrast(dx, dy) for dx in (-2, 0, 2) for dy in (-2, 0, 2) if dx or dy]
    assert contrast(0, 0) > max(aside) + 1


def test_every_frame_has_one_size_and_the_same_objects(scene: Scene) -> None:
    assert all(side % 2 == 0 for side in scene.size)  # H.264 asks for it
    for frame in (0, 30, LATE):
        labels = scene.labels(frame)
        assert scene.image(frame).shape == (*scene.size, 3)
        assert labels.shape == scene.size
        assert set(np.unique(labels.ids)) == {0, *OBJECTS}
        assert labels.objects == tuple(OBJECTS)


def test_default_size_is_that_of_davis() -> None:
    assert film_size(480) == (480, 854)


def test_too_small_a_film_is_refused() -> None:
    with pytest.raises(ValueError, match="--size 48"):
        Scene(size=40)


def test_the_seed_decides_everything() -> None:
    again, other = Scene(size=64, seed=3), Scene(size=64, seed=4)
    scene = Scene(size=64, seed=3)
    again.image(9)  # the order in which frames are asked for does not matter
    for frame in (0, 5):
        assert_array_equal(scene.image(frame), again.image(frame))
        assert_array_equal(scene.labels(frame).ids, again.labels(frame).ids)
    assert (scene.image(0) != other.image(0)).mean() > 0.5


def test_keypoints_lie_on_their_own_part(scene: Scene) -> None:
    """Each rest point is inside its part, and no part that is painted later can cover it at any time."""
    turtle = thing_of(scene, CARRIER)
    order = list(turtle.parts)
    for name, (part, point) in KEYPOINTS.items():
        nearest = np.linalg.norm(solid(turtle.parts[part].sprite) - point, axis=1).min()
        assert nearest < 1 / turtle.parts[part].sprite.density, name
        for frame in (0, 11, 23, LATE):
            at = scene.place(turtle, part, np.array([point], float), frame / FPS)
            for later in order[order.index(part) + 1 :]:
                other = scene.place(turtle, later, solid(turtle.parts[later].sprite), frame / FPS)
                assert np.linalg.norm(other - at, axis=1).min() > 0.7, (name, later)


def test_keypoints_are_visible_on_the_turtle_and_hidden_under_leaves(scene: Scene) -> None:
    assert scene.keypoints(0).visible.all()
    hidden = 0
    for frame in range(0, 48, 6):
        points, ids = scene.keypoints(frame), scene.labels(frame).ids
        leaves = np.any([covered(scene, t, frame) for t in scene.things if t.floating], axis=0)
        for (x, y), visible in zip(np.rint(points.xy).astype(int), points.visible, strict=True):
            assert visible == (ids[y, x] == CARRIER)
            if leaves[y, x]:
                assert not visible
                hidden += 1
    assert hidden > 0


def test_a_body_swims_along_its_heading_at_its_speed() -> None:
    swim = Swim(start=(10, -20), heading=0.7, speed=90, turn=0.3)
    origin = np.zeros((1, 2))
    assert_allclose(apply(swim.at(0), origin), [[10, -20]], atol=1e-9)
    step = (apply(swim.at(1e-5), origin) - apply(swim.at(0), origin))[0] / 1e-5
    assert_allclose(step, 90 * np.array([np.cos(0.7), np.sin(0.7)]), atol=1e-2)


def test_the_camera_can_be_undone() -> None:
    view = Camera(480, 854).at(1.3)
    points = np.array([[0.0, 0.0], [100.0, -50.0]])
    assert_allclose(apply(invert(view), apply(view, points)), points, atol=1e-9)


def test_caustics_are_light_that_is_moved_and_not_made() -> None:
    """A flat surface lights evenly; a wavy one gathers light in some places and takes it from others."""
    y, x = np.mgrid[0:200:2, 0:200:2].astype(np.float32)
    water = Water(np.random.default_rng(0))
    light = water.caustics(x, y, 0.4, 70.0)
    assert light.mean() == pytest.approx(1, abs=1e-3)
    assert light.min() < 0.8 < 1.5 < light.max()
    assert_allclose(water.caustics(x, y, 0.4, 0.0), 1, atol=1e-3)


def test_noise_looks_the_same_at_any_wavelength() -> None:
    for wavelength in (4.0, 16.0, 40.0):
        field = noise(np.random.default_rng(1), (200, 300), wavelength)
        assert field.shape == (200, 300)
        assert 0.6 < field.std() < 1.4
        assert abs(field.mean()) < 0.6


def test_light_comes_from_the_upper_left() -> None:
    y, x = np.mgrid[-40:41, -40:41].astype(np.float32)
    diffuse, _ = lit(np.sqrt(np.maximum(1600 - x * x - y * y, 0)), 1.0)
    assert diffuse[20, 20] > diffuse[40, 40] > diffuse[60, 60]


def test_cells_belong_to_the_nearest_seed() -> None:
    seeds = np.array([(5, 5), (25, 8), (14, 30)], float)
    owner, edge = cells(seeds, (40, 40))
    y, x = np.mgrid[:40, :40]
    nearest = np.argmin([np.hypot(x - sx, y - sy) for sx, sy in seeds], axis=0)
    assert np.mean(owner == nearest) > 0.98  # the transform's distances are approximate
    assert edge[5, 5] > 5
    assert edge.min() == 0
