"""The tools on the left: an icon each, and the letter that chooses it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QRect, QSize, Qt
from PySide6.QtGui import QAction, QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QGridLayout, QWidget

from app.views.theme import UNIT, colours
from app.views.widgets import ActionButton

SECTIONS = (
    ("tool.pan",),
    ("tool.brush", "tool.eraser", "tool.polygon", "tool.lasso", "tool.fill", "tool.click"),
    ("tool.keypoint",),
    ("tool.pick", "tool.inspect"),
)


class _Tool(ActionButton):
    """A tool's button with its key in the corner."""

    def __init__(self, action: QAction) -> None:
        super().__init__(action, kind="tool")
        self.setIconSize(QSize(20, 20))

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        now = colours()
        keys = self.does.shortcut().toString(self.does.shortcut().SequenceFormat.NativeText)
        painter = QPainter(self)
        font = self.font()
        font.setPixelSize(9)
        painter.setFont(font)
        tone = now.accent_text if self.isChecked() else (now.quiet if self.isEnabled() else now.faint)
        painter.setPen(QColor(tone))
        corner = QRect(0, 0, self.width() - 4, self.height() - 2)
        short = keys.replace("Shift+", "⇧")
        painter.drawText(corner, Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom, short)
        painter.end()


class ToolBar(QWidget):
    """One column of tools, or two where the window is too low for one."""

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setProperty("surface", "panel")
        self.setProperty("edge", "right")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._sections = [[_Tool(actions[name]) for name in names] for names in SECTIONS]
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(UNIT // 2, UNIT // 2, UNIT // 2, UNIT // 2)
        self._grid.setSpacing(UNIT // 4)
        self._columns = 0
        self._arrange(1)

    def room(self) -> int:
        """The height that one column needs, in pixels."""
        tools = [tool for section in self._sections for tool in section]
        return sum(tool.sizeHint().height() + self._grid.spacing() for tool in tools) + UNIT * len(self._sections)

    def minimumSizeHint(self) -> QSize:
        return QSize(super().minimumSizeHint().width(), 0)

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._arrange(1 if self.height() >= self.room() else 2)

    def _arrange(self, columns: int) -> None:
        if columns == self._columns:
            return
        self._columns = columns
        line = 0
        for section in self._sections:
            for place, tool in enumerate(section):
                self._grid.addWidget(tool, line + place // columns, place % columns)
            line += -(-len(section) // columns)
            self._grid.setRowMinimumHeight(line, UNIT // 2 if columns == 1 else 0)
            line += 1
        for free in range(self._grid.rowCount()):
            self._grid.setRowStretch(free, 1 if free == line else 0)
        self._grid.setRowStretch(line, 1)
