"""A panel that can be folded up to its title, moved, and closed."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QSize, Qt, Signal
from PySide6.QtGui import QCloseEvent, QMouseEvent
from PySide6.QtWidgets import QDockWidget, QHBoxLayout, QLabel, QSizePolicy, QToolButton, QWidget

from app.views import icons
from app.views.theme import UNIT
from app.views.widgets import ICON, icon_button

UNLIMITED = 16_777_215  # Qt's own limit of sizes


class _Title(QWidget):
    """The title of a panel: a click folds it, a drag (which Qt sees to) moves it."""

    def __init__(self, dock: Dock, title: str) -> None:
        super().__init__()
        self._dock = dock
        self._pressed = False
        self.setProperty("surface", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self.arrow = QToolButton()
        self.arrow.setIconSize(QSize(ICON - 6, ICON - 6))
        self.arrow.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.arrow.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        close = icon_button("ph.x", dock.tr("Close the panel; the View menu opens it again"))
        close.setIconSize(QSize(ICON - 6, ICON - 6))
        close.clicked.connect(dock.close)
        label = QLabel(title)
        font = label.font()
        font.setBold(True)
        label.setFont(font)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT // 2, UNIT // 2, UNIT // 2, UNIT // 2)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(self.arrow)
        layout.addWidget(label)
        layout.addStretch()
        layout.addWidget(close)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        self._pressed = event.button() is Qt.MouseButton.LeftButton
        event.ignore()  # the dock drags

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._pressed = False
        event.ignore()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._pressed:
            self._dock.set_folded(not self._dock.folded)
        event.ignore()

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        event.accept()  # not the dock's: it would float


class Panel(QWidget):
    """What is in a dock. height: in pixels, what it likes to have; one that grows takes what the others leave."""

    def __init__(self, height: int, grows: bool = False) -> None:
        super().__init__()
        self._height = height
        self.setProperty("surface", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        vertical = QSizePolicy.Policy.Expanding if grows else QSizePolicy.Policy.Preferred
        self.setSizePolicy(QSizePolicy.Policy.Preferred, vertical)

    def sizeHint(self) -> QSize:
        return QSize(super().sizeHint().width(), self._height)


class Dock(QDockWidget):
    """name: under which the window remembers it. closed: the user wants it no more."""

    closed = Signal()

    def __init__(self, name: str, title: str, content: QWidget) -> None:
        super().__init__(title)
        self.setObjectName(name)
        self.folded = False
        self._title = _Title(self, title)
        self.setTitleBarWidget(self._title)
        self.setWidget(content)
        self._arrow()

    def set_folded(self, folded: bool) -> None:
        """Show the title alone, or the panel again."""
        if folded == self.folded:
            return
        self.folded = folded
        self.widget().setVisible(not folded)
        self.setMaximumHeight(self._title.sizeHint().height() if folded else UNLIMITED)
        self._arrow()

    def closeEvent(self, event: QCloseEvent) -> None:
        super().closeEvent(event)
        self.closed.emit()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.FontChange and self.folded:
            self.setMaximumHeight(self._title.sizeHint().height())

    def _arrow(self) -> None:
        icons.give(self._title.arrow, "ph.caret-right" if self.folded else "ph.caret-down", "quiet")
        self._title.setToolTip(self.tr("Unfold the panel") if self.folded else self.tr("Fold the panel up"))
