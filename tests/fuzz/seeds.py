"""Honest files of every kind that the program reads, made by the program itself: what mutation starts from."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from app.core.document import Document
from app.core.media import Media
from app.core.objects import Skeleton
from app.core.recent import RecentProjects
from app.core.runs import Run, RunList, State
from app.core.settings import Settings
from app.core.training import Setup
from app.io.export import Done, export
from app.io.journal import Journal
from app.io.project_file import save
from app.io.project_lock import ProjectLock
from app.io.report import FrameRecord, Report
from model.palette import PALETTE
from model.training.state import TrainingState, save_weights
from model.types import KeypointSet, LabelMap, Origin
from tests.contract.clips import encode, picture
from tests.corpora import TINY, TINY_MER
from tests.projects import labels, propagate, video
from tests.videos import MemoryVideo

SIZE, FRAMES = (24, 32), 6
CODECS = {
    "h264.mp4": ("libx264", "yuv420p"),
    "mpeg4.avi": ("mpeg4", "yuv420p"),
    "vp9.mkv": ("libvpx-vp9", "yuv420p"),
    "mjpeg.mov": ("mjpeg", "yuvj420p"),
    "animated.gif": ("gif", "rgb8"),
}


@cache
def gallery() -> Path:
    """The folder named by MER_FUZZ_GALLERY, with one of each; made when it is empty."""
    folder = Path(os.environ["MER_FUZZ_GALLERY"])
    if not (folder / "complete").exists():
        for make in (_project, _user_files, _weights, _run, _exports, _tables, _masks, _videos, _pictures):
            make(folder)
        (folder / "complete").touch()
    return folder


def document(folder: Path) -> Document:
    """A labelled one: two objects, three keypoints, human and propagated frames."""
    made = Document(Media(video(folder), SIZE, FRAMES, 25.0, ""))
    made.add_object("swan")
    made.add_object("shadow")
    made.set_skeleton(Skeleton(("beak", "neck", "tail"), ((0, 1), (1, 2))))
    ids = np.zeros(SIZE, np.uint8)
    ids[4:12, 4:16], ids[12:20, 10:20] = 1, 2
    for frame in (0, 4):
        made.set_labels(frame, LabelMap(np.roll(ids, frame, axis=1)))
        made.set_keypoints(frame, KeypointSet.of({"beak": (5.0 + frame, 6.0), "neck": (8.0, 9.5), "tail": None}))
    return made


def _project(folder: Path) -> None:
    made = Document(Media(video(folder / "swan"), (6, 8), 10, 25.0, ""))
    made.add_object("swan")
    made.set_skeleton(Skeleton(("beak", "tail"), ((0, 1),)))
    made.set_labels(0, labels((1, 1)))
    made.set_keypoints(0, KeypointSet.of({"beak": (1, 1), "tail": None}))
    propagate(made, 1, 2, 3)
    target = folder / "swan" / "swan.mer"
    save(made, target)
    journal = Journal(target, 0)
    made.on_change = lambda values, change: journal.append(values)
    made.set_labels(5, labels((2, 1)))
    made.clear((3,))
    journal.close()
    lock = ProjectLock(target)
    shutil.copy(target / "lock", folder / "swan" / "lock")
    lock.release()
    shutil.move(folder / "swan" / "lock", target / "lock")


def _user_files(folder: Path) -> None:
    home = folder / "home"
    settings = Settings(home / "settings.json")
    settings.update({"autosave.minutes": 7, "folder.last": "/films", "export.last": {"format": "coco"}})
    settings["keys"] = {"go.next": ["X", "Ctrl+Right"], "file.save": []}
    recent = RecentProjects(path=home / "recent.json")
    for name in ("one.mer", "two.mer"):
        recent.add(folder / name, folder / "thumbnail.png")
    runs = RunList(home / "runs.json")
    setup = Setup((folder,), folder / "run", steps=3, without=(folder / "swan.mp4",))
    runs.put(Run(setup, State.RUNNING, datetime.now(UTC), 4711, held_out=(folder / "a.mp4",)))
    runs.put(Run(replace(setup, out=folder / "other"), State.FAILED, datetime.now(UTC), None, "no room"))
    report = Report({"video": {"name": "swan.mp4"}, "options": {"radius": 12}})
    report.frames[3] = FrameRecord(Origin.PROPAGATED, 0.5, None)
    report.write(home / "report.json")


def _weights(folder: Path) -> None:
    torch.manual_seed(0)
    for recipe in (TINY, TINY_MER):
        state = TrainingState.fresh(recipe, torch.device("cpu"))
        save_weights(folder / f"{recipe.name}.pt", state.average, recipe)
    TrainingState.fresh(TINY, torch.device("cpu")).save(folder / "checkpoint.pt", TINY, 0)


def _run(folder: Path) -> None:
    run = folder / "run"
    run.mkdir()
    card = {"recipe": TINY.as_dict(), "corpus": {"sha256": "0" * 64, "videos": 3}, "steps": 3, "scores": {"J&F": 0.7}}
    (run / "card.json").write_text(json.dumps(card))
    lines = [{"step": n, "progress": n / 3, "rate": 0.1, "total": 1.5, "elapsed": float(n)} for n in range(1, 4)]
    (run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def _exports(folder: Path) -> None:
    made, source = document(folder), MemoryVideo([np.zeros((*SIZE, 3), np.uint8)] * FRAMES)
    targets = {
        "coco": "coco.json",
        "youtube-vis": "youtube.json",
        "yolo": "yolo",
        "davis": "davis",
        "binary": "binary",
        "keypoints-csv": "points.csv",
        "deeplabcut": "deeplabcut",
        "sleap": "sleap.slp",
    }
    for form, name in targets.items():
        assert isinstance(list(export(made, source, form, folder / name))[-1], Done)


def deeplabcut(folder: Path) -> Path:
    """An honest HDF5 table of DeepLabCut."""
    source = MemoryVideo([np.zeros((*SIZE, 3), np.uint8)] * FRAMES)
    list(export(document(folder), source, "deeplabcut", folder / "deeplabcut"))
    return folder / "deeplabcut" / "CollectedData_MER.h5"


def _tables(folder: Path) -> None:
    """As DeepLabCut's labels are written, and as its predictions are."""
    import pandas as pd

    (folder / "hdf5").mkdir()
    shutil.copy(folder / "deeplabcut" / "CollectedData_MER.h5", folder / "hdf5" / "fixed.h5")
    names = ["scorer", "bodyparts", "coords"]
    columns = pd.MultiIndex.from_product([["DLC"], ["beak", "tail"], ["x", "y", "likelihood"]], names=names)
    predicted = pd.DataFrame(np.arange(6.0 * FRAMES).reshape(FRAMES, 6), columns=columns)
    predicted.to_hdf(folder / "hdf5" / "table.h5", key="df_with_missing", format="table", mode="w")


