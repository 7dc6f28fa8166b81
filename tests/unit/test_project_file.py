"""Projects on disk: what is saved comes back, quickly, wherever the folder is moved, and from earlier versions."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.core.annotations import FrameLabels, PackedMap
from app.core.document import Document
from app.core.objects import ObjectInfo, Skeleton
from app.io import project_file
from app.io.media import MissingMedia
from app.io.project_file import create, load, save
from app.io.project_migration import STEPS, migrated
from app.io.project_schema import SCHEMA
from model.types import Direction, KeypointSet, LabelMap, Origin, PropagationOptions
from tests.projects import document, ids, labels, propagated, state, video
from tests.videos import texture

FIXTURES = Path(__file__).parents[1] / "fixtures"


def full(path: Path) -> Document:
    """A document with something of everything."""
    doc = document(path)
    doc.add_object("Schwan, weiß")
    doc.add_object("shadow")
    doc.add_object("gone")
    doc.change_object(2, visible=False, locked=True)
    doc.set_skeleton(Skeleton(("beak", "tail"), ((0, 1),)))
    doc.set_labels(2, labels((1, 1), (2, 2), (3, 3), (4, 255), objects=(1, 2, 3)))
    doc.set_keypoints(2, KeypointSet.of({"beak": (1.25, 2.5), "tail": None}))
    doc.set_labels(7, labels((1, 1)))
    doc.remove_object(3)
    job = doc.begin_job("Propagate", doc.request(Direction.BOTH), "ab" * 32)
    points = KeypointSet(("beak", "tail"), np.ones((2, 2), np.float32), np.array([True, False]), np.float32([0.1, 0.2]))
    for frame in (1, 3, 4):
        doc.apply_result(job, frame, propagated((frame, 1), points=points))
    unknown = FrameLabels(Origin.PROPAGATED, PackedMap.pack(labels()), None, {1: float("nan"), 2: 1 / 3})
    doc.apply_result(job, 5, unknown)
    doc.end_job(job)
    doc.accept(3)
    doc.drop_reference(7)
    doc.set_span(1, 9)
    doc.set_options(PropagationOptions(short_side=None, radius=7, temperature=0.1))
    return doc


def same(one: Document, other: Document) -> bool:
    return repr(state(one.values())) == repr(state(other.values())) and one.media == other.media  # nan is not nan


def test_everything_comes_back(tmp_path: Path) -> None:
    doc = full(video(tmp_path))
    create(tmp_path / "swan.mer", doc)
    loaded = load(tmp_path / "swan.mer")
    assert (loaded.notes, loaded.recovered) == ((), 0)
    assert same(loaded.document, doc)
    assert loaded.document.revision >= doc.revision
    assert loaded.document.stale() == doc.stale()
    assert loaded.document.history.undo_name is None
    # and again, from the document that was loaded
    save(loaded.document, tmp_path / "swan.mer")
    assert same(load(tmp_path / "swan.mer").document, doc)


def test_undo_survives_a_save(tmp_path: Path) -> None:
    doc = full(video(tmp_path))
    doc.set_labels(0, labels((1, 1)))
    before = state(doc.values())
    doc.set_labels(0, labels((2, 1)))
    save(doc, tmp_path / "swan.mer")
    doc.undo()
    assert repr(state(doc.values())) == repr(before)


def test_a_save_after_one_change_among_many_frames_adds_little(tmp_path: Path) -> None:
    doc = document(video(tmp_path), frames=500, size=(64, 64))
    doc.add_object()
    rng = np.random.default_rng(0)
    frames = {f: PackedMap.pack(LabelMap(rng.integers(0, 2, (64, 64), np.uint8))) for f in range(500)}
    doc.put_frames({f: FrameLabels(Origin.HUMAN, packed) for f, packed in frames.items()}, [], "Import")
    folder = tmp_path / "swan.mer"
    save(doc, folder)
    (pack,) = folder.glob("*.pack")
    before = pack.read_bytes()
    doc.set_labels(100, LabelMap(rng.integers(0, 2, (64, 64), np.uint8)))
    save(doc, folder)
    after = pack.read_bytes()
    changed = doc.store.get(100)
    assert changed is not None and changed.labels is not None
    assert after == before + changed.labels.data
    assert same(load(folder).document, doc)


def test_equal_maps_are_stored_once(tmp_path: Path) -> None:
    doc = document(video(tmp_path))
    doc.add_object()
    for frame in range(10):
        doc.set_labels(frame, labels((2, 1)))
    save(doc, tmp_path / "swan.mer")
    (pack,) = (tmp_path / "swan.mer").glob("*.pack")
    assert pack.stat().st_size == len(b"MERPACK1") + PackedMap.pack(labels((2, 1))).nbytes
    assert same(load(tmp_path / "swan.mer").document, doc)


def test_what_is_no_longer_needed_goes_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(project_file, "WASTE", 5000)
    doc = document(video(tmp_path), size=(64, 64))
    doc.add_object()
    rng = np.random.default_rng(0)
    sizes, names = [], set()
    for _ in range(60):
        doc.set_labels(0, LabelMap(rng.integers(0, 2, (64, 64), np.uint8)))
        save(doc, tmp_path / "swan.mer")
        (pack,) = (tmp_path / "swan.mer").glob("*.pack")
        sizes.append(pack.stat().st_size)
        names.add(pack.name)
    one = PackedMap.pack(LabelMap(rng.integers(0, 2, (64, 64), np.uint8))).nbytes
    assert max(sizes) < 5000 + 4 * one
    assert 1 < len(names) < 30
    assert same(load(tmp_path / "swan.mer").document, doc)


def test_a_pack_that_was_cut_off_behind_our_back_is_written_anew(tmp_path: Path) -> None:
    doc = full(video(tmp_path))
    save(doc, tmp_path / "swan.mer")
    (pack,) = (tmp_path / "swan.mer").glob("*.pack")
    pack.write_bytes(pack.read_bytes()[:20])
    save(doc, tmp_path / "swan.mer")
    assert same(load(tmp_path / "swan.mer").document, doc)


def test_a_damaged_blob_costs_its_frames_and_no_others(tmp_path: Path) -> None:
    doc = full(video(tmp_path))
    save(doc, tmp_path / "swan.mer")
    (pack,) = (tmp_path / "swan.mer").glob("*.pack")
    known = doc.store.get(2)
    assert known is not None and known.labels is not None
    at = pack.read_bytes().index(known.labels.data)
    content = bytearray(pack.read_bytes())
    content[at + 3] ^= 1
    pack.write_bytes(content)
    loaded = load(tmp_path / "swan.mer")
    assert list(loaded.document.store) == [1, 3, 4, 5, 7]
    assert len(loaded.notes) == 1 and "1 frames (2) are damaged" in loaded.notes[0]


def test_a_project_that_is_saved_while_it_is_read_is_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doc = full(video(tmp_path))
    save(doc, tmp_path / "a.mer")
    monkeypatch.setattr(project_file, "WASTE", 0)
    read = project_file.read_project

    def read_slowly(folder: Path) -> object:
        project = read(folder)
        for row in range(5):  # until the pack that was just named has gone
            doc.clear(range(10))
            doc.set_labels(0, labels((row, 1)))
            with monkeypatch.context() as patch:
                patch.setattr(project_file, "read_project", read)
                save(doc, folder)
        monkeypatch.setattr(project_file, "read_project", read)
        return project

    monkeypatch.setattr(project_file, "read_project", read_slowly)
    assert same(load(tmp_path / "a.mer").document, doc)


def test_the_thumbnail_is_a_small_picture(tmp_path: Path) -> None:
    save(full(video(tmp_path)), tmp_path / "swan.mer", texture(0, 500, 1000))
    with Image.open(tmp_path / "swan.mer/thumbnail.png") as image:
        assert image.size == (320, 160) and image.mode == "RGB"


def test_create_does_not_write_over_a_project_and_nothing_writes_into_strange_folders(tmp_path: Path) -> None:
    doc = full(video(tmp_path))
    create(tmp_path / "a.mer", doc)
    with pytest.raises(ValueError, match="is a project already"):
        create(tmp_path / "a.mer", doc)
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/cat.jpg").write_bytes(b"cat")
    (tmp_path / "file").write_bytes(b"")
    for folder, message in (("photos", "holds other files"), ("file", "is a file")):
        with pytest.raises(ValueError, match=message):
            save(doc, tmp_path / folder)
    assert [p.name for p in (tmp_path / "photos").iterdir()] == ["cat.jpg"]


def test_saving_over_another_project_replaces_it_whole(tmp_path: Path) -> None:
    save(full(video(tmp_path)), tmp_path / "a.mer")
    other = document(video(tmp_path, "other.mp4", b"other"))
    other.add_object("only")
    save(other, tmp_path / "a.mer")
    assert same(load(tmp_path / "a.mer").document, other)


# The video


def test_folder_and_video_may_be_moved_together(tmp_path: Path) -> None:
    doc = full(video(tmp_path / "here"))
    save(doc, tmp_path / "here/projects/swan.mer")
    shutil.move(tmp_path / "here", tmp_path / "there")
    video(tmp_path / "here", content=b"something else under the old name")
    loaded = load(tmp_path / "there/projects/swan.mer").document
    assert loaded.media.path == tmp_path / "there/swan.mp4"


def test_the_project_may_be_moved_alone(tmp_path: Path) -> None:
    doc = full(video(tmp_path / "videos"))
    save(doc, tmp_path / "videos/swan.mer")
    shutil.move(tmp_path / "videos/swan.mer", tmp_path / "elsewhere.mer")
    video(tmp_path, content=b"not this one")  # where the relative path leads now
    assert same(load(tmp_path / "elsewhere.mer").document, doc)


def test_a_missing_video_is_asked_for_with_its_last_place(tmp_path: Path) -> None:
    path = video(tmp_path)
    save(full(path), tmp_path / "swan.mer")
    path.unlink()
    with pytest.raises(MissingMedia, match=r"swan.mp4: is gone") as missing:
        load(tmp_path / "swan.mer")
    assert missing.value.path == path and missing.value.found is None


def test_another_video_under_the_same_name_is_noticed(tmp_path: Path) -> None:
    path = video(tmp_path)
    save(full(path), tmp_path / "swan.mer")
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(MissingMedia, match="another video") as missing:
        load(tmp_path / "swan.mer")
    assert missing.value.path == missing.value.found == path


def pictures(folder: Path, count: int, size: tuple[int, int] = (24, 32)) -> Path:
    folder.mkdir(parents=True)
    for i in range(count):
        Image.fromarray(texture(i, *size)).save(folder / f"{i}.png")
    return folder


def test_relinking_takes_the_same_video_anywhere_and_another_only_if_labels_fit(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", 4)
    doc = document(folder, 4, (24, 32))
    save(doc, tmp_path / "p.mer")
    shutil.move(folder, tmp_path / "x/y")
    loaded = load(tmp_path / "p.mer", tmp_path / "x/y")
    assert loaded.notes == () and loaded.document.media.path == tmp_path / "x/y"
    save(loaded.document, tmp_path / "p.mer")
    assert load(tmp_path / "p.mer").document.media.path == tmp_path / "x/y"

    reworked = pictures(tmp_path / "reworked", 4)
    (reworked / "0.png").rename(reworked / "00.png")
    loaded = load(tmp_path / "p.mer", reworked)
    assert len(loaded.notes) == 1 and "same size and frames" in loaded.notes[0]
    assert loaded.document.media.fingerprint != doc.media.fingerprint
    for name, count, size, found in (("short", 3, (24, 32), "3 frames of 32×24"), ("small", 4, (24, 30), "30×24")):
        with pytest.raises(ValueError, match=found):
            load(tmp_path / "p.mer", pictures(tmp_path / name, count, size))
    with pytest.raises(ValueError, match="does not exist"):
        load(tmp_path / "p.mer", tmp_path / "nowhere")


def test_a_file_beside_the_pictures_is_no_other_video_but_a_lost_picture_is(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "frames", 3)
    save(document(folder, 3, (24, 32)), tmp_path / "p.mer")
    (folder / "Thumbs.db").write_bytes(b"x")
    load(tmp_path / "p.mer")
    (folder / "1.png").unlink()
    with pytest.raises(MissingMedia):
        load(tmp_path / "p.mer")


def test_a_video_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    try:
        path = video(tmp_path, "sw\udcffn 100%.mp4")
    except (OSError, UnicodeError):
        pytest.skip("this file system takes text only")
    save(full(path), tmp_path / "a.mer")
    assert load(tmp_path / "a.mer").document.media.path == path
    path.unlink()
    with pytest.raises(MissingMedia) as missing:
        load(tmp_path / "a.mer")
    assert missing.value.path == path


# Versions


def test_a_project_of_schema_0_is_read_and_saved_in_the_present_one(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "schema_0.mer", tmp_path / "old.mer")
    with pytest.raises(MissingMedia) as missing:
        load(tmp_path / "old.mer")
    assert missing.value.path == Path("/videos/swan.mp4")
    frames = pictures(tmp_path / "frames", 10, (6, 8))
    doc = load(tmp_path / "old.mer", frames).document
    assert doc.objects == (ObjectInfo(1, "swan"), ObjectInfo(2, "shadow"))
    assert doc.skeleton == Skeleton(("beak", "tail"))
    first, third, points = doc.labels(0), doc.labels(3), doc.keypoints(0)
    assert first is not None and np.array_equal(first.ids, ids((1, 1), (2, 2)))
    assert third is not None and third.objects == (1,) and np.array_equal(third.ids, ids((2, 1)))
    assert points is not None and points.xy[0].tolist() == [3, 1.5] and not points.visible[1]
    assert doc.references == (0,) and doc.stale() == (3,) and doc.span == (0, 10)
    save(doc, tmp_path / "old.mer")
    assert json.loads((tmp_path / "old.mer/project.json").read_text())["schema"] == SCHEMA
    again = load(tmp_path / "old.mer")
    assert same(again.document, doc) and again.notes == ()


def test_migration_leaves_its_input_alone() -> None:
    text = (FIXTURES / "schema_0.mer/project.json").read_text()
    content = json.loads(text)
    migrated(content)
    assert content == json.loads(text)
    assert len(STEPS) == SCHEMA


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"schema": SCHEMA + 1}, "newer version .* update mer-studio"),
        ({"schema": -1}, "never was"),
        ({"schema": "1"}, "not a project"),
        ([], "not a project"),
        ({"schema": 0}, "schema 0 and damaged"),
        ({"schema": 0, "video": {}, "frames": []}, "schema 0 and damaged"),
    ],
)
def test_what_cannot_be_migrated_is_refused_in_words(tmp_path: Path, content: object, message: str) -> None:
    (tmp_path / "project.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message) as refused:
        load(tmp_path)
    assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)


def test_options_of_other_versions_are_taken_as_far_as_they_are_known(tmp_path: Path) -> None:
    folder = tmp_path / "swan.mer"
    save(full(video(tmp_path)), folder)
    content = json.loads((folder / "project.json").read_text())
    content["values"]["options"]["of_the_future"] = 1
    del content["values"]["options"]["top_k"]
    (folder / "project.json").write_text(json.dumps(content))
    options = load(folder).document.options
    assert (options.radius, options.short_side, options.top_k) == (7, None, PropagationOptions().top_k)
