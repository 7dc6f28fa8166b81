"""The main window with the real canvas and timeline in it."""

from __future__ import annotations

from app.core.keymap import KeyMap
from app.views.canvas.canvas import Canvas
from app.views.main_window import MainWindow
from app.views.timeline.timeline import Timeline


class Shell(MainWindow):
    canvas: Canvas
    timeline: Timeline

    def __init__(self, keymap: KeyMap | None = None) -> None:
        super().__init__(Canvas(), Timeline(), keymap)
