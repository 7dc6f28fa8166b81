"""What fuzzing found, once each: small, quick, and by name."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from app.core.document import Document
from app.core.keymap import KeyMap
from app.core.media import Media
from app.core.runs import RunList
from app.core.training import read_progress
from app.io.imports import import_labels
from app.io.imports.tables import read_deeplabcut_h5
from app.io.project_file import load
from app.io.project_lock import ProjectInUse, ProjectLock, in_use
from app.io.report import read_report
from model.features import load_extractor
from model.training.checkpoint import load_file, save_file
from model.training.run import RunDirectory, read_card
from model.training.state import TrainingState
from model.video import open_video
from tests.corpora import TINY
from tests.fuzz import bombs
from tests.unit.test_project_strangers import folder as project

__all__ = ["project"]
SIZE = (24, 32)


def refusal(read: Callable[[], object]) -> str:
    with pytest.raises(ValueError) as refused:
        read()
    message = str(refused.value)
    assert type(refused.value) is ValueError and "\n" not in message and len(message) < 500
    return message


def imported(path: Path) -> Document:
    document = Document(Media(Path("/films/swan.mp4"), SIZE, 6, 25.0, ""))
    import_labels(document, path)
    return document


@pytest.mark.parametrize("keys", [5, None, True, 0.5, "X", [None], [["X"]], {"a": 1}])
def test_keys_that_are_no_list_of_texts_cost_their_own_entry(keys: Any) -> None:
    keymap, notes = KeyMap.read({"file.save": keys, "file.open": ["F7"]})
    assert keymap.keys("file.open") == ("F7",) and keymap.keys("file.save") and len(notes) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"\xff",
        b"[" * 100_000,
        b'{"schema": 1, "notes": [], "frames": []}',
        b'{"schema": 1, "notes": [], "frames": [], "state": 3}',
        b'{"schema": 1, "notes": [], "frames": [{"frame": 1, "origin": "divine"}], "state": "running"}',
        b'{"schema": 1, "notes": [], "frames": [{"frame": "x", "origin": "human"}], "state": "running"}',
    ],
)
def test_reports_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "report.json").write_bytes(content)
    assert "is not a report" in refusal(lambda: read_report(tmp_path / "report.json", {}))


@pytest.mark.parametrize(
    "line", [b"5", b"[]", b"{}", b"\xff\xfe", b"[" * 100_000, b'{"step": null}', b'{"step": 1e999}']
)
def test_a_damaged_line_of_metrics_is_left_out(tmp_path: Path, line: bytes) -> None:
    good = b'{"step": 1, "progress": 0.5, "elapsed": 1.0, "total": 2.0}'
    (tmp_path / "metrics.jsonl").write_bytes(good + b"\n" + line + b"\n")
    assert read_progress(tmp_path).step == 1
    RunDirectory(tmp_path, resume=True).start(2, TINY, {}, {"sha256": ""}, 1)
    assert (tmp_path / "metrics.jsonl").read_bytes() == good + b"\n"


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"recipe": {}, "corpus": null}', b'{"recipe": []}', b"\xff"])
def test_run_cards_that_are_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "card.json").write_bytes(content)
    assert "not a run card" in refusal(lambda: read_card(tmp_path / "card.json"))


@pytest.mark.parametrize("pid", ["x", -1, 10**30, 0.5, [], True])
def test_runs_of_impossible_processes_were_interrupted(tmp_path: Path, pid: Any) -> None:
    entry = {"setup": {"sources": [], "out": "run"}, "state": "running", "when": "2026-01-01T00:00:00+00:00"}
    runs = {"runs": [entry | {"pid": pid, "message": "", "held_out": []}, entry | {"when": "0001-01-01"}]}
    (tmp_path / "runs.json").write_text(json.dumps(runs))
    assert all(run.state == "interrupted" for run in RunList(tmp_path / "runs.json").read())


NOT_TEXT = [("points.csv", b"frame,name,x,y\n0,a\xff,1,1\n"), ("dlc.csv", b"scorer,a\xff\n"), ("coco.json", b"{\xff")]


@pytest.mark.parametrize("name, content", NOT_TEXT)
def test_what_is_not_text_is_named(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    assert str(tmp_path / name) in refusal(lambda: imported(tmp_path / name))


def test_yolo_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "labels").mkdir()
    text, names = tmp_path / "labels" / "00000.txt", tmp_path / "data.yaml"
    text.write_bytes(b"0 0.1 0.1 0.5 0.1 0.5 0.5\n")
    names.write_bytes(b"names:\n  0: \xff\n")
    assert str(names) in refusal(lambda: imported(tmp_path))
    text.write_bytes(b"0 \xff\n")
    assert str(text) in refusal(lambda: imported(tmp_path))


DLC = "scorer,,,MER,MER,MER,MER\nbodyparts,,,{0},{0},{1},{1}\ncoords,,,x,y,x,y\nlabeled-data,swan,img0.png,{2},2,3,4\n"


def test_deeplabcut_points_lie_somewhere_and_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "CollectedData.csv"
    path.write_text(DLC.format("beak", "tail", "1e999"))
    points = imported(path).keypoints(0)
    assert points is not None and points.visible.tolist() == [False, True] and np.isnan(points.xy[0]).all()
    path.write_text(DLC.format("beak", "beak", "1"))
    assert str(path) in refusal(lambda: imported(path))
    path.write_text("scorer,a\nbodyparts\ncoords,x,y\n")
    assert str(path) in refusal(lambda: imported(path))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c["images"][0].update(frame="x"),
        lambda c: c["images"][0].update(frame=0.5),
        lambda c: c["images"][0].update(frame=-1),
        lambda c: c["annotations"][0].update(track_id=1.5),
        lambda c: c["annotations"][0].update(track_id=10**400),
        lambda c: c["annotations"][0]["segmentation"].update(size="\ud800"),
        lambda c: c["annotations"][0].update(keypoints=[10**400, 0, 2], category_id=2),
    ],
)
def test_coco_that_cannot_be(tmp_path: Path, change: Callable[[Any], object]) -> None:
    code = {"size": [24, 32], "counts": "0000"}
    content = {
        "images": [{"id": 0, "file_name": "00000.jpg", "frame": 0}],
        "categories": [{"id": 1, "name": "swan"}, {"id": 2, "name": "p", "keypoints": ["a"], "skeleton": []}],
        "annotations": [{"image_id": 0, "category_id": 1, "track_id": 1, "segmentation": code}],
    }
    change(content)
    (tmp_path / "coco.json").write_text(json.dumps(content))
    assert str(tmp_path) in refusal(lambda: imported(tmp_path / "coco.json"))


def test_a_mask_of_another_size_is_not_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mask.png").write_bytes(bombs.flat_png(3000))
    monkeypatch.setattr(Image.Image, "load", None)
    assert "3000x3000 pixels but the video is 32x24" in refusal(lambda: imported(tmp_path / "mask.png"))


def test_postscript_under_another_name_is_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow hands it to Ghostscript."""
    monkeypatch.setattr("subprocess.Popen", None)
    script = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 32 24\n%%EndComments\n"
    for name in ("mask.png", "film/0.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(script)
    assert "cannot be read as an image" in refusal(lambda: imported(tmp_path / "mask.png"))
    assert "cannot be read as an image" in refusal(lambda: open_video(tmp_path / "film"))


def test_weights_are_no_larger_than_their_file(tmp_path: Path) -> None:
    path = tmp_path / "encoder.pt"
    path.write_bytes(bombs.deflated_weights())
    assert path.stat().st_size < 1 << 20 and "not a readable weights file" in refusal(lambda: load_file(path))
    path.write_bytes(bombs.wide_weights())
    assert "no encoder weights" in refusal(lambda: load_extractor(path, "cpu"))


def test_what_a_recipe_may_not_hold_is_said_on_one_line(tmp_path: Path) -> None:
    recipe = TINY.as_dict() | {"temperature": torch.rand(30, 30)}
    save_file(tmp_path / "a.pt", {"recipe": recipe, "state_dict": {}})
    assert "recipe.temperature cannot be" in refusal(lambda: load_extractor(tmp_path / "a.pt", "cpu"))
    save_file(tmp_path / "a.pt", {"recipe": TINY.as_dict() | {"x" * 5000: 1}, "state_dict": {}})
    assert "has a field" in refusal(lambda: load_extractor(tmp_path / "a.pt", "cpu"))


@pytest.mark.parametrize("kind", ["\0", torch.zeros(3), torch.rand(30, 30), None, True, "x" * 5000])
def test_weights_of_an_impossible_format(tmp_path: Path, kind: Any) -> None:
    for content in ({"program": "mer-studio", "format": kind}, {"program": kind, "format": 1}):
        torch.save(content, tmp_path / "a.pt")
        assert refusal(lambda: load_file(tmp_path / "a.pt")).isprintable()


def test_a_checkpoint_with_another_optimiser_is_none(tmp_path: Path) -> None:
    state, path = TrainingState.fresh(TINY, torch.device("cpu")), tmp_path / "checkpoint.pt"
    state.save(path, TINY, 0)
    save_file(path, {k: v for k, v in load_file(path).items() if k not in ("program", "format")} | {"optimiser": []})
    assert "not a checkpoint" in refusal(lambda: state.load(path, TINY, 0))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["labels-1.pack", "journal-1", "project.json", "lock"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(project: Path, name: str) -> None:
    (project / name).unlink(missing_ok=True)
    os.mkfifo(project / name)
    if name == "lock":
        assert isinstance(in_use(project), ProjectInUse)
        ProjectLock(project, force=True).release()
    elif name == "journal-1":
        assert sorted(load(project).document.store) == [0, 1], "of the segment before it"
    else:
        refusal(lambda: load(project))


@pytest.mark.parametrize("pid", [-1, 10**30, 0])
def test_a_lock_of_a_process_that_cannot_be_is_taken_over(tmp_path: Path, pid: int) -> None:
    import platform

    (tmp_path / "lock").write_text(json.dumps({"host": platform.node(), "pid": pid, "born": 1, "token": "x"}))
    ProjectLock(tmp_path).release()


def _huge(file: Any, tables: Any) -> None:
    file.create_carray("/", "block0_values", tables.Float64Atom(), shape=(1 << 40, 6), chunkshape=(64, 6))


def _chunk(file: Any, tables: Any) -> None:
    file.create_earray("/", "block0_values", tables.Float64Atom(), shape=(0, 6), chunkshape=(1 << 24, 6))


def _deep(file: Any, tables: Any) -> None:
    file.create_group("/" + "/".join("g" * 40), "df", createparents=True)


def _many(file: Any, tables: Any) -> None:
    for number in range(600):
        file.create_group("/", f"df{number}")


def _soft(file: Any, tables: Any) -> None:
    file.create_soft_link("/", "df", "/")


def _hard(file: Any, tables: Any) -> None:
    file.create_hard_link(file.create_group("/", "df"), "again", "/")


def _external(file: Any, tables: Any) -> None:
    file.create_external_link("/", "df", "/dev/zero:/df")


HDF5 = [(_huge, "declares"), (_chunk, "declares"), (_soft, "is a link"), (_external, "is a link")]
HDF5 += [(make, "more groups") for make in (_deep, _many, _hard)]


@pytest.mark.filterwarnings("ignore")  # PyTables does not like such files either
@pytest.mark.parametrize("make, words", HDF5, ids=lambda value: getattr(value, "__name__", ""))
def test_hdf5_is_looked_over_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Any, Any], None], words: str
) -> None:
    tables, pandas = pytest.importorskip("tables"), pytest.importorskip("pandas")
    for module in (tables.attributeset, tables.atom):
        monkeypatch.setattr(module, "pickle", module.pickle)  # as it was, afterwards
    monkeypatch.setattr(pandas, "read_hdf", None)
    path = tmp_path / "CollectedData.h5"
    with tables.open_file(str(path), "w") as file:
        make(file, tables)
    assert path.stat().st_size < 2 << 20 and words in refusal(lambda: read_deeplabcut_h5(path))