def _masks(folder: Path) -> None:
    ids = np.zeros(SIZE, np.uint8)
    ids[4:12, 4:16], ids[12:20, 10:20] = 1, 2
    where = folder / "masks"
    where.mkdir()
    indexed = Image.fromarray(ids)
    indexed.putpalette(PALETTE.tobytes())
    indexed.save(where / "indexed 3.png")
    Image.fromarray(ids).save(where / "grey 3.png")
    Image.fromarray(ids.astype(np.uint16)).save(where / "deep 3.png")
    Image.fromarray(PALETTE[ids]).save(where / "colour 3.png")
    Image.fromarray((ids > 0) * np.uint8(255)).save(where / "white 3.tif")


def _videos(folder: Path) -> None:
    where = folder / "videos"
    where.mkdir()
    for name, (codec, pixels) in CODECS.items():
        quick = {"cpu-used": "8"} if codec == "libvpx-vp9" else {}
        encode(where / name, codec, pixels, numbers=range(5), size=(48, 96), options=quick)


def _pictures(folder: Path) -> None:
    where = folder / "pictures"
    where.mkdir()
    for number, suffix in enumerate((".png", ".jpg", ".bmp", ".tif", ".webp")):
        exif = Image.Exif()
        exif[0x0112] = 1
        Image.fromarray(picture(number, 48, 96)).save(where / f"{number}{suffix}", exif=exif)
