"""The system's own dialogs for files, and the one question that has to stop everything."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.views.wording import tr

VIDEOS = "*.mp4 *.mov *.mkv *.avi *.webm *.m4v *.mpg *.mpeg *.wmv *.mts *.m2ts *.ts *.ogv *.gif"

LABELS = "*.png *.csv *.h5 *.hdf5 *.json *.slp"


class Answer(StrEnum):
    SAVE = "save"
    DISCARD = "discard"
    CANCEL = "cancel"


def open_video(parent: QWidget, folder: str = "") -> Path | None:
    """A video that the user chose, or None."""
    kinds = f"{tr('Videos')} ({VIDEOS});;{tr('All files')} (*)"
    path, _ = QFileDialog.getOpenFileName(parent, tr("Open video"), folder, kinds)
    return Path(path) if path else None


def open_folder(parent: QWidget, folder: str = "") -> Path | None:
    """A project, or a folder of frames, that the user chose, or None."""
    path = QFileDialog.getExistingDirectory(parent, tr("Open a project or a folder of frames"), folder)
    return Path(path) if path else None


def open_labels(parent: QWidget, folder: str = "") -> Path | None:
    """Labels to import that the user chose, or None."""
    kinds = f"{tr('Labels')} ({LABELS});;{tr('All files')} (*)"
    path, _ = QFileDialog.getOpenFileName(parent, tr("Import labels"), folder, kinds)
    return Path(path) if path else None


def open_label_folder(parent: QWidget, folder: str = "") -> Path | None:
    """A folder of labels to import that the user chose, or None."""
    path = QFileDialog.getExistingDirectory(parent, tr("Import a folder of masks"), folder)
    return Path(path) if path else None


def save_project(parent: QWidget, suggested: Path) -> Path | None:
    """Where to save a project, with its suffix, or None."""
    kinds = f"{tr('MER projects')} (*.mer)"
    path, _ = QFileDialog.getSaveFileName(parent, tr("Save the project"), str(suggested), kinds)
    return Path(path if path.endswith(".mer") else f"{path}.mer") if path else None


def ask_save(parent: QWidget, name: str) -> Answer:
    """What to do with changes that were not saved: closing is the only thing that may not go on without an answer."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setWindowTitle(tr("Close"))
    box.setText(tr("Save the changes of {0}?").format(name))
    box.setInformativeText(tr("Otherwise they are lost."))
    save = box.addButton(tr("Save"), QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton(tr("Do not save"), QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(tr("Go on working"), QMessageBox.ButtonRole.RejectRole)
    save.setProperty("primary", True)
    box.setDefaultButton(save)
    box.exec()
    clicked = box.clickedButton()
    return Answer.SAVE if clicked is save else Answer.DISCARD if clicked is discard else Answer.CANCEL
