"""Read masks as people save them, and write them as evaluators read them.

Written: indexed PNG (mode P) with the DAVIS palette, at exactly the map's size.

Read: indexed PNG by index; colour images back through the DAVIS palette; grey images as ids, or as one object
where a single bright value marks it. What an editor's smoothing leaves behind (ids that occur only as a thin
seam between two others) is reported and refused, or cleaned when asked; it never becomes objects.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from app.io.atomic import replacing
from app.io.edges import IntArray, give_to_nearest, stray_ids, thin_ids
from model.palette import PALETTE
from model.types import BACKGROUND, MAX_OBJECT_ID, VOID, BoolArray, LabelMap, UInt8Array
from model.video.folder import FORMATS
from model.video.source import MAX_PIXELS

FOREIGN = 1 << 16  # values from here on stand for colours that are not in the palette
BRIGHT = 128  # a lone grey value from here on is "white", not an object's number
PICTURE_SHARE, PICTURE_IDS = 0.2, 16  # thin ids beyond both: a picture, not a mask


@dataclass(frozen=True, slots=True)
class _Raw:
    """A mask file before anything is decided.

    values:   int32 [H, W].
    explicit: the file names ids outright (by index or by palette colour); a grey value may also mean "white".
    foreign:  the colours that are not in the palette; the first has value FOREIGN, and so on.
    """

    values: IntArray
    explicit: bool
    foreign: tuple[tuple[int, int, int], ...] = ()


def read_labels(
    path: Path, size: tuple[int, int] | None = None, clean: bool = False
) -> tuple[LabelMap, tuple[str, ...]]:
    """The label map in an image file, and what the user should know about how it was read.

    size:  (height, width) that the mask must have.
    clean: give the stray ids of anti-aliased edges to the nearest object instead of refusing them.

    Raises ValueError, naming the file and the remedy, for anything that is not a usable mask.
    """
    raw = _raw(path, _loaded(path, size))
    notes: list[str] = []
    thin = thin_ids(raw.values)
    if thin.mean() > PICTURE_SHARE and len(np.unique(raw.values[thin])) > PICTURE_IDS:
        raise ValueError(f"{path}: looks like a picture, not a mask: give an indexed PNG that holds one id per object")
    values = raw.values
    stray = stray_ids(values, thin, FOREIGN, grey=not raw.explicit)
    if stray.any():
        count, share = len(np.unique(values[stray])), f"{100 * stray.mean():.2g} %"
        if not clean:
            raise ValueError(
                f"{path}: {count} stray ids cover {share} of the pixels: looks like anti-aliased edges; draw the mask "
                "without smoothing, or let --clean-edges give them to the nearest object"
            )
        values = give_to_nearest(values, stray)
        if not values.any():
            raise ValueError(f"{path}: without its anti-aliased edges the mask is empty: save it as an indexed PNG")
        notes.append(f"{path.name}: {count} stray ids ({share} of the pixels) were given to the nearest object")
    values, note = _one_object(raw, values)
    if note:
        notes.append(f"{path.name}: {note}")
    _check_ids(path, raw, values)
    if (values == VOID).any():
        notes.append(f"{path.name}: pixels of id {VOID} are void: nobody knows what is there")
    return LabelMap(values.astype(np.uint8)), tuple(notes)


def read_label_folder(
    folder: Path, size: tuple[int, int] | None = None, clean: bool = False
) -> tuple[dict[int, LabelMap], tuple[str, ...]]:
    """Every numbered PNG of a folder, by frame (`00005.png` is frame 5), and notes as `read_labels` gives.

    A mask speaks for every object of the masks before it: one that is not drawn again is absent there.
    """
    files: dict[int, Path] = {}
    notes: list[str] = []
    for path in sorted(folder.glob("*.png")):
        if not (number := re.search(r"\d+$", path.stem)):
            notes.append(f"{path.name}: has no frame number in its name and is left out")
            continue
        frame = int(number.group())
        if frame in files:
            raise ValueError(f"{path}: {files[frame].name} is a mask of frame {frame} too: keep one of them")
        files[frame] = path
    if not files:
        raise ValueError(f"{folder}: holds no numbered masks: name them by frame, as in 00005.png")
    maps: dict[int, LabelMap] = {}
    seen: tuple[int, ...] = ()
    for frame, path in sorted(files.items()):
        labels, more = read_labels(path, size, clean)
        maps[frame] = LabelMap(labels.ids, seen)
        seen = maps[frame].objects
        notes.extend(more)
    return maps, tuple(notes)


def read_written(path: Path) -> LabelMap:
    """A mask that `write_labels` wrote, index by index and with no guessing. ValueError for any other file."""
    image = _loaded(path)
    if image.mode != "P":
        raise ValueError(f"{path}: is not an indexed PNG, so mer did not write it")
    return LabelMap(np.asarray(image))


def write_labels(path: Path, labels: LabelMap) -> None:
    """Write an indexed PNG with the DAVIS palette, atomically."""
    image = Image.fromarray(labels.ids)
    image.putpalette(PALETTE.tobytes())
    with replacing(path) as temporary:
        image.save(temporary, format="PNG")


def _loaded(path: Path, size: tuple[int, int] | None = None) -> Image.Image:
    """The image in a file. What it declares its size to be is looked at before anything is decoded."""
    if not path.is_file():
        raise ValueError(f"{path}: there is no such mask")
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if (height, width) == size or (size is None and height * width <= MAX_PIXELS):
                image.load()
                return image
    except Exception as error:  # damaged bytes can trip a decoder anywhere
        raise ValueError(f"{path}: cannot be read as an image: save the mask again as an indexed PNG") from error
    if size is None:
        raise ValueError(f"{path}: declares {width}x{height} pixels: it is damaged, use another copy")
    raise ValueError(
        f"{path}: the mask is {width}x{height} pixels but the video is {size[1]}x{size[0]}: "
        "draw it on a frame of the video, or resize it with nearest neighbour"
    )


def _raw(path: Path, image: Image.Image) -> _Raw:
    if image.mode == "P":
        return _Raw(np.asarray(image).astype(np.int32), explicit=True)
    if image.mode == "F":
        raise ValueError(f"{path}: holds fractions, not ids: save the mask as an indexed PNG")
    if image.mode.startswith("I"):
        return _Raw(np.asarray(image).astype(np.int32), explicit=False)
    transparent = np.zeros((image.height, image.width), np.bool_)
    if "A" in image.getbands():  # the colour of a see-through pixel means nothing
        transparent = np.asarray(image.getchannel("A")) < BRIGHT
    if image.mode in ("1", "L", "LA"):
        raw = _Raw(np.asarray(image.convert("L")).astype(np.int32), explicit=False)
    else:
        raw = _from_colours(np.asarray(image.convert("RGB")), transparent)
    raw.values[transparent] = BACKGROUND
    return raw


def _from_colours(image: UInt8Array, transparent: BoolArray) -> _Raw:
    """Palette colours become ids; a picture of greys only that are not the palette's becomes those greys."""
    rgb = image.astype(np.int32)
    codes = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
    codes[transparent] = 0
    colours, inverse = np.unique(codes, return_inverse=True)
    known = {(int(r) << 16) | (int(g) << 8) | int(b): i for i, (r, g, b) in enumerate(PALETTE)}
    triples = [(int(c) >> 16, int(c) >> 8 & 255, int(c) & 255) for c in colours]
    if all(r == g == b for r, g, b in triples) and not all(int(c) in known for c in colours):
        return _Raw(codes & 255, explicit=False)
    foreign = [t for c, t in zip(colours, triples, strict=True) if int(c) not in known]
    unknown = iter(range(FOREIGN, FOREIGN + len(foreign)))
    values = np.array([known[int(c)] if int(c) in known else next(unknown) for c in colours], np.int32)
    return _Raw(values[inverse.reshape(codes.shape)], explicit=True, foreign=tuple(foreign))


