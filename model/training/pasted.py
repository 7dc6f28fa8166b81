"""Clips with masks that nobody drew: pieces of other pictures, pasted into a video and moved about.

What is an object here is only known to move as one; its shape is that of a region of its picture, of a blob, or of a
trunk with limbs that swing. Its picture is another one, or another place of the video itself, so that looks alone do
not tell object and background apart. Some pieces are doubles of the object, some only pass in front of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.types import BACKGROUND, FloatArray, UInt8Array

_CANVAS = 160  # side of the canvas that a piece is drawn on, pixels
_SHARES = (0.08, 0.6)  # of the canvas, that a region may cover


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A rigid part of a piece: where it is opaque on the canvas, and how it swings about its joint."""

    mask: FloatArray
    joint: tuple[float, float] = (_CANVAS / 2, _CANVAS / 2)
    swing: float = 0.0
    pace: float = 0.0
    phase: float = 0.0

    def at(self, time: float) -> FloatArray:
        """The affine map from canvas to canvas at a time in frames."""
        angle = self.swing * np.sin(self.pace * time + self.phase)
        return np.asarray(cv2.getRotationMatrix2D(self.joint, angle, 1.0), np.float32)


def paste_objects(
    rng: np.random.Generator, frames: Sequence[UInt8Array], pictures: Sequence[UInt8Array]
) -> tuple[list[UInt8Array], list[UInt8Array]]:
    """Paste pieces into frames uint8 [H, W, 3]; the objects among them get the ids 1 and, maybe, 2.

    pictures: where pieces are cut from, beside the frames themselves. Returns the new frames, and ids uint8 [H, W].
    """
    images = [frame.astype(np.float32) for frame in frames]
    ids = [np.full(frame.shape[:2], BACKGROUND, np.uint8) for frame in frames]
    pieces = []
    for number in range(1, 2 + int(rng.random() < 0.5)):
        own = rng.random() < 0.4
        picture = frames[int(rng.integers(len(frames)))] if own else pictures[int(rng.integers(len(pictures)))]
        pieces.append((number, *_cut(rng, picture)))
    if rng.random() < 0.35:  # a double, which is not the object
        pieces.insert(int(rng.integers(2)), (BACKGROUND, *pieces[0][1:]))
    if rng.random() < 0.35:  # something passes in front
        pieces.append((BACKGROUND, *_cut(rng, frames[0] if rng.random() < 0.5 else pictures[0], thin=True)))
    for number, canvas, parts in pieces:
        _draw(rng, images, ids, number, canvas, parts)
    return [_camera(rng, image) for image in images], ids


def _camera(rng: np.random.Generator, image: FloatArray) -> UInt8Array:
    """What a camera and its compression do to a picture, which also hides the seams."""
    picture = np.asarray(image.clip(0, 255).round(), np.uint8)
    quality = int(rng.integers(55, 96))
    _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def _cut(rng: np.random.Generator, picture: UInt8Array, thin: bool = False) -> tuple[FloatArray, list[Part]]:
    """A square of a picture as a canvas float32 [S, S, 3], and the parts of a piece on it."""
    height, width = picture.shape[:2]
    side = int(min(height, width) * rng.uniform(0.5, 1.0))
    top, left = int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1))
    square = picture[top : top + side, left : left + side]
    canvas = np.asarray(cv2.resize(square, (_CANVAS, _CANVAS), interpolation=cv2.INTER_AREA), np.float32)
    kind = rng.random()
    if thin or kind < 0.3:
        return canvas, _trunk_and_limbs(rng, bare=thin)
    if kind < 0.45:
        return canvas, [Part(_blob(rng))]
    return canvas, [Part(_region(rng, canvas))]


def _region(rng: np.random.Generator, canvas: FloatArray) -> FloatArray:
    """A region of like colour and place, or two of them; a blob where there is none of a fair size."""
    size = 48
    small = cv2.GaussianBlur(cv2.resize(canvas, (size, size), interpolation=cv2.INTER_AREA), (0, 0), 1.0)
    lab = cv2.cvtColor(np.asarray(small / 255, np.float32), cv2.COLOR_RGB2Lab).reshape(-1, 3)
    place = np.indices((size, size)).reshape(2, -1).T * (60.0 / size)
    points = np.concatenate([lab, place], axis=1).astype(np.float32)
    count = int(rng.integers(3, 7))
    cv2.setRNGSeed(int(rng.integers(2**31)))
    criteria = (cv2.TERM_CRITERIA_MAX_ITER, 8, 0.0)
    _, labels, _ = cv2.kmeans(points, count, None, criteria, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    labels = labels.reshape(size, size)
    chosen = labels == int(rng.integers(count))
    if rng.random() < 0.4:
        chosen |= labels == int(rng.integers(count))
    _, areas, stats, _ = cv2.connectedComponentsWithStats(chosen.astype(np.uint8), connectivity=4)
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    mask = cv2.resize((areas == best).astype(np.float32), (_CANVAS, _CANVAS), interpolation=cv2.INTER_CUBIC)
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 1.5), np.float32)
    if not _SHARES[0] < (mask > 0.5).mean() < _SHARES[1]:
        return _blob(rng)
    return np.asarray((8 * (mask - 0.5) + 0.5).clip(0, 1), np.float32)


