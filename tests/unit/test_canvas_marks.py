"""Keypoints, click-to-segment and the inspector, used with a mouse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QRectF, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.core.objects import Skeleton
from app.views.canvas import Tool
from app.views.canvas.votes import legend, shares
from model.types import KeypointSet
from tests.hand import (
    HEIGHT,
    LEFT,
    NONE,
    RIGHT,
    WIDTH,
    Hand,
    colour,
    heard,
    make_hand,
)

SKELETON = Skeleton(("head", "hip", "foot"), ((0, 1), (1, 2)))


def points(**places: tuple[float, float] | None) -> KeypointSet:
    return KeypointSet.of({name: places.get(name) for name in SKELETON.names})


# Keypoints


def keypoint_hand(qtbot: QtBot, **places: tuple[float, float] | None) -> Hand:
    hand = make_hand(qtbot, Tool.KEYPOINT)
    hand.canvas.set_keypoints(points(**places) if places else None, SKELETON)
    return hand


def test_a_click_places_the_next_missing_point(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot)
    said = heard(hand.canvas.keypoint_placed)
    hand.click(20, 10)
    assert said == [("head", pytest.approx(20, abs=0.1), pytest.approx(10, abs=0.1))]
    hand.canvas.set_keypoints(points(head=(20, 10), foot=(50, 30)), SKELETON)
    hand.click(30, 20)
    assert said[1][0] == "hip"
    hand.canvas.set_keypoints(points(head=(20, 10), hip=(30, 20), foot=(50, 30)), SKELETON)
    hand.click(40, 35)
    assert len(said) == 2
    assert hand.canvas.message
    hand.click(-3, 10)
    assert len(said) == 2


def test_the_wheel_chooses_the_point_that_is_placed_next(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, hip=(30, 20))
    said = heard(hand.canvas.keypoint_placed)
    hand.wheel(10, 10, -1)
    hand.click(10, 10)
    assert said[-1][0] == "foot"
    hand.wheel(10, 10, 1)
    hand.click(10, 10)
    assert said[-1][0] == "foot", "head would have been next"
    hand.canvas.set_image(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    hand.click(10, 10)
    assert said[-1][0] == "head", "every frame starts with the first"


def test_a_point_is_dragged_and_told_once(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10))
    said = heard(hand.canvas.keypoint_placed)
    hand.press(20, 10)
    hand.move(30, 15)
    assert hand.canvas.points[0].tolist() == pytest.approx([30, 15], abs=0.1)
    hand.move(500, 15)
    hand.release(500, 15)
    assert said == [("head", WIDTH - 0.5, pytest.approx(15, abs=0.1))]


def test_a_point_stays_in_the_hand_when_others_arrive(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10))
    said = heard(hand.canvas.keypoint_placed)
    hand.press(20, 10)
    hand.move(30, 15)
    hand.canvas.set_keypoints(points(head=(20, 10), foot=(50, 30)), SKELETON)
    hand.release(30, 15)
    assert said == [("head", pytest.approx(30, abs=0.1), pytest.approx(15, abs=0.1))]
    hand.canvas.set_keypoints(points(head=(30, 15)), SKELETON)
    assert hand.canvas.points[0].tolist() == [30, 15]


def test_a_click_on_a_point_moves_nothing(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10), hip=(30, 20), foot=(50, 30))
    said = heard(hand.canvas.keypoint_placed)
    hand.click(20, 10)
    assert not said


def test_esc_puts_a_dragged_point_back(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10))
    said = heard(hand.canvas.keypoint_placed)
    hand.press(20, 10)
    hand.move(30, 15)
    hand.key(Qt.Key.Key_Escape)
    assert hand.canvas.points[0].tolist() == [20, 10]
    hand.release(30, 15)
    assert not said


def test_right_toggles_and_del_removes_the_point_under_the_pointer(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10), foot=(50, 30))
    toggled, removed = heard(hand.canvas.keypoint_toggled), heard(hand.canvas.keypoint_removed)
    hand.click(50, 30, RIGHT)
    assert toggled == [("foot",)]
    hand.hover(20, 10)
    assert hand.wants(Qt.Key.Key_Delete)
    hand.key(Qt.Key.Key_Delete)
    assert removed == [("head",)]
    hand.hover(40, 10)
    assert not hand.wants(Qt.Key.Key_Delete), "elsewhere Del is the window's"
    hand.key(Qt.Key.Key_Delete)
    assert len(removed) == 1


def test_what_a_tool_drew_is_known_whoever_made_it_draw(qtbot: QtBot) -> None:
    """Or its name for the next point stays on the picture when the pointer moves on."""
    hand = keypoint_hand(qtbot)
    canvas = hand.canvas
    canvas.set_tool(Tool.BRUSH)
    hand.hover(50, 10)
    canvas.set_tool(Tool.KEYPOINT)  # by its key
    canvas.grab()
    assert canvas._tool.extent().width() > 0 and canvas._drawn.contains(canvas._tool.extent())
    canvas.set_keypoints(points(head=(20, 10)), SKELETON)  # another frame: another name
    canvas.grab()
    assert canvas._drawn.contains(canvas._tool.extent())


def test_points_may_not_be_changed_either(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10))
    placed, toggled = heard(hand.canvas.keypoint_placed), heard(hand.canvas.keypoint_toggled)
    hand.canvas.set_enabled_for_edit(False, "The video is playing")
    hand.click(40, 10)
    hand.drag((20, 10), (30, 10))
    hand.click(20, 10, RIGHT)
    assert not placed and not toggled
    assert hand.canvas.message == "The video is playing"


def test_points_and_bones_are_seen(qtbot: QtBot) -> None:
    hand = keypoint_hand(qtbot, head=(20, 10), hip=(20, 30))
    canvas = hand.canvas
    canvas.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    assert colour(canvas, 20, 10) == (255, 127, 127)
    assert min(colour(canvas, 20, 20)) > 180
    canvas.set_keypoints(None, SKELETON)
    assert colour(canvas, 20, 10) == (100, 100, 100)


def test_keypoints_of_another_skeleton_are_refused(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.KEYPOINT)
    with pytest.raises(ValueError, match="beak"):
        hand.canvas.set_keypoints(KeypointSet.of({"beak": (1, 1)}), SKELETON)


# Click-to-segment


def test_clicks_say_what_belongs_and_what_does_not(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.CLICK)
    said = heard(hand.canvas.clicked_segment)
    hand.click(20, 10)
    hand.click(30, 15, RIGHT)
    hand.click(-4, 15)
    assert [positive for _, _, positive in said] == [True, False]
    assert said[0][:2] == pytest.approx((20, 10), abs=0.1)


def test_a_proposal_is_seen_and_taken_or_dropped(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.CLICK)
    canvas = hand.canvas
    taken, dropped = heard(canvas.proposal_accepted), heard(canvas.proposal_dropped)
    assert not hand.wants(Qt.Key.Key_Return) and not hand.wants(Qt.Key.Key_Escape)
    canvas.set_clicks([(20.0, 10.0, True)])
    hand.key(Qt.Key.Key_Return)
    assert len(taken) == 1, "whoever hears of it waits for the mask"
    taken.clear()
    canvas.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[5:25, 10:40] = True
    canvas.set_clicks([(20.0, 10.0, True)])
    canvas.set_proposal(mask)
    assert colour(canvas, 30, 20) != (100, 100, 100)
    assert colour(canvas, 50, 35) == (100, 100, 100)
    assert not hand.edits
    hand.key(Qt.Key.Key_Return)
    hand.key(Qt.Key.Key_Escape)
    assert len(taken) == 1
    dropped_before = len(dropped)
    assert dropped_before
    canvas.set_tool(Tool.BRUSH)
    assert len(dropped) == dropped_before + 1, "another tool drops it too"
    with pytest.raises(ValueError, match="proposed"):
        canvas.set_proposal(np.zeros((3, 3), np.bool_))


# The inspector


@dataclass(frozen=True)
class Vote:
    frame: int
    x: float
    y: float
    weight: float


VOTES = [Vote(3, 10, 10, 0.2), Vote(0, 20, 20, 0.5), Vote(3, 12, 10, 0.1), Vote(7, 30, 30, 0.2)]


def test_shares_add_up_by_frame() -> None:
    assert [(f, pytest.approx(s)) for f, s in shares(VOTES)] == [(0, 0.5), (3, 0.3), (7, 0.2)]
    assert shares([]) == () == shares([Vote(1, 0, 0, 0.0)])


def test_hovering_asks_at_most_30_times_a_second_and_last_about_the_last_place(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.INSPECT)
    said = heard(hand.canvas.inspect_at)
    for x in range(5, 40):
        hand.hover(x, 20)
    assert len(said) == 1
    qtbot.waitUntil(lambda: len(said) == 2)
    assert said[-1] == pytest.approx((39, 20), abs=0.1)
    hand.hover(-4, 20)
    qtbot.wait(60)
    assert len(said) == 2, "there is nothing to ask about beside the picture"


def test_a_click_holds_the_place_so_that_the_legend_can_be_reached(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.INSPECT)
    canvas = hand.canvas
    said, gone = heard(canvas.inspect_at), heard(canvas.reference_dropped)
    hand.click(20, 20)
    canvas.set_votes(VOTES, 7)
    hand.hover(30, 20)
    qtbot.wait(60)
    assert len(said) == 1
    row = legend(VOTES, canvas.rect().toRectF()).rows[1]
    assert row.frame == 3
    QTest.mouseClick(canvas, LEFT, NONE, row.cross.center().toPoint())
    assert gone == [(3,)]
    QTest.mouseClick(canvas, LEFT, NONE, row.box.topLeft().toPoint())
    assert len(gone) == 1 and len(said) == 1
    canvas.grab()
    hand.key(Qt.Key.Key_Escape)
    hand.hover(30, 25)
    qtbot.waitUntil(lambda: len(said) == 2)


def test_votes_are_seen_while_inspecting_only(qtbot: QtBot) -> None:
    hand = make_hand(qtbot, Tool.INSPECT)
    canvas = hand.canvas
    canvas.set_image(np.full((HEIGHT, WIDTH, 3), 100, np.uint8))
    hand.hover(20, 20)
    canvas.set_votes(VOTES, 7)
    QApplication.sendEvent(canvas, QEvent(QEvent.Type.Leave))
    assert colour(canvas, 30, 30) == (255, 255, 255), "a vote in this frame is filled"
    assert colour(canvas, 10, 10) == (100, 100, 100), "one in another is hollow"
    canvas.set_tool(Tool.PAN)
    assert colour(canvas, 30, 30) == (100, 100, 100)


def test_a_long_list_of_votes_shows_the_first_frames() -> None:
    many = [Vote(k, 0, 0, 1 + k) for k in range(30)]
    laid = legend(many, QRectF(0, 0, 800, 600))
    assert [row.frame for row in laid.rows] == [29, 28, 27, 26, 25, 24, 23, 22]