def _one_object(raw: _Raw, values: IntArray) -> tuple[IntArray, str]:
    """A mask that says only "here" (white, 255, one foreign colour) becomes object 1; with a note where it is news."""
    ids = _ids(values)
    if len(ids) != 1 or ids[0] < (VOID if raw.explicit else BRIGHT):
        return values, ""
    (value,) = ids
    name = f"the colour {raw.foreign[value - FOREIGN]}" if value >= FOREIGN else f"the value {value}"
    note = "" if value == VOID and not raw.explicit else f"{name} is read as object 1"
    return (values == value).astype(np.int32), note


def _check_ids(path: Path, raw: _Raw, values: IntArray) -> None:
    ids = _ids(values)
    if len(ids) > MAX_OBJECT_ID + (VOID in ids):
        raise ValueError(f"{path}: {len(ids)} ids, but a mask holds at most {MAX_OBJECT_ID} objects: merge some")
    if ids and ids[-1] >= FOREIGN:
        share = 100 * (values == ids[-1]).mean()
        raise ValueError(
            f"{path}: the colour {raw.foreign[ids[-1] - FOREIGN]} ({share:.2g} % of the pixels) is not in the DAVIS "
            "palette: save the mask as an indexed PNG"
        )
    if ids and ids[-1] > VOID:
        raise ValueError(f"{path}: holds id {ids[-1]}, but ids are 1..{MAX_OBJECT_ID}: number the objects from 1")


def _ids(values: IntArray) -> list[int]:
    return [int(v) for v in np.unique(values) if v != BACKGROUND]
