"""The row under the canvas: where we are in the video, and the buttons that carry labels through it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIntValidator, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from app.views import wording
from app.views.theme import UNIT
from app.views.widgets import ActionButton, row

_WAYS = ("propagate.backward", "propagate.both", "propagate.forward")
_AFTERWARDS = ("propagate.update", "go.doubtful")


class Transport(QWidget):
    """frame_requested: the user typed a frame number."""

    frame_requested = Signal(int)

    def __init__(self, actions: Mapping[str, QAction]) -> None:
        super().__init__()
        self.setProperty("surface", "panel")
        self.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)
        self._frame, self._last = 0, 0
        self._number = QLineEdit("0")
        self._number.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self._number.setAccessibleName(self.tr("Frame"))
        actions["go.frame"].changed.connect(lambda: self._number.setToolTip(actions["go.frame"].toolTip()))
        self._number.setToolTip(actions["go.frame"].toolTip())
        self._number.setValidator(QIntValidator(0, 10**9, self))
        self._number.returnPressed.connect(self._jump)
        self._number.installEventFilter(self)
        self._of, self._time = QLabel(), QLabel()
        self._of.setProperty("tone", "quiet")
        self._time.setProperty("tone", "quiet")
        self._play = ActionButton(actions["view.play"], kind="step")
        self._play.setIconSize(QSize(20, 20))
        for name, words in (
            ("propagate.forward", self.tr("Propagate")),
            ("propagate.backward", self.tr("Propagate")),
            ("propagate.both", self.tr("Both")),
        ):
            actions[name].setIconText(words)  # the arrows say the rest
        steps = [ActionButton(actions[name], kind="step") for name in ("go.previous", "go.next")]
        self._next = ""
        self._buttons = {name: ActionButton(actions[name], kind="push") for name in (*_WAYS, *_AFTERWARDS)}
        self._buttons["propagate.forward"].put_icon_last()  # the arrow points away from the word
        place = (steps[0], self._play, steps[1], UNIT, self._number, self._of, UNIT, self._time, None)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT // 2, UNIT, UNIT // 2)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(_side(*place), 1)
        for way in _WAYS:
            layout.addWidget(self._buttons[way])
        layout.addWidget(_side(None, *(self._buttons[name] for name in _AFTERWARDS)), 1)
        for button in self._buttons.values():
            button.does.changed.connect(self._light)
        self.set_video(1)

    def set_video(self, frames: int) -> None:
        """How many frames there are."""
        self._last = frames - 1
        digits = self.fontMetrics().horizontalAdvance("0" * max(len(str(self._last)), 2))
        self._number.setFixedWidth(digits + 3 * UNIT)
        self._of.setText(f"/ {self._last}")
        self._of.setToolTip(self.tr("The last frame is {0}; frames count from 0").format(self._last))

    def set_frame(self, frame: int, time: float) -> None:
        """Where we are: the frame, and when it is shown in seconds."""
        self._frame = frame
        if not self._number.hasFocus():
            self._number.setText(str(frame))
        self._time.setText(wording.clock(time))

    def set_next(self, action: str) -> None:
        """The action that is the next thing to do: its button has the accent, if there is one here."""
        self._next = action
        self._light()

    def set_playing(self, playing: bool) -> None:
        self._play.set_icon("ph.pause" if playing else "ph.play")

    def ask_frame(self) -> None:
        """Let the user type a frame number."""
        self._number.setFocus(Qt.FocusReason.ShortcutFocusReason)
        self._number.selectAll()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._number:
            if event.type() is QEvent.Type.FocusOut:
                self._number.setText(str(self._frame))
            elif isinstance(event, QKeyEvent) and event.key() == Qt.Key.Key_Escape:
                if event.type() is QEvent.Type.ShortcutOverride:
                    event.accept()  # Escape leaves the field, and cancels nothing else
                    return True
                if event.type() is QEvent.Type.KeyPress:
                    self._number.clearFocus()
                    return True
        return super().eventFilter(watched, event)

    def _jump(self) -> None:
        frame = min(int(self._number.text()), self._last)
        self._number.clearFocus()
        self.frame_requested.emit(frame)

    def _light(self) -> None:
        for name, button in self._buttons.items():
            button.set_primary(name == self._next and button.does.isEnabled())


def _side(*parts: QWidget | int | None) -> QWidget:
    """What stands left or right of the middle: both sides are as wide, so words that change do not push the middle."""
    made = QWidget()
    layout = row(*parts)
    layout.setSpacing(UNIT // 2)
    made.setLayout(layout)
    return made
