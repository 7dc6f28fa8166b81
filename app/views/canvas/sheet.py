"""A frame with its labels, and edits of them: what the tools of the canvas work with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QWidget

from app.core.objects import ObjectInfo, Skeleton
from app.core.raster import Box, Point
from app.views.canvas.draft import Draft
from app.views.canvas.stage import Stage
from app.views.canvas.view import Size
from app.views.drawing import OverlayStyle, shown_ids
from model.types import BACKGROUND, BoolArray, FloatArray, KeypointSet, LabelMap, UInt8Array

SAY_FOR = 2500  # ms


class Sheet(Stage):
    """Labels on a stage. An edit begins, grows and is committed or rolled back; only a commit is heard of outside."""

    labels_edited = Signal(object, str)  # the new LabelMap, and what was done, in English: for the history
    object_needed = Signal()  # somebody paints and there is no current object: make one now

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.current: int | None = None
        self.skeleton = Skeleton()
        self.draft: Draft | None = None
        self.last_point: Point | None = None  # where the last stroke on this frame ended
        self.message = ""
        self._labels: LabelMap | None = None
        self._objects: dict[int, ObjectInfo] = {}
        self._solo: int | None = None
        self._points: FloatArray = np.empty((0, 2), np.float32)
        self._visible: BoolArray = np.empty(0, np.bool_)
        self._moved: tuple[int, Point] | None = None
        self._editable, self._reason = True, ""
        self._style = OverlayStyle()
        self._scrap: BoolArray = np.empty((0, 0), np.bool_)  # the mask of drafts: new memory at every press takes time
        self._quiet = QTimer(self)
        self._quiet.setSingleShot(True)
        self._quiet.setInterval(SAY_FOR)
        self._quiet.timeout.connect(lambda: self.say(""))

    # What is shown

    def set_image(self, image: UInt8Array | None, keep_view: bool = True) -> None:
        """The picture of another frame: see `Stage.set_image`. An edit that was under way is forgotten."""
        self.roll_back()
        self.last_point = None
        if image is not None and self._labels is not None and self._labels.shape != image.shape[:2]:
            self._take(None)
        super().set_image(image, keep_view)
        if self._scrap.shape != self.image_size:
            self._scrap = np.full(self.image_size, False)

    def set_labels(self, labels: LabelMap | None) -> None:
        """What the frame's pixels are; an edit that is under way goes on over them. ValueError for another size."""
        size = self.surface.image_size
        if labels is not None and size is not None and labels.shape != size:
            (h, w), (height, width) = labels.shape, size
            raise ValueError(f"the labels are {w}×{h}, the picture {width}×{height}")
        before = self._labels
        if before is labels or (before and labels and np.array_equal(before.ids, labels.ids)):
            self._labels = labels  # often only what has just been told: nothing looks different
        else:
            self._take(labels)

    def _take(self, labels: LabelMap | None) -> None:
        self._labels = labels
        if self.draft is not None:
            self.draft.rebase(labels)
            self.surface.ids = self.draft.ids
        else:
            self.surface.ids = None if labels is None else labels.ids
        self._refresh()

    def set_objects(self, objects: tuple[ObjectInfo, ...], current: int | None, solo: int | None = None) -> None:
        """What there is, what is painted with, and which one is shown alone (None or 0: all that are visible)."""
        self._objects = {info.id: info for info in objects}
        self.current, self._solo = current, solo or None
        hidden = frozenset(info.id for info in objects if not info.visible)
        surface, shown, proposed = self.surface, shown_ids(hidden, self._solo), current or 1
        looks_same = np.array_equal(shown, surface.shown) and (
            surface.proposal is None or surface.proposal_id == proposed
        )
        surface.shown, surface.proposal_id = shown, proposed
        if looks_same:  # a stroke that needs a new object begins at once
            self.update_marks()
        else:
            self._refresh()
        self.reset_cursor()

    def set_keypoints(self, keypoints: KeypointSet | None, skeleton: Skeleton) -> None:
        """The frame's points, None if it has none. ValueError if their names are not the skeleton's."""
        if keypoints is not None and keypoints.names != skeleton.names:
            raise ValueError(f"keypoints {', '.join(keypoints.names)} are not those of the skeleton")
        count = len(skeleton.names)
        points = np.full((count, 2), np.nan, np.float32) if keypoints is None else keypoints.xy
        visible = np.zeros(count, np.bool_) if keypoints is None else keypoints.visible
        looks_same = (
            skeleton == self.skeleton
            and self._moved is None
            and np.array_equal(points, self._points, equal_nan=True)
            and np.array_equal(visible, self._visible)
        )
        self.skeleton, self._points, self._visible, self._moved = skeleton, points, visible, None
        if not looks_same:
            self.update()

    def set_style(self, style: OverlayStyle) -> None:
        """How labels look. What is being edited is seen in any case."""
        self._style = style
        super().set_style(replace(style, show=style.show or self.draft is not None))

    def set_enabled_for_edit(self, enabled: bool, reason: str = "") -> None:
        """Whether labels may be changed at all, and if not, why: that is what the user reads on trying."""
        self._editable, self._reason = enabled, reason
        if not enabled:
            self.roll_back()
        self.reset_cursor()

    def say(self, text: str) -> None:
        """Show a line at the foot of the canvas for a moment."""
        self.message = text
        self._quiet.stop()
        if text:
            self._quiet.start()
        self.update()

    # Questions

    @property
    def image_size(self) -> Size:
        """(height, width); of no picture, (0, 0)."""
        return self.surface.image_size or (0, 0)

    def on_image(self, x: float, y: float) -> bool:
        height, width = self.image_size
        return -0.5 <= x < width - 0.5 and -0.5 <= y < height - 0.5

    def object_at(self, x: float, y: float) -> int | None:
        """The object that is seen at a point."""
        ids = self.surface.ids
        if ids is None or not self.surface.style.show or not self.on_image(x, y):
            return None
        return int(self.surface.shown[ids[round(y), round(x)]]) or None

    def object_name(self, number: int | None) -> str:
        """Its id and name; "" for none."""
        if number is None:
            return ""
        info = self._objects.get(number)
        return f"{number}  {info.name}" if info else str(number)

    def refusal(self) -> str:
        """Why the current object cannot be changed; "" if it can."""
        if not self._editable:
            return self._reason or self.tr("Labels cannot be changed now")
        info = self._objects.get(self.current) if self.current is not None else None
        if info is None:
            return ""
        if info.locked:
            return self.tr("{0} is locked: unlock it to change it").format(info.name)
        if not self.surface.shown[info.id]:
            return self.tr("{0} is not shown: show it to change it").format(info.name)
        return ""

    def allowed(self) -> bool:
        """May the current object, or the points, be changed? If not, the user reads why."""
        if refusal := self.refusal():
            self.say(refusal)
        return not refusal

    def ready(self) -> bool:
        """Is there an object to paint with? If there is none, one is asked for."""
        if self.surface.picture is None or not self.allowed():
            return False
        if self.current is None:
            self.object_needed.emit()
        return self.current is not None and self.allowed()

    # Edits of the label map

    def begin(self, erase: bool = False, everything: bool = False) -> bool:
        """Start an edit; the tool grows `draft.mask`. False if it may not be, and the user has been told why.

        erase: from the current object or, with `everything` or where there is none, from all that are not locked.
        """
        if self.surface.picture is None or not (self.allowed() if erase else self.ready()):
            return False
        self.roll_back()
        locked = tuple(info.id for info in self._objects.values() if info.locked)
        only = self.current if erase and not everything else None
        value = BACKGROUND if erase else self.current
        assert value is not None
        self.draft = Draft(self._labels, self._scrap, value, locked, only)
        self.surface.ids = self.draft.ids
        if not self._style.show:
            self.set_style(self._style)
        return True

    def touch(self, changed: Box) -> None:
        """Labels of the draft changed within a box."""
        self.update_device(self.surface.labels_changed(changed))

    def commit(self, name: str) -> bool:
        """The edit is done, and is told; whether it changed anything."""
        if self.draft is None:
            return False
        labels = self.draft.result(self.current)
        self._end(labels or self._labels)
        if labels is not None:
            self.labels_edited.emit(labels, name)
        return labels is not None

    def roll_back(self) -> None:
        """Forget the edit."""
        if self.draft is not None:
            self._end(self._labels)
            self._refresh()

    def _end(self, labels: LabelMap | None) -> None:
        if self.draft is not None:
            self.draft.clear()
        self.draft = None
        self._labels = labels
        self.surface.ids = None if labels is None else labels.ids
        if not self._style.show:
            self.set_style(self._style)

    # Points

    @property
    def points(self) -> FloatArray:
        """[N, 2] in the image, NaN where missing; a point that is being dragged is where it is dragged to."""
        if self._moved is None:
            return self._points
        points = self._points.copy()
        points[self._moved[0]] = self._moved[1]
        return points

    @property
    def visible(self) -> BoolArray:
        return self._visible

    @property
    def placed(self) -> BoolArray:
        """bool [N]: which points have a place."""
        return np.asarray(~np.isnan(self._points).any(axis=1))

    def points_in_window(self) -> FloatArray:
        """[N, 2] in the window."""
        corner = self.to_window(-0.5, -0.5)
        shift = np.array([corner.x(), corner.y()], np.float32)
        return (self.points + np.float32(0.5)) * np.float32(self.window_scale) + shift

    def move_point(self, index: int | None, to: Point = (0.0, 0.0)) -> None:
        """Show a point elsewhere while it is dragged; None shows it where it was."""
        self._moved = None if index is None else (index, to)
        self.update()
