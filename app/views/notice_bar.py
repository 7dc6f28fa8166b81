"""News and errors in a line above the work, each with a way out; nothing has to be clicked away to go on.

The lines float: whoever paints while one appears must not have the picture pushed from under the pointer.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRect, Qt, QTimer, Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QSizePolicy, QVBoxLayout, QWidget

from app.views.theme import UNIT
from app.views.widgets import ICON, Glyph, icon_button, push_button

LEVELS = {
    "info": ("ph.info", "accent_text"),
    "warning": ("ph.warning", "warning"),
    "error": ("ph.warning-octagon", "error"),
}
MOST = 3  # more at once would push the work away; the oldest goes
WIDTH = 96 * UNIT
SHORT_MS = 8000  # good news goes by itself
_LOG = logging.getLogger("mer.told")
_MOVES = (QEvent.Type.Resize, QEvent.Type.Move, QEvent.Type.Show, QEvent.Type.Hide)


class NoticeBar(QWidget):
    """At the top of whatever it is a child of, in the middle; or of a part of that, while it is shown.

    reached: how far down its lines go, in pixels; 0 when there are none.
    """

    reached = Signal(int)

    def __init__(self, parent: QWidget, part: QWidget | None = None) -> None:
        super().__init__(parent)
        self._layout = QVBoxLayout(self)
        self._layout.setContentsMargins(0, 0, 0, 0)
        self._layout.setSpacing(UNIT // 2)
        parent.installEventFilter(self)
        self._part = part
        if part is not None:
            part.installEventFilter(self)
        self._notices: list[Notice] = []
        self.hide()

    @property
    def notices(self) -> tuple[Notice, ...]:
        """From the oldest to the latest."""
        return tuple(self._notices)

    def notify(
        self, text: str, level: str = "info", button: str | None = None, action: Callable[[], object] | None = None
    ) -> Notice:
        """Show a line of "info", "warning" or "error"; a button of these words does the action and closes it.

        The same words twice are shown once. Info without a button goes by itself, the rest stays.
        """
        assert level in LEVELS, level
        assert (button is None) == (action is None), "a button needs something to do"
        _LOG.log(getattr(logging, level.upper()), "%s", text)
        for old in [n for n in self._notices if n.text == text] or self._notices[: len(self._notices) - MOST + 1]:
            self.close_notice(old)
        notice = Notice(self, text, level, button, action)
        self._notices.append(notice)
        self._layout.addWidget(notice)
        for part in (notice, *notice.findChildren(QWidget)):
            part.ensurePolished()  # or what the style sheet says of sizes would count too late
        notice.show()  # and what is hidden has no size at all
        self._place()
        self.show()
        if level == "info" and button is None:
            QTimer.singleShot(SHORT_MS, notice, lambda: self.close_notice(notice))
        return notice

    def close_notice(self, notice: Notice) -> None:
        """Take a line away; no matter if it is gone already."""
        if notice in self._notices:
            self._notices.remove(notice)
            self._layout.removeWidget(notice)
            notice.hide()
            notice.deleteLater()
            self.setVisible(bool(self._notices))
            if not self._notices:
                self.reached.emit(0)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() == QEvent.Type.LayoutRequest:  # a line came, went, or has another height
            self._place()
        return done

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() in _MOVES and self._notices:
            self._place()
        return super().eventFilter(watched, event)

    def _place(self) -> None:
        above = self.parentWidget()
        assert above is not None, "it floats over something"
        part = self._part
        area = above.rect()
        if part is not None and part.isVisibleTo(above):
            area = QRect(part.mapTo(above, part.rect().topLeft()), part.size())
        room = area.width()
        width = min(room - 4 * UNIT, WIDTH)
        height = self._layout.heightForWidth(width) if self._layout.hasHeightForWidth() else self.sizeHint().height()
        self.setGeometry(area.x() + (room - width) // 2, area.y() + UNIT, width, height)
        self.raise_()
        self.reached.emit(self.geometry().bottom())

    def clear(self) -> None:
        for notice in self.notices:
            self.close_notice(notice)


class Notice(QFrame):
    """One line of the bar."""

    def __init__(
        self, bar: NoticeBar, text: str, level: str, button: str | None, action: Callable[[], object] | None
    ) -> None:
        super().__init__(bar)
        self.text, self.level = text, level
        self.setProperty("notice", level)
        self.setAccessibleName(text)
        icon, tone = LEVELS[level]
        words = QLabel(text, wordWrap=True, textFormat=Qt.TextFormat.PlainText)
        words.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        words.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        close = icon_button("ph.x", self.tr("Close"))
        close.clicked.connect(lambda: bar.close_notice(self))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT + UNIT // 2, UNIT // 2, UNIT // 2, UNIT // 2)
        layout.setSpacing(UNIT)
        layout.addWidget(Glyph(icon, ICON, tone))
        layout.addWidget(words, 1)
        self._bar, self._action = bar, action
        self.button = push_button(button) if button else None
        if self.button:
            self.button.clicked.connect(self._act)
            layout.addWidget(self.button)
        layout.addWidget(close)

    def _act(self) -> None:
        self._bar.close_notice(self)
        if self._action:
            self._action()
