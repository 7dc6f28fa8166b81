"""Projects from strangers: nothing in them is believed, and whatever is wrong ends in one line of words."""

from __future__ import annotations

import json
import os
import pickle
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.core.annotations import digest
from app.core.objects import Skeleton
from app.io.journal import Journal
from app.io.project_file import load, save
from model.types import KeypointSet
from tests.projects import document, labels, video

Content = dict[str, Any]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An honest project with a journal."""
    doc = document(video(tmp_path))
    doc.add_object("swan")
    doc.set_skeleton(Skeleton(("beak",)))
    doc.set_labels(0, labels((1, 1)))
    doc.set_keypoints(0, KeypointSet.of({"beak": (1, 1)}))
    save(doc, tmp_path / "swan.mer")
    journal = Journal(tmp_path / "swan.mer", 0)
    doc.on_change = lambda values, change: journal.append(values)
    doc.set_labels(1, labels((2, 1)))
    journal.close()
    return tmp_path / "swan.mer"


def rewrite(folder: Path, change: Callable[[Content], object]) -> None:
    content = json.loads((folder / "project.json").read_text())
    change(content)
    (folder / "project.json").write_text(json.dumps(content))


def frame(content: Content) -> Content:
    first: Content = content["values"]["frames"][0]
    return first


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.update(pack="../labels-1.pack"),
        lambda c: c.update(pack="/etc/passwd"),
        lambda c: c.update(pack="labels-1.pack/../../x"),
        lambda c: c.update(pack_end=-1),
        lambda c: c.update(revision="many"),
        lambda c: c.update(journal=-1),
        lambda c: c.pop("media"),
        lambda c: c["media"].update(size=[1 << 20, 1 << 20]),
        lambda c: c["media"].update(size=[0, 8]),
        lambda c: c["media"].update(frames=10**12),
        lambda c: c["media"].update(frames=0),
        lambda c: c["media"].update(fps=float("nan")),
        lambda c: c["values"].update(span=[0, 11]),
        lambda c: c["values"].update(span=[5, 5]),
        lambda c: c["values"].update(objects=[{"id": 255, "name": "void"}]),
        lambda c: c["values"].update(objects=[{"id": 1, "name": "a"}, {"id": 1, "name": "b"}]),
        lambda c: c["values"].update(objects=[{"id": 1, "name": "\ud800"}]),
        lambda c: c["values"].update(skeleton={"names": ["a", "a"], "bones": []}),
        lambda c: c["values"].update(skeleton={"names": ["a", "b"], "bones": [[0, 9]]}),
        lambda c: c["values"]["options"].update(radius=0),
        lambda c: c["values"]["options"].update(radius="wide"),
        lambda c: frame(c).update(frame=10),
        lambda c: frame(c).update(frame=-1),
        lambda c: frame(c).update(origin="divine"),
        lambda c: frame(c)["labels"].update(objects=[0]),
        lambda c: frame(c)["labels"]["blob"].__setitem__(1, 1 << 40),
        lambda c: frame(c)["labels"]["blob"].__setitem__(0, -8),
        lambda c: frame(c)["labels"]["blob"].__setitem__(2, "../../../etc/passwd"),
        lambda c: frame(c).update(grid={"size": [4000, 4000], "blob": frame(c)["labels"]["blob"]}),
        lambda c: frame(c).update(keypoints=frame(c)["labels"]["blob"]),
        lambda c: c.update(values=[]),
    ],
)
def test_what_cannot_be_true_is_refused_in_one_line_that_names_the_file(
    folder: Path, change: Callable[[Content], object]
) -> None:
    rewrite(folder, change)
    with pytest.raises(ValueError) as refused:
        load(folder)
    message = str(refused.value)
    assert str(folder) in message and "\n" not in message and len(message) < 400


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 200_000, b"\xff\xff", b"9" * 10_000, pickle.dumps({})])
def test_what_is_no_json_is_refused(folder: Path, content: bytes) -> None:
    (folder / "project.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"project\.json: is damaged"):
        load(folder)


def test_what_is_no_project_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ValueError, match="is not a project of mer"):
            load(path)


def test_a_pack_that_is_something_else_or_gone_is_refused(folder: Path) -> None:
    (pack,) = folder.glob("*.pack")
    content = pack.read_bytes()
    for wrong, message in ((b"PK" + content, "not a pack"), (content[:30], "shorter than the project says")):
        pack.write_bytes(wrong)
        with pytest.raises(ValueError, match=message):
            load(folder)
    pack.unlink()
    with pytest.raises(FileNotFoundError, match=pack.name):
        load(folder)


def plant(folder: Path, data: bytes) -> None:
    """Have the first frame's map be these bytes, with all the rest in order."""
    (pack,) = folder.glob("*.pack")
    offset = pack.stat().st_size
    pack.write_bytes(pack.read_bytes() + data)
    rewrite(folder, lambda c: frame(c)["labels"].update(blob=[offset, len(data), digest(data)]))


