"""The export dialog, and what drives it, with a real document and a real folder."""

from __future__ import annotations

from pathlib import Path
from unittest.mock import MagicMock

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from pytestqt.qtbot import QtBot

from app.controllers.exporting import Exporting
from app.core.document import Document
from app.core.media import Media
from app.core.settings import Settings
from app.views.dialogs.export import Choice, ExportDialog
from model.types import LabelMap

CHOICES = (
    Choice("davis", "DAVIS", "", (("images", "Also images", False, ()),)),
    Choice("sleap", "SLEAP", ".slp", (), "there are no keypoints"),
    Choice("alpha", "Alpha", "", (("content", "Holds", "alpha", ("alpha", "cutout")), ("softness", "Width", 3.0, ()))),
    Choice("coco", "COCO", ".json"),
)


@pytest.fixture
def dialog(qtbot: QtBot, tmp_path: Path) -> ExportDialog:
    dialog = ExportDialog(CHOICES, tmp_path, "swan")
    qtbot.addWidget(dialog)
    dialog.show()
    return dialog


def test_options_follow_the_format_and_are_handed_over(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    dialog.choose("alpha")
    assert dialog.options() == {"content": "alpha", "softness": 3.0}
    assert dialog.path.text() == str(tmp_path / "swan alpha")
    with qtbot.waitSignal(dialog.requested) as asked:
        dialog.button.click()
    assert asked.args == ["alpha", tmp_path / "swan alpha", {"content": "alpha", "softness": 3.0}, False, False]


def test_a_missing_suffix_is_added(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    dialog.choose("coco")
    dialog.path.setText(str(tmp_path / "labels"))
    with qtbot.waitSignal(dialog.requested) as asked:
        dialog.button.click()
    assert asked.args[1] == tmp_path / "labels.json"


def test_what_cannot_be_exported_says_why(dialog: ExportDialog) -> None:
    (item,) = dialog.formats.findItems("SLEAP", Qt.MatchFlag.MatchExactly)
    assert item.toolTip() == "there are no keypoints"
    assert not item.flags() & Qt.ItemFlag.ItemIsEnabled


def test_the_last_choice_is_there_again(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    dialog.choose("davis")
    dialog._editors["images"].setChecked(True)  # type: ignore[attr-defined]
    again = ExportDialog(CHOICES, tmp_path, "goose", dialog.state())
    qtbot.addWidget(again)
    assert again.format == "davis" and again.options() == {"images": True}


def test_stages(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    dialog.set_progress(3, 9, False)
    assert dialog.button.text() == "Stop" and dialog.bar.value() == 3
    with qtbot.waitSignal(dialog.stopped):
        dialog.button.click()
    dialog.fail("no room")
    assert dialog.problem.text() == "no room" and dialog.button.text() == "Export"
    dialog.finish(tmp_path, 49)
    assert dialog.says.whole() == "49 files, checked." and dialog.button.text() == "Show folder"


def exporting(folder: Path, qtbot: QtBot) -> tuple[Exporting, Document, MagicMock]:
    """On a folder of three frames with one object painted on the first."""
    (folder / "frames").mkdir()
    for frame in range(3):
        Image.fromarray(np.full((20, 30, 3), 40 * frame, np.uint8)).save(folder / f"frames/{frame:05d}.png")
    document = Document(Media(folder / "frames", (20, 30), 3, 25.0))
    document.add_object("swan")
    ids = np.zeros((20, 30), np.uint8)
    ids[3:9, 4:12] = 1
    document.set_labels(0, LabelMap(ids))
    session, window = MagicMock(), MagicMock()
    session.document = document
    window.actions = {"file.export": QAction("e"), "file.import": QAction("i")}
    controller = Exporting(session, window, Settings(folder / "settings.json"))
    return controller, document, window


def run(controller: Exporting, qtbot: QtBot, target: Path, kind: str = "davis") -> None:
    controller.start(kind, target, {}, False, False)
    qtbot.waitUntil(lambda: controller._thread is None, timeout=20_000)


def test_an_export_is_written_in_the_background(qtbot: QtBot, tmp_path: Path) -> None:
    controller, document, _ = exporting(tmp_path, qtbot)
    with qtbot.waitSignal(controller.exported, timeout=20_000) as done:
        controller.start("davis", tmp_path / "out", {}, False, False)
        document.clear([0])  # the user goes on working; what was asked for is what there was
    assert done.args == [tmp_path / "out"]
    (mask,) = (tmp_path / "out").rglob("*.png")
    assert set(np.unique(Image.open(mask))) == {0, 1}
    qtbot.waitUntil(lambda: controller._thread is None)


def test_a_failed_export_is_told_in_words(qtbot: QtBot, tmp_path: Path) -> None:
    controller, _, window = exporting(tmp_path, qtbot)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("keep")
    run(controller, qtbot, tmp_path / "out")
    assert "exists already" in window.notify.call_args.args[0]
    assert (tmp_path / "out/mine.txt").read_text() == "keep"


def test_what_was_exported_can_be_imported(qtbot: QtBot, tmp_path: Path) -> None:
    controller, document, window = exporting(tmp_path, qtbot)
    before = document.labels(0)
    run(controller, qtbot, tmp_path / "out.json", "coco")
    document.clear([0])
    controller.take_in(tmp_path / "out.json")
    after = document.labels(0)
    assert before is not None and after is not None and np.array_equal(before.ids, after.ids)
    assert "1 frame imported" in window.notify.call_args.args[0]
    document.undo()
    assert document.labels(0) is None


def test_a_file_that_is_no_label_is_told_in_words(qtbot: QtBot, tmp_path: Path) -> None:
    controller, document, window = exporting(tmp_path, qtbot)
    revision = document.revision
    controller.take_in(tmp_path / "settings.json")
    assert "there is no such file" in window.notify.call_args.args[0] and document.revision == revision
