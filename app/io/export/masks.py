"""Masks as pictures: DAVIS indexed PNG, one binary PNG per object, and soft alpha."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from app.core.objects import ObjectInfo
from app.io.export.base import Exporter, Option, Options, expect
from app.io.export.labelled import Labelled
from app.io.masks import read_written, write_labels
from model.edges import EdgeGuide
from model.types import BoolArray, FloatArray, UInt8Array
from model.video import VideoSource


class Davis(Exporter):
    """`Annotations/480p/NAME/00000.png`, mode P with the DAVIS palette, as the evaluators read it."""

    id, title = "davis", "DAVIS indexed PNG"
    options = (Option("images", "Also write the frames, so that the folder is a data set", False),)

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        masks, images = self._folders(labelled, target)
        for frame in labelled.frames:
            write_labels(masks / f"{frame:05d}.png", labelled.labels(frame))
            if options["images"]:
                _write_picture(images / f"{frame:05d}.jpg", source[frame].image, quality=95)
            yield
        sets = target / "ImageSets" / "480p"
        sets.mkdir(parents=True)
        (sets / "all.txt").write_text(labelled.name + "\n", encoding="utf-8")

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        masks, images = self._folders(labelled, target)
        names = [f"{frame:05d}" for frame in labelled.frames]
        expect(sorted(p.stem for p in masks.iterdir()) == names, f"{len(names)} masks were asked for")
        if options["images"]:
            expect(sorted(p.stem for p in images.iterdir()) == names, f"{len(names)} images were asked for")
        for frame in labelled.frames:
            written = read_written(masks / f"{frame:05d}.png")
            expect(np.array_equal(written.ids, labelled.labels(frame).ids), f"mask {frame} has other ids")

    def _folders(self, labelled: Labelled, target: Path) -> tuple[Path, Path]:
        return target / "Annotations" / "480p" / labelled.name, target / "JPEGImages" / "480p" / labelled.name


class Binary(Exporter):
    """`1_swan/00000.png` per object: 255 where it is, 0 elsewhere; all objects in all frames."""

    id, title = "binary", "Binary masks per object"

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        for frame in labelled.frames:
            ids = labelled.labels(frame).ids
            for info in labelled.objects:
                mask = np.where(ids == info.id, np.uint8(255), np.uint8(0))
                _write_picture(target / object_folder(info) / f"{frame:05d}.png", mask)
            yield

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        for info in labelled.objects:
            files = list((target / object_folder(info)).iterdir())
            expect(len(files) == len(labelled.frames), f"{info.name} has {len(files)} of {len(labelled.frames)} masks")
        for frame in labelled.frames:
            ids = labelled.labels(frame).ids
            for info in labelled.objects:
                written = _read_picture(target / object_folder(info) / f"{frame:05d}.png", "L")
                same = np.array_equal(written, np.where(ids == info.id, np.uint8(255), np.uint8(0)))
                expect(same, f"{info.name} of frame {frame} has other pixels")


class Alpha(Exporter):
    """Soft alpha per object, its edge following the picture: grey, or the frame cut out with it."""

    id, title = "alpha", "Soft alpha PNG per object"
    options = (
        Option("content", "What the files hold", "alpha", ("alpha", "cutout")),
        Option("softness", "Width of the soft edge in pixels", 3.0),
    )

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        radius = max(1, round(float(options["softness"])))
        for frame in labelled.frames:
            image = source[frame].image
            guide = EdgeGuide(image, radius)
            ids = labelled.labels(frame).ids
            for info in labelled.objects:
                alpha = np.rint(soft_edge(ids == info.id, guide, radius) * 255).astype(np.uint8)
                picture = np.dstack([image, alpha]) if options["content"] == "cutout" else alpha
                _write_picture(target / object_folder(info) / f"{frame:05d}.png", picture)
            yield

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        radius = max(1, round(float(options["softness"])))
        cutout = options["content"] == "cutout"
        for frame in labelled.frames:
            ids = labelled.labels(frame).ids
            for info in labelled.objects:
                written = _read_picture(target / object_folder(info) / f"{frame:05d}.png", "RGBA" if cutout else "L")
                alpha = written[..., 3] if cutout else written
                expect(alpha.shape == ids.shape, f"{info.name} of frame {frame} has another size")
                inside, outside = sure_parts(ids == info.id, radius)
                sure = bool((alpha[inside] == 255).all() and (alpha[outside] == 0).all())
                expect(sure, f"{info.name} of frame {frame} is soft away from its edge")


def soft_edge(mask: BoolArray, guide: EdgeGuide, radius: int) -> FloatArray:
    """A mask bool [H, W] as alpha float32 [H, W] in 0..1: soft within `radius` of its edge, as the picture has it."""
    inside, outside = sure_parts(mask, radius)
    everything = np.s_[0 : mask.shape[0]], np.s_[0 : mask.shape[1]]
    soft = guide.refine(mask.astype(np.float32), *everything)
    soft[inside], soft[outside] = 1, 0
    return soft


def sure_parts(mask: BoolArray, radius: int) -> tuple[BoolArray, BoolArray]:
    """What lies further than `radius` from the edge: inside, outside."""
    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    inside = cv2.erode(mask.view(np.uint8), kernel, borderValue=1) > 0
    return inside, cv2.dilate(mask.view(np.uint8), kernel, borderValue=0) == 0


def object_folder(info: ObjectInfo) -> str:
    """A folder name that every file system takes, and that tells objects of one name apart."""
    safe = "".join(c if c.isalnum() or c in "-_ " else "_" for c in info.name)[:60].strip("_ ")
    return f"{info.id}_{safe}" if safe else str(info.id)


def _write_picture(path: Path, picture: UInt8Array, quality: int = 95) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path, quality=quality)


def _read_picture(path: Path, mode: str) -> UInt8Array:
    expect(path.is_file(), f"{path.name} is missing")
    with Image.open(path) as image:
        expect(image.mode == mode, f"{path.name} is {image.mode}, not {mode}")
        return np.asarray(image)
