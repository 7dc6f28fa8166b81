"""Find out what a file or folder of labels is, read it, and put it into a document as one undo item."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.core.annotations import FrameLabels, PackedMap
from app.core.changes import Change
from app.core.document import Document
from app.core.objects import ObjectInfo, Skeleton
from app.io.export.json_formats import decode
from app.io.export.yolo import read_polygons
from app.io.imports.apart import read_apart
from app.io.imports.tables import is_deeplabcut, points_of, read_deeplabcut_csv
from app.io.keypoints_csv import read_keypoints
from app.io.masks import read_label_folder, read_labels
from app.io.text import read_text, shortened
from model.types import BACKGROUND, MAX_OBJECT_ID, BoolArray, KeypointSet, LabelMap, Origin

MAX_JSON = 2 << 30  # bytes; a larger file is no table of labels


@dataclass(slots=True)
class Imported:
    """labels and keypoints by frame; names of objects by id; the skeleton, if any; what the user should know."""

    labels: dict[int, LabelMap] = field(default_factory=dict)
    keypoints: dict[int, KeypointSet] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    skeleton: Skeleton = field(default_factory=Skeleton)
    notes: tuple[str, ...] = ()


def import_labels(document: Document, path: Path, clean: bool = False) -> tuple[Change, Imported]:
    """Read labels into a document, as a person's, in one undo item; frames that have labels already get these.

    clean: see `app.io.masks.read_labels`. ValueError, naming the file and the remedy, for what cannot be used.
    """
    with _naming(path):
        return _put(document, path, read_foreign(path, document.media.size, clean))


def _put(document: Document, path: Path, found: Imported) -> tuple[Change, Imported]:
    frames = list(found.labels.keys() | found.keypoints.keys())
    if not frames:
        raise ValueError(f"{path}: holds no labels")
    if odd := [frame for frame in frames if type(frame) is not int or frame < 0]:
        raise ValueError(f"{path}: {shortened(odd[0])} is no number of a frame: frames count from 0")
    frames.sort()
    if frames[-1] >= document.media.frames:
        last = document.media.frames - 1
        raise ValueError(f"{path}: labels frame {frames[-1]}, but the video has frames 0..{last}; is it another video?")
    new = {}
    for frame in frames:
        old = document.store.get(frame)
        labels, points = found.labels.get(frame), found.keypoints.get(frame)
        packed = PackedMap.pack(labels) if labels is not None else (old.labels if old else None)
        new[frame] = FrameLabels(Origin.HUMAN, packed, points or (old.keypoints if old else None))
    ids = sorted({n for labels in found.labels.values() for n in labels.objects})
    objects = [ObjectInfo(n, found.names.get(n) or f"object {n}") for n in ids]
    skeleton = _joined(document.skeleton, found.skeleton)
    return document.put_frames(new, objects, f"Import {path.name}", skeleton), found


def read_foreign(path: Path, size: tuple[int, int], clean: bool = False) -> Imported:
    """Whatever labels lie at `path`, for a video of (height, width). ValueError for what cannot be used."""
    with _naming(path):
        return _read(path, size, clean)


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Has every ValueError of the block name the file."""
    try:
        yield
    except ValueError as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: {shortened(error, 400)}") from None


def _read(path: Path, size: tuple[int, int], clean: bool) -> Imported:
    if not path.exists():
        raise ValueError(f"{path}: there is no such file or folder")
    if path.is_dir():
        return _folder(path, size, clean)
    match path.suffix.lower():
        case ".csv":
            if not is_deeplabcut(path):
                points = read_keypoints(path, size)
                return Imported(keypoints=points, skeleton=Skeleton(next(iter(points.values())).names))
            return _points(*read_deeplabcut_csv(path))
        case ".h5" | ".hdf5":
            return _points(*read_apart("deeplabcut", path))
        case ".slp":
            return _points(*read_apart("sleap", path))
        case ".json":
            return _json(path, size)
        case _:
            labels, notes = read_labels(path, size, clean)
            number = re.search(r"\d+$", path.stem)
            return Imported({int(number.group()) if number else 0: labels}, notes=notes)


def _points(frames: dict[int, KeypointSet], skeleton: Skeleton) -> Imported:
    return Imported(keypoints=frames, skeleton=skeleton)


def _folder(path: Path, size: tuple[int, int], clean: bool) -> Imported:
    """Indexed masks, a DAVIS tree of one sequence, one folder of binary masks per object, or YOLO's text files."""
    if any(path.glob("*.png")):
        maps, notes = read_label_folder(path, size, clean)
        return Imported(maps, notes=notes)
    texts = sorted((path / "labels").glob("*.txt")) or sorted(path.glob("*.txt"))
    if texts and all(re.search(r"\d+$", t.stem) for t in texts):
        return _yolo(path, texts, size)
    davis = sorted(p for p in path.glob("Annotations/*/*") if p.is_dir())
    if len(davis) == 1:
        return _folder(davis[0], size, clean)
    if davis:
        raise ValueError(f"{path}: holds {len(davis)} sequences; choose the folder of one of them")
    objects = {int(m.group()): p for p in sorted(path.iterdir()) if p.is_dir() and (m := re.match(r"\d+", p.name))}
    if objects:
        return _binary(objects, size)
    raise ValueError(f"{path}: holds no labels that can be read: masks (.png), DAVIS, YOLO or one folder per object")


