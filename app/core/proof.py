"""Is one encoder better than another? Figures before and after, and what follows from them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from model.types import UInt8Array

LABELLED_MARGIN = 0.005  # of J&F and PCK, 0..1: less is chance, however many frames there are
ERROR_MARGIN = 0.02  # of an error, relative: the least that counts, however often it was measured
_SPREAD = {"J&F": 0.02}  # of one labelled frame, by which two encoders of the same worth differ; the mean of n by less
_SURE = 2.0  # standard errors: a change of less is chance
_POINT = 0.1  # the same of one point, which is right or wrong


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
    spread: of an error, the standard error of the mean change from place to place; infinite where it is not known.
    """

    name: str
    where: str
    before: float
    after: float
    share: bool
    places: int
    spread: float = 0.0

    @property
    def verdict(self) -> Verdict:
        if self.share:
            gain = self.after - self.before
            margin = max(LABELLED_MARGIN, _SPREAD.get(self.name, _POINT) / math.sqrt(max(self.places, 1)))
        else:
            gain = self.before - self.after
            margin = max(ERROR_MARGIN * self.before, _SURE * self.spread)
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
    def by_labels(self) -> bool:
        """Do labels decide? They are what counts, if there are any and they tell the two apart."""
        return _together(self._overall(labels=True)) in (Verdict.BETTER, Verdict.WORSE)

    @property
    def verdict(self) -> Verdict:
        """By labels, or else by errors. One figure that is worse is decisive."""
        labels, errors = (_together(self._overall(labels)) for labels in (True, False))
        if self.by_labels or errors is Verdict.UNKNOWN:
            return labels
        return errors

    def _overall(self, labels: bool) -> list[Measure]:
        return [m for m in self.measures if not m.where and m.share is labels]


def _together(measures: Iterable[Measure]) -> Verdict:
    verdicts = {m.verdict for m in measures}
    order = (Verdict.WORSE, Verdict.BETTER, Verdict.SAME)
    return next((verdict for verdict in order if verdict in verdicts), Verdict.UNKNOWN)
