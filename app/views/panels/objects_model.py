"""The list of objects, as Qt's views want it, and how its rows are drawn."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from PySide6.QtCore import QAbstractTableModel, QEvent, QModelIndex, QPersistentModelIndex, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from app.core.objects import ObjectInfo
from app.views import icons
from app.views.theme import UNIT, colours
from model.palette import PALETTE

Index = QModelIndex | QPersistentModelIndex
ROW, GLYPH = 3 * UNIT + 4, 16


class Column(IntEnum):
    SWATCH = 0
    NAME = 1
    VISIBLE = 2
    LOCK = 3
    SOLO = 4


def swatch(number: int) -> QColor:
    """The colour of an object, the same everywhere."""
    red, green, blue = (int(v) for v in PALETTE[number])
    return QColor(red, green, blue)


class ObjectsModel(QAbstractTableModel):
    """A row for every object. It changes nothing by itself: it says what the user asked for."""

    renamed = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.objects: tuple[ObjectInfo, ...] = ()
        self.solo: int | None = None

    def set(self, objects: tuple[ObjectInfo, ...], solo: int | None) -> None:
        """Show these; a name that is being typed stays open unless objects come or go."""
        if [info.id for info in objects] != [info.id for info in self.objects]:
            self.beginResetModel()
            self.objects, self.solo = objects, solo
            self.endResetModel()
            return
        before, self.objects, self.solo = self.objects, objects, solo
        for row, (old, new) in enumerate(zip(before, objects, strict=True)):
            if old.name != new.name:  # only then: an open editor would take its text from here again
                self.dataChanged.emit(self.index(row, Column.NAME), self.index(row, Column.NAME))
            if old != new:
                self.dataChanged.emit(self.index(row, Column.VISIBLE), self.index(row, Column.SOLO))

    def row_of(self, number: int | None) -> int | None:
        return next((row for row, info in enumerate(self.objects) if info.id == number), None)

    def rowCount(self, parent: Index | None = None) -> int:
        return 0 if parent is not None and parent.isValid() else len(self.objects)

    def columnCount(self, parent: Index | None = None) -> int:
        return len(Column)

    def flags(self, index: Index) -> Qt.ItemFlag:
        flags = Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable
        return flags | Qt.ItemFlag.ItemIsEditable if index.column() == Column.NAME else flags

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        info, column = self.objects[index.row()], index.column()
        if column == Column.NAME and role in (Qt.ItemDataRole.DisplayRole, Qt.ItemDataRole.EditRole):
            return info.name
        if role == Qt.ItemDataRole.ToolTipRole or role == Qt.ItemDataRole.AccessibleTextRole:
            return self._says(info, column)
        return None

    def setData(self, index: Index, value: Any, role: int = Qt.ItemDataRole.EditRole) -> bool:
        info, name = self.objects[index.row()], " ".join(str(value).split())
        if not name or name == info.name:
            return False
        self.renamed.emit(info.id, name)
        return True

    def _says(self, info: ObjectInfo, column: int) -> str:
        match Column(column):
            case Column.VISIBLE:
                return self.tr("Hide {0}").format(info.name) if info.visible else self.tr("Show {0}").format(info.name)
            case Column.LOCK if info.locked:
                return self.tr("Unlock {0}").format(info.name)
            case Column.LOCK:
                return self.tr("Lock {0}: no tool changes it").format(info.name)
            case Column.SOLO if info.id == self.solo:
                return self.tr("Show all objects again")
            case Column.SOLO:
                return self.tr("Show only {0}").format(info.name)
            case _:
                return self.tr("Object {0}: {1}. Double click to rename").format(info.id, info.name)


class ObjectsDelegate(QStyledItemDelegate):
    """Draws the rows: colour and number, name, and what is on."""

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        return QSize(ROW, ROW)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        model = index.model()
        assert isinstance(model, ObjectsModel)
        info, now = model.objects[index.row()], colours()
        shown = info.visible and model.solo in (None, info.id)
        rect = option.rect
        selected = bool(option.state & QStyle.StateFlag.State_Selected)
        hovered = bool(option.state & QStyle.StateFlag.State_MouseOver)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if selected or hovered:
            painter.fillRect(rect, QColor(now.tint if selected else now.hover))
        match Column(index.column()):
            case Column.SWATCH:
                if selected:
                    painter.fillRect(rect.left(), rect.top(), 3, rect.height(), QColor(now.accent_text))
                box = QRectF(rect.left() + 12, rect.center().y() - 6, 13, 13)
                painter.setPen(QColor(now.line if selected else now.thumb))
                painter.setBrush(swatch(info.id) if shown else Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(box, 3, 3)
                painter.setPen(QColor(now.quiet))
                number = rect.adjusted(30, 0, 0, 0)
                painter.drawText(number, Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, str(info.id))
            case Column.NAME:
                painter.setPen(QColor(now.text if shown else now.faint))
                name = option.fontMetrics.elidedText(info.name, Qt.TextElideMode.ElideRight, rect.width() - 8)
                painter.drawText(rect.adjusted(4, 0, -4, 0), Qt.AlignmentFlag.AlignVCenter, name)
            case Column.VISIBLE:
                self._glyph(painter, option, "ph.eye" if info.visible else "ph.eye-slash", on=not info.visible)
            case Column.LOCK:
                self._glyph(painter, option, "ph.lock-simple" if info.locked else "ph.lock-simple-open", on=info.locked)
            case Column.SOLO:
                self._glyph(painter, option, "ph.target", on=model.solo == info.id)
        painter.restore()

    def _glyph(self, painter: QPainter, option: QStyleOptionViewItem, name: str, on: bool) -> None:
        """An icon that is bright when what it shows is not the usual state."""
        now = colours()
        lit = bool(option.state & QStyle.StateFlag.State_MouseOver)
        colour = now.accent_text if on else (now.quiet if lit else now.faint)
        centre = option.rect.center()
        painter.drawPixmap(centre.x() - GLYPH // 2 + 1, centre.y() - GLYPH // 2 + 1, icons.pixmap(name, GLYPH, colour))

    def editorEvent(self, event: QEvent, model: Any, option: QStyleOptionViewItem, index: Index) -> bool:
        return False  # clicks are the panel's