def _binary(folders: Mapping[int, Path], size: tuple[int, int]) -> Imported:
    masks: dict[int, dict[int, BoolArray]] = {}
    names = {}
    for number, folder in folders.items():
        names[number] = folder.name.partition("_")[2] or f"object {number}"
        for frame, labels in read_label_folder(folder, size)[0].items():
            masks.setdefault(frame, {})[number] = labels.ids > 0
    return Imported(_stack(masks, size, set(folders)), names=names)


def _yolo(path: Path, texts: Iterable[Path], size: tuple[int, int]) -> Imported:
    masks = {}
    for text in texts:
        number = re.search(r"\d+$", text.stem)
        assert number is not None
        masks[int(number.group())] = {kind + 1: mask for kind, mask in read_polygons(text, size).items()}
    names = {}
    if (path / "data.yaml").is_file():
        for line in read_text(path / "data.yaml").splitlines():
            if entry := re.match(r'\s+(\d+):\s*"?(.*?)"?\s*$', line):
                names[int(entry[1]) + 1] = entry[2]
    return Imported(_stack(masks, size, set(names)), names=names)


def _json(path: Path, size: tuple[int, int]) -> Imported:
    if path.stat().st_size > MAX_JSON:
        raise ValueError(f"{path}: is larger than {MAX_JSON >> 30} GB, no table of labels")
    try:
        content = json.loads(read_text(path))
        if "videos" in content:
            return _youtube_vis(content, size)
        return _coco(content, size)
    except (KeyError, TypeError, IndexError, AttributeError, ArithmeticError, RecursionError) as error:
        cause = shortened(f"{type(error).__name__}: {error}")
        raise ValueError(f"{path}: neither COCO nor YouTube-VIS ({cause})") from None


def _coco(content: dict[str, Any], size: tuple[int, int]) -> Imported:
    frames = {image["id"]: image.get("frame", _number(image["file_name"])) for image in content["images"]}
    categories = {category["id"]: category for category in content["categories"]}
    names = {n: str(c["name"]) for n, c in categories.items() if "keypoints" not in c}
    masks: dict[int, dict[int, BoolArray]] = {}
    points: dict[int, KeypointSet] = {}
    skeleton = Skeleton()
    for entry in content["annotations"]:
        frame, category = frames[entry["image_id"]], categories[entry["category_id"]]
        if "keypoints" in entry:
            bones = tuple((a - 1, b - 1) for a, b in category.get("skeleton", ()))
            skeleton = Skeleton(tuple(category["keypoints"]), bones)
            flat = np.array(entry["keypoints"], np.float64).reshape(len(skeleton.names), 3)
            placed = points_of(skeleton.names, np.where(flat[:, 2:] > 0, flat[:, :2], np.nan))
            points[frame] = replace(placed, visible=placed.visible & (flat[:, 2] == 2))
        if isinstance(entry.get("segmentation"), dict):
            masks.setdefault(frame, {})[entry.get("track_id", category["id"])] = _decoded(entry["segmentation"], size)
    return Imported(_stack(masks, size, set(names)), points, names, skeleton)


def _youtube_vis(content: dict[str, Any], size: tuple[int, int]) -> Imported:
    if len(content["videos"]) != 1:
        raise ValueError(f"holds {len(content['videos'])} videos; give the file of one")
    frames = [_number(name) for name in content["videos"][0]["file_names"]]
    categories = {category["id"]: str(category["name"]) for category in content["categories"]}
    masks: dict[int, dict[int, BoolArray]] = {}
    names = {}
    for number, entry in enumerate(content["annotations"], start=1):
        number = entry["category_id"] if len(categories) == len(content["annotations"]) else number
        names[number] = categories[entry["category_id"]]
        for frame, code in zip(frames, entry["segmentations"], strict=True):
            if code is not None:
                masks.setdefault(frame, {})[number] = _decoded(code, size)
    return Imported(_stack(masks, size, set(names)), names=names)


def _decoded(code: dict[str, Any], size: tuple[int, int]) -> BoolArray:
    """The declared size is looked at before anything is allocated."""
    if tuple(code["size"]) != size:
        raise ValueError(f"a mask is {shortened(code['size'])}, the video {list(size)} (height, width)")
    if not isinstance(code["counts"], str):
        raise ValueError("a mask is not run-length coded as text")
    return decode(code)


def _stack(masks: Mapping[int, Mapping[int, BoolArray]], size: tuple[int, int], known: set[int]) -> dict[int, LabelMap]:
    """Masks per frame and object as label maps; where objects overlap the higher id wins."""
    maps = {}
    for frame, shown in masks.items():
        if bad := [n for n in shown if type(n) is not int or not 1 <= n <= MAX_OBJECT_ID]:
            raise ValueError(f"object {shortened(bad[0])}: ids are 1..{MAX_OBJECT_ID}")
        ids = np.full(size, BACKGROUND, np.uint8)
        for number in sorted(shown):
            ids[shown[number]] = number
        maps[frame] = LabelMap(ids, tuple(n for n in known | set(shown) if 1 <= n <= MAX_OBJECT_ID))
    return maps


def _number(name: str) -> int:
    numbers = re.findall(r"\d+", Path(name).stem)
    if not numbers:
        raise ValueError(f"{shortened(name)} names no frame; files are called 00005.jpg")
    return int(numbers[-1])


def _joined(old: Skeleton, new: Skeleton) -> Skeleton:
    """The skeleton with the imported names and bones added."""
    names = (*old.names, *(n for n in new.names if n not in old.names))
    bones = [(names.index(new.names[a]), names.index(new.names[b])) for a, b in new.bones]
    return Skeleton(names, tuple(dict.fromkeys([*old.bones, *bones])))
