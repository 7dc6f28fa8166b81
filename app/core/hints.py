"""What to tell somebody who has never used the program: one line, about the next thing to do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Situation:
    """How far the labelling of a video is. Numbers of frames: human, propagated, stale, doubtful; missing, of those
    between the in and the out point: without any label; earlier, of those: before the first human one."""

    human: int = 0
    propagated: int = 0
    stale: int = 0
    doubtful: int = 0
    running: bool = False
    exported: bool = False
    missing: int = 0
    earlier: int = 0


@dataclass(frozen=True, slots=True)
class Hint:
    """text: {0}, {1} stand for the keys of `actions`, %n for `number`; one: the text for a number of 1.

    Translated where it is shown, in the context "Hints".
    """

    text: str
    actions: tuple[str, ...] = ()
    number: int = -1
    one: str = ""


_LAST = ("file.export", "help.keys")
PAINT = Hint("Paint the object on this frame: click it ({0}) or brush it ({1})", ("tool.click", "tool.brush"))
CARRY = "Paint more objects, or carry what there is through the video ({0})"
WAIT = Hint("Look around or paint while labels arrive; {0} stops, and keeps the finished frames", ("propagate.stop",))
EXPORT = Hint("No frame looks doubtful. Play it once ({0}), then export ({1})", ("view.play", "file.export"))
DONE = Hint("Exported and checked. Correct what you like and export again ({0}); {1} shows every key", _LAST)
UPDATE, UPDATE_ONE = (
    "Your correction is kept. %n frames around it are stale: make them anew ({0})",
    "Your correction is kept. One frame beside it is stale: make it anew ({0})",
)
DOUBT, DOUBT_ONE = (
    "%n frames look doubtful: go to the first ({0}) and correct it, or export ({1})",
    "One frame looks doubtful: go there ({0}) and correct it, or export ({1})",
)
MISSING, MISSING_ONE = (
    "%n frames have no labels yet: carry them there as well ({0}), or export what there is ({1})",
    "One frame has no labels yet: carry them there as well ({0}), or export what there is ({1})",
)


def hint(now: Situation) -> Hint:
    """The most useful thing to say. There always is one: a line that came and went would push the picture about."""
    if now.running:
        return WAIT
    if now.human == 0:
        return PAINT
    if now.stale:
        return Hint(UPDATE, ("propagate.update",), now.stale, UPDATE_ONE)
    if now.exported:
        return DONE
    if now.propagated == 0:
        return Hint(CARRY, ("propagate.both" if now.earlier else "propagate.forward",))
    if now.doubtful:
        return Hint(DOUBT, ("go.doubtful", "file.export"), now.doubtful, DOUBT_ONE)
    if now.missing:
        return Hint(MISSING, ("propagate.both", "file.export"), now.missing, MISSING_ONE)
    return EXPORT
