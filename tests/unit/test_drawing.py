"""How labels look: rules that hold for any labels, and pictures that were looked at and found good.

The pictures lie in tests/golden. After a wanted change, make them again with
`MER_GOLDEN=write python -m pytest tests/unit/test_drawing.py`, and look at every one before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PySide6.QtGui import QImage, QPainter

from app.views.drawing import (
    HALO,
    LINES,
    OverlayStyle,
    dashes,
    doubt_of_objects,
    draw_skeleton,
    gathered,
    hatch,
    label_overlay,
    narrowed,
    shown_ids,
)
from model.palette import PALETTE

GOLDEN = Path(__file__).parents[1] / "golden"
ALL = shown_ids(frozenset())


def check(name: str, picture: np.ndarray, tolerance: int = 0, share: float = 0.0) -> None:
    """Compare with the picture of that name; `share` of its pixels may differ by more than `tolerance`."""
    path = GOLDEN / f"{name}.png"
    if os.environ.get("MER_GOLDEN") == "write":
        Image.fromarray(picture).save(path)
    golden = np.asarray(Image.open(path).convert("RGB"))
    assert golden.shape == picture.shape
    differs = (np.abs(golden.astype(int) - picture) > tolerance).any(axis=2)
    assert differs.mean() <= share, f"{differs.sum()} pixels differ from {path}"


def blended(overlay: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The overlay (premultiplied ARGB) over a picture [H, W, 3]."""
    channels = overlay.view(np.uint8).reshape(*overlay.shape, 4).astype(np.float64)  # B, G, R, A in memory
    return np.rint(channels[..., 2::-1] + picture * (1 - channels[..., 3:] / 255)).astype(np.uint8)


