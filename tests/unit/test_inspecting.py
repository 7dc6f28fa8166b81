"""Who votes for a frame: the frames that a propagation's memory holds when it comes there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from app.controllers.inspecting import voters
from app.core.annotations import FrameLabels, PackedMap
from app.core.document import Document
from app.core.media import Media
from model.memory import Entry, Memory
from model.types import LabelMap, Origin

FRAMES = 30
NOTHING = Entry(torch.empty(0), torch.empty(0))


def document(*references: int) -> Document:
    """Every frame is labelled, some by a person."""
    made = Document(Media(Path("/film.mp4"), (4, 6), FRAMES, 10.0))
    made.add_object()
    packed = PackedMap.pack(LabelMap(np.ones((4, 6), np.uint8)))
    made.restore({frame: FrameLabels(Origin.PROPAGATED, packed) for frame in range(FRAMES)})
    for frame in references:
        made.accept(frame)
    return made


@pytest.mark.parametrize("frame", [1, 2, 6, 7, 20])
@pytest.mark.parametrize(("anchor", "step"), [(0, 1), (29, -1)])
def test_on_the_way_from_one_reference_it_is_the_memory_of_a_run(anchor: int, step: int, frame: int) -> None:
    frame = frame if step > 0 else 29 - frame
    made = document(anchor)
    memory = Memory(made.options, step)
    for passed in range(anchor, frame, step):
        memory.add(passed, NOTHING, anchor=passed == anchor)
    assert voters(made, frame) == tuple(memory.references(frame))


def test_between_two_references_both_ways_count() -> None:
    assert voters(document(0, 20), 10) == (0, 3, 5, 7, 9, 11, 13, 15, 17, 20)


def test_dropped_frames_and_frames_without_labels_do_not_vote() -> None:
    made = document(0, 20)
    made.drop_reference(9)
    made.clear([11])
    assert voters(made, 10) == (0, 3, 5, 7, 13, 15, 17, 20)
    assert voters(document(), 3) == ()


def test_of_many_references_the_nearest_vote() -> None:
    made = document(*range(0, 30, 3))
    assert set(voters(made, 13)) & set(made.references) == {9, 12, 15, 18}
