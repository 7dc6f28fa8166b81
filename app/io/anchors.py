"""Gather what the user labelled (masks, folders of masks, keypoint tables) into anchors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from app.io.keypoints_csv import read_keypoints
from app.io.masks import read_label_folder, read_labels
from model.types import Anchor, KeypointSet, LabelMap


def read_anchors(
    paths: Sequence[Path], size: tuple[int, int], frames: int, frame: int | None = None, clean: bool = False
) -> tuple[tuple[Anchor, ...], tuple[str, ...]]:
    """One anchor per labelled frame, in order, and notes for the user. Masks and keypoints of a frame are joined.

    paths:  mask images, folders of numbered masks, .csv tables of keypoints.
    size:   (height, width) of the video; frames: how many it has.
    frame:  the frame that a single mask image labels; 0 when left out.
    clean:  see `read_labels`.
    """
    masks: dict[int, tuple[Path, LabelMap]] = {}
    points: dict[int, KeypointSet] = {}
    table: Path | None = None
    notes: list[str] = []
    for path in paths:
        if path.suffix.lower() == ".csv":
            if table is not None:
                raise ValueError(f"{path}: {table} gives keypoints already: put all of them into one table")
            table, points = path, read_keypoints(path, size)
            _check_frames(path, points, frames)
            continue
        if path.is_dir():
            maps, more = read_label_folder(path, size, clean)
        else:
            labels, more = read_labels(path, size, clean)
            maps = {frame or 0: labels}
            if frame is None and path.stem.isdecimal() and int(path.stem):
                more += (f"{path.name} is taken as the mask of frame 0; --frame {int(path.stem)} says otherwise",)
        notes.extend(more)
        _check_frames(path, maps, frames)
        for at, labels in maps.items():
            if at in masks:
                raise ValueError(f"{path}: {masks[at][0]} is a mask of frame {at} too: keep one of them")
            masks[at] = path, labels
    if masks and not points and not any(labels.objects for _, labels in masks.values()):
        path = next(iter(masks.values()))[0]
        raise ValueError(f"{path}: every pixel of the mask is background: paint the object with 1 or a brighter value")
    anchors = []
    for at in sorted(masks.keys() | points.keys()):
        anchors.append(Anchor(at, masks[at][1] if at in masks else None, points.get(at)))
    return tuple(anchors), tuple(notes)


def _check_frames(path: Path, labelled: Iterable[int], frames: int) -> None:
    if (last := max(labelled)) >= frames:
        raise ValueError(f"{path}: labels frame {last}, but the video has frames 0..{frames - 1}: correct the number")