def backdrop(height: int = 120, width: int = 180) -> np.ndarray:
    """From black to white, and bright colours: an outline must be seen on all of it."""
    y, x = np.mgrid[:height, :width]
    grey = np.repeat((x * 255 // (width - 1))[..., None], 3, axis=2)
    grey[height // 2 :, ::2] = np.stack([y, 255 - x, x], axis=-1)[height // 2 :, ::2] % 256
    return grey.astype(np.uint8)


def labels(height: int = 120, width: int = 180) -> np.ndarray:
    """Objects that touch each other, the edge and void, with a hole and single pixels."""
    ids = np.zeros((height, width), np.uint8)
    cv2.circle(ids, (50, 60), 36, 1, -1)
    cv2.circle(ids, (95, 60), 34, 2, -1)
    cv2.circle(ids, (50, 60), 12, 0, -1)
    ids[:30, 150:] = 7
    ids[60:110, 140:160] = 255
    ids[80:100, 130:140] = 12
    ids[5, 5] = ids[10:12, 20] = 3
    return ids


@pytest.mark.parametrize("name", ["outlined", "filled", "only_outlines", "broad", "solo", "hidden"])
def test_labels_look_as_they_did(name: str) -> None:
    styles = {
        "filled": OverlayStyle(opacity=0.7, contours=False),
        "only_outlines": OverlayStyle(opacity=0),
    }
    shown = {"solo": shown_ids(frozenset(), solo=2), "hidden": shown_ids(frozenset({1, 7}))}.get(name, ALL)
    overlay = label_overlay(labels(), shown, styles.get(name, OverlayStyle()), line=2 if name == "broad" else 1)
    check(f"labels_{name}", blended(overlay, backdrop()))


def test_doubt_looks_as_it_did() -> None:
    overlay = label_overlay(labels(), ALL, OverlayStyle())
    confidence = np.repeat(np.linspace(0, 0.6, 180, dtype=np.float32)[None], 120, axis=0)
    hatch(overlay, confidence)
    check("doubt", blended(overlay, backdrop()))


def test_a_proposal_looks_as_it_did() -> None:
    overlay = label_overlay(labels(), ALL, OverlayStyle())
    mask = np.zeros((120, 180), np.bool_)
    mask[20:100, 60:150] = True
    dashes(overlay, mask, 2)
    check("proposal", blended(overlay, backdrop()))


def test_a_skeleton_looks_as_it_did(qapp: object) -> None:
    points = np.array([[30, 20], [60, 60], [120, 40], [np.nan, np.nan], [150, 100]], np.float32)
    visible = np.array([True, True, False, False, True])
    picture = np.dstack([backdrop(), np.full((120, 180), 255, np.uint8)])
    image = QImage(picture.data, 180, 120, 4 * 180, QImage.Format.Format_RGBA8888).copy()
    painter = QPainter(image)
    draw_skeleton(painter, points, visible, ((0, 1), (1, 2), (2, 3), (1, 4)), hovered=4)
    painter.end()
    drawn = np.frombuffer(image.bits(), np.uint8).reshape(120, 180, 4)[..., :3]
    check("skeleton", drawn, tolerance=24, share=0.005)  # the smooth edges are Qt's own


@pytest.mark.parametrize("number", range(1, 255, 11))
def test_an_outline_is_bright_and_its_halo_dark(number: int) -> None:
    ids = np.zeros((20, 20), np.uint8)
    ids[5:15, 5:15] = number
    overlay = label_overlay(ids, ALL, OverlayStyle(opacity=0.5))
    red, green, blue = (int(v) for v in LINES[number])
    assert overlay[5, 10] == 0xFF << 24 | red << 16 | green << 8 | blue
    assert overlay[4, 10] == HALO and overlay[4, 4] == 0
    assert min(red, green, blue) >= 127 and max(red, green, blue) == 255
    assert (overlay[10, 10] >> 24) == 128
    assert np.abs(int(overlay[10, 10] >> 16 & 255) - PALETTE[number, 0] / 2) <= 1


def test_colours_are_premultiplied() -> None:
    for opacity in (0.0, 0.3, 1.0):
        overlay = label_overlay(labels(), ALL, OverlayStyle(opacity=opacity))
        channels = overlay.view(np.uint8).reshape(*overlay.shape, 4)
        assert (channels[..., :3] <= channels[..., 3:]).all()


def test_void_and_hidden_objects_are_not_drawn() -> None:
    ids = np.full((9, 9), 255, np.uint8)
    ids[3:6, 3:6] = 4
    assert not label_overlay(ids, shown_ids(frozenset({4})), OverlayStyle(opacity=1)).any()
    assert not label_overlay(ids, shown_ids(frozenset(), solo=5), OverlayStyle(opacity=1)).any()
    assert label_overlay(ids, ALL, OverlayStyle(opacity=1))[4, 4]


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.integers(1, 3), st.booleans())
def test_an_overlay_is_the_same_however_its_pixels_are_come_by(
    seed: int, height: int, width: int, line: int, contours: bool
) -> None:
    """Looking colours up before or after scaling, and inside the objects' box only, is a matter of speed."""
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.choice([0, 0, 0, 1, 9, 255], (5, 6)), np.ones((3, 3))).astype(np.uint8)
    rows, columns = np.sort(rng.integers(0, 15, height)), np.sort(rng.integers(0, 18, width))
    style = OverlayStyle(contours=contours)
    plain = label_overlay(np.ascontiguousarray(ids[rows][:, columns]), ALL, style, line)
    assert np.array_equal(label_overlay(ids, ALL, style, line, (rows, columns)), plain)


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40))
def test_gathering_takes_rows_and_columns(seed: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    array = rng.integers(0, 255, (15, 18, 3))
    rows, columns = np.sort(rng.integers(0, 15, height)), np.sort(rng.integers(0, 18, width))
    assert np.array_equal(gathered(*narrowed(array, rows, columns)), array[rows][:, columns])


def test_more_doubt_is_more_ink() -> None:
    ink = []
    for confidence in (1.0, 0.4, 0.3, 0.2, 0.05):
        overlay = np.zeros((64, 64), np.uint32)
        hatch(overlay, np.full((64, 64), confidence, np.float32))
        ink.append(np.count_nonzero(overlay))
    assert ink[0] == ink[1] == 0
    assert ink[1:] == sorted(set(ink))


def test_strokes_of_doubt_do_not_swim() -> None:
    whole, part = np.zeros((40, 40), np.uint32), np.zeros((20, 20), np.uint32)
    hatch(whole, np.full((40, 40), 0.1, np.float32), origin=(3, -7))
    hatch(part, np.full((20, 20), 0.1, np.float32), origin=(3 + 13, -7 + 11))
    assert np.array_equal(whole[11:31, 13:33], part)


def test_doubt_is_of_interest_near_objects() -> None:
    ids = np.zeros((80, 120), np.uint8)
    ids[40:44, 60:64] = 5
    near = doubt_of_objects(np.full((20, 30), 0.25, np.float32), ids, ALL)
    assert (near[8:13, 13:18] == 0.25).all()
    assert (near == 0.25).sum() == 25
    hidden = doubt_of_objects(np.full((20, 30), 0.25, np.float32), ids, shown_ids(frozenset({5})))
    assert (hidden == 1).all()
