"""What is fuzzed: for each reader, how its input is spoilt, and how the program then reads it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from app.core.document import Document
from app.core.keymap import KeyMap
from app.core.media import Media
from app.core.recent import RecentProjects
from app.core.runs import RunList
from app.core.settings import Settings
from app.core.training import read_progress
from app.io.imports import import_labels
from app.io.open_project import OpenProject
from app.io.report import read_report
from model.features import load_extractor
from model.training.checkpoint import load_file
from model.training.run import RunDirectory, read_card
from model.training.state import TrainingState
from model.video import open_video
from tests.corpora import TINY
from tests.fuzz import bombs, hdf5
from tests.fuzz.mutation import spoil_bytes, spoil_json, spoil_table, spoil_tree
from tests.fuzz.seeds import CODECS, FRAMES, SIZE, gallery

Spoil = Callable[[Random, bytes], bytes]


@dataclass(frozen=True, slots=True)
class Target:
    """make: a spoilt input in an empty folder, and its path. read: as the program would; it raises what it raises.

    memory: bytes that reading may take beside what the process has. cost: how much dearer than others an input is.
    quiet:  it never refuses: what it cannot use it leaves out.
    """

    make: Callable[[Random, Path], Path]
    read: Callable[[Path], object]
    memory: int = 256 << 20
    cost: int = 1
    quiet: bool = False


def one(name: str, spoil: Spoil) -> Callable[[Random, Path], Path]:
    """A spoilt copy of one file of the gallery; a bomb now and then, where there are some for its kind."""

    def make(rng: Random, folder: Path) -> Path:
        path = folder / Path(name).name
        made = bombs.BOMBS.get(path.suffix, ())
        if made and rng.random() < 0.1:
            path.write_bytes(rng.choice(made)())
        else:
            path.write_bytes(spoil(rng, (gallery() / name).read_bytes()))
        return path

    return make


def one_of(*makers: Callable[[Random, Path], Path]) -> Callable[[Random, Path], Path]:
    return lambda rng, folder: rng.choice(makers)(rng, folder)


def tree(name: str, spoils: dict[str, Spoil]) -> Callable[[Random, Path], Path]:
    """A copy of a folder of the gallery in which one file is spoilt, by its suffix; or renamed, doubled or lost."""

    def make(rng: Random, folder: Path) -> Path:
        copy = folder / Path(name).name
        shutil.copytree(gallery() / name, copy)
        files = sorted(path for path in copy.rglob("*") if path.is_file() and path.suffix in spoils)
        path = rng.choice(files)
        match rng.randrange(8):
            case 0:
                path.rename(path.with_name(rng.choice(("-1", "9" * 40, "x", "00000002", "é7", "٣")) + path.suffix))
            case 1:
                path.unlink()
                path.mkdir()
            case _:
                path.write_bytes(spoils[path.suffix](rng, path.read_bytes()))
        return copy

    return make


# Projects


def _open_project(folder: Path) -> None:
    """What is accepted can be looked at, saved, and read again to the same end."""
    project = OpenProject.open(folder, take_over=True)
    try:
        document = project.document
        for frame in document.store:
            try:
                document.labels(frame)
            except ValueError as error:
                assert "damaged" in str(error)
            document.keypoints(frame)
        project.save()
    finally:
        project.close(keep=True)
    again = OpenProject.open(folder)
    again.close(keep=True)
    assert list(again.document.store) == list(document.store), "a saved project came back as another"


def _project(rng: Random, folder: Path) -> Path:
    shutil.copytree(gallery() / "swan", folder, dirs_exist_ok=True)
    project = folder / "swan.mer"
    path = rng.choice([project / "project.json"] * 4 + sorted(project.iterdir()))
    spoil = spoil_json if path.name in ("project.json", "lock") else spoil_bytes
    path.write_bytes(spoil(rng, path.read_bytes()))
    return project


# The user's own files


def _home(name: str) -> Callable[[Random, Path], Path]:
    return one(f"home/{name}", spoil_json)


def _read_settings(path: Path) -> None:
    settings = Settings(path)
    KeyMap.read(settings["keys"])
    settings["autosave.minutes"] = 9
    assert Settings(path)["autosave.minutes"] == 9


def _read_recent(path: Path) -> None:
    recent = RecentProjects(path=path)
    for project in recent:
        assert project.exists in (True, False)
    recent.add(path.parent / "new.mer")
    assert recent.read()[0].name == "new"


def _read_runs(path: Path) -> None:
    runs = RunList(path)
    for run in runs.read():
        assert run.setup.arguments()
        runs.put(run)


def _read_run(folder: Path) -> None:
    read_progress(folder)
    card = read_card(folder / "card.json")
    RunDirectory(folder, resume=True).start(2, TINY, {}, card.get("corpus", {"sha256": ""}), 1)


# Weights


def _weights(rng: Random, folder: Path) -> Path:
    name = rng.choice(("tiny.pt", "tiny-mer.pt"))
    if rng.random() < 0.4:
        return one(name, spoil_bytes)(rng, folder)
    content = spoil_tree(rng, _shallow(load_file(gallery() / name)))
    torch.save(content, folder / name)
    return folder / name


def _checkpoint(rng: Random, folder: Path) -> Path:
    if rng.random() < 0.4:
        return one("checkpoint.pt", spoil_bytes)(rng, folder)
    torch.save(spoil_tree(rng, _shallow(load_file(gallery() / "checkpoint.pt"))), folder / "checkpoint.pt")
    return folder / "checkpoint.pt"


def _shallow(content: Any) -> Any:
    """With lists and dictionaries of its own: tuples cannot be spoilt in place."""
    if isinstance(content, dict):
        return {key: _shallow(value) for key, value in content.items()}
    return [_shallow(value) for value in content] if isinstance(content, (list, tuple)) else content


def _use_weights(path: Path) -> None:
    """An encoder that is accepted works."""
    extractor = load_extractor(path, "cpu", "fp32")
    assert extractor(torch.zeros(1, 3, 32, 32, dtype=torch.uint8)).shape[-2:] == (8, 8)


def _use_checkpoint(path: Path) -> None:
    TrainingState.fresh(TINY, torch.device("cpu")).load(path, TINY, 0)


# Labels of other programs


def _import(path: Path) -> None:
    document = Document(Media(Path("/films/swan.mp4"), SIZE, FRAMES, 25.0, ""))
    change, _ = import_labels(document, path)
    for frame in change.frames:
        labels, points = document.labels(frame), document.keypoints(frame)
        assert labels is not None or points is not None
        if points is not None:
            assert np.isfinite(points.xy[points.visible]).all(), "a visible point is nowhere"


# Videos


def _watch(backend: str) -> Callable[[Path], None]:
    def read(path: Path) -> None:
        with open_video(path, backend=backend if path.is_file() else None, cache_bytes=1 << 20) as source:
            assert len(source) and source.fps > 0 and np.isfinite(source.times).all()
            for index in (0, len(source) // 2, len(source) - 1, 0):
                assert source[index].image.shape == (*source.size, 3)
            for frame, _ in zip(source.frames(step=-1), range(8), strict=False):
                assert frame.image.shape == (*source.size, 3)

    return read


_VIDEOS = one_of(*(one(f"videos/{name}", spoil_bytes) for name in CODECS))
_BYTES = dict.fromkeys((".png", ".jpg", ".bmp", ".tif", ".webp"), spoil_bytes)
_PICTURES = tree("pictures", {suffix: bombs.sometimes(suffix, spoil_bytes) for suffix in _BYTES})


def _numbered(rng: Random, folder: Path) -> Path:
    """One mask, of any kind of picture."""
    name = rng.choice(sorted(path.name for path in (gallery() / "masks").iterdir()))
    return one(f"masks/{name}", spoil_bytes)(rng, folder)


VIDEO_MEMORY = 3 << 29  # a decoder may hold some frames of the largest size that is believed

TARGETS: dict[str, Target] = {
    "project": Target(_project, _open_project),
    "settings": Target(_home("settings.json"), _read_settings, quiet=True),
    "recent": Target(_home("recent.json"), _read_recent, quiet=True),
    "runs": Target(_home("runs.json"), _read_runs, quiet=True),
    "report": Target(_home("report.json"), lambda path: read_report(path, {"options": {"radius": 12}})),
    "run": Target(tree("run", {".json": spoil_json, ".jsonl": spoil_table}), _read_run),
    "weights": Target(_weights, _use_weights),
    "checkpoint": Target(_checkpoint, _use_checkpoint),
    "mask": Target(_numbered, _import),
    "masks": Target(tree("davis", {".png": spoil_bytes}), _import),
    "binary": Target(tree("binary", {".png": spoil_bytes}), _import),
    "coco": Target(one("coco.json", spoil_json), _import),
    "youtube-vis": Target(one("youtube.json", spoil_json), _import),
    "yolo": Target(tree("yolo", {".txt": spoil_table, ".yaml": spoil_bytes}), _import),
    "keypoints": Target(one("points.csv", spoil_table), _import),
    "deeplabcut-csv": Target(one("deeplabcut/CollectedData_MER.csv", spoil_table), _import),
    "deeplabcut-h5": Target(one("deeplabcut/CollectedData_MER.h5", spoil_bytes), _import, cost=10),
    "deeplabcut-tree": Target(hdf5.make, hdf5.read(_import), cost=2),
    "sleap": Target(one("sleap.slp", spoil_bytes), _import, cost=10),
    "pictures": Target(_PICTURES, _watch("pyav"), VIDEO_MEMORY),
    "video": Target(_VIDEOS, _watch("pyav"), VIDEO_MEMORY),
    "video-opencv": Target(_VIDEOS, _watch("opencv"), VIDEO_MEMORY),
}
