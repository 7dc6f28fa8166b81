"""Where frames lie on the timeline, whatever way one got there; and what is shown where many share a pixel."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from app.core.lanes import Lane, LaneState
from app.views.timeline import detail
from app.views.timeline.geometry import WIDEST, Axis, Rows
from app.views.timeline.layout import GRIP, NAMES, Hit, Layout, Part, hit
from app.views.timeline.ruler import tick_step, ticks
from app.views.timeline.thumbnails import Slot, slots

moves = st.lists(
    st.one_of(
        st.tuples(st.just("zoom"), st.floats(0.05, 20), st.floats(0, 1)),
        st.tuples(st.just("scroll"), st.floats(-5000, 5000)),
        st.tuples(st.just("resize"), st.integers(1, 3000)),
        st.tuples(st.just("show"), st.floats(0, 1)),
        st.tuples(st.just("turn"), st.floats(0, 1)),
    ),
    max_size=8,
)


@st.composite
def axes(draw: st.DrawFn) -> Axis:
    """An axis as a user gets it: all of the video at first, then zoomed, scrolled, resized, following the playhead."""
    axis = Axis.whole(draw(st.integers(1, 200_000)), draw(st.integers(1, 3000)))
    for move in draw(moves):
        match move:
            case "zoom", factor, about:
                axis = axis.zoomed(factor, about * axis.width)
            case "scroll", pixels:
                axis = axis.scrolled(pixels)
            case "resize", width:
                axis = axis.resized(width)
            case "show", part:
                axis = axis.showing(int(part * (axis.frames - 1)))
            case "turn", part:
                axis = axis.turned_to(int(part * (axis.frames - 1)))
    return axis


@given(axes(), st.floats(0, 1))
def test_a_frame_is_found_where_it_lies(axis: Axis, part: float) -> None:
    frame = int(part * (axis.frames - 1))
    assert axis.frame_at(axis.centre(frame)) == frame
    x = part * axis.width
    found = axis.frame_at(x)
    tolerance = 1e-6 * max(1.0, axis.scale)
    assert axis.left(found) - tolerance <= x <= axis.left(found + 1) + tolerance
    assert abs(axis.left(axis.edge_at(x)) - x) <= axis.scale / 2 + tolerance


@given(axes())
def test_the_video_fills_the_width_and_nothing_lies_beyond_its_ends(axis: Axis) -> None:
    assert axis.first >= 0
    assert axis.first + axis.span <= axis.frames * (1 + 1e-9) + 1e-6
    assert axis.scale <= max(WIDEST, axis.width / axis.frames) * (1 + 1e-9)
    assert axis.visible.start >= 0 and axis.visible.stop <= axis.frames
    assert len(axis.visible) >= 1


@given(axes(), st.floats(0.1, 10), st.floats(0, 1))
def test_zooming_keeps_the_frame_under_the_pointer(axis: Axis, factor: float, part: float) -> None:
    about = part * axis.width
    zoomed = axis.zoomed(factor, about)
    assume(0 < zoomed.first < zoomed.frames - zoomed.span)  # at the ends of the video it has to give way
    before, after = axis.first + about / axis.scale, zoomed.first + about / zoomed.scale
    assert after == pytest.approx(before, abs=1e-6 * max(1, before))


@given(axes(), st.floats(0, 1))
def test_a_shown_frame_is_in_sight_and_one_in_sight_moves_nothing(axis: Axis, part: float) -> None:
    assume(axis.width >= 4)
    frame = int(part * (axis.frames - 1))
    for shown in (axis.showing(frame), axis.turned_to(frame)):
        assert shown.shows(frame)
        assert shown.scale == axis.scale
    assert axis.showing(frame).showing(frame).first == pytest.approx(axis.showing(frame).first)
    if axis.shows(frame):
        assert axis.turned_to(frame) is axis


@given(axes())
def test_every_frame_in_sight_is_in_a_column(axis: Axis) -> None:
    starts, stop = axis.columns()
    assert len(starts) <= axis.width
    assert starts[0] == axis.visible.start and stop == axis.visible.stop
    assert (np.diff(starts) >= 0).all()
    assert starts[-1] < stop
    if axis.scale >= 1:
        assert set(starts.tolist()) >= set(axis.visible[:-1])
    assert starts.tolist() == [axis.frame_at(x) for x in range(len(starts))]


@given(st.integers(0, 300), st.integers(0, 900), st.floats(0, 10_000), st.floats(0, 900))
def test_lanes_are_found_where_they_lie_and_can_all_be_scrolled_to(
    count: int, height: int, offset: float, y: float
) -> None:
    rows = Rows(count, height).scrolled_to(offset)
    lane = rows.lane_at(y)
    if lane is not None:
        assert rows.top(lane) <= y < rows.top(lane) + rows.row
        assert lane in rows.visible
    assert Rows.SMALLEST <= rows.row <= Rows.LARGEST
    for i in rows.visible:
        assert -rows.row < rows.top(i) < height
    end = rows.scrolled_to(1e9)
    if count and height >= rows.row:
        assert end.top(count - 1) + end.row <= height


def test_few_lanes_are_high_and_many_are_scrolled() -> None:
    assert Rows(1, 200).row == Rows.LARGEST
    assert Rows(8, 200).row == 25
    assert Rows(50, 200).row == Rows.SMALLEST
    assert Rows(8, 200).hidden == 0 < Rows(50, 200).hidden


# What shares a pixel column


def lane_of(states: list[int], confidence: list[float] | None = None) -> Lane:
    sure = np.full(len(states), np.nan, np.float32) if confidence is None else np.array(confidence, np.float32)
    return Lane(1, "object", (128, 0, 0), np.array(states, np.uint8), sure)


def columns_of(lane: Lane, axis: Axis) -> detail.Columns:
    return detail.columns(lane, axis, *axis.columns())


WORST_FIRST = [LaneState.STALE, LaneState.MISSING, LaneState.PROPAGATED, LaneState.CORRECTED, LaneState.HUMAN]


@given(
    st.lists(st.tuples(st.sampled_from(LaneState), st.floats(0, 1, width=16) | st.just(float("nan"))), min_size=1),
    st.integers(1, 60),
    st.floats(1, 30),
    st.floats(0, 1),
)
def test_the_worst_of_a_column_is_shown(
    frames: list[tuple[LaneState, float]], width: int, zoom: float, place: float
) -> None:
    lane = lane_of([state for state, _ in frames], [confidence for _, confidence in frames])
    axis = Axis.whole(len(frames), width).zoomed(zoom, place * width)
    part = columns_of(lane, axis)
    starts, stop = axis.columns()
    bounds = [*starts.tolist(), stop]
    for i, (first, end) in enumerate(pairwise(bounds)):
        inside = range(first, max(end, first + 1))
        assert part.states[i] == min((lane.states[f] for f in inside), key=WORST_FIRST.index)
        doubts = [1 - lane.certainty[f] for f in inside if not math.isnan(lane.certainty[f])]
        assert part.doubt[i] == max(doubts, default=np.float32(0))


def test_a_single_stale_or_doubtful_frame_of_100_000_is_seen() -> None:
    states, confidence = [LaneState.PROPAGATED] * 100_000, [1.0] * 100_000
    states[54_321], confidence[12_345] = LaneState.STALE, 0.25
    part = columns_of(lane_of(list(states), confidence), Axis.whole(100_000, 1000))
    assert np.flatnonzero(part.states == LaneState.STALE).tolist() == [543]
    assert np.flatnonzero(part.doubt > 0.7).tolist() == [123]


def test_a_persons_frames_are_marked_at_any_zoom() -> None:
    states = [LaneState.PROPAGATED] * 10_000
    for frame in (0, 5000, 5001, 9999):
        states[frame] = LaneState.HUMAN
    states[7000] = LaneState.CORRECTED
    lane = lane_of(list(states))
    marks = detail.marks(lane, Axis.whole(10_000, 1000), 10)
    assert [(round(a, 2), round(b, 2)) for a, b in marks[LaneState.HUMAN]] == [
        (0.05, 0.05),
        (500.05, 500.15),
        (999.95, 999.95),
    ]
    assert len(marks[LaneState.CORRECTED]) == 1
    near = Axis.whole(10_000, 1000).zoomed(200, 500)
    assert len(detail.marks(lane, near, 10)[LaneState.HUMAN]) == 2  # no longer one group


def test_lane_pictures_tell_states_by_shape_and_doubt_by_height() -> None:
    line, edge, hair, doubt = 11, 12, 13, 14
    states = np.repeat(np.array([LaneState.PROPAGATED, LaneState.STALE, LaneState.MISSING], np.uint8), 16)
    part = detail.Columns(states, np.linspace(0, 1, 48, dtype=np.float32))
    image = detail.pixels(part, 30, line, edge, hair, doubt)
    middle = image[30 - detail.BELOW]
    assert (middle[:16] == line).all()
    assert middle[16:32].tolist() == ([line] * 5 + [0] * 3) * 2  # dashes
    assert (middle[32:] == hair).all()
    heights = (image == doubt).sum(axis=0)
    assert heights[0] == 0
    assert (np.diff(heights) >= 0).all()
    assert heights[24] == heights[47] == heights.max() > 10  # half a confidence is as bad as none
    moved = detail.pixels(detail.Columns(states[1:], part.doubt[1:], phase=1), 30, line, edge, hair, doubt)
    np.testing.assert_array_equal(moved, image[:, 1:])  # dashes stay on their frames while one scrolls


# Ruler and thumbnails


@given(st.floats(1e-3, 100), st.floats(1, 200))
def test_ticks_are_round_numbers_far_enough_apart(scale: float, least: float) -> None:
    step = tick_step(scale, least)
    assert str(step).rstrip("0") in ("1", "2", "5")
    assert step * scale >= least * (1 - 1e-6)
    assert step == 1 or step * scale < 2.51 * least


@given(axes(), st.integers(1, 500))
def test_ticks_cover_what_is_seen(axis: Axis, step: int) -> None:
    found = ticks(axis, step)
    assert all(frame % step == 0 for frame in found[:3])
    assert set(found) >= {frame for frame in list(axis.visible)[:2000] if frame % step == 0}


@given(axes(), st.floats(20, 120))
def test_thumbnails_cover_what_is_seen_and_stay_while_one_scrolls(axis: Axis, width: float) -> None:
    places = slots(axis, width)
    step = places[0].step
    assert step & (step - 1) == 0
    assert step == 1 or step * axis.scale <= width < 2 * step * axis.scale
    assert places[0].frame <= axis.visible.start
    assert places[-1].frame + step >= axis.visible.stop
    assert [slot.frame for slot in places] == list(range(places[0].frame, places[-1].frame + 1, step))
    assert all(slot.frame % step == 0 for slot in places)
    scrolled = slots(axis.scrolled(7), width)
    assert scrolled[0].step == step
    assert slots(Axis.whole(100, 5000), 71) == [Slot(frame, 1) for frame in range(100)]


# What is under the pointer


def hits(x: float, y: float, span: tuple[int, int] = (0, 100), references: tuple[int, ...] = ()) -> Hit:
    """On a video of 100 frames, 10 pixels each, with 3 lanes."""
    layout = Layout.of(NAMES + 1000 + 10, 208)
    assert layout.lanes.width() == 1000
    return hit(layout, Axis.whole(100, 1000), Rows(3, layout.lanes.height()), span, references, NAMES + x, y)


def test_small_things_are_found_before_what_lies_behind_them() -> None:
    assert hits(455, 60) == Hit(Part.TRACK, 45)
    assert hits(455, 90) == Hit(Part.LANE, 45, 0)
    assert hits(-5, 90) == Hit(Part.NAME, lane=0)
    assert hits(-5, 10) == Hit(Part.NOTHING)
    assert hits(1005, 60) == Hit(Part.NOTHING)
    assert hits(455, 78, references=(46, 80)) == Hit(Part.TRACK, 45)
    assert hits(460, 78, references=(46, 80)) == Hit(Part.REFERENCE, 46)


def test_handles_are_taken_by_the_upper_half_of_the_ruler_only() -> None:
    span = (20, 60)
    assert hits(200, 4, span).part is Part.START
    assert hits(200 + GRIP, 4, span).part is Part.START
    assert hits(196, 4, span).part is Part.TRACK
    assert hits(600, 4, span).part is Part.STOP
    assert hits(600 - GRIP, 4, span).part is Part.STOP
    assert hits(200, 25, span).part is Part.TRACK
    assert hits(0, 4).part is Part.START and hits(999, 4).part is Part.STOP


def test_both_handles_of_a_very_short_range_can_be_taken() -> None:
    layout = Layout.of(NAMES + 1000 + 10, 208)
    axis = Axis.whole(10_000, 1000)  # a tenth of a pixel per frame
    found = {hit(layout, axis, Rows(0, 10), (5000, 5001), (), NAMES + x, 4).part for x in range(490, 511)}
    assert {Part.START, Part.STOP} <= found
