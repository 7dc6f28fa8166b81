"""Draw labels over a picture. Pure functions: arrays in, a new array out."""

from __future__ import annotations

import cv2
import numpy as np

from model.palette import PALETTE
from model.types import BACKGROUND, VOID, KeypointSet, LabelMap, UInt8Array

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)
SUBPIXEL = 4  # fractional bits of drawn coordinates

# Drawn colours by id, [256, 1, 3]. Half of the palette is dark; the outline is lifted halfway to white, so that it
# stands out from its black halo whatever lies under it. Void is left as it is: it is nobody's object.
FILL: UInt8Array = PALETTE[:, None].copy()
LINE: UInt8Array = (255 - (255 - FILL) // 2).astype(np.uint8)


def compose(
    image: UInt8Array, labels: LabelMap | None = None, keypoints: KeypointSet | None = None, opacity: float = 0.5
) -> UInt8Array:
    """A copy of `image` (uint8 [H, W, 3] RGB) with the labels on top.

    Objects are filled in their palette colours at `opacity` (0..1) and get a bright one-pixel outline with a dark
    halo, keypoints are ringed dots (hollow where hidden, left out where missing).
    """
    drawn = image.copy()
    if labels is not None:
        if labels.shape != image.shape[:2]:
            raise ValueError(f"a {labels.shape} label map does not fit a {image.shape[:2]} picture")
        _draw_objects(drawn, labels, opacity)
    if keypoints is not None:
        _draw_keypoints(drawn, keypoints)
    return drawn


def _draw_objects(image: UInt8Array, labels: LabelMap, opacity: float) -> None:
    ids = np.where(labels.ids == VOID, np.uint8(BACKGROUND), labels.ids)
    x, y, width, height = cv2.boundingRect(ids)
    if width == 0:
        return
    # Work on the objects' box and one pixel around it, where the halo goes.
    box = np.s_[max(y - 1, 0) : y + height + 1, max(x - 1, 0) : x + width + 1]
    ids, part = np.ascontiguousarray(ids[box]), image[box]
    inside = ids != BACKGROUND
    edge = cv2.morphologyEx(ids, cv2.MORPH_GRADIENT, CROSS) != 0
    filled = cv2.addWeighted(part, 1 - opacity, cv2.applyColorMap(ids, FILL), opacity, 0)
    cv2.copyTo(filled, inside.view(np.uint8), part)
    cv2.copyTo(cv2.applyColorMap(ids, LINE), (edge & inside).view(np.uint8), part)
    part[edge & ~inside] = 0


def _draw_keypoints(image: UInt8Array, keypoints: KeypointSet) -> None:
    radius = max(3.0, min(image.shape[:2]) / 120)
    for i, ((x, y), visible) in enumerate(zip(keypoints.xy, keypoints.visible, strict=True)):
        if np.isnan(x) or np.isnan(y):
            continue
        colour = LINE[1 + i % (VOID - 1), 0].tolist()
        _disc(image, float(x), float(y), radius + 2, (0, 0, 0), filled=bool(visible))
        _disc(image, float(x), float(y), radius + 1, (255, 255, 255), filled=bool(visible))
        _disc(image, float(x), float(y), radius, colour, filled=bool(visible))


def _disc(
    image: UInt8Array, x: float, y: float, radius: float, colour: tuple[int, int, int] | list[int], filled: bool
) -> None:
    scale = 1 << SUBPIXEL
    centre = (round(x * scale), round(y * scale))
    thickness = cv2.FILLED if filled else 1
    cv2.circle(image, centre, round(radius * scale), colour, thickness, cv2.LINE_AA, SUBPIXEL)
