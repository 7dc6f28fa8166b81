"""One edit of a label map while it is under way."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from app.core.raster import Box, paint
from model.types import BACKGROUND, BoolArray, LabelMap, UInt8Array


class Draft:
    """A private copy of a label map that a mask grows over.

    A tool draws its shape into `mask` and says with `add` where. The mask is kept apart from the labels, so labels that
    arrive meanwhile (from a propagation) can be put under it.

    mask: bool [H, W], all False; another draft may have it after `clear`. value: the id that is painted. locked: ids
    that stay as they are. only: the one id that may be painted over.
    """

    def __init__(
        self,
        labels: LabelMap | None,
        mask: BoolArray,
        value: int,
        locked: Collection[int] = (),
        only: int | None = None,
    ) -> None:
        self.value, self._locked, self._only = value, tuple(locked), only
        self.mask = mask
        self._changed = Box()
        self._reach = Box()
        self._start(labels)

    def _start(self, labels: LabelMap | None) -> None:
        self._labels = labels
        self.ids: UInt8Array = np.zeros(self.mask.shape, np.uint8) if labels is None else labels.ids.copy()

    def add(self, box: Box) -> Box:
        """The mask grew within a box; the box whose labels changed for it."""
        self._reach |= box
        changed = paint(self.ids, self.mask, box, self.value, self._locked, self._only)
        self._changed |= changed
        return changed

    def rebase(self, labels: LabelMap | None) -> None:
        """Go on over other labels."""
        self._start(labels)
        self._changed = Box()
        self.add(self._reach)

    def clear(self) -> None:
        """Nothing is drawn in the mask any more. The draft is over."""
        self.mask[self._reach.slices] = False

    def result(self, current: int | None) -> LabelMap | None:
        """The new label map, or None if nothing changed. It knows of `current`, even where that was erased.

        It is made of `ids`, which nobody may write to from then on.
        """
        if not self._changed:
            return None
        known = self._labels.objects if self._labels else ()
        more = {self.value, current or BACKGROUND} - {BACKGROUND}
        self.ids.flags.writeable = False  # spares a copy
        return LabelMap(self.ids, (*known, *more))
