"""The main job in the real window: open, paint, propagate, correct, update, undo, save, export."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QMimeData, QPointF, Qt, QUrl
from PySide6.QtGui import QDropEvent

from app.core.lanes import LaneState
from app.io.masks import read_written, write_labels
from app.views.dialogs import files
from model.types import LabelMap, Origin
from tests.windows import FRAMES, HEIGHT, WIDTH, Desk, desk, home, overlap

__all__ = ["desk", "home"]


def notices(desk: Desk) -> list[str]:
    return [notice.text for notice in desk.window.notices.notices]


def test_a_video_opens_and_says_what_to_do(desk: Desk) -> None:
    assert desk.window.page == "welcome"
    desk.open()
    assert desk.window.page == "editor"
    assert desk.window.canvas.image_size == (HEIGHT, WIDTH)
    assert "Paint the object" in desk.window.hints.text()
    assert not desk.window.actions["propagate.forward"].isEnabled()
    assert "Label a frame first" in desk.window.actions["propagate.forward"].toolTip()


def test_the_first_stroke_makes_object_1_and_lights_propagate(desk: Desk) -> None:
    desk.open()
    desk.window.canvas.set_brush(9)
    desk.stroke((20, 20), (40, 20))
    document = desk.session.document
    assert [(info.id, info.name) for info in document.objects] == [(1, "object 1")]
    ids = desk.stored[0]
    assert ids[20, 20] == ids[20, 40] == 1 and ids[60, 60] == 0
    assert desk.window.actions["propagate.forward"].isEnabled()
    assert document.store.get(0).origin is Origin.HUMAN
    desk.stroke((20, 20), (40, 20), button=Qt.MouseButton.RightButton)
    assert not desk.stored[0].any()


def test_labels_reach_every_frame_and_a_run_is_one_undo(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.key(Qt.Key.Key_F)
    desk.wait(lambda: not desk.studio.propagating.is_running)
    assert sorted(desk.stored) == list(range(FRAMES))
    assert all(overlap(desk.stored[f], desk.truth[f], n) > 0.6 for f in range(FRAMES) for n in (1, 2))
    assert f"{FRAMES - 1} frames." in notices(desk)[-1]
    assert desk.session.shown == FRAMES - 1  # it followed
    lane = desk.studio.overview._book.lanes[0]
    assert lane.states.tolist() == [LaneState.HUMAN] + [LaneState.PROPAGATED] * (FRAMES - 1)
    desk.does("edit.undo")
    assert sorted(desk.stored) == [0]
    desk.does("edit.redo")
    assert sorted(desk.stored) == list(range(FRAMES))


def test_a_correction_makes_its_surroundings_stale_and_an_update_redoes_these_alone(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.label(FRAMES - 1)
    desk.propagate("propagate.both")
    kept = desk.session.document.store.get(1)
    desk.label(3)
    assert desk.session.document.store.get(3).origin is Origin.CORRECTED
    assert desk.session.document.stale() == (1, 2, 4, 5, 6)
    assert desk.window.actions["propagate.update"].text() == "Update 5 stale frames"
    desk.label(5)
    assert desk.session.document.stale() == (1, 2, 4, 6)
    desk.propagate("propagate.update")
    assert desk.session.document.stale() == ()
    assert desk.session.document.store.get(1) is not kept
    assert np.array_equal(desk.stored[3], desk.truth[3])
    assert not desk.window.actions["propagate.update"].isEnabled()


def test_stopping_keeps_what_is_finished_and_going_on_makes_the_rest(qtbot, tmp_path: Path, home: Path) -> None:
    desk = Desk(qtbot, tmp_path, frames=16)
    try:
        desk.open()
        desk.label(0)
        desk.studio.inference.result.connect(lambda job, frame, labels: frame == 2 and desk.does("propagate.stop"))
        desk.does("propagate.forward")
        desk.wait(lambda: not desk.studio.propagating.is_running)
        kept = desk.stored
        assert 3 <= len(kept) < 16
        notice = desk.window.notices.notices[-1]
        assert notice.text.startswith("Stopped") and notice.button.text() == "Go on"
        notice.button.click()
        desk.wait(lambda: not desk.studio.propagating.is_running)
        assert sorted(desk.stored) == list(range(16))
        assert all(np.array_equal(desk.stored[f], ids) for f, ids in kept.items())
    finally:
        desk.close()


def test_undo_while_a_run_is_under_way_stops_it_first(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    arrived: list[int] = []

    def undo(job: int, frame: int, labels: object) -> None:
        arrived.append(frame)
        if len(arrived) == 2:
            desk.does("edit.undo")

    desk.studio.inference.result.connect(undo)
    desk.does("propagate.forward")
    desk.wait(lambda: len(arrived) >= 2 and not desk.studio.propagating.is_running)
    desk.qtbot.wait(200)
    assert sorted(desk.stored) == [0]


def test_editing_goes_on_while_labels_arrive(desk: Desk) -> None:
    desk.open()
    desk.label(0)
    desk.window.actions["propagate.follow"].setChecked(False)
    edited: list[int] = []

    def edit(job: int, frame: int, labels: object) -> None:
        if not edited:
            edited.append(frame)
            desk.window.canvas.labels_edited.emit(desk.session.document.labels(0), "Paint")  # frame 0 is shown
            desk.studio.objects.add()

    desk.studio.inference.result.connect(edit)
    desk.propagate()
    assert edited and sorted(desk.stored) == list(range(FRAMES))
    assert len(desk.session.document.objects) == 3


def test_a_project_is_saved_closed_and_opened_again(desk: Desk, tmp_path: Path, monkeypatch) -> None:
    desk.open()
    desk.label(0)
    desk.propagate()
    before = desk.stored
    assert desk.window.isWindowModified()
    folder = tmp_path / "swan.mer"
    monkeypatch.setattr(files, "save_project", lambda parent, suggested: folder)
    desk.does("file.save")
    desk.wait(lambda: desk.window.windowTitle().startswith("swan"))
    assert not desk.window.isWindowModified()
    desk.does("file.close")
    assert desk.window.page == "welcome"
    desk.window.welcome.recent_opened.emit(folder)
    desk.wait(lambda: desk.session.picture is not None)
    assert desk.stored.keys() == before.keys()
    assert all(np.array_equal(desk.stored[f], before[f]) for f in before)


@pytest.mark.parametrize(("answer", "open_after"), [(files.Answer.CANCEL, True), (files.Answer.DISCARD, False)])
def test_closing_asks_about_what_is_not_saved(desk: Desk, monkeypatch, answer: files.Answer, open_after: bool) -> None:
    desk.open()
    desk.label(0)
    asked: list[str] = []
    monkeypatch.setattr(files, "ask_save", lambda parent, name: asked.append(name) or answer)
    desk.does("file.close")
    assert asked == ["clip"] and desk.session.is_open is open_after


def test_what_cannot_be_opened_leaves_everything_as_it_was(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    project = desk.session.project
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video at all")
    desk.studio.opening.open(broken)
    desk.wait(lambda: bool(notices(desk)))
    assert "broken.mp4" in notices(desk)[-1]
    assert desk.session.project is project and desk.session.picture is not None


def test_a_video_that_moved_is_found_again(desk: Desk, tmp_path: Path, monkeypatch) -> None:
    desk.open()
    desk.label(0)
    folder = tmp_path / "swan.mer"
    assert desk.studio.saving.save_to(folder)
    desk.does("file.close")
    moved = tmp_path / "elsewhere"
    desk.video.rename(moved)
    desk.studio.opening.open(folder)
    desk.wait(lambda: bool(notices(desk)))
    notice = desk.window.notices.notices[-1]
    monkeypatch.setattr(desk.studio.opening, "_ask_media", lambda entry: moved)
    notice.button.click()
    desk.wait(lambda: desk.session.picture is not None)
    assert desk.session.document.media.path == moved.resolve() and sorted(desk.stored) == [0]


def export_masks(desk: Desk, folder: Path) -> None:
    desk.does("file.export")
    dialog = desk.studio.exchanging.dialog
    dialog.choose("davis")
    dialog.path.setText(str(folder))
    dialog.button.click()
    desk.wait(lambda: dialog.button.text() == "Show folder")
    dialog.close()


def test_an_export_is_written_and_checked(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    desk.propagate()
    export_masks(desk, tmp_path / "masks")
    written = sorted((tmp_path / "masks").rglob("*.png"))
    assert len(written) == FRAMES
    assert all(np.array_equal(read_written(path).ids, desk.stored[n]) for n, path in enumerate(written))


def test_labels_come_back_from_an_import_as_one_undo(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    desk.label(4)
    export_masks(desk, tmp_path / "masks")
    desk.session.document.clear([0, 4])
    desk.studio.exchanging.take(tmp_path / "masks")
    desk.wait(lambda: sorted(desk.stored) == [0, 4])
    assert np.array_equal(desk.stored[4], desk.truth[4])
    assert desk.window.notices.notices[-1].text == "2 labelled frames were read."
    desk.does("edit.undo")
    assert desk.stored == {}


def test_an_import_over_labels_says_so(desk: Desk, tmp_path: Path) -> None:
    desk.open()
    desk.label(0)
    desk.label(4)
    export_masks(desk, tmp_path / "masks")
    desk.session.document.clear([4])
    desk.session.document.set_labels(0, LabelMap(np.roll(desk.truth[0], 5, axis=1)))
    before = desk.stored
    desk.studio.exchanging.take(tmp_path / "masks")
    desk.wait(lambda: sorted(desk.stored) == [0, 4])
    told = desk.window.notices.notices[-1].text
    assert told == "2 labelled frames were read. Yours were replaced on 1 of them: undo brings them back."
    desk.does("edit.undo")
    assert np.array_equal(desk.stored[0], before[0]) and 4 not in desk.stored


def drop(desk: Desk, path: Path) -> None:
    data, either = QMimeData(), Qt.DropAction.MoveAction | Qt.DropAction.CopyAction
    data.setUrls([QUrl.fromLocalFile(str(path))])
    event = QDropEvent(QPointF(50, 50), either, data, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier)
    desk.window.dropEvent(event)
    assert event.dropAction() is Qt.DropAction.CopyAction, "what was moved might be deleted where it was"


def test_what_is_dropped_is_opened_and_labels_are_read(desk: Desk, tmp_path: Path) -> None:
    drop(desk, desk.video)
    desk.wait(lambda: desk.session.picture is not None)
    assert desk.session.document.media.path == desk.video.resolve()
    masks = tmp_path / "masks"
    for frame in (2, 5):
        write_labels(masks / f"{frame:05d}.png", LabelMap(desk.truth[frame]))
    drop(desk, masks)
    desk.wait(lambda: set(desk.stored) == {2, 5})
    write_labels(tmp_path / "00000.png", LabelMap(desk.truth[0]))
    drop(desk, tmp_path / "00000.png")
    desk.wait(lambda: set(desk.stored) == {0, 2, 5})


def test_a_folder_of_masks_is_imported_from_the_menu(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file dialog chooses files alone: masks of many frames would have to be dropped."""
    for frame in (0, 5):
        write_labels(tmp_path / "masks" / f"{frame:05d}.png", LabelMap(desk.truth[frame]))
    monkeypatch.setattr(files, "open_label_folder", lambda parent, folder: tmp_path / "masks")
    desk.open()
    desk.does("file.import_folder")
    desk.wait(lambda: sorted(desk.stored) == [0, 5])
    assert all(np.array_equal(desk.stored[frame], desk.truth[frame]) for frame in (0, 5))
    desk.does("edit.undo")
    assert desk.stored == {}
