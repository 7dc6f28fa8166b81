"""One line for a new user: what to do next."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLabel, QWidget

from app.core.hints import Hint
from app.core.keymap import KeyMap
from app.views import wording
from app.views.theme import UNIT
from app.views.widgets import Elided, Glyph, icon_button


class HintBar(QWidget):
    """closed: the user wants no hints (any more)."""

    closed = Signal()

    def __init__(self, keymap: KeyMap) -> None:
        super().__init__()
        self._keymap = keymap
        self._hint: Hint | None = None
        self._wanted = True
        self.setProperty("surface", "window")
        self.setProperty("edge", "bottom")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._text = Elided()
        head = QLabel(self.tr("Next"))
        head.setProperty("tone", "accent")
        close = icon_button("ph.x", self.tr("Hide the hints; View → Panels shows them again"))
        close.clicked.connect(lambda: self.closed.emit())
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT // 4, UNIT // 4, UNIT // 4)
        layout.setSpacing(UNIT)
        layout.addWidget(Glyph("ph.lightbulb", 16, "accent_text"))
        layout.addWidget(head)
        layout.addWidget(self._text, 1)
        layout.addWidget(close)
        self._show()

    def set_hint(self, hint: Hint | None) -> None:
        """Show this; nothing while no video is open."""
        self._hint = hint
        self._show()

    def set_wanted(self, wanted: bool) -> None:
        self._wanted = wanted
        self._show()

    def set_keymap(self, keymap: KeyMap) -> None:
        self._keymap = keymap
        self._show()

    def text(self) -> str:
        return self._text.whole()

    def _show(self) -> None:
        hint = self._hint
        self.setVisible(self._wanted and hint is not None)
        if hint is not None:
            text = hint.one if hint.number == 1 and hint.one else hint.text
            said = QCoreApplication.translate("Hints", text, "", hint.number)
            self._text.set_text(said.format(*(wording.key(self._keymap.shown(name)) or "–" for name in hint.actions)))
