"""What is open: a project, its video, and the frame that the user looks at.

Other controllers read it and listen to it; none of them knows another window's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from PySide6.QtCore import QObject, QTimer, Signal

from app.core.changes import NOTHING, Change
from app.core.document import Document
from app.core.history import Key
from app.io.open_project import OpenProject
from model.types import Frame
from model.video import VideoSource

GATHER_MS = 33  # while labels pour in, whoever shows them is told this often


class Frames(Protocol):
    """What a session wants of `app.jobs.frames.FrameServer`."""

    frame_ready: Any
    failed: Any

    def request(self, frame: int, generation: int, exact: bool = True) -> None: ...
    def close(self) -> None: ...


class Session(QObject):
    """At most one project at a time.

    opened(), closing(), closed(): around the life of a project; when `closing` comes, everything is still there.
    moved(frame): the user is elsewhere; its picture may take a moment.
    pictured(Frame): the picture of the frame where the user is, or of one near by until that is there.
    changed(Change): the document changed. failed(text): the video cannot be read.
    """

    opened = Signal()
    closing = Signal()
    closed = Signal()
    moved = Signal(int)
    pictured = Signal(object)
    changed = Signal(object)
    failed = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.project: OpenProject | None = None
        self.source: VideoSource | None = None
        self.frames: Frames | None = None
        self.frame = 0
        self.picture: Frame | None = None
        self._generation = 0
        self._pending = NOTHING
        self._gathering = QTimer(self, singleShot=True, interval=GATHER_MS)
        self._gathering.timeout.connect(self.tell)
        self._hurried = True

    @property
    def is_open(self) -> bool:
        return self.project is not None

    @property
    def document(self) -> Document:
        assert self.project is not None, "something is open"
        return self.project.document

    @property
    def count(self) -> int:
        """Frames of the video."""
        return self.document.media.frames

    def time(self, frame: int) -> float:
        """When a frame is shown, in seconds."""
        assert self.source is not None, "something is open"
        return float(self.source.times[frame])

    def open(self, project: OpenProject, source: VideoSource, frames: Frames) -> None:
        """Take over a project whose video is open. Nothing else may be."""
        assert self.project is None, "one project at a time"
        self.project, self.source, self.frames = project, source, frames
        journal = project.document.on_change

        def noted(values: Mapping[Key, Any], change: Change) -> None:
            journal(values, change)
            self._note(change)

        project.document.on_change = noted
        frames.frame_ready.connect(self._arrived)
        frames.failed.connect(self.failed)
        self.frame = 0
        self.opened.emit()
        self.go_to(0)

    def close(self, keep: bool = False) -> None:
        """Let go of everything. keep: what was not saved is offered next time."""
        if self.project is None:
            return
        self.tell()
        self.closing.emit()
        project, frames = self.project, self.frames
        assert frames is not None
        self.project = self.source = self.frames = self.picture = None
        self._generation += 1
        frames.close()  # and with it the source
        project.close(keep)
        self.closed.emit()

    def go_to(self, frame: int, exact: bool = True) -> None:
        """Show a frame; beyond either end, the last one there.

        exact=False: until it is decoded, one near by will do, as while the user drags.
        """
        if self.frames is None:
            return
        self.frame = min(max(frame, 0), self.count - 1)
        self._generation += 1
        self.moved.emit(self.frame)
        self.frames.request(self.frame, self._generation, exact)

    @property
    def shown(self) -> int:
        """The frame that is seen, which is the one that is edited; `frame` may still be on its way."""
        return self.frame if self.picture is None else self.picture.index

    @property
    def is_waiting(self) -> bool:
        """Is the picture of `frame` still to come?"""
        return self.picture is None or self.picture.index != self.frame

    def gather(self, on: bool) -> None:
        """While on, changes are told together, about 30 times a second."""
        self._hurried = not on
        if not on:
            self.tell()

    def tell(self) -> None:
        """Tell of changes that wait."""
        self._gathering.stop()
        change, self._pending = self._pending, NOTHING
        if change:
            self.changed.emit(change)

    def _note(self, change: Change) -> None:
        self._pending |= change
        if self._hurried:
            self.tell()
        elif not self._gathering.isActive():
            self._gathering.start()

    def _arrived(self, frame: int, generation: int, picture: Frame) -> None:
        if generation == self._generation:  # else the user is elsewhere by now
            self.picture = picture
            self.pictured.emit(picture)
