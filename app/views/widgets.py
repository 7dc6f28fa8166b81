"""Small widgets that several parts of the window share."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QAction, QColor, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from app.views import icons
from app.views.theme import UNIT, colours, mark

ICON = 18
GAP = "\N{THIN SPACE}"  # between icon and words: style sheets cannot widen it
NEVER = 2.0  # no share is ever so much
BARE = ("tool", "step")  # kinds of buttons without words


class ActionButton(QPushButton):
    """A button for an action: text, tooltip, and whether it is on or can be used at all, are the action's.

    kind: "push" (framed), "flat", "tool" and "step" (only an icon), or "segment" (one of several choices). It takes no
    focus: its key works wherever the focus is. trigger: a click does the action; otherwise the owner sees to it.
    """

    def __init__(self, action: QAction, kind: str = "flat", trigger: bool = True) -> None:
        super().__init__()
        self.does = action
        self._kind = kind
        self.setProperty("kind", kind)
        self.setIconSize(QSize(ICON, ICON))
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._icon = str(action.property("glyph") or "")
        self.set_icon(self._icon)
        action.changed.connect(self._mirror)
        if trigger:
            self.clicked.connect(self._click)
        self._mirror()

    def set_primary(self, primary: bool) -> None:
        """Draw it in the accent colour: the one thing to do next."""
        if bool(self.property("primary")) is not primary:
            mark(self, primary=primary)
            self.set_icon(self._icon)

    def set_icon(self, name: str) -> None:
        """Show another icon than the action's."""
        self._icon = name
        if name:
            primary = self.property("primary") and self.does.isEnabled()
            icons.give(self, name, "on_accent" if primary else "text")

    def put_icon_last(self) -> None:
        """The icon stands after the words."""
        self.setLayoutDirection(Qt.LayoutDirection.RightToLeft)
        self._mirror()

    def _click(self) -> None:
        self.does.trigger()
        self._mirror()  # the click turned the button off, but not an action that must stay on

    def _mirror(self) -> None:
        action = self.does
        self.setText("" if self._kind in BARE else _beside(self._icon, action.iconText(), self.layoutDirection()))
        self.setAccessibleName(action.text())
        self.setToolTip(action.toolTip())
        self.setCheckable(action.isCheckable())
        self.setChecked(action.isChecked())
        if self.isEnabled() is not action.isEnabled():
            self.setEnabled(action.isEnabled())
            self.set_icon(self._icon)


def fitted(wanted: QSize, screen: QSize) -> QSize:
    """The size of a new window, or as much of it as a screen has room for, with what the system puts around it."""
    return wanted.boundedTo(screen - QSize(2, 40))


