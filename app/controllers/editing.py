"""Changing labels: what the tools of the canvas do to the document."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from PySide6.QtCore import QObject

from app.controllers.objects import Objects
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.changes import Change
from app.core.keypoints import fitted
from app.views.canvas.tools import Tool
from model.types import KeypointSet, LabelMap

_BRUSH_STEP = 1.25


class Editing(QObject):
    """halt: called before undo, redo and whatever else cannot be while a propagation runs.

    settle: called before another tool is taken up: what the old one proposed is taken then.
    step_back: takes the last click of a proposal back, and says whether there was one.
    """

    def __init__(self, session: Session, window: Shell, objects: Objects) -> None:
        super().__init__()
        self._session, self._window, self._objects = session, window, objects
        self.halt: Callable[[], object] = lambda: None
        self.settle: Callable[[], object] = lambda: None
        self.step_back: Callable[[], bool] = lambda: False
        self._connect_canvas()
        self._connect_actions()

    def _connect_canvas(self) -> None:
        canvas = self._window.canvas
        canvas.labels_edited.connect(self._edited)
        canvas.keypoint_placed.connect(self._place_point)
        canvas.keypoint_removed.connect(lambda name: self._place_point(name, np.nan, np.nan))
        canvas.keypoint_toggled.connect(self._toggle_point)

    def _connect_actions(self) -> None:
        actions = self._window.actions
        does: dict[str, Callable[[], object]] = {
            "edit.undo": self.undo,
            "edit.redo": self.redo,
            "edit.erase": self.erase,
            "edit.clear_frame": self.clear_frame,
            "edit.clear_range": self.clear_range,
            "labels.reference": self.accept,
            "labels.brush_smaller": lambda: self._resize_brush(1 / _BRUSH_STEP),
            "labels.brush_larger": lambda: self._resize_brush(_BRUSH_STEP),
        }
        for name, do in does.items():
            actions[name].triggered.connect(lambda _=False, do=do: do())
        for tool in Tool:
            actions[f"tool.{tool}"].toggled.connect(lambda on, tool=tool: self.use(tool) if on else None)
            if actions[f"tool.{tool}"].isChecked():
                self.use(tool)

    # Labels

    def _edited(self, labels: LabelMap, name: str) -> None:
        self._guarded(lambda: self._session.document.set_labels(self._session.shown, labels, name))

    def erase(self) -> None:
        """The current object goes from this frame."""
        document, frame, number = self._session.document, self._session.shown, self._objects.current
        labels = document.labels(frame)
        if labels is None or number is None or number not in labels.objects:
            self._window.canvas.say(self.tr("There is nothing of the chosen object on this frame"))
            return
        info = document.object(number)
        if info.locked:
            self._window.canvas.say(self.tr("{0} is locked: unlock it to change it").format(info.name))
            return
        ids = np.where(labels.ids == number, 0, labels.ids).astype(np.uint8)
        self._guarded(lambda: document.set_labels(frame, LabelMap(ids, labels.objects), self.tr("Erase object")))

    def clear_frame(self) -> None:
        self._guarded(lambda: self._session.document.clear([self._session.shown], self.tr("Clear frame")))

    def clear_range(self) -> None:
        document = self._session.document
        self.halt()
        self._guarded(lambda: document.clear(range(*document.span), self.tr("Clear range")))

    def accept(self) -> None:
        """The frame is right as it is: a reference from now on."""
        self.settle()
        known = self._session.document.store.get(self._session.shown)
        if known is None:
            self._window.canvas.say(self.tr("There is nothing on this frame: paint on it first"))
        elif known.made is None:
            self._window.canvas.say(self.tr("This frame is a reference"))
        else:
            self._guarded(lambda: self._session.document.accept(self._session.shown))

    # Keypoints

    def _points(self) -> KeypointSet:
        """Those of the frame, all missing where there are none."""
        document = self._session.document
        names = document.skeleton.names
        return document.keypoints(self._session.shown) or fitted(KeypointSet.of({}), names)

    def _place_point(self, name: str, x: float, y: float) -> None:
        points = self._points()
        i = points.names.index(name)
        there = not np.isnan(x)
        xy, visible, sure = points.xy.copy(), points.visible.copy(), points.confidence.copy()
        xy[i], visible[i], sure[i] = (x, y), there, float(there)
        self._set_points(KeypointSet(points.names, xy, visible, sure), self.tr("Move keypoint"))

    def _toggle_point(self, name: str) -> None:
        points = self._points()
        visible = points.visible.copy()
        visible[points.names.index(name)] ^= True
        self._set_points(replace(points, visible=visible), self.tr("Hide or show keypoint"))

    def _set_points(self, points: KeypointSet, name: str) -> None:
        self._guarded(lambda: self._session.document.set_keypoints(self._session.shown, points, name))

    # Undo

    def undo(self) -> None:
        if self.step_back():
            return
        self.halt()
        self._replayed(self._session.document.undo(), self.tr("Undone: {0}"))

    def redo(self) -> None:
        self.halt()
        self._replayed(self._session.document.redo(), self.tr("Done again: {0}"))

    def _replayed(self, done: tuple[str, Change] | None, words: str) -> None:
        if done is None:
            return
        name, change = done
        if len(change.frames) == 1 and self._session.shown not in change.frames:
            self._session.go_to(next(iter(change.frames)))  # what happened should be seen
        self._window.canvas.say(words.format(name))

    # Tools

    def use(self, tool: Tool) -> None:
        self.settle()
        self._window.canvas.set_tool(tool)

    def _resize_brush(self, factor: float) -> None:
        canvas = self._window.canvas
        step = max(1, round(abs(canvas.brush * (factor - 1))))
        canvas.resize_brush(canvas.brush + (step if factor > 1 else -step))

    def _guarded(self, change: Callable[[], object]) -> None:
        """Do it; if it cannot be, say why."""
        try:
            change()
        except ValueError as error:
            self._window.notify(str(error), "warning")
