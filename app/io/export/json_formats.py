"""COCO (run-length masks and keypoints) and YouTube-VIS, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from app.io.export.base import Exporter, Options, expect
from app.io.export.labelled import Labelled
from model.types import BoolArray, KeypointSet
from model.video import VideoSource


class Coco(Exporter):
    """One image entry per labelled frame, one annotation per object in it; keypoints under a category of their own."""

    id, title, suffix, needs = "coco", "COCO JSON (masks and keypoints)", ".json", ""

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        height, width = labelled.media.size
        images: list[dict[str, Any]] = []
        annotations: list[dict[str, Any]] = []
        for frame in labelled.frames:
            name = f"{labelled.name}/{frame:05d}.jpg"
            time = round(float(source.times[frame]), 6)
            images.append(
                {"id": frame, "file_name": name, "width": width, "height": height, "frame": frame, "time": time}
            )
            for info, mask in labelled.masks(frame):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": frame,
                        "category_id": info.id,
                        "track_id": info.id,
                        "segmentation": encode(mask),
                        "area": int(mask.sum()),
                        "bbox": box(mask),
                        "iscrowd": 0,
                        "origin": labelled.origin(frame).value,
                    }
                )
            points = labelled.keypoints(frame)
            if points is not None:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": frame,
                        "category_id": _points_category(labelled),
                        "iscrowd": 0,
                        "area": 0,
                        "bbox": _points_box(points),
                        "origin": labelled.origin(frame).value,
                        **_coco_points(points),
                    }
                )
            yield
        categories: list[dict[str, Any]] = [{"id": info.id, "name": info.name} for info in labelled.objects]
        if labelled.skeleton.names:
            categories.append(
                {
                    "id": _points_category(labelled),
                    "name": "skeleton",
                    "keypoints": list(labelled.skeleton.names),
                    "skeleton": [[a + 1, b + 1] for a, b in labelled.skeleton.bones],  # COCO counts keypoints from 1
                }
            )
        content = {
            "info": {"description": labelled.name, "provenance": labelled.provenance()},
            "images": images,
            "annotations": annotations,
            "categories": categories,
        }
        target.write_text(json.dumps(content), encoding="utf-8")

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        content = json.loads(target.read_text(encoding="utf-8"))
        expect([i["id"] for i in content["images"]] == list(labelled.frames), "another number of images")
        found: dict[tuple[int, int], dict[str, Any]] = {
            (a["image_id"], a["category_id"]): a for a in content["annotations"]
        }
        count = 0
        for frame in labelled.frames:
            for info, mask in labelled.masks(frame):
                count += 1
                entry = found.get((frame, info.id))
                expect(entry is not None, f"{info.name} is missing in frame {frame}")
                same = entry is not None and np.array_equal(decode(entry["segmentation"]), mask)
                expect(same, f"{info.name} of frame {frame} has other pixels")
            points = labelled.keypoints(frame)
            if points is not None:
                count += 1
                entry = found.get((frame, _points_category(labelled)))
                expect(entry is not None and entry["keypoints"] == _coco_points(points)["keypoints"], "other keypoints")
        expect(count == len(content["annotations"]), "another number of annotations")


class YoutubeVis(Exporter):
    """One video entry, one annotation per object with a mask, a box and an area (or null) for every frame."""

    id, title, suffix = "youtube-vis", "YouTube-VIS JSON", ".json"

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        height, width = labelled.media.size
        codes: dict[int, list[dict[str, Any] | None]] = {info.id: [] for info in labelled.objects}
        boxes: dict[int, list[list[int] | None]] = {info.id: [] for info in labelled.objects}
        areas: dict[int, list[int | None]] = {info.id: [] for info in labelled.objects}
        for frame in labelled.frames:
            shown = {info.id: mask for info, mask in labelled.masks(frame)}
            for number in codes:
                mask = shown.get(number)
                codes[number].append(None if mask is None else encode(mask))
                boxes[number].append(None if mask is None else box(mask))
                areas[number].append(None if mask is None else int(mask.sum()))
            yield
        annotations = [
            {
                "id": number,
                "video_id": 1,
                "category_id": number,
                "iscrowd": 0,
                "width": width,
                "height": height,
                "length": len(labelled.frames),
                "segmentations": codes[number],
                "bboxes": boxes[number],
                "areas": areas[number],
            }
            for number in codes
            if any(codes[number])
        ]
        video = {
            "id": 1,
            "width": width,
            "height": height,
            "length": len(labelled.frames),
            "file_names": [f"{labelled.name}/{frame:05d}.jpg" for frame in labelled.frames],
        }
        content = {
            "info": {"description": labelled.name, "provenance": labelled.provenance()},
            "videos": [video],
            "annotations": annotations,
            "categories": [{"id": info.id, "name": info.name} for info in labelled.objects],
        }
        target.write_text(json.dumps(content), encoding="utf-8")

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        content = json.loads(target.read_text(encoding="utf-8"))
        expect(content["videos"][0]["length"] == len(labelled.frames), "another number of frames")
        tracks = {a["category_id"]: a["segmentations"] for a in content["annotations"]}
        for position, frame in enumerate(labelled.frames):
            shown = {info.id: mask for info, mask in labelled.masks(frame)}
            for info in labelled.objects:
                entry = tracks[info.id][position] if info.id in tracks else None
                expect((entry is not None) == (info.id in shown), f"{info.name} of frame {frame} is missing or made up")
                if entry is not None:
                    expect(np.array_equal(decode(entry), shown[info.id]), f"{info.name} of frame {frame} differs")


def encode(mask: BoolArray) -> dict[str, Any]:
    """COCO run-length code of a mask bool [H, W]: size [h, w] and counts as ASCII."""
    from pycocotools import mask as coco

    code = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": [int(n) for n in code["size"]], "counts": code["counts"].decode("ascii")}


def decode(code: dict[str, Any]) -> BoolArray:
    """bool [H, W]. ValueError for a damaged code."""
    from pycocotools import mask as coco

    try:
        return np.asarray(coco.decode({"size": code["size"], "counts": code["counts"].encode("ascii")}), np.bool_)
    except (KeyError, AttributeError, TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"not a run-length code: {error}") from None


def box(mask: BoolArray) -> list[int]:
    """[x, y, width, height] of the smallest box around a mask that is not empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x, y = int(columns[0]), int(rows[0])
    return [x, y, int(columns[-1]) - x + 1, int(rows[-1]) - y + 1]


def _points_category(labelled: Labelled) -> int:
    return max((info.id for info in labelled.objects), default=0) + 1


def _coco_points(points: KeypointSet) -> dict[str, Any]:
    """x, y, v per point; v = 0 missing, 1 hidden, 2 visible."""
    flat: list[float] = []
    for (x, y), visible in zip(points.xy.tolist(), points.visible.tolist(), strict=True):
        flat += [0.0, 0.0, 0] if np.isnan(x) else [round(x, 3), round(y, 3), 2 if visible else 1]
    return {"keypoints": flat, "num_keypoints": sum(v > 0 for v in flat[2::3])}


def _points_box(points: KeypointSet) -> list[float]:
    placed = points.xy[~np.isnan(points.xy).any(axis=1)]
    if not len(placed):
        return [0.0, 0.0, 0.0, 0.0]
    (x0, y0), (x1, y1) = placed.min(axis=0).tolist(), placed.max(axis=0).tolist()
    return [round(x0, 3), round(y0, 3), round(x1 - x0, 3), round(y1 - y0, 3)]
