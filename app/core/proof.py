"""Is one encoder better than another? Figures before and after, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.types import UInt8Array

LABELLED_MARGIN = 0.005  # of J&F and PCK, 0..1: less is chance
ERROR_MARGIN = 0.02  # of an error, relative


class Verdict(StrEnum):
    BETTER = "better"
    SAME = "same"
    WORSE = "worse"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Measure:
    """One figure. name: "J&F", "PCK@0.1", "reconstruction" or "cycle"; where: the video, or "" for all of them.

    share:  of 0..1, and higher is better, measured on a person's labels; otherwise an error, and lower is better.
    places: frames, points or pairs that it is the mean of.
    """

    name: str
    where: str
    before: float
    after: float
    share: bool
    places: int

    @property
    def verdict(self) -> Verdict:
        gain = self.after - self.before if self.share else (self.before - self.after) / max(self.before, 1e-9)
        margin = LABELLED_MARGIN if self.share else ERROR_MARGIN
        if gain > margin:
            return Verdict.BETTER
        return Verdict.WORSE if gain < -margin else Verdict.SAME


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """One frame as the old encoder and as the new one see it, uint8 [H, W, 3] each."""

    title: str
    before: UInt8Array
    after: UInt8Array


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """old, new: names of the encoders. measures: those of all videos first. notes: what could not be measured."""

    old: str
    new: str
    measures: tuple[Measure, ...]
    pictures: tuple[Comparison, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """By labels, if there are any, for they are what counts; else by errors. One that is worse is decisive."""
        overall = [m for m in self.measures if not m.where]
        by_labels = [m for m in overall if m.share]
        verdicts = [m.verdict for m in by_labels or overall]
        if not verdicts:
            return Verdict.UNKNOWN
        for verdict in (Verdict.WORSE, Verdict.BETTER):
            if verdict in verdicts:
                return verdict
        return Verdict.SAME
