"""Keypoints of several animals in one file: none is lost, and none is taken for another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.io.imports.read import read_foreign

SIZE = (100, 200)
NAMES = ("ada nose", "ada tail", "bob nose", "bob tail")
TABLE = """scorer,S,S,S,S,S,S,S,S
individuals,ada,ada,ada,ada,bob,bob,bob,bob
bodyparts,nose,nose,tail,tail,nose,nose,tail,tail
coords,x,y,x,y,x,y,x,y
labeled-data/clip/img0003.png,1,2,3,4,5,6,,
"""


def test_a_deeplabcut_table_of_several_animals(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData.csv"
    path.write_text(TABLE)
    found = read_foreign(path, SIZE)
    assert found.skeleton.names == NAMES
    assert np.allclose(found.keypoints[3].xy, [[1, 2], [3, 4], [5, 6], [np.nan, np.nan]], equal_nan=True)
    path.write_text(TABLE.replace(",bob,bob,bob,bob", ",bob"))
    with pytest.raises(ValueError, match="shorter"):
        read_foreign(path, SIZE)


def test_the_same_table_as_hdf5(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    pytest.importorskip("tables")
    (tmp_path / "a.csv").write_text(TABLE)
    table = pandas.read_csv(tmp_path / "a.csv", header=[0, 1, 2, 3], index_col=0)
    table.to_hdf(tmp_path / "a.h5", key="df_with_missing")
    by_csv, by_h5 = (read_foreign(tmp_path / name, SIZE) for name in ("a.csv", "a.h5"))
    assert by_h5.skeleton.names == NAMES
    assert np.array_equal(by_h5.keypoints[3].xy, by_csv.keypoints[3].xy, equal_nan=True)


def test_sleap_animals_are_told_apart_by_their_tracks(tmp_path: Path) -> None:
    sio = pytest.importorskip("sleap_io")
    skeleton = sio.Skeleton(["nose", "tail"], edges=[("nose", "tail")])
    ada, bob = sio.Track("ada"), sio.Track("bob")
    video = sio.Video("clip.mp4", open_backend=False)

    def animal(x: float, track: object, kind: type = sio.Instance) -> object:
        return kind.from_numpy(np.array([[x, 1], [x, 2]]), skeleton=skeleton, track=track)

    def saved(*frames: list[object]) -> Path:
        labelled = [sio.LabeledFrame(video, number, animals) for number, animals in enumerate(frames)]
        sio.Labels(labelled, videos=[video], skeletons=[skeleton]).save(str(tmp_path / "a.slp"))
        return tmp_path / "a.slp"

    found = read_foreign(saved([animal(10, ada), animal(20, bob)], [animal(21, bob), animal(11, ada)]), SIZE)
    assert found.skeleton.names == NAMES and found.skeleton.bones == ((0, 1), (2, 3))
    assert [found.keypoints[frame].xy[[0, 2], 0].tolist() for frame in (0, 1)] == [[10, 20], [11, 21]]
    placed = read_foreign(saved([animal(10, None, sio.PredictedInstance), animal(30, None)]), SIZE)
    assert placed.skeleton.names == ("nose", "tail") and placed.keypoints[0].xy[0, 0] == 30, "by a person"
    with pytest.raises(ValueError, match=r"frame 0 .* a track of its own"):
        read_foreign(saved([animal(10, None), animal(20, None)]), SIZE)
