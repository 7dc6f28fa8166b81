"""The references: frames that a person vouches for, one chip each, in a flow."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtGui import QAction, QColor, QMouseEvent, QPainter
from PySide6.QtWidgets import (
    QAbstractItemView,
    QListView,
    QMenu,
    QStackedLayout,
    QStyle,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QVBoxLayout,
)

from app.views import icons
from app.views.panels.dock import Panel
from app.views.theme import UNIT, colours
from app.views.widgets import ActionButton, EmptyState, row
from model.types import Origin

CHIP_HEIGHT, MARK, CROSS = 28, 10, 12
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True, slots=True)
class Reference:
    frame: int
    dropped: bool
    origin: str


class _Model(QAbstractListModel):
    def __init__(self) -> None:
        super().__init__()
        self.references: list[Reference] = []
        self.current = -1

    def set(self, references: list[Reference]) -> None:
        if references != self.references:
            self.beginResetModel()
            self.references = references
            self.endResetModel()

    def find(self, frame: int) -> QModelIndex | None:
        """Where a frame's reference is, if it has one."""
        row = bisect_left(self.references, frame, key=lambda reference: reference.frame)
        found = row < len(self.references) and self.references[row].frame == frame
        return self.index(row) if found else None

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.references)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        reference = self.references[index.row()]
        if role == Qt.ItemDataRole.DisplayRole:
            return str(reference.frame)
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole):
            return self._says(reference)
        return None

    def _says(self, reference: Reference) -> str:
        if reference.dropped:
            return self.tr("Frame {0} was dropped: nothing is propagated from it").format(reference.frame)
        if reference.origin == Origin.CORRECTED:
            return self.tr("Frame {0}, corrected by hand").format(reference.frame)
        return self.tr("Frame {0}, labelled by hand").format(reference.frame)


