"""The skeleton editor: name keypoints on the left, join them on the right."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QAbstractItemView,
    QDialog,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from app.core.objects import Skeleton
from app.core.skeletons import PRESETS, SkeletonDraft
from app.views.dialogs.setting_line import words
from app.views.dialogs.skeleton_sketch import SkeletonSketch
from app.views.theme import UNIT, mark
from app.views.widgets import push_button, row


class SkeletonDialog(QDialog):
    """Accepted: `skeleton` and `renamed` are what the document is to take over."""

    def __init__(self, skeleton: Skeleton, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(self.tr("Skeleton"))
        self.resize(96 * UNIT, 68 * UNIT)
        self._draft = SkeletonDraft.of(skeleton)
        self._joining: int | None = None
        self._list = QListWidget()
        self._list.setAccessibleName(self.tr("Keypoints"))
        self._list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self._list.itemChanged.connect(self._renamed)
        self._list.itemSelectionChanged.connect(self._update)
        self._sketch = SkeletonSketch()
        self._sketch.pressed.connect(self._pressed)
        self._says = QLabel(wordWrap=True)
        add = push_button(self.tr("Add point"), "ph.plus")
        add.clicked.connect(self.add_point)
        self._remove = push_button(self.tr("Remove"), "ph.trash")
        self._remove.clicked.connect(self.remove_points)
        self._join = push_button(self.tr("Join"), "ph.link")
        self._join.clicked.connect(self.join_points)
        presets = push_button(self.tr("Take a ready one"))
        menu = QMenu(self)
        for name, preset in PRESETS.items():
            menu.addAction(words(name)).triggered.connect(lambda _=False, preset=preset: self.take(preset))
        presets.setMenu(menu)
        done, cancel = push_button(self.tr("Use this skeleton"), primary=True), push_button(self.tr("Cancel"))
        done.clicked.connect(self.accept)
        done.setDefault(True)
        cancel.clicked.connect(self.reject)
        left = QVBoxLayout()
        left.setSpacing(UNIT)
        left.addWidget(self._list, 1)
        left.addLayout(row(add, self._remove, self._join))
        across = row(None, self._sketch)
        across.takeAt(0)
        across.insertLayout(0, left)
        across.setStretch(1, 1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, 2 * UNIT, 2 * UNIT, 2 * UNIT)
        layout.setSpacing(UNIT)
        layout.addLayout(across, 1)
        layout.addWidget(self._says)
        layout.addLayout(row(presets, None, cancel, done))
        self._fill()

    @property
    def skeleton(self) -> Skeleton:
        return self._draft.skeleton()

    @property
    def renamed(self) -> Mapping[str, str]:
        """Old names and new ones."""
        return self._draft.renamed()

    def take(self, skeleton: Skeleton) -> None:
        """Another skeleton instead of what is there."""
        self._draft.take(skeleton)
        self._joining = None
        self._fill()

    def add_point(self) -> None:
        """A new point, whose name can be typed at once."""
        position = self._draft.add(self.tr("point"))
        self._fill()
        self._list.setCurrentRow(position)
        self._list.editItem(self._list.item(position))

    def remove_points(self) -> None:
        """The chosen points and their bones."""
        for position in sorted(self._chosen(), reverse=True):
            self._draft.remove(position)
        self._joining = None
        self._fill()

    def join_points(self) -> None:
        """A bone between the two chosen points, or none any more."""
        a, b = self._chosen()
        self._draft.toggle_bone(a, b)
        self._update()

    def _chosen(self) -> list[int]:
        return sorted(self._list.row(item) for item in self._list.selectedItems())

    def _pressed(self, position: int) -> None:
        """The first click on the drawing chooses a point, the second joins or parts the two."""
        if self._joining is None:
            self._joining = position
        else:
            self._draft.toggle_bone(self._joining, position)
            self._joining = None
        self._update()

    def _renamed(self, item: QListWidgetItem) -> None:
        position = self._list.row(item)
        try:
            self._draft.rename(position, item.text())
        except ValueError as error:
            self._say(str(error), "error")
            self._show_name(position)
        else:
            self._update()

    def _fill(self) -> None:
        blocked = self._list.blockSignals(True)
        self._list.clear()
        for name, _ in self._draft.points:
            item = QListWidgetItem(name)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsEditable)
            self._list.addItem(item)
        self._list.blockSignals(blocked)
        self._update()

    def _show_name(self, position: int) -> None:
        blocked = self._list.blockSignals(True)
        self._list.item(position).setText(self._draft.points[position][0])
        self._list.blockSignals(blocked)

    def _update(self) -> None:
        chosen = self._chosen()
        self._remove.setEnabled(bool(chosen))
        self._join.setEnabled(len(chosen) == 2)
        joined = len(chosen) == 2 and (chosen[0], chosen[1]) in self._draft.bones
        self._join.setText(self.tr("Part") if joined else self.tr("Join"))
        self._join.setToolTip(self.tr("Choose two points in the list, or click them in the drawing"))
        self._sketch.set_skeleton(self.skeleton, self._joining)
        if self._joining is not None:
            name = self._draft.points[self._joining][0]
            self._say(self.tr("Now click the point that “{0}” is to be joined with, or parted from").format(name))
        elif not self._draft.points:
            self._say(self.tr("Add points, or take a ready skeleton"))
        else:
            self._say(self.tr("Click two points of the drawing to join them; double click a name to change it"))

    def _say(self, text: str, tone: str = "quiet") -> None:
        self._says.setText(text)
        mark(self._says, tone=tone)