class Elided(QLabel):
    """One line of text that ends in … where there is no room for all of it; the tooltip has the rest."""

    def __init__(self, text: str = "", tone: str = "") -> None:
        super().__init__()
        self._whole = text
        if tone:
            self.setProperty("tone", tone)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        self.setMinimumWidth(0)
        self._fit()

    def set_text(self, text: str) -> None:
        self._whole = text
        self._fit()

    def whole(self) -> str:
        return self._whole

    def sizeHint(self) -> QSize:
        return QSize(self.fontMetrics().horizontalAdvance(self._whole) + 2, super().sizeHint().height())

    def minimumSizeHint(self) -> QSize:
        return QSize(0, super().minimumSizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        shown = self.fontMetrics().elidedText(self._whole, Qt.TextElideMode.ElideRight, self.width())
        self.setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")
        self.updateGeometry()


class Meter(QWidget):
    """A thin bar that is filled to a share of 0..1; from `alarm` on in the colour of warnings."""

    def __init__(self, width: int, height: int = 4, alarm: float = NEVER) -> None:
        super().__init__()
        self._share, self._alarm = 0.0, alarm
        self.setFixedSize(width, height)

    def set_share(self, share: float) -> None:
        if share != self._share:
            self._share = share
            self.update()

    def share(self) -> float:
        return self._share

    def paintEvent(self, event: QPaintEvent) -> None:
        now = colours()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        radius = self.height() / 2
        painter.setBrush(QColor(now.line))
        painter.drawRoundedRect(self.rect(), radius, radius)
        width = self.width() * min(max(self._share, 0.0), 1.0)
        if width > 0:
            painter.setBrush(QColor(now.warning if self._share >= self._alarm else now.accent))
            painter.drawRoundedRect(QRectF(0, 0, max(width, self.height()), self.height()), radius, radius)
        painter.end()


class KeyCap(QLabel):
    """A key, drawn as one."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.setProperty("cap", True)
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)


class Glyph(QWidget):
    """An icon of `size` pixels in a colour of the theme."""

    def __init__(self, icon: str, size: int = ICON, tone: str = "quiet") -> None:
        super().__init__()
        self._icon, self._tone = icon, tone
        self.setFixedSize(size, size)

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.drawPixmap(0, 0, icons.pixmap(self._icon, self.width(), getattr(colours(), self._tone)))
        painter.end()


class EmptyState(QWidget):
    """What a panel shows when there is nothing in it yet, and how that changes."""

    def __init__(self, icon: str, title: str, text: str) -> None:
        super().__init__()
        centre = Qt.AlignmentFlag.AlignCenter
        self._glyph = Glyph(icon, 3 * UNIT, "faint")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2 * UNIT, 0, 2 * UNIT, 0)
        layout.setSpacing(UNIT // 2)
        layout.addStretch()
        layout.addWidget(self._glyph, alignment=centre)
        for words, tone in ((title, "quiet"), (text, "faint")):
            label = QLabel(words, alignment=centre, wordWrap=True)
            label.setProperty("tone", tone)
            layout.addWidget(label)
        layout.addStretch()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Where there is little room, words come first."""
        super().resizeEvent(event)
        self._glyph.setVisible(self.height() >= 13 * UNIT)


def push_button(text: str, icon: str = "", primary: bool = False) -> QPushButton:
    """A framed button with its own text, for dialogs and pages."""
    button = QPushButton(_beside(icon, text))
    button.setProperty("primary", primary)
    if icon:
        button.setIconSize(QSize(ICON, ICON))
        icons.give(button, icon, "on_accent" if primary else "text")
    return button


def turn_into(button: QPushButton, text: str, icon: str, primary: bool = False) -> None:
    """The same push button with other words, for what it does now."""
    button.setText(_beside(icon, text))
    button.setIconSize(QSize(ICON, ICON))
    icons.give(button, icon, "on_accent" if primary else "text")
    mark(button, primary=primary)


def pad(spin: QAbstractSpinBox) -> None:
    """Keep the figure off the frame: style sheets do not reach the editor inside."""
    spin.lineEdit().setTextMargins(UNIT // 2, 0, 0, 0)


def make_primary(button: QPushButton, icon: str, primary: bool) -> None:
    """Draw a push button in the accent colour, or no longer: the one thing to do next."""
    if bool(button.property("primary")) is not primary:
        mark(button, primary=primary)
        icons.give(button, icon, "on_accent" if primary else "text")


def icon_button(icon: str, tooltip: str, tone: str = "quiet") -> QToolButton:
    """A bare icon that can be clicked; its tooltip is its name as well."""
    button = QToolButton()
    button.setIconSize(QSize(ICON - 2, ICON - 2))
    button.setToolTip(tooltip)
    button.setAccessibleName(tooltip)
    button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    icons.give(button, icon, tone)
    return button


def row(*parts: QWidget | int | None, margins: tuple[int, int, int, int] = (0, 0, 0, 0)) -> QHBoxLayout:
    """Widgets from left to right; an int is a gap of so many pixels, None takes what is left over."""
    made = QHBoxLayout()
    made.setSpacing(UNIT)
    made.setContentsMargins(*margins)
    for part in parts:
        if part is None:
            made.addStretch()
        elif isinstance(part, int):
            made.addSpacing(part)
        else:
            made.addWidget(part)
    return made


def _beside(icon: str, text: str, direction: Qt.LayoutDirection = Qt.LayoutDirection.LeftToRight) -> str:
    """Words with a little distance from an icon, if there is one."""
    if not icon:
        return text
    return f"{GAP}{text}" if direction is Qt.LayoutDirection.LeftToRight else f"{text}{GAP}"
