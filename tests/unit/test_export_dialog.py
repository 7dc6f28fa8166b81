"""The export dialog."""

from __future__ import annotations

from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from pytestqt.qtbot import QtBot

from app.views.dialogs.export import Choice, ExportDialog

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


def test_one_export_may_follow_another(qtbot: QtBot, dialog: ExportDialog, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    dialog.choose("davis")
    dialog.path.setText(str(elsewhere / "masks"))
    dialog.button.click()
    assert not dialog.formats.isEnabled()
    dialog.finish(elsewhere / "masks", 49)
    dialog.choose("coco")
    assert dialog.button.text() == "Export" and Path(dialog.path.text()).parent == elsewhere
    dialog.finish(elsewhere / "a.json", 1)
    item = dialog.formats.visualItemRect(dialog.formats.currentItem())
    qtbot.mouseClick(dialog.formats.viewport(), Qt.MouseButton.LeftButton, pos=item.center())
    assert dialog.button.text() == "Export", "the same format once more"
