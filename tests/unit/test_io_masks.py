"""Masks as people save them: indexed, coloured, grey, smoothed, and what is no mask at all."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.io.masks import read_label_folder, read_labels, read_written, write_labels
from model.palette import PALETTE, davis_palette
from model.types import LabelMap


def seventeen() -> np.ndarray:
    """uint8 [60, 90]: seventeen objects, each with a solid core, on background."""
    ids = np.zeros((60, 90), np.uint8)
    for i in range(17):
        y, x = 4 + 18 * (i // 6), 3 + 14 * (i % 6)
        ids[y : y + 12, x : x + 9] = i + 1
    return ids


def disc(smooth: bool) -> np.ndarray:
    """uint8 [64, 96]: a white disc on black, with or without anti-aliased edges."""
    image = np.zeros((64, 96), np.uint8)
    cv2.circle(image, (40, 30), 20, 255, -1, cv2.LINE_AA if smooth else cv2.LINE_8)
    return image


def save(path: Path, array: np.ndarray) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_the_palette_is_that_of_davis() -> None:
    expected = {0: (0, 0, 0), 1: (128, 0, 0), 2: (0, 128, 0), 3: (128, 128, 0), 4: (0, 0, 128), 7: (128, 128, 128)}
    expected |= {8: (64, 0, 0), 9: (192, 0, 0), 16: (0, 64, 0), 255: (224, 224, 192)}
    for i, colour in expected.items():
        assert tuple(davis_palette()[i]) == colour
    assert len({tuple(c) for c in davis_palette()}) == 256


def test_the_palette_is_that_of_a_davis_file(data_root: Path) -> None:
    with Image.open(data_root / "davis-dev/Annotations/480p/libby/00000.png") as image:
        stored = np.array(image.getpalette(), np.uint8).reshape(-1, 3)
    assert len(stored) > 1
    assert np.array_equal(stored, PALETTE[: len(stored)])


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_any_map_comes_back_as_it_was_written(tmp_path_factory, height: int, width: int, seed: int) -> None:
    ids = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    path = tmp_path_factory.mktemp("mask") / "00000.png"
    write_labels(path, LabelMap(ids))
    assert np.array_equal(read_written(path).ids, ids)
    with Image.open(path) as image:
        assert image.mode == "P"
        assert image.size == (width, height)
        assert image.getpalette() == PALETTE.ravel().tolist()


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    write_labels(tmp_path / "deep/00000.png", LabelMap(seventeen()))
    assert [p.name for p in (tmp_path / "deep").iterdir()] == ["00000.png"]


def test_a_failed_write_keeps_the_old_mask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "00000.png"
    write_labels(path, LabelMap(seventeen()))

    def full(self: Image.Image, target: Path, format: str) -> None:
        target.write_bytes(b"half of it")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(OSError, match="No space"):
        write_labels(path, LabelMap(np.zeros((60, 90), np.uint8)))
    assert np.array_equal(read_written(path).ids, seventeen())
    assert [p.name for p in tmp_path.iterdir()] == ["00000.png"]


@pytest.mark.parametrize("how", ["indexed", "rgb", "rgba", "grey", "sixteen bits"])
def test_seventeen_objects_are_read_however_they_were_saved(tmp_path: Path, how: str) -> None:
    ids, path = seventeen(), tmp_path / "mask.png"
    if how == "indexed":
        write_labels(path, LabelMap(ids))
    elif how == "rgba":
        save(path, np.dstack([PALETTE[ids], np.where(ids > 0, 255, 0).astype(np.uint8)]))
    else:
        save(path, {"rgb": PALETTE[ids], "grey": ids, "sixteen bits": ids.astype(np.uint16)}[how])
    labels, notes = read_labels(path, (60, 90))
    assert np.array_equal(labels.ids, ids)
    assert notes == ()


@pytest.mark.parametrize(("value", "channels"), [(128, 1), (200, 1), (255, 1), (200, 3), (255, 3)])
def test_one_bright_value_is_object_1(tmp_path: Path, value: int, channels: int) -> None:
    grey = np.where(disc(False) > 0, value, 0).astype(np.uint8)
    labels, _ = read_labels(save(tmp_path / "m.png", grey if channels == 1 else np.dstack([grey] * 3)))
    assert np.array_equal(labels.ids, grey > 0)


def test_one_bit_and_one_index_255_are_object_1(tmp_path: Path) -> None:
    white = disc(False)
    Image.fromarray(white).convert("1").save(tmp_path / "bit.png")
    assert np.array_equal(read_labels(tmp_path / "bit.png")[0].ids, white > 0)
    write_labels(tmp_path / "index.png", LabelMap(white))  # as the masks of DAVIS 2016 are
    labels, notes = read_labels(tmp_path / "index.png")
    assert np.array_equal(labels.ids, white > 0)
    assert "object 1" in notes[0]


def test_a_lone_low_id_stays_what_it_is(tmp_path: Path) -> None:
    """Object 2 alone in a later mask is still object 2."""
    ids = (disc(False) // 255 * 2).astype(np.uint8)
    assert read_labels(save(tmp_path / "m.png", ids))[0].objects == (2,)
    assert read_labels(save(tmp_path / "c.png", PALETTE[ids]))[0].objects == (2,)


def test_one_colour_on_black_is_object_1(tmp_path: Path) -> None:
    red = np.zeros((64, 96, 3), np.uint8)
    red[..., 0] = disc(False)
    labels, notes = read_labels(save(tmp_path / "m.png", red))
    assert np.array_equal(labels.ids, red[..., 0] > 0)
    assert "(255, 0, 0) is read as object 1" in notes[0]


def test_two_colours_that_nobody_knows_are_refused(tmp_path: Path) -> None:
    image = np.zeros((64, 96, 3), np.uint8)
    image[:20, :20], image[30:, 50:] = (255, 0, 0), (0, 255, 0)
    with pytest.raises(ValueError, match=r"m\.png: the colour \(255, 0, 0\).*palette: save the mask as an indexed PNG"):
        read_labels(save(tmp_path / "m.png", image))


def smoothed(kind: str) -> np.ndarray:
    """The disc with soft edges, in grey, in palette colours (objects 1 and 2 side by side), or as white on black."""
    if kind == "grey":
        return disc(True)
    if kind == "white":
        return np.dstack([disc(True)] * 3)
    colours = np.zeros((64, 96, 3), np.uint8)
    cv2.circle(colours, (40, 30), 20, PALETTE[1].tolist(), -1, cv2.LINE_AA)
    cv2.circle(colours, (60, 40), 12, PALETTE[2].tolist(), -1, cv2.LINE_AA)
    return colours


@pytest.mark.parametrize("kind", ["grey", "white", "palette"])
def test_smoothed_edges_are_counted_and_refused_or_cleaned(tmp_path: Path, kind: str) -> None:
    path = save(tmp_path / "m.png", smoothed(kind))
    with pytest.raises(ValueError, match=r"m\.png: \d+ stray ids cover [\d.]+ % of the pixels.*--clean-edges"):
        read_labels(path)
    labels, notes = read_labels(path, clean=True)
    assert labels.objects == ((1, 2) if kind == "palette" else (1,))
    hard = disc(False) > 0
    inner, outer = cv2.erode(hard.astype(np.uint8), np.ones((5, 5))), cv2.dilate(hard.astype(np.uint8), np.ones((5, 5)))
    assert (labels.ids[inner > 0] > 0).all()
    if kind != "palette":
        assert not labels.ids[outer == 0].any()
    assert "given to the nearest object" in notes[0]


def test_a_mask_that_is_all_edge_is_not_cleaned_into_nothing(tmp_path: Path) -> None:
    image = np.zeros((64, 96), np.uint8)
    cv2.line(image, (5, 5), (90, 40), 255, 1, cv2.LINE_AA)
    image[50:53, 50:53] = image[20, 5:90] = 255
    image[53, 50:53] = 97
    with pytest.raises(ValueError, match=r"m\.png: without its anti-aliased edges the mask is empty"):
        read_labels(save(tmp_path / "m.png", image), clean=True)


@pytest.mark.parametrize("how", ["resized", "jpeg"])
def test_real_smoothing_leaves_one_object(tmp_path: Path, data_root: Path, how: str) -> None:
    with Image.open(data_root / "davis-dev/Annotations/480p/camel/00000.png") as image:
        grey = Image.fromarray(np.asarray(image) * np.uint8(255))
    path = tmp_path / ("m.jpg" if how == "jpeg" else "m.png")
    grey.resize((500, 300), Image.Resampling.BICUBIC).save(path)
    labels, _ = read_labels(path, clean=True)
    with Image.open(path) as image:
        truth = np.asarray(image) > 127
    assert labels.objects == (1,)
    assert ((labels.ids > 0) & truth).sum() / ((labels.ids > 0) | truth).sum() > 0.97


@pytest.mark.parametrize("sigma", [0.7, 1.5, 3, 6])
@pytest.mark.parametrize("corner", [False, True])
def test_blurred_masks_are_told_and_cleaned(tmp_path: Path, sigma: float, corner: bool) -> None:
    """A rectangle, in the middle or cut by the frame: its straight edges blur into long even lines."""
    grey = np.zeros((240, 320), np.uint8)
    grey[0 if corner else 60 : 150, 0 if corner else 80 : 200] = 255
    path = save(tmp_path / "m.png", cv2.GaussianBlur(grey, (0, 0), sigma))
    with pytest.raises(ValueError, match="stray ids cover"):
        read_labels(path)
    labels, _ = read_labels(path, clean=True)
    assert labels.objects == (1,)
    assert ((labels.ids > 0) & (grey > 0)).sum() / ((labels.ids > 0) | (grey > 0)).sum() > 0.9


def test_the_count_of_stray_ids_is_right(tmp_path: Path) -> None:
    image = disc(True)
    strays = len(np.unique(image)) - 2
    share = 100 * ((image > 0) & (image < 255)).mean()
    with pytest.raises(ValueError, match=rf": {strays} stray ids cover {share:.2g} %"):
        read_labels(save(tmp_path / "m.png", image))


def test_small_and_thin_objects_are_no_strays(tmp_path: Path) -> None:
    ids = np.zeros((64, 96), np.uint8)
    ids[10:40, 10:40] = 40
    ids[50, 5:60] = 3  # one pixel high
    ids[5:7, 80:82] = 7  # two by two
    ids[20, 38:70] = 21  # a racket, held over object 40 and sticking out
    for path in (save(tmp_path / "grey.png", ids), save(tmp_path / "rgb.png", PALETTE[ids])):
        labels, notes = read_labels(path)
        assert np.array_equal(labels.ids, ids)
        assert notes == ()


def test_another_size_is_refused_with_both_sizes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"m\.png: the mask is 90x60 pixels but the video is 120x80"):
        read_labels(save(tmp_path / "m.png", seventeen()), (80, 120))


def test_more_than_254_ids_are_refused(tmp_path: Path) -> None:
    blocks = np.arange(300, dtype=np.uint16).reshape(15, 20).repeat(4, 0).repeat(4, 1)
    with pytest.raises(ValueError, match=r"m\.png: 299 ids, but a mask holds at most 254 objects"):
        read_labels(save(tmp_path / "m.png", blocks))


def test_ids_beyond_254_are_refused(tmp_path: Path) -> None:
    ids = seventeen().astype(np.uint16) * 100
    with pytest.raises(ValueError, match=r"m\.png: holds id 1700, but ids are 1\.\.254"):
        read_labels(save(tmp_path / "m.png", ids))


def test_exactly_254_objects_and_void_are_read(tmp_path: Path) -> None:
    ids = np.arange(256, dtype=np.uint8).reshape(16, 16).repeat(4, 0).repeat(4, 1)
    labels, notes = read_labels(save(tmp_path / "m.png", ids))
    assert labels.objects == tuple(range(1, 255))
    assert "void" in notes[0]


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_picture_is_no_mask(tmp_path: Path, mode: str) -> None:
    noise = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8), (0, 0), 1.5)
    Image.fromarray(noise).convert(mode).save(tmp_path / "m.png")
    with pytest.raises(ValueError, match=r"m\.png: looks like a picture, not a mask"):
        read_labels(tmp_path / "m.png")


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_what_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"m\.png: cannot be read as an image"):
        read_labels(tmp_path / "m.png")


def test_a_truncated_png_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    write_labels(path, LabelMap(np.random.default_rng(0).integers(0, 5, (64, 96)).astype(np.uint8)))
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(ValueError, match=r"m\.png: cannot be read as an image"):
        read_labels(path)


def test_a_missing_mask_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"gone\.png: there is no such mask"):
        read_labels(tmp_path / "gone.png")


def test_a_folder_gives_masks_by_frame_and_remembers_objects(tmp_path: Path) -> None:
    ids = np.zeros((20, 30), np.uint8)
    ids[:5, :5] = 1
    write_labels(tmp_path / "00005.png", LabelMap(ids))
    ids[10:15, 10:15] = 2
    write_labels(tmp_path / "frame_00012.png", LabelMap(ids))
    write_labels(tmp_path / "00020.png", LabelMap(np.zeros_like(ids)))
    write_labels(tmp_path / "notes.png", LabelMap(ids))
    maps, notes = read_label_folder(tmp_path, (20, 30))
    assert list(maps) == [5, 12, 20]
    assert [maps[f].objects for f in maps] == [(1,), (1, 2), (1, 2)]
    assert notes == ("notes.png: has no frame number in its name and is left out",)


def test_two_masks_of_one_frame_are_refused(tmp_path: Path) -> None:
    for name in ("5.png", "00005.png"):
        write_labels(tmp_path / name, LabelMap(seventeen()))
    with pytest.raises(ValueError, match="frame 5 too"):
        read_label_folder(tmp_path)


def test_a_folder_without_numbered_masks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no numbered masks"):
        read_label_folder(tmp_path)
