"""Going about the video: keys, timeline, references, in and out points, playing."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QObject

from app.controllers.playback import Playback
from app.controllers.session import Session
from app.controllers.shell import Shell


class Going(QObject):
    def __init__(self, session: Session, window: Shell, playback: Playback) -> None:
        super().__init__()
        self._session, self._window, self._playback = session, window, playback
        timeline, transport, actions = window.timeline, window.transport, window.actions
        timeline.scrubbed.connect(lambda frame: self._to(frame, exact=False))
        timeline.span_changed.connect(self._set_span)
        transport.frame_requested.connect(self._to)
        window.references_panel.jumped.connect(self._to)
        playback.toggled.connect(transport.set_playing)
        playback.toggled.connect(timeline.set_playing)
        does: dict[str, Callable[[], object]] = {
            "view.play": playback.toggle,
            "go.next": lambda: self._by(1),
            "go.previous": lambda: self._by(-1),
            "go.next_10": lambda: self._by(10),
            "go.previous_10": lambda: self._by(-10),
            "go.first": lambda: self._to(0),
            "go.last": lambda: self._to(session.count - 1),
            "go.next_human": lambda: self._human(session.document.store.human_after(session.frame)),
            "go.previous_human": lambda: self._human(session.document.store.human_before(session.frame)),
            "propagate.set_in": self.set_in,
            "propagate.set_out": self.set_out,
            "propagate.whole": lambda: self._set_span(0, session.count),
        }
        for name, do in does.items():
            actions[name].triggered.connect(lambda _=False, do=do: do() if session.is_open else None)

    def _to(self, frame: int, exact: bool = True) -> None:
        if self._session.is_open:
            self._session.go_to(frame, exact)
            self._playback.jumped()

    def _by(self, step: int) -> None:
        """One frame at a time is looked at closely: so exactly that one, and the video stops."""
        self._playback.stop()
        self._to(self._session.frame + step, exact=abs(step) == 1)

    def _human(self, frame: int | None) -> None:
        if frame is None:
            self._window.canvas.say(self.tr("There is no other labelled frame that way"))
        else:
            self._to(frame)

    def set_in(self) -> None:
        """Begin here; an out point that lies before goes to the end."""
        _, stop = self._session.document.span
        frame = self._session.frame
        self._set_span(frame, stop if stop > frame else self._session.count)

    def set_out(self) -> None:
        """End here, this frame included; an in point that lies behind goes to the beginning."""
        start, _ = self._session.document.span
        stop = self._session.frame + 1
        self._set_span(start if start < stop else 0, stop)

    def _set_span(self, start: int, stop: int) -> None:
        self._session.document.set_span(start, stop)
