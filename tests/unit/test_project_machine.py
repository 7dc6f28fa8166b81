"""Edit, undo, propagate, save, load, kill and recover in any order, against a plain model of what must be the case.

The model keeps whole states in lists where the document keeps differences, and tokens where it keeps revisions.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from app.core.annotations import FrameLabels, PackedGrid, PackedMap
from app.core.document import Document
from app.core.objects import Skeleton
from app.core.references import Job
from app.io import project_file
from app.io.open_project import OpenProject, unsaved_projects
from model.types import Direction, KeypointSet, LabelMap, Origin, PropagationOptions
from tests.projects import document, video

FRAMES, SIZE = 5, (4, 5)
NAMES = ("a", "b", "c")
frames = st.integers(0, FRAMES - 1)
token = count()


@dataclass
class Known:
    """One frame. token: changes when a person changes it. basis: tokens of the references that it was made from."""

    origin: Origin
    ids: np.ndarray | None = None
    objects: tuple[int, ...] = ()
    points: dict[str, tuple[float, float] | None] | None = None
    token: int = -1
    basis: tuple[Any, Any] = (None, None)


@dataclass
class World:
    """All that undo reaches."""

    objects: dict[int, tuple[str, bool]] = field(default_factory=dict)
    retired: set[int] = field(default_factory=set)
    skeleton: tuple[str, ...] = ()
    dropped: set[int] = field(default_factory=set)
    span: tuple[int, int] = (0, FRAMES)
    radius: int = PropagationOptions().radius
    frames: dict[int, Known] = field(default_factory=dict)

    def references(self) -> list[int]:
        return [
            f
            for f, known in sorted(self.frames.items())
            if known.origin is not Origin.PROPAGATED
            and f not in self.dropped
            and (set(known.objects) & self.objects.keys() or set(known.points or ()) & set(self.skeleton))
        ]

    def basis(self, frame: int, references: list[int]) -> tuple[Any, Any]:
        """Tokens of the nearest references on both sides."""
        before = [(f, self.frames[f].token) for f in references if f < frame]
        after = [(f, self.frames[f].token) for f in references if f > frame]
        return before[-1] if before else None, after[0] if after else None


class Projects(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.patch = pytest.MonkeyPatch()
        self.patch.setenv("MER_HOME", str(self.home / "user"))
        self.patch.setattr(project_file, "WASTE", 200)  # so that packs are begun anew
        self.world = World()
        self.done: list[World] = []
        self.undone: list[World] = []
        self.job: Job | None = None
        self.job_began: World | None = None  # where the part of the job that is not in the history yet began
        self.job_bases: dict[int, tuple[Any, Any]] = {}
        self.saved: World | None = None  # what project.json says, if the user saved

    @initialize()
    def begin(self) -> None:
        self.project = OpenProject.begin(document(video(self.home), FRAMES, SIZE))

    def teardown(self) -> None:
        self.end_job()
        self.project.close()
        self.patch.undo()
        shutil.rmtree(self.home)

    @property
    def doc(self) -> Document:
        return self.project.document

    def act(self, **changes: Any) -> None:
        """Note one action of the user."""
        new = deepcopy(self.world)
        for name, value in changes.items():
            setattr(new, name, value)
        if self.job is not None and self.job_began is not None:
            self.done.append(self.job_began)  # what the job did so far comes before this action
            self.job_began = None
        self.done.append(self.world)
        self.undone = []
        self.world = new

    def replace(self, frame: int, known: Known | None) -> None:
        new = dict(self.world.frames)
        if known is None:
            new.pop(frame, None)
        else:
            new[frame] = known
        self.act(frames=new)

    def human(self, frame: int, **changes: Any) -> None:
        old = self.world.frames.get(frame)
        origin = Origin.HUMAN if old is None or old.origin is Origin.HUMAN else Origin.CORRECTED
        kept = {"ids": old.ids, "objects": old.objects, "points": old.points} if old else {}
        self.replace(frame, Known(origin, **{**kept, **changes}, token=next(token)))

    # Objects and skeleton

    @rule()
    def add_object(self) -> None:
        info, _ = self.doc.add_object()
        assert info.id not in self.world.retired and info.id not in self.world.objects
        self.act(objects={**self.world.objects, info.id: (info.name, True)})

    @rule(data=st.data(), name=st.sampled_from(["swan", "koi"]), visible=st.booleans())
    def change_object(self, data: st.DataObject, name: str, visible: bool) -> None:
        if self.world.objects:
            number = data.draw(st.sampled_from(sorted(self.world.objects)))
            if self.doc.change_object(number, name=name, visible=visible):
                self.act(objects={**self.world.objects, number: (name, visible)})
            else:
                assert self.world.objects[number] == (name, visible)

    @rule(data=st.data())
    def remove_object(self, data: st.DataObject) -> None:
        if self.world.objects:
            number = data.draw(st.sampled_from(sorted(self.world.objects)))
            self.doc.remove_object(number)
            rest = {n: info for n, info in self.world.objects.items() if n != number}
            self.act(objects=rest, retired=self.world.retired | {number})

    @precondition(lambda self: self.job is None)
    @rule(names=st.permutations(NAMES), length=st.integers(0, 3), renaming=st.booleans())
    def set_skeleton(self, names: list[str], length: int, renaming: bool) -> None:
        """Another skeleton; renaming: its points are the old ones, in their order, and not those of the same name."""
        new = tuple(names[:length])
        renamed = dict(zip(self.world.skeleton, new, strict=False)) if renaming else {}
        if not self.doc.set_skeleton(Skeleton(new), renamed):
            return
        sources = {to: old for old, to in renamed.items()}
        sources = {n: sources.get(n, n if n not in renamed else None) for n in new}
        moved = deepcopy(self.world.frames)
        for known in moved.values():
            if known.points is not None:
                places = {n: known.points[old] for n, old in sources.items() if old in known.points}
                known.points = places or None
        self.act(skeleton=new, frames=moved)

    # Labels

    @rule(frame=frames, seed=st.integers(0, 3), data=st.data())
    def paint(self, frame: int, seed: int, data: st.DataObject) -> None:
        alive = sorted(self.world.objects)
        ids = np.random.default_rng(seed).choice(np.array([0, *alive], np.uint8), SIZE)
        looked_for = tuple(data.draw(st.sets(st.sampled_from(alive)))) if alive else ()
        painted = LabelMap(ids, looked_for)
        old = self.world.frames.get(frame)
        if self.doc.set_labels(frame, painted):
            self.human(frame, ids=ids, objects=painted.objects)
        else:
            assert old is not None and np.array_equal(old.ids, ids) and old.objects == painted.objects

    @precondition(lambda self: self.world.skeleton)
    @rule(frame=frames, x=st.integers(0, 2), missing=st.booleans())
    def place(self, frame: int, x: int, missing: bool) -> None:
        points = {n: None if missing else (float(x + i), 1.0) for i, n in enumerate(self.world.skeleton)}
        old = self.world.frames.get(frame)
        if self.doc.set_keypoints(frame, KeypointSet.of(points)):
            self.human(frame, points=points)
        else:
            assert old is not None and old.points == points

    @rule(frame=frames)
    def accept(self, frame: int) -> None:
        if self.doc.accept(frame):
            self.human(frame)

    @rule(frame=frames)
    def clear(self, frame: int) -> None:
        if self.doc.clear([frame]):
            self.replace(frame, None)

    @rule(frame=frames, dropped=st.booleans())
    def drop(self, frame: int, dropped: bool) -> None:
        if self.doc.drop_reference(frame, dropped):
            self.act(dropped=self.world.dropped | {frame} if dropped else self.world.dropped - {frame})

    @rule(start=frames, length=st.integers(1, FRAMES), radius=st.integers(2, 4))
    def set_range_and_options(self, start: int, length: int, radius: int) -> None:
        stop = min(start + length, FRAMES)
        if self.doc.set_span(start, stop):
            self.act(span=(start, stop))
        if self.doc.set_options(PropagationOptions(radius=radius)):
            self.act(radius=radius)

    # Propagation

    @precondition(lambda self: self.job is None and self.world.references())
    @rule()
    def begin_job(self) -> None:
        request = self.doc.request(Direction.BOTH)
        references = self.world.references()
        assert [anchor.frame for anchor in request.anchors] == references
        self.job = self.doc.begin_job("Propagate", request, "sha")
        self.job_bases = {f: self.world.basis(f, references) for f in range(FRAMES)}
        self.job_names = self.world.skeleton

    @precondition(lambda self: self.job is not None)
    @rule(frame=frames, seed=st.integers(0, 3))
    def result(self, frame: int, seed: int) -> None:
        assert self.job is not None
        ids = np.random.default_rng(seed).integers(0, 3, SIZE, np.uint8)
        labels = LabelMap(ids)
        points = {name: (float(seed), 0.0) for name in self.job_names}
        known = FrameLabels(
            Origin.PROPAGATED,
            PackedMap.pack(labels),
            KeypointSet.of(points) if points else None,
            {1: 0.5},
            PackedGrid.pack(np.full((1, 2), 0.5, np.float32)),
        )
        old = self.world.frames.get(frame)
        applied = self.doc.apply_result(self.job, frame, known)
        if old is not None and old.origin is not Origin.PROPAGATED:
            assert not applied
            return
        assert applied
        if self.job_began is None:
            self.job_began = self.world
        self.world = deepcopy(self.world)
        made = Known(Origin.PROPAGATED, ids, labels.objects, points or None, basis=self.job_bases[frame])
        self.world.frames[frame] = made

    @rule()
    def end_job(self) -> None:
        if self.job is not None:
            self.doc.end_job(self.job)
            if self.job_began is not None:
                self.done.append(self.job_began)
                self.undone = []
            self.job = self.job_began = None

    # Undo

    @precondition(lambda self: self.job is None)
    @rule()
    def undo(self) -> None:
        done = self.doc.undo()
        assert (done is None) == (not self.done)
        if self.done:
            self.undone.append(self.world)
            self.world = self.done.pop()

    @precondition(lambda self: self.job is None)
    @rule()
    def redo(self) -> None:
        done = self.doc.redo()
        assert (done is None) == (not self.undone)
        if self.undone:
            self.done.append(self.world)
            self.world = self.undone.pop()

    # Files

    def reopen(self, folder: Path, expected: World) -> None:
        """What follows an end of the program: another one, without a history."""
        self.project = OpenProject.open(folder)
        assert self.project.notes == ()
        self.world = expected
        self.done, self.undone, self.job, self.job_began = [], [], None, None

    @rule()
    def save(self) -> None:
        if not self.project.is_saved:
            self.project.save_as(self.home / "p.mer")
        else:
            self.project.save()
        self.saved = deepcopy(self.world)

    @precondition(lambda self: self.project.is_saved)
    @rule(frame=frames)
    def change_while_saving(self, frame: int) -> None:
        work = self.project.saving()
        self.saved = deepcopy(self.world)
        self.clear(frame)
        work()

    @precondition(lambda self: self.project.is_saved)
    @rule(keep=st.booleans())
    def close_and_open(self, keep: bool) -> None:
        self.end_job()
        assert self.saved is not None
        self.project.close(keep)
        self.reopen(self.project.folder, self.world if keep else deepcopy(self.saved))

    @rule(lost=st.integers(0, 40), save=st.booleans())
    def kill_and_recover(self, lost: int, save: bool) -> None:
        """The program dies in the middle of writing a record, or of a save."""
        folder = self.project.folder
        self.end_job()
        expected = deepcopy(self.world)
        if save:
            self.project.saving()  # and never done
        self.doc.add_object("half")  # this is the last operation, and its record is cut off
        self.doc.on_change = lambda values, change: None
        self.project._journal.close()
        self.project._lock._stopped.set()
        last = max(folder.glob("journal-*"), key=lambda path: int(path.name.removeprefix("journal-")))
        content = last.read_bytes()
        last.write_bytes(content[: len(content) - 1 - lost])  # a record of this kind is longer than that
        lock = folder / "lock"
        lock.write_text(json.dumps({**json.loads(lock.read_text()), "born": 0}))
        if not self.project.is_saved:
            assert folder in [unsaved.folder for unsaved in unsaved_projects()]
        self.reopen(folder, expected)

    # What must be the case

    @invariant()
    def the_document_is_as_predicted(self) -> None:
        doc, world = self.doc, self.world
        assert {info.id: (info.name, info.visible) for info in doc.objects} == world.objects
        assert doc.skeleton.names == world.skeleton
        assert doc.dropped == world.dropped and doc.span == world.span and doc.options.radius == world.radius
        assert list(doc.store) == sorted(world.frames)
        references = world.references()
        assert doc.references == tuple(references)
        assert doc.stale() == tuple(
            f
            for f, known in sorted(world.frames.items())
            if known.origin is Origin.PROPAGATED and known.basis != world.basis(f, references)
        )
        for frame, known in world.frames.items():
            stored = doc.store.get(frame)
            assert stored is not None and stored.origin is known.origin
            self.check_labels(frame, known)
            self.check_points(frame, known)

    def check_labels(self, frame: int, known: Known) -> None:
        found = self.doc.labels(frame)
        if known.ids is None:
            assert found is None
            return
        assert found is not None
        assert found.objects == tuple(n for n in known.objects if n in self.world.objects)
        expected = np.where(np.isin(known.ids, list(self.world.objects)), known.ids, 0)
        assert np.array_equal(found.ids, expected)

    def check_points(self, frame: int, known: Known) -> None:
        found = self.doc.keypoints(frame)
        if known.points is None or not self.world.skeleton:
            assert found is None
            return
        assert found is not None and found.names == self.world.skeleton
        for name, place in zip(found.names, found.xy, strict=True):
            expected = known.points.get(name)
            assert np.isnan(place).all() if expected is None else tuple(place) == expected


@pytest.mark.slow
class TestProjects(Projects.TestCase):
    pass


TestProjects.settings = settings(
    max_examples=30, stateful_step_count=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
