"""The page with a video: tools, canvas and panels above, transport and timeline below."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import QByteArray, QSettings, Qt
from PySide6.QtGui import QAction, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QMainWindow, QSplitter, QVBoxLayout, QWidget

from app.core.keymap import KeyMap
from app.views.hint_bar import HintBar
from app.views.panels.dock import Dock
from app.views.panels.objects import ObjectsPanel
from app.views.panels.references import ReferencesPanel
from app.views.panels.view import ViewPanel
from app.views.theme import UNIT
from app.views.tool_bar import ToolBar
from app.views.transport import Transport
from app.views.widgets import row

DOCK_WIDTH = 34 * UNIT
BELOW = 0.29  # of the height, until the user chooses: the picture matters more than the timeline
LAYOUT = 1  # of docks; a layout of another number is not restored


class EditorPage(QWidget):
    """Arranges what it is given and what it makes; it decides nothing."""

    def __init__(self, canvas: QWidget, timeline: QWidget, actions: Mapping[str, QAction], keymap: KeyMap) -> None:
        super().__init__()
        self.objects = ObjectsPanel(actions["labels.new_object"])
        self.references = ReferencesPanel(actions["labels.reference"])
        self.view = ViewPanel(actions)
        self.transport = Transport(actions)
        self.hints = HintBar(keymap)
        self.docks = {
            "panels.objects": Dock("objects", self.tr("Objects"), self.objects),
            "panels.references": Dock("references", self.tr("References"), self.references),
            "panels.view": Dock("view", self.tr("View"), self.view),
        }
        self._chosen = False  # has the user said how high the timeline is?
        self._arranged = False  # are the panels as high as they shall be?
        self._tools = ToolBar(actions)
        self._below = _column(self.transport, timeline)
        self._stage = self._make_stage(canvas)
        self._split = QSplitter(Qt.Orientation.Vertical)
        self._split.setHandleWidth(1)
        self._split.setChildrenCollapsible(False)
        self._split.addWidget(self._stage)
        self._split.addWidget(self._below)
        self._split.setStretchFactor(0, 1)
        self._split.splitterMoved.connect(lambda: self._choose())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self._split)
        for name, dock in self.docks.items():
            actions[name].setChecked(True)
            actions[name].toggled.connect(dock.setVisible)
            dock.closed.connect(lambda action=actions[name]: action.setChecked(False))
        actions["panels.hints"].setChecked(True)
        actions["panels.hints"].toggled.connect(self.hints.set_wanted)
        self.hints.closed.connect(lambda: actions["panels.hints"].setChecked(False))

    def _make_stage(self, canvas: QWidget) -> QMainWindow:
        stage = QMainWindow()
        stage.setWindowFlags(Qt.WindowType.Widget)
        stage.setContextMenuPolicy(Qt.ContextMenuPolicy.PreventContextMenu)
        centre = QWidget()
        layout = row(self._tools, _column(self.hints, canvas))
        layout.setSpacing(0)
        layout.setStretch(1, 1)
        centre.setLayout(layout)
        stage.setCentralWidget(centre)
        for dock in self.docks.values():
            stage.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, dock)
        docks = list(self.docks.values())
        stage.resizeDocks(docks, [DOCK_WIDTH] * len(docks), Qt.Orientation.Horizontal)
        return stage

    def showEvent(self, event: QShowEvent) -> None:
        """The first time: the panels as high as they like, whatever they were laid out to while nobody saw them."""
        super().showEvent(event)
        if not self._arranged:
            self._arranged = True
            docks = list(self.docks.values())
            self._stage.resizeDocks(docks, [dock.sizeHint().height() for dock in docks], Qt.Orientation.Vertical)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Until the user chooses: what the timeline likes to have, as long as picture and tools have their room."""
        super().resizeEvent(event)
        if not self._chosen:
            most = min(round(BELOW * self.height()), self.height() - self._tools.room() - UNIT)
            below = min(self._below.sizeHint().height(), most)
            self._split.setSizes([self.height() - below, below])

    def _choose(self) -> None:
        self._chosen = True

    def save(self, settings: QSettings) -> None:
        """Remember how things are arranged."""
        settings.setValue("editor/panels", self._stage.saveState(LAYOUT))
        settings.setValue("editor/split", self._split.saveState() if self._chosen else QByteArray())
        settings.setValue("editor/folded", " ".join(name for name, dock in self.docks.items() if dock.folded))

    def restore(self, settings: QSettings, actions: Mapping[str, QAction]) -> None:
        """Arrange things as they were; what cannot be read stays as it is."""
        folded = str(settings.value("editor/folded", "")).split()
        for name, dock in self.docks.items():
            dock.set_folded(name in folded)
        panels, split = settings.value("editor/panels"), settings.value("editor/split")
        if isinstance(panels, QByteArray) and self._stage.restoreState(panels, LAYOUT):
            self._arranged = True
            for name, dock in self.docks.items():
                actions[name].setChecked(not dock.isHidden())
        if isinstance(split, QByteArray):
            self._chosen = self._split.restoreState(split)


def _column(*parts: QWidget) -> QWidget:
    """Widgets below each other; the last one takes the room that is left."""
    made = QWidget()
    layout = QVBoxLayout(made)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(0)
    for part in parts:
        layout.addWidget(part)
    layout.setStretch(len(parts) - 1, 1)
    return made
