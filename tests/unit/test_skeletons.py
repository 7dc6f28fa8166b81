from __future__ import annotations

import pytest

from app.core.objects import Skeleton
from app.core.preflight import Need, Preflight, Resource
from app.core.skeletons import PRESETS, SkeletonDraft

LEG = Skeleton(("hip", "knee", "ankle"), ((0, 1), (1, 2)))


def test_presets_are_connected_and_as_long_as_they_say() -> None:
    for title, skeleton in PRESETS.items():
        assert f"{len(skeleton.names)} points" in title
        reached, waiting = {0}, [0]
        while waiting:
            here = waiting.pop()
            beside = {b if a == here else a for a, b in skeleton.bones if here in (a, b)} - reached
            reached |= beside
            waiting += beside
        assert len(reached) == len(skeleton.names), title


def test_removing_a_point_keeps_the_other_bones_on_their_points() -> None:
    draft = SkeletonDraft.of(Skeleton(("a", "b", "c", "d"), ((0, 1), (2, 3), (3, 0))))
    draft.remove(1)
    names = draft.skeleton().names
    assert names == ("a", "c", "d")
    assert {frozenset(names[i] for i in bone) for bone in draft.bones} == {frozenset("cd"), frozenset("ad")}


def test_renames_are_told_by_their_first_names() -> None:
    draft = SkeletonDraft.of(LEG)
    draft.rename(1, "  left   knee ")
    draft.rename(1, "right knee")
    draft.add("toe")
    assert draft.skeleton().names == ("hip", "right knee", "ankle", "toe")
    assert draft.renamed() == {"knee": "right knee"}


def test_names_stay_distinct() -> None:
    draft = SkeletonDraft.of(LEG)
    with pytest.raises(ValueError, match='"hip" already'):
        draft.rename(2, "hip")
    with pytest.raises(ValueError, match="needs a name"):
        draft.rename(2, " ")
    assert [draft.points[draft.add("hip")][0] for _ in range(3)] == ["hip 2", "hip 3", "hip 4"]
    assert draft.renamed() == {}


def test_a_bone_is_one_whichever_end_comes_first() -> None:
    draft = SkeletonDraft.of(LEG)
    draft.toggle_bone(2, 1)
    assert draft.bones == [(0, 1)]
    draft.toggle_bone(2, 0)
    draft.toggle_bone(1, 1)
    assert draft.bones == [(0, 1), (0, 2)]


def test_taking_another_skeleton_keeps_points_of_the_same_name() -> None:
    draft = SkeletonDraft.of(LEG)
    draft.take(Skeleton(("knee", "foot"), ((0, 1),)))
    draft.rename(0, "bend")
    assert draft.renamed() == {"knee": "bend"}


def test_preflight_fits_or_names_what_is_short() -> None:
    memory, disk = Need(Resource.MEMORY, 9, 10), Need(Resource.DISK, 3, 2)
    assert Preflight(10, 1.0, (memory,)).fits
    assert [n.resource for n in Preflight(10, 1.0, (memory, disk)).tight] == [Resource.DISK, Resource.MEMORY]
    assert not Preflight(10, None, (memory, disk)).fits
    assert not Preflight(10, None, (Need(Resource.DISK, 1, 0),)).fits
    assert Preflight(10, None, (Need(Resource.DISK, 1, 10),)).tight == ()
