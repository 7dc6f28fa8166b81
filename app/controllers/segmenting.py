"""Click to segment: clicks become a proposed mask, and the mask, once the user takes it, labels."""

from __future__ import annotations

from PySide6.QtCore import QObject

from app.controllers.objects import Objects
from app.controllers.questions import Questions
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.raster import Box
from app.jobs.queries import Click, ClickSegment, Segment
from app.views.canvas.draft import Draft
from model.types import BoolArray


class Segmenting(QObject):
    """The proposal belongs to the frame and the object that were there when it was begun.

    It is taken by Enter, and also when the user simply goes on with something else; only Esc and undo drop it.
    """

    def __init__(self, session: Session, window: Shell, objects: Objects, questions: Questions) -> None:
        super().__init__()
        self._session, self._window, self._objects, self._questions = session, window, objects, questions
        self._clicks: tuple[Click, ...] = ()
        self._mask: BoolArray | None = None
        self._taken = False  # before its answer was there
        self._frame = 0
        canvas = window.canvas
        canvas.clicked_segment.connect(self._clicked)
        canvas.proposal_accepted.connect(self._take)
        canvas.proposal_dropped.connect(self.drop)
        session.moved.connect(lambda frame: self.settle())
        session.closing.connect(self.drop)

    @property
    def is_proposing(self) -> bool:
        return bool(self._clicks)

    def _clicked(self, x: float, y: float, positive: bool) -> None:
        if not self._clicks and not positive:
            self._window.canvas.say(self.tr("Click on the object first"))
            return
        self._frame = self._session.shown
        self._ask((*self._clicks, Click(x, y, positive)))

    def _ask(self, clicks: tuple[Click, ...]) -> None:
        self._taken = False
        options = self._session.document.options
        query = ClickSegment(self._frame, clicks, options)
        self._questions.ask(query, self._answered, self._failed)
        self._show(clicks, self._mask)

    def _answered(self, segment: Segment) -> None:
        self._show(self._clicks, segment.mask)
        if self._taken:
            self.settle()

    def _failed(self, why: str) -> None:
        self.drop()
        self._window.notify(why, "error")

    def _take(self) -> None:
        """Enter: the mask of all clicks, also of the one that is still being worked on."""
        self._taken = self._questions.is_waiting(ClickSegment)
        if not self._taken:
            self.settle()

    def undo(self) -> bool:
        """Take the last click back; False if there is none."""
        if not self._clicks:
            return False
        if rest := self._clicks[:-1]:
            self._ask(rest)
        else:
            self.drop()
        return True

    def settle(self) -> None:
        """Take the mask, if one is proposed, as the current object's."""
        mask, number = self._mask, self._objects.current
        self.drop()
        if mask is None or number is None or not self._session.is_open:
            return
        document = self._session.document
        locked = [info.id for info in document.objects if info.locked]
        draft = Draft(document.labels(self._frame), mask, number, locked)
        draft.add(Box.whole(mask.shape))
        if (labels := draft.result(number)) is not None:
            document.set_labels(self._frame, labels, self.tr("Click to segment"))

    def drop(self) -> None:
        if self._clicks or self._mask is not None:
            self._questions.forget(ClickSegment)
            self._show((), None)

    def _show(self, clicks: tuple[Click, ...], mask: BoolArray | None) -> None:
        self._clicks, self._mask = clicks, mask
        canvas = self._window.canvas
        looking = self._questions.is_waiting(ClickSegment)
        canvas.set_clicks([(click.x, click.y, click.positive) for click in clicks], looking)
        canvas.set_proposal(mask)
