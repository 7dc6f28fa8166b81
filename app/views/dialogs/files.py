"""The system's own dialogs for files, and the questions that have to stop everything."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QMessageBox, QWidget

from app.views.wording import tr

VIDEOS = "*.mp4 *.mov *.mkv *.avi *.webm *.m4v *.mpg *.mpeg *.wmv *.mts *.m2ts *.ts *.ogv *.gif"

LABELS = "*.png *.csv *.h5 *.hdf5 *.json *.slp"

_PROJECT = ".mer"


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
    kinds = f"{tr('MER projects')} (*{_PROJECT})"
    path, _ = QFileDialog.getSaveFileName(parent, tr("Save the project"), str(suggested), kinds)
    return _project_at(Path(path)) if path else None


def _project_at(chosen: Path) -> Path:
    """The project that a chosen path means. One inside a project's folder means that project: dialogs walk into it."""
    inside = [folder for folder in reversed(chosen.parents) if folder.suffix == _PROJECT]
    if inside:
        return inside[0]
    return chosen if chosen.suffix == _PROJECT else chosen.with_name(chosen.name + _PROJECT)


def ask_replace(parent: QWidget, name: str) -> bool:
    """Whether one project may take the place of another, whose labels are lost then."""
    text = tr("There is a project {0} already. Replace it?").format(name)
    box = _question(parent, tr("Save the project"), text, tr("The labels in it are lost."))
    replace = box.addButton(tr("Replace"), QMessageBox.ButtonRole.DestructiveRole)
    keep = box.addButton(tr("Keep it"), QMessageBox.ButtonRole.RejectRole)
    box.setDefaultButton(keep)
    box.exec()
    return box.clickedButton() is replace


def ask_save(parent: QWidget, name: str) -> Answer:
    """What to do with changes that were not saved: closing is the only thing that may not go on without an answer."""
    text = tr("Save the changes of {0}?").format(name)
    box = _question(parent, tr("Close"), text, tr("Otherwise they are lost."))
    save = box.addButton(tr("Save"), QMessageBox.ButtonRole.AcceptRole)
    discard = box.addButton(tr("Do not save"), QMessageBox.ButtonRole.DestructiveRole)
    box.addButton(tr("Go on working"), QMessageBox.ButtonRole.RejectRole)
    save.setProperty("primary", True)
    box.setDefaultButton(save)
    box.exec()
    clicked = box.clickedButton()
    return Answer.SAVE if clicked is save else Answer.DISCARD if clicked is discard else Answer.CANCEL


def _question(parent: QWidget, title: str, text: str, loss: str) -> QMessageBox:
    """A box without buttons yet. loss: what goes if the user says so."""
    box = QMessageBox(parent)
    box.setIcon(QMessageBox.Icon.NoIcon)
    box.setWindowTitle(title)
    box.setText(text)
    box.setInformativeText(loss)
    return box
