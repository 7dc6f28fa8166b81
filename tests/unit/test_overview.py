"""What the window shows of a long project is read a moment at a time, and is right in the end."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from app.controllers.overview import Counts, Overview
from app.controllers.session import Session
from app.controllers.shell import Shell
from app.core.annotations import Basis, FrameLabels, PackedMap
from app.core.document import Document
from app.core.lanes import Lane, LaneBook
from app.core.media import Media
from model.types import LabelMap, Origin
from tests.unit.test_session import FakeFrames
from tests.windows import home

__all__ = ["home"]


def long_document(frames: int, objects: int = 3) -> Document:
    """Every thousandth frame is a person's, the others were propagated from it; every tenth is doubtful."""
    document = Document(Media(Path("/film.mp4"), (4, 6), frames, 25.0))
    for _ in range(objects):
        document.add_object()
    ids = np.resize(np.arange(objects + 1, dtype=np.uint8), (4, 6))
    packed = PackedMap.pack(LabelMap(ids))

    def known(frame: int) -> FrameLabels:
        if frame % 1000 == 0:
            return FrameLabels(Origin.HUMAN, packed, revision=1)
        sure = dict.fromkeys(range(1, objects + 1), 0.95 if frame % 10 else 0.5)
        return FrameLabels(Origin.PROPAGATED, packed, certainty=sure, basis=Basis(), revision=1)

    document.restore({frame: known(frame) for frame in range(frames)})
    return document


class Timeline:
    """The lanes that were shown last."""

    def __init__(self, shell: Shell) -> None:
        self.lanes: tuple[Lane, ...] = ()
        shell.timeline.set_lanes = self.take  # type: ignore[method-assign]

    def take(self, lanes: tuple[Lane, ...]) -> None:
        self.lanes = lanes


def open_in(session: Session, document: Document) -> None:
    source = SimpleNamespace(times=np.arange(document.media.frames) / 25, size=(4, 6), fps=25.0)
    project = SimpleNamespace(
        document=document, folder=Path("/film.mer"), name=None, is_saved=True, is_dirty=False, close=lambda keep: None
    )
    session.open(project, source, FakeFrames())  # type: ignore[arg-type]


def test_lanes_of_a_long_project_come_piece_by_piece(qtbot, home: Path) -> None:
    document = long_document(6000)
    session, shell = Session(), Shell()
    qtbot.addWidget(shell)
    overview, shown = Overview(session, shell), Timeline(shell)
    open_in(session, document)
    assert shell.page == "editor" and not shown.lanes[0].states.any(), "nothing is read yet, and the window is there"
    document.clear([3, 5500])  # an edit before it is over
    qtbot.waitUntil(lambda: bool(shown.lanes[0].states[5999]), timeout=20_000)
    for lane, expected in zip(shown.lanes, LaneBook(document).lanes, strict=True):
        assert np.array_equal(lane.states, expected.states)
        assert np.array_equal(lane.certainty, expected.certainty, equal_nan=True)
    overview.go_to_doubt()
    assert session.frame % 10 == 0
    session.close()
    overview.close()


def test_a_project_that_is_closed_meanwhile_is_forgotten(qtbot, home: Path) -> None:
    session, shell = Session(), Shell()
    qtbot.addWidget(shell)
    overview = Overview(session, shell)
    open_in(session, long_document(6000, objects=1))
    session.close()
    qtbot.wait(20)
    assert shell.page == "welcome"
    overview.close()


def test_frames_without_labels_are_counted_in_the_span_alone(qtbot, home: Path) -> None:
    document = long_document(20)
    document.clear([*range(3), *range(14, 20)])
    lanes = LaneBook(document).lanes
    assert Counts.of(lanes, (0, 20)).missing == 9 and Counts.of(lanes, (2, 15)).missing == 2
    assert Counts.of((), (2, 15)).missing == 13
