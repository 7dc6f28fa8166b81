"""Tools, panels and views of the real window, used as a person would."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import Qt

from app.core.objects import Skeleton
from app.jobs.queries import ClickSegment, Clusters, FeaturePca, Flow, Votes
from app.views.dialogs import files
from app.views.drawing import SURE
from model.types import Origin
from tests.windows import FRAMES, HEIGHT, Desk, desk, home, overlap

__all__ = ["desk", "home"]


def answered(desk: Desk, kind: type) -> None:
    desk.wait(lambda: not desk.studio._questions.is_waiting(kind))


def clicked(desk: Desk, x: float, y: float, button: Qt.MouseButton = Qt.MouseButton.LeftButton) -> None:
    desk.click(x, y, button)
    answered(desk, ClickSegment)


# Click to segment


def test_a_click_proposes_the_object_and_enter_takes_it(desk: Desk) -> None:
    desk.open()
    desk.key(Qt.Key.Key_W)
    clicked(desk, 18, 18)
    canvas = desk.window.canvas
    assert canvas.surface.proposal is not None and desk.stored == {}
    desk.qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert canvas.surface.proposal is None
    assert overlap(desk.stored[0], desk.truth[0], 1) > 0.6
    desk.does("edit.undo")
    assert desk.stored == {}


def test_going_on_with_something_else_takes_the_proposal_and_esc_drops_it(desk: Desk) -> None:
    desk.open()
    desk.key(Qt.Key.Key_W)
    clicked(desk, 18, 18)
    desk.qtbot.keyClick(desk.window.canvas, Qt.Key.Key_Escape)
    assert desk.window.canvas.surface.proposal is None and desk.stored == {}
    clicked(desk, 18, 18)
    desk.key(Qt.Key.Key_Right)
    desk.wait(lambda: desk.session.shown == 1)
    assert desk.stored[0][18, 18] == 1 and 1 not in desk.stored
    clicked(desk, 18, 22)
    desk.does("propagate.forward")
    assert desk.session.document.references == (0, 1)
    desk.wait(lambda: not desk.studio.propagating.is_running)


def test_enter_before_the_mask_is_there_takes_it_when_it_comes(desk: Desk) -> None:
    desk.open()
    desk.key(Qt.Key.Key_W)
    desk.click(18, 18)
    canvas = desk.window.canvas
    assert canvas.looking and canvas.surface.proposal is None
    desk.qtbot.keyClick(canvas, Qt.Key.Key_Return)
    assert canvas.clicks and desk.stored == {}
    answered(desk, ClickSegment)
    assert not canvas.clicks and overlap(desk.stored[0], desk.truth[0], 1) > 0.6


def test_undo_takes_the_last_click_back_first(desk: Desk) -> None:
    desk.open()
    desk.key(Qt.Key.Key_W)
    clicked(desk, 18, 18)
    first = desk.window.canvas.surface.proposal.copy()
    clicked(desk, 100, 20)
    assert desk.window.canvas.surface.proposal[20, 100]
    desk.does("edit.undo")
    answered(desk, ClickSegment)
    assert np.array_equal(desk.window.canvas.surface.proposal, first)
    desk.does("edit.undo")
    assert desk.window.canvas.surface.proposal is None


def test_locked_objects_keep_their_pixels_when_a_proposal_is_taken(desk: Desk) -> None:
    desk.open()
    desk.label(0, np.where(np.arange(HEIGHT)[:, None] < 14, 1, np.zeros((1, 144), int)).astype(np.uint8))
    desk.studio.objects._change(1, locked=True)
    desk.studio.objects.add()
    desk.key(Qt.Key.Key_W)
    clicked(desk, 18, 24)
    desk.qtbot.keyClick(desk.window.canvas, Qt.Key.Key_Return)
    assert (desk.stored[0][:14] == 1).all() and desk.stored[0][24, 18] == 2


# Objects


def test_an_object_added_in_mid_video_leaves_the_others_as_they_are(desk: Desk) -> None:
    desk.open()
    desk.label(0, np.where(desk.truth[0] == 1, 1, 0).astype(np.uint8))
    desk.propagate()
    before = {f: ids == 1 for f, ids in desk.stored.items()}
    desk.go_to(4)
    desk.does("labels.new_object")
    both = desk.stored[4].copy()
    both[desk.truth[4] == 2] = 2
    desk.label(4, both)
    desk.propagate("propagate.both")
    assert desk.studio.objects.current == 2
    known = desk.session.document.store.get(0)
    assert np.array_equal(desk.stored[0] == 1, before[0]) and known.labels.objects == (1,)  # a person's frame
    assert all(overlap(desk.stored[f], desk.truth[f], 2) > 0.8 for f in range(FRAMES)), "carried onto that as well"
    same = [np.count_nonzero(before[f] & (desk.stored[f] == 1)) / before[f].sum() for f in range(FRAMES)]
    assert min(same) > 0.8


def test_objects_are_chosen_shown_alone_and_removed(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.key(Qt.Key.Key_1)
    assert desk.studio.objects.current == 1
    desk.key(Qt.Key.Key_S)
    assert desk.studio.objects.solo == 1 and desk.window.actions["labels.solo"].isChecked()
    desk.key(Qt.Key.Key_2)
    assert desk.studio.objects.solo == 2
    desk.key(Qt.Key.Key_S)
    assert desk.studio.objects.solo is None
    desk.key(Qt.Key.Key_7)
    assert desk.studio.objects.current == 2 and "no object 7" in desk.window.canvas.message
    desk.does("labels.remove_object")
    assert set(np.unique(desk.stored[0])) == {0, 1} and desk.studio.objects.current == 1
    desk.does("edit.undo")
    assert set(np.unique(desk.stored[0])) == {0, 1, 2}


def test_del_erases_the_chosen_object_and_leaves_a_locked_one(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.key(Qt.Key.Key_2)
    desk.key(Qt.Key.Key_Delete)
    assert set(np.unique(desk.stored[0])) == {0, 1}
    assert desk.session.document.labels(0).objects == (1, 2)  # it is known not to be there
    desk.key(Qt.Key.Key_1)
    desk.studio.objects._change(1, locked=True)
    desk.key(Qt.Key.Key_Delete)
    assert 1 in desk.stored[0] and "locked" in desk.window.canvas.message


# Keypoints


def test_keypoints_are_placed_hidden_moved_and_carried(desk: Desk) -> None:
    desk.open()
    desk.session.document.set_skeleton(Skeleton(("corner", "middle"), ((0, 1),)))
    desk.key(Qt.Key.Key_K)
    desk.click(18, 18)
    desk.click(30, 30)
    points = desk.session.document.keypoints(0)
    assert points.names == ("corner", "middle") and points.visible.all()
    assert np.abs(points.xy - [(18, 18), (30, 30)]).max() < 0.6
    desk.click(30, 30, Qt.MouseButton.RightButton)
    assert desk.session.document.keypoints(0).visible.tolist() == [True, False]
    desk.click(30, 30, Qt.MouseButton.RightButton)
    desk.propagate()
    assert desk.session.document.keypoints(FRAMES - 1).visible.any()
    desk.go_to(3)
    desk.stroke(tuple(desk.session.document.keypoints(3).xy[0]), (60, 60))
    assert np.abs(desk.session.document.keypoints(3).xy[0] - (60, 60)).max() < 0.6
    assert desk.session.document.store.get(3).origin is Origin.CORRECTED


# Looking


@pytest.mark.parametrize(("mode", "kind"), [("flow", Flow), ("pca", FeaturePca), ("clusters", Clusters)])
def test_pictures_are_worked_out_for_the_frame_that_is_shown(desk: Desk, mode: str, kind: type) -> None:
    desk.open()
    desk.does(f"view.{mode}")
    answered(desk, kind)
    first = desk.window.canvas.surface.layer
    assert first is not None
    desk.go_to(3)
    answered(desk, kind)
    assert desk.window.canvas.surface.layer is not first
    desk.does("view.labels")
    assert desk.window.canvas.surface.layer is None


def test_what_the_encoder_cannot_show_is_not_offered(desk: Desk) -> None:
    desk.open()
    desk.wait(lambda: not desk.window.actions["view.value"].isEnabled())
    assert "value extraction" in desk.window.actions["view.value"].toolTip()


def test_an_answer_for_a_frame_that_was_left_is_not_shown(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open()
    layers: list[np.ndarray | None] = []
    put = desk.window.canvas.set_layer
    monkeypatch.setattr(desk.window.canvas, "set_layer", lambda rgb: layers.append(rgb) or put(rgb))
    desk.does("view.flow")
    desk.session.go_to(5)
    desk.session.go_to(2)
    desk.wait(lambda: desk.session.shown == 2)
    before = len(layers)
    answered(desk, Flow)
    desk.wait(lambda: bool(layers) and layers[-1] is not None)
    kept = {query.frame: picture.rgb for query, picture in desk.studio.viewing._kept.items()}
    assert layers[-1] is kept[2]
    assert all(layer is None or layer is kept[2] for layer in layers[before:])


def test_doubt_is_hatched_where_it_is_known(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.propagate()
    desk.does("view.doubt")
    confidence = desk.window.canvas.surface.confidence
    assert confidence is not None and 0 < (confidence < SURE).mean() < 0.3  # some of it is hatched, most is not
    desk.go_to(0)
    assert desk.window.canvas.surface.confidence is None  # a person's labels are not in doubt


def test_the_inspector_shows_who_votes_and_drops_a_reference(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.label(6)
    desk.propagate("propagate.both")
    desk.go_to(4)
    desk.does("view.votes")
    desk.window.canvas.inspect_at.emit(18.0, 30.0)
    answered(desk, Votes)
    votes = desk.window.canvas.votes
    assert votes and sum(v.weight for v in votes) == pytest.approx(1, abs=1e-4)
    assert {v.frame for v in votes} <= {0, 1, 3, 5, 6, 7}
    desk.window.canvas.reference_dropped.emit(6)
    assert desk.session.document.references == (0,)
    assert desk.session.document.stale() == (1, 2, 3, 4, 5, 7)
    desk.window.references_panel.dropped.emit(6, False)
    assert desk.session.document.stale() == ()


def test_without_a_reference_nobody_votes(desk: Desk) -> None:
    desk.open()
    desk.does("view.votes")
    desk.window.canvas.inspect_at.emit(18.0, 30.0)
    assert "No other frame votes" in desk.window.canvas.message


# Going about


def test_frames_are_reached_by_keys_and_the_span_by_brackets(desk: Desk) -> None:
    desk.open()
    for key, frame in (
        (Qt.Key.Key_Right, 1),
        (Qt.Key.Key_D, 2),
        (Qt.Key.Key_End, FRAMES - 1),
        (Qt.Key.Key_Right, FRAMES - 1),
        (Qt.Key.Key_Home, 0),
        (Qt.Key.Key_A, 0),
    ):
        desk.key(key)
        assert desk.session.frame == frame
    desk.session.go_to(2)
    desk.key(Qt.Key.Key_BracketLeft)
    desk.session.go_to(5)
    desk.key(Qt.Key.Key_BracketRight)
    assert desk.session.document.span == (2, 6)
    desk.session.go_to(1)
    desk.key(Qt.Key.Key_BracketRight)
    assert desk.session.document.span == (0, 2)
    desk.does("propagate.whole")
    assert desk.session.document.span == (0, FRAMES)


def test_labelled_frames_and_doubtful_ones_are_jumped_to(desk: Desk) -> None:
    desk.open()
    desk.label(1)
    desk.label(6)
    desk.session.go_to(3)
    desk.key(Qt.Key.Key_Right, Qt.KeyboardModifier.AltModifier)
    assert desk.session.frame == 6
    desk.key(Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    assert desk.session.frame == 1
    desk.propagate("propagate.both")
    desk.studio.overview._look = lambda: None  # what is doubtful is said below
    desk.studio.overview._doubts = [4, 2, 7]
    for frame in (4, 2, 7, 4):
        desk.studio.overview.go_to_doubt()
        assert desk.session.frame == frame


def test_it_plays_with_its_labels_to_the_end(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.propagate()
    desk.go_to(0)
    shown: list[int] = []
    desk.session.pictured.connect(lambda picture: shown.append(picture.index))
    desk.key(Qt.Key.Key_Space)
    assert desk.studio.playback.is_playing
    desk.wait(lambda: not desk.studio.playback.is_playing)
    desk.wait(lambda: desk.session.shown == FRAMES - 1)
    assert shown == sorted(shown)
    assert np.array_equal(desk.window.canvas.surface.ids, desk.stored[FRAMES - 1])


def test_scrubbing_on_the_timeline_moves_the_canvas(desk: Desk) -> None:
    desk.open()
    desk.window.timeline.scrubbed.emit(6)
    desk.wait(lambda: desk.session.shown == 6)
    assert desk.window.transport._number.text() == "6"


def test_a_proposal_is_saved_with_the_rest(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.open()
    desk.key(Qt.Key.Key_W)
    clicked(desk, 18, 18)
    monkeypatch.setattr(files, "save_project", lambda parent, suggested: tmp_path / "a.mer")
    desk.does("file.save")
    assert desk.stored[0][18, 18] == 1
    desk.wait(lambda: not desk.session.project.is_dirty)
