"""J and F against answers known by construction, and against a slow implementation of the definitions."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from model.evaluation.measures import (
    Score,
    Summary,
    boundary_accuracy,
    measure_frame,
    region_similarity,
    summarise,
)

# --- the definitions, written out: sets of pixels, and distances between all pairs of boundary pixels ---------


def pixels(mask):
    return {(int(y), int(x)) for y, x in np.argwhere(mask)}


def slow_region(truth, prediction, void):
    a, b = pixels(truth) - pixels(void), pixels(prediction) - pixels(void)
    return len(a & b) / len(a | b) if a | b else 1.0


def slow_boundary_pixels(mask):
    height, width = mask.shape
    found = []
    for y in range(height):
        for x in range(width):
            neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            if any(v < height and u < width and mask[v, u] != mask[y, x] for v, u in neighbours):
                found.append((y, x))
    return np.array(found).reshape(-1, 2)


def slow_boundary(truth, prediction, void):
    a, b = slow_boundary_pixels(truth & ~void), slow_boundary_pixels(prediction & ~void)
    if len(a) == 0 or len(b) == 0:
        return float(len(a) == len(b))
    reach = np.ceil(0.008 * np.sqrt(truth.shape[0] ** 2 + truth.shape[1] ** 2))
    distance = cdist(a, b)
    recall = np.mean(distance.min(axis=1) <= reach)
    precision = np.mean(distance.min(axis=0) <= reach)
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def blobs(rng, shape, coverage, smooth):
    noise = gaussian_filter(rng.standard_normal(shape), smooth)
    return noise > np.quantile(noise, 1 - coverage)


def shifted(mask, dx, dy):
    """The mask moved by (dx, dy) pixels, background coming in."""
    moved = np.zeros_like(mask)
    height, width = mask.shape
    ys, xs = np.nonzero(mask)
    inside = (ys + dy >= 0) & (ys + dy < height) & (xs + dx >= 0) & (xs + dx < width)
    moved[ys[inside] + dy, xs[inside] + dx] = True
    return moved


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    height=st.integers(1, 30),
    width=st.integers(1, 30),
    coverage=st.sampled_from([0.0, 0.1, 0.5, 0.9, 1.0]),
    smooth=st.sampled_from([0.3, 2.0]),
    margin=st.sampled_from([0, 5]),
)
def test_equals_the_slow_implementation(seed, height, width, coverage, smooth, margin):
    rng = np.random.default_rng(seed)
    truth = blobs(rng, (height, width), coverage, smooth)
    prediction = shifted(truth, *rng.integers(-3, 4, 2)) if seed % 2 else blobs(rng, (height, width), 0.4, smooth)
    void = blobs(rng, (height, width), rng.choice([0.0, 0.2]), smooth)
    centre = np.zeros((height, width), bool)
    centre[margin : height - margin, margin : width - margin] = True
    truth, prediction = truth & centre, prediction & centre
    assert region_similarity(truth, prediction, void) == pytest.approx(slow_region(truth, prediction, void))
    assert boundary_accuracy(truth, prediction, void) == pytest.approx(slow_boundary(truth, prediction, void))


@pytest.mark.parametrize("shape", [(90, 100), (150, 210), (240, 100)])
def test_equals_the_slow_implementation_at_wider_tolerances(shape):
    rng = np.random.default_rng(shape[0])
    truth = blobs(rng, shape, 0.1, 6)
    prediction = shifted(truth, 3, 2) ^ blobs(rng, shape, 0.02, 3)
    void = blobs(rng, shape, 0.05, 4)
    fast = boundary_accuracy(truth, prediction, void)
    assert 0.1 < fast < 0.99, "the case must tell tolerances apart"
    assert fast == pytest.approx(slow_boundary(truth, prediction, void))
    assert region_similarity(truth, prediction, void) == pytest.approx(slow_region(truth, prediction, void))


# --- known answers ---------------------------------------------------------------------------------------------


def square(shape=(100, 100), top=40, left=40, side=10):
    mask = np.zeros(shape, bool)
    mask[top : top + side, left : left + side] = True
    return mask


@pytest.mark.parametrize("shift", range(0, 12))
def test_region_of_shifted_squares(shift):
    overlap = max(10 - shift, 0) * 10
    assert region_similarity(square(), square(left=40 + shift)) == pytest.approx(overlap / (200 - overlap))


# ceil(0.008 x diagonal) is 2 pixels at 100 x 100 and 8 at 480 x 854
@pytest.mark.parametrize(("shape", "tolerance"), [((100, 100), 2), ((480, 854), 8)])
@pytest.mark.parametrize("axis", [0, 1])
def test_boundary_shift_at_and_above_the_tolerance(shape, tolerance, axis):
    position = np.indices(shape)[axis]
    truth = position < 40
    assert boundary_accuracy(truth, truth) == 1
    assert boundary_accuracy(truth, position < 40 + tolerance) == 1
    assert boundary_accuracy(truth, position < 40 + tolerance + 1) == 0


def test_boundary_weighs_precision_against_recall():
    truth = np.zeros((100, 100), bool)
    truth[:, :20] = True
    prediction = truth.copy()
    prediction[:, 60:70] = True  # two more boundaries of the same length: a third of the predicted ones is right
    assert boundary_accuracy(truth, prediction) == pytest.approx(2 * (1 / 3) / (1 + 1 / 3))
    assert boundary_accuracy(prediction, truth) == pytest.approx(2 * (1 / 3) / (1 + 1 / 3))


def test_empty_masks():
    empty = np.zeros((100, 100), bool)
    assert (region_similarity(empty, empty), boundary_accuracy(empty, empty)) == (1, 1)
    assert (region_similarity(square(), empty), boundary_accuracy(square(), empty)) == (0, 0)
    assert (region_similarity(empty, square()), boundary_accuracy(empty, square())) == (0, 0)


def test_border_of_the_image_is_no_boundary():
    full, empty = np.ones((100, 100), bool), np.zeros((100, 100), bool)
    assert boundary_accuracy(full, empty) == 1  # neither has a boundary; J tells them apart
    assert region_similarity(full, empty) == 0


def test_void_pixels_count_for_nothing():
    truth, void = square(), np.zeros((100, 100), bool)
    void[40:50, 50:60] = True
    prediction = truth | void
    assert region_similarity(truth, prediction) == pytest.approx(0.5)
    assert region_similarity(truth, prediction, void) == 1
    assert boundary_accuracy(truth, prediction) < 1
    assert boundary_accuracy(truth, prediction, void) == 1


def test_frame_with_several_objects_and_void():
    truth = np.zeros((100, 100), np.uint8)
    truth[10:20, 10:20], truth[60:70, 60:70], truth[60:70, 70:80] = 1, 7, 255
    prediction = np.where(truth == 255, 7, truth).astype(np.uint8)
    prediction[10:20, 10:15] = 0
    measures = measure_frame(truth, prediction, (1, 7, 9))
    assert measures.shape == (3, 2)
    assert measures[0, 0] == pytest.approx(0.5)
    assert measures[1].tolist() == [1, 1], "what was predicted on void is forgiven"
    assert measures[2].tolist() == [1, 1], "absent from both"


# --- statistics --------------------------------------------------------------------------------------------------


def test_summary_of_a_falling_measure():
    values = np.linspace(1, 0, 9)  # quarters 0..2, 2..4, 4..6, 6..8: they share their ends
    summary = summarise(values)
    assert summary.mean == pytest.approx(0.5)
    assert summary.recall == pytest.approx(4 / 9), "0.5 itself is not above 0.5"
    assert summary.decay == pytest.approx(np.mean(values[:3]) - np.mean(values[6:]))


@pytest.mark.parametrize("count", [*range(1, 40), 88, 300, 1000])
def test_decay_by_the_rounding_of_the_official_rules(count):
    values = np.random.default_rng(count).random(count)
    rounded = [int(Decimal((count - 1) * i / 4).quantize(Decimal(1), ROUND_HALF_UP)) for i in range(5)]
    first, last = values[: rounded[1] + 1], values[rounded[3] : rounded[4] + 1]
    assert summarise(values).decay == pytest.approx(first.mean() - last.mean())


def test_every_object_has_one_vote():
    good, bad = Score.of(np.ones((5, 2))), Score.of(np.zeros((50, 2)))
    mean = Score.mean([good, bad, bad])
    assert mean.region == Summary(*[pytest.approx(v) for v in (1 / 3, 1 / 3, 0)])


def test_table_names_and_their_order():
    score = Score(Summary(0.6, 0.7, 0.1), Summary(0.8, 0.9, 0.2))
    assert score.as_dict() == {
        "J&F": pytest.approx(0.7),
        "J": 0.6,
        "F": 0.8,
        "J-recall": 0.7,
        "F-recall": 0.9,
        "J-decay": 0.1,
        "F-decay": 0.2,
    }
