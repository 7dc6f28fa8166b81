"""The row under the canvas: where we are in the video, and the buttons that carry labels through it."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QEvent, QObject, QSize, Qt, Signal
from PySide6.QtGui import QAction, QIntValidator, QKeyEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QLineEdit, QWidget

from app.views import wording
from app.views.theme import UNIT
from app.views.widgets import ActionButton, row


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
        self._forward = ActionButton(actions["propagate.forward"], kind="push")
        self._forward.put_icon_last()  # the arrow points away from the word
        self._update = ActionButton(actions["propagate.update"], kind="push")
        ways = [ActionButton(actions[f"propagate.{way}"], kind="push") for way in ("backward", "both")]
        doubtful = ActionButton(actions["go.doubtful"], kind="push")
        place = (steps[0], self._play, steps[1], UNIT, self._number, self._of, UNIT, self._time, None)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(UNIT, UNIT // 2, UNIT, UNIT // 2)
        layout.setSpacing(UNIT // 2)
        layout.addWidget(_side(*place), 1)
        for way in (*ways, self._forward):
            layout.addWidget(way)
        layout.addWidget(_side(None, self._update, doubtful), 1)
        for button in (self._forward.does, self._update.does):
            button.changed.connect(self._light)
        self.set_video(1)
        self._light()

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
        """The accent is for the next thing to do: bring stale frames up to date, else carry labels on."""
        update = self._update.does.isEnabled()
        self._update.set_primary(update)
        self._forward.set_primary(self._forward.does.isEnabled() and not update)


def _side(*parts: QWidget | int | None) -> QWidget:
    """What stands left or right of the middle: both sides are as wide, so words that change do not push the middle."""
    made = QWidget()
    layout = row(*parts)
    layout.setSpacing(UNIT // 2)
    made.setLayout(layout)
    return made