class _Chips(QStyledItemDelegate):
    """Draws a chip: a diamond as on the timeline, the number, and a cross under the pointer."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        widest = option.fontMetrics.horizontalAdvance(str(index.data()))
        return QSize(max(6 * UNIT, 6 + MARK + 6 + widest + 4 + CROSS + 6), CHIP_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, _Model)
        reference, now = model.references[index.row()], colours()
        rect = option.rect.adjusted(0, 1, -1, -2)
        here = reference.frame == model.current
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        colour = QColor(now.faint if reference.dropped else now.text)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QColor(now.accent_text if here else now.line))
        painter.setBrush(QColor(now.tint if here else (now.hover if hovered else now.raised)))
        painter.drawRoundedRect(rect, 6, 6)
        self._diamond(painter, QPoint(rect.left() + 12, rect.center().y()), colour, reference)
        font = option.font
        font.setStrikeOut(reference.dropped)
        painter.setFont(font)
        painter.setPen(colour)
        painter.drawText(rect.adjusted(22, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter, str(reference.frame))
        if hovered:
            name = "ph.arrow-counter-clockwise" if reference.dropped else "ph.x"
            painter.drawPixmap(self.cross(option.rect).topLeft(), icons.pixmap(name, CROSS, now.quiet))
        painter.restore()

    def cross(self, rect: QRect) -> QRect:
        """Where the cross of a chip is."""
        return QRect(rect.right() - CROSS - 5, rect.center().y() - CROSS // 2, CROSS, CROSS)

    def _diamond(self, painter: QPainter, centre: QPoint, colour: QColor, reference: Reference) -> None:
        """Filled: labelled by hand. With a hole: corrected. Empty: dropped."""
        painter.save()
        painter.translate(centre)
        painter.rotate(45)
        painter.setPen(colour)
        painter.setBrush(Qt.BrushStyle.NoBrush if reference.dropped else colour)
        painter.drawRect(-3, -3, 6, 6)
        if reference.origin == Origin.CORRECTED and not reference.dropped:
            painter.fillRect(-1, -1, 3, 3, QColor(colours().raised))
        painter.restore()


class _List(QListView):
    """A click on a chip goes there; one on its cross drops it."""

    jumped = Signal(int)
    dropped = Signal(int, bool)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        place = event.position().toPoint()
        index, model, delegate = self.indexAt(place), self.model(), self.itemDelegate()
        assert isinstance(model, _Model) and isinstance(delegate, _Chips)
        if event.button() is Qt.MouseButton.LeftButton and index.isValid():
            reference = model.references[index.row()]
            if delegate.cross(self.visualRect(index)).adjusted(-4, -6, 6, 6).contains(place):
                self.dropped.emit(reference.frame, not reference.dropped)
            else:
                self.jumped.emit(reference.frame)
        super().mouseReleaseEvent(event)


class ReferencesPanel(Panel):
    """dropped: the frame, and whether it is to be left out from now on."""

    jumped = Signal(int)
    dropped = Signal(int, bool)

    def __init__(self, mark_reference: QAction) -> None:
        """mark_reference: the action that its button does."""
        super().__init__(11 * UNIT)
        self._model = _Model()
        self._list = self._make_list()
        empty = EmptyState(
            "ph.push-pin",
            self.tr("No references yet"),
            self.tr("Frames that you label or correct; the others are made from them"),
        )
        self._pages = QStackedLayout()
        self._pages.addWidget(empty)
        self._pages.addWidget(self._list)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addLayout(self._pages, 1)
        layout.addLayout(row(ActionButton(mark_reference), None, margins=(UNIT // 2, 0, UNIT // 2, UNIT // 2)))

    def _make_list(self) -> _List:
        chips = _List()
        chips.setModel(self._model)
        chips.setItemDelegate(_Chips(chips))
        chips.setAccessibleName(self.tr("References"))
        chips.setFlow(QListView.Flow.LeftToRight)
        chips.setWrapping(True)
        chips.setResizeMode(QListView.ResizeMode.Adjust)
        chips.setSpacing(UNIT // 4)
        chips.setContentsMargins(UNIT, 0, UNIT, 0)
        chips.setViewportMargins(UNIT, UNIT // 4, UNIT, 0)
        chips.setMouseTracking(True)
        chips.setMinimumHeight(CHIP_HEIGHT + UNIT)
        chips.setSelectionMode(QAbstractItemView.SelectionMode.NoSelection)
        chips.setVerticalScrollMode(QAbstractItemView.ScrollMode.ScrollPerPixel)
        chips.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        chips.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        chips.customContextMenuRequested.connect(self._show_menu)
        chips.jumped.connect(self.jumped)
        chips.dropped.connect(self.dropped)
        chips.activated.connect(lambda index: self.jumped.emit(self._model.references[index.row()].frame))
        return chips

    def set_references(self, references: Sequence[tuple[int, bool, str]], current: int) -> None:
        """(frame, dropped, origin) of every reference, ascending; current: the frame that is shown."""
        self._model.set([Reference(*reference) for reference in references])
        self._pages.setCurrentIndex(1 if references else 0)
        self._list.viewport().update()
        self.set_current(current)

    def set_current(self, frame: int) -> None:
        """Another frame is shown; no more is done than that asks for, as while the user drags the playhead."""
        if frame == self._model.current:
            return
        before, self._model.current = self._model.current, frame
        for each in (before, frame):
            if (index := self._model.find(each)) is not None:
                self._list.update(index)
        if index is not None:
            self._list.scrollTo(index)

    def _show_menu(self, place: QPoint) -> None:
        index = self._list.indexAt(place)
        if not index.isValid():
            return
        reference = self._model.references[index.row()]
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        menu.addAction(self.tr("Go there")).triggered.connect(lambda: self.jumped.emit(reference.frame))
        words = self.tr("Use it again") if reference.dropped else self.tr("Drop it from memory")
        entry = menu.addAction(words)
        entry.triggered.connect(lambda: self.dropped.emit(reference.frame, not reference.dropped))
        menu.popup(self._list.viewport().mapToGlobal(place))
