"""The correspondence inspector: which reference pixels voted for the one under the pointer."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.controllers.questions import Questions
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.document import Document
from app.jobs.queries import Vote, Votes


class Inspecting(QObject):
    """Also drops references and takes them back, wherever the user asks for it."""

    def __init__(self, session: Session, window: Shell, questions: Questions) -> None:
        super().__init__()
        self._session, self._window, self._questions = session, window, questions
        window.canvas.inspect_at.connect(self._inspect)
        window.canvas.reference_dropped.connect(self._toggle)
        window.timeline.reference_dropped.connect(self._toggle)
        window.references_panel.dropped.connect(self._drop)
        window.actions["labels.drop"].triggered.connect(lambda: self._toggle(session.shown))

    def _inspect(self, x: float, y: float) -> None:
        document, frame = self._session.document, self._session.shown
        references = voters(document, frame)
        if not references:
            self._window.canvas.set_votes(())
            self._window.canvas.say(self.tr("No other frame votes here: label one, and propagate"))
            return
        known = ((reference, document.store.get(reference)) for reference in references)
        labels = tuple((reference, labels) for reference, labels in known if labels is not None)
        query = Votes(frame, x, y, references, document.options, labels)
        self._questions.ask(query, lambda votes: self._show(frame, votes), self._failed)

    def _show(self, frame: int, votes: tuple[Vote, ...]) -> None:
        if self._session.is_open and frame == self._session.shown:
            self._window.canvas.set_votes(votes, frame)

    def _failed(self, why: str) -> None:
        self._window.canvas.say(why)

    def _toggle(self, frame: int) -> None:
        self._drop(frame, frame not in self._session.document.dropped)

    def _drop(self, frame: int, dropped: bool) -> None:
        self._session.document.drop_reference(frame, dropped)
        words = self.tr("Frame {0} does not vote any more") if dropped else self.tr("Frame {0} votes again")
        self._window.canvas.say(words.format(frame))


def voters(document: Document, frame: int) -> tuple[int, ...]:
    """The frames that memory holds when a propagation comes to this one, ascending.

    The references nearest in time, and on the way from the reference that the frame's labels came from, or on both
    ways if they came from both sides, the frames at the short-term and long-term distances.
    """
    options = document.options
    references = document.references
    nearest = sorted((f for f in references if f != frame), key=lambda f: abs(frame - f))[: options.anchors]
    found = set(nearest)
    before = max((f for f in references if f < frame), default=None)
    after = min((f for f in references if f > frame), default=None)
    for start, step in ((before, 1), (after, -1)):
        if start is not None:
            on_the_way = {frame - step * back for back in options.short_term}
            on_the_way |= {start + step * ahead for ahead in options.long_term}
            found |= {f for f in on_the_way if (f - start) * step > 0 and (frame - f) * step > 0}
    labelled = (f for f in found if f in document.store and f not in document.dropped)
    return tuple(sorted(labelled))