def test_a_map_that_unpacks_to_more_than_the_video_takes_no_memory(folder: Path) -> None:
    plant(folder, zlib.compress(bytes(300 << 20), 9))
    loaded = load(folder).document
    tracemalloc.start()
    with pytest.raises(ValueError, match="damaged"):
        loaded.labels(0)
    assert tracemalloc.get_traced_memory()[1] < 4 << 20
    tracemalloc.stop()


def test_blobs_that_overlap_cannot_multiply_what_is_read(folder: Path) -> None:
    (pack,) = folder.glob("*.pack")
    data = os.urandom(1 << 16)
    offset = pack.stat().st_size
    pack.write_bytes(pack.read_bytes() + data)
    blobs = [[offset + i, len(data) - i, digest(data[i:])] for i in range(500)]
    frames = [{"frame": 0, "origin": "human", "revision": 0, "keypoints": blob} for blob in blobs]
    rewrite(folder, lambda c: c["values"].update(frames=frames))
    with pytest.raises(ValueError, match="shorter than the project says"):
        load(folder)


@pytest.mark.skipif(not hasattr(os, "O_NOFOLLOW"), reason="no links here")
@pytest.mark.parametrize("name", ["labels-1.pack", "journal-1", "thumbnail.png", "project.json", "lock"])
def test_nothing_is_written_through_a_link_that_leads_out_of_the_folder(
    folder: Path, tmp_path: Path, name: str
) -> None:
    victim = tmp_path / "victim"
    inside = folder / name
    content = inside.read_bytes() if inside.exists() else b"precious"
    victim.write_bytes(content)
    inside.unlink(missing_ok=True)
    inside.symlink_to(victim)
    doc = document(tmp_path / "swan.mp4")
    doc.add_object()
    doc.set_labels(0, labels((3, 1)))
    try:
        save(doc, folder)
        journal = Journal(folder, 0)
        journal.append({0: None})
        journal.close()
    except (ValueError, OSError) as error:
        assert str(folder) in str(error)
    assert victim.read_bytes() == content


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_is_noticed_or_harmless(folder: Path, data: st.DataObject) -> None:
    """A flipped bit, a hole or a lost end of any file: a project, or words; never another exception."""
    path = data.draw(st.sampled_from([p for p in sorted(folder.iterdir()) if p.name != "lock"]))
    content = path.read_bytes()
    place = data.draw(st.integers(0, len(content) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "hole"]))
    if kind == "flip":
        broken = content[:place] + bytes([content[place] ^ 1 << data.draw(st.integers(0, 7))]) + content[place + 1 :]
    elif kind == "cut":
        broken = content[:place]
    else:
        broken = content[:place] + bytes(len(content[place : place + 40])) + content[place + 40 :]
    path.write_bytes(broken)
    try:
        loaded = load(folder)
        for number in loaded.document.store:
            loaded.document.labels(number)
            loaded.document.keypoints(number)
    except ValueError as error:
        assert "\n" not in str(error)
    finally:
        path.write_bytes(content)