def _blob(rng: np.random.Generator) -> FloatArray:
    """A rounded shape: a radius that varies smoothly with the angle."""
    turns = np.arange(1, 7)
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    waves = rng.normal(0, 0.3, 6) / turns
    radius = 1 + np.sin(angle[:, None] * turns + rng.uniform(0, 2 * np.pi, 6)) @ waves
    radius = radius.clip(0.3, 1.7) * _CANVAS * rng.uniform(0.2, 0.28)
    stretch = rng.uniform(0.6, 1.0)
    outline = np.stack([np.cos(angle) * radius * stretch, np.sin(angle) * radius], axis=1) + _CANVAS / 2
    return _filled(outline)


def _filled(outline: NDArray[np.floating]) -> FloatArray:
    mask = np.zeros((_CANVAS, _CANVAS), np.uint8)
    cv2.fillPoly(mask, [np.round(outline * 16).astype(np.int32)], 255, cv2.LINE_AA, 4)
    return mask.astype(np.float32) / np.float32(255)


def _trunk_and_limbs(rng: np.random.Generator, bare: bool) -> list[Part]:
    """A trunk with up to five thin limbs that swing; `bare`: one or two bars and nothing else."""
    middle = (_CANVAS / 2, _CANVAS / 2)
    parts = [] if bare else [Part(_bar(rng, middle, rng.uniform(0.25, 0.4), rng.uniform(0.15, 0.3)))]
    for _ in range(int(rng.integers(1, 3) if bare else rng.integers(2, 6))):
        joint = tuple((_CANVAS / 2 + rng.normal(0, 0.1 * _CANVAS, 2)).tolist())
        length = rng.uniform(0.8, 1.2) if bare else rng.uniform(0.3, 0.55)
        mask = _bar(rng, joint, length, rng.uniform(0.04, 0.12), centred=bare)
        parts.append(Part(mask, joint, 0.0 if bare else rng.uniform(0, 40), rng.uniform(0.2, 0.9), rng.uniform(0, 6.3)))
    return parts


def _bar(
    rng: np.random.Generator, joint: tuple[float, ...], length: float, width: float, centred: bool = False
) -> FloatArray:
    """A rounded bar that starts at a joint, or has it in the middle; length and width as shares of the canvas."""
    angle = rng.uniform(0, 2 * np.pi)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length * _CANVAS
    start = np.array(joint) - reach / 2 if centred else np.array(joint)
    ends = np.round(np.stack([start, start + reach])).astype(int).tolist()
    mask = np.zeros((_CANVAS, _CANVAS), np.uint8)
    cv2.line(mask, ends[0], ends[1], 255, max(2, round(width * _CANVAS)), cv2.LINE_AA)
    return mask.astype(np.float32) / np.float32(255)


def _draw(
    rng: np.random.Generator,
    images: list[FloatArray],
    ids: list[UInt8Array],
    number: int,
    canvas: FloatArray,
    parts: Sequence[Part],
) -> None:
    """Move a piece through all frames, on top of what is there."""
    height, width = ids[0].shape
    count = len(images)
    size = min(height, width) * rng.uniform(0.35, 1.1)  # of the canvas
    growth = rng.normal(0, 0.03)
    turn, spin = rng.uniform(-25, 25), rng.normal(0, 2.0)
    mirror = rng.choice([-1.0, 1.0])
    middle = np.array([width, height]) * rng.uniform(0.25, 0.75, 2)
    speed = rng.normal(0, 0.02, 2) * width
    wobble, pace, phase = rng.normal(0, 0.015, 2) * width, rng.uniform(0.3, 1.2), rng.uniform(0, 6.3)
    bends = rng.normal(0, 0.05, (2, 2, 4, 4)).astype(np.float32) * _CANVAS
    lightness, change = rng.normal(0, 12), rng.normal(0, 1.5)
    soft = rng.uniform(0.4, 1.0)
    for time in range(count):
        picture, cover = _posed(canvas, parts, time)
        scale = size / _CANVAS * np.exp(growth * (time - count / 2))
        angle = np.deg2rad(turn + spin * time)
        linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]) * [mirror, 1.0]
        centre = middle + speed * (time - count / 2) + wobble * np.sin(pace * time + phase)
        back = np.linalg.inv(linear)
        offset = np.full(2, _CANVAS / 2) - back @ centre
        y, x = np.indices((height, width), dtype=np.float32)
        bend = bends[0] * np.sin(0.25 * time) + bends[1] * np.sin(0.6 * time + phase)
        map_x, map_y = (
            (back[i, 0] * x + back[i, 1] * y + offset[i] + cv2.resize(bend[i], (width, height))).astype(np.float32)
            for i in range(2)
        )
        moved = cv2.remap(cover, map_x, map_y, cv2.INTER_LINEAR, borderValue=0)
        seen = np.asarray(cv2.GaussianBlur(moved, (0, 0), soft), np.float32)
        colours = cv2.remap(picture, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        light = np.float32(lightness + change * time)
        images[time] += seen[..., None] * (np.asarray(colours, np.float32) + light - images[time])
        ids[time][seen > 0.5] = number


def _posed(canvas: FloatArray, parts: Sequence[Part], time: float) -> tuple[FloatArray, FloatArray]:
    """Picture [S, S, 3] and cover [S, S] of a piece at a time: limbs over the trunk."""
    picture, cover = canvas, parts[0].mask
    if len(parts) == 1:
        return picture, cover
    picture, cover = canvas.copy(), np.zeros_like(cover)
    for part in parts:
        pose, size = part.at(time), (_CANVAS, _CANVAS)
        mask = cv2.warpAffine(part.mask, pose, size)
        moved = cv2.warpAffine(canvas, pose, size, borderMode=cv2.BORDER_REFLECT)
        picture += mask[..., None] * (moved - picture)
        cover = np.maximum(cover, mask)
    return picture, cover
