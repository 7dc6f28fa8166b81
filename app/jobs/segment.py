"""Click to segment: from a few clicks to the mask of the object that they mean.

What tells an object from the rest is, first of all, that it moves otherwise than the camera; then that it is near the
click. From these the first click makes a guess on the cells of the feature grid, and GrabCut, which sees brightness,
colour and the guess side by side, cuts the picture along it. Every further click bends the mask that is there, most of
all near by and where features, colour and motion are like those of the place that was clicked.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.jobs.queries import Click
from model.encoder import STRIDE
from model.flow import dis
from model.types import BoolArray, FloatArray, UInt8Array


@dataclass(frozen=True, slots=True)
class SegmentOptions:
    """Weights are in units of log odds. They were chosen on first and middle frames of the development sequences.

    reach:    of the picture's height, how far from its click an object is taken to go at first.
    motion, ease: weight of like motion, and what speaks for the object anyway.
    hold:     of the mask so far, when there is another click.
    pull:     of another click; around it, `spread` mask sizes wide, with `colour`, `features` and `moves` telling what
              is like its place and unlike the rest of what it lies in.
    rounds:   of GrabCut, for the first click and for others.
    guidance: grey levels between "surely not" and "surely" in GrabCut's picture, likewise.
    """

    reach: float = 0.55
    motion: float = 1.0
    ease: float = 0.3
    hold: float = 2.0
    pull: float = 4.5
    spread: float = 0.7
    colour: float = 2.0
    features: float = 3.0
    moves: float = 1.0
    rounds: tuple[int, int] = (4, 2)
    guidance: tuple[int, int] = (160, 110)


_STILL = 0.35  # pixels: the camera's motion is never known better
_SAME = 0.3  # share of its own motion by which two parts of an object may differ
_MOST = 2.5  # log odds that motion alone may give
_COLOUR_SCALE = 20.0  # in Lab
_CUT_SIDE = 256  # pixels of the longer side of what GrabCut is given
_SURE, _UNLIKELY = 0.97, 0.04  # guesses that GrabCut does not touch


class Segmenter:
    """One frame, ready to be clicked on: calling it with clicks, in pixels of the image, gives bool [H, W].

    Masks of the clicks so far are kept, so that one click more costs one step more.
    """

    def __init__(
        self,
        image: UInt8Array,
        features: FloatArray,
        neighbour: UInt8Array | None = None,
        options: SegmentOptions | None = None,
    ) -> None:
        """image: uint8 [H, W, 3]; features: [C, h, w] on cells; neighbour: the frame after or before, if there is."""
        self._image, self._options = image, options or SegmentOptions()
        _, height, width = features.shape
        self._size = height, width
        centred = np.moveaxis(features - features.mean(axis=(1, 2), keepdims=True), 0, -1)
        self._features = centred / np.maximum(np.linalg.norm(centred, axis=-1, keepdims=True), 1e-6)
        lab = cv2.cvtColor(image.astype(np.float32) / np.float32(255), cv2.COLOR_RGB2Lab)
        self._colours = np.asarray(cv2.blur(lab, (5, 5)), np.float32)[::STRIDE, ::STRIDE]
        self._motion = np.zeros((height, width, 2), np.float32)
        if neighbour is not None:
            motion = cv2.resize(own_motion(dis(neighbour, image)), (width, height), interpolation=cv2.INTER_AREA)
            self._motion = np.asarray(motion, np.float32)
        self._speed = np.linalg.norm(self._motion, axis=-1)
        self._noise = max(_STILL, 1.5 * float(np.median(self._speed)))
        self._rows, self._columns = np.mgrid[:height, :width].astype(np.float32)
        self._known: dict[tuple[Click, ...], BoolArray] = {}

    def __call__(self, clicks: tuple[Click, ...]) -> BoolArray:
        assert clicks and clicks[0].positive, "the first click is on the object"
        if clicks not in self._known:
            earlier = clicks[:-1]
            if earlier and self._says(self(earlier), clicks[-1]):
                return self(earlier)
            odds = self._bent(self(earlier), clicks) if earlier else self._guess(clicks[0])
            self._known[clicks] = self._cut(odds, clicks)
        return self._known[clicks]

    @staticmethod
    def _says(mask: BoolArray, click: Click) -> bool:
        """Is a click's place in the mask, or out of it, already? Then it changes nothing: it only holds its place."""
        height, width = mask.shape
        there = mask[min(max(round(click.y), 0), height - 1), min(max(round(click.x), 0), width - 1)]
        return bool(there) is click.positive

    # Log odds of being the object, on cells

    def _guess(self, click: Click) -> FloatArray:
        """From one click: what moves like it and is near."""
        o = self._options
        near = 1 - 2 * (self._distance(click) / (o.reach * self._size[0])) ** 2
        return np.asarray(o.motion * self._moves_like(click) + near + o.ease, np.float32)

    def _moves_like(self, click: Click) -> FloatArray:
        """Motion like that of the click against none but the camera's: nothing is told by a click on what stands."""
        own = self._at(self._motion, click, reach=2)
        width = self._noise + _SAME * float(np.linalg.norm(own))
        same = -np.linalg.norm(self._motion - own, axis=-1) / width - np.log(width / self._noise)
        still = np.maximum(-self._speed / self._noise, -3)
        return np.asarray((same - still).clip(-_MOST, _MOST), np.float32)

    def _bent(self, mask: BoolArray, clicks: tuple[Click, ...]) -> FloatArray:
        """The mask so far, with the latest click."""
        o = self._options
        click, earlier = clicks[-1], clicks[:-1]
        height, width = self._size
        inside = cv2.resize(mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA) > 0.5
        odds = o.hold * np.tanh((_depth(inside) - _depth(~inside)) / 3)
        size = np.sqrt(max(int(inside.sum()), 16))
        distance = self._distance(click)
        around = np.exp(-((distance / (o.spread * size + 3)) ** 2))
        beyond, reach = (0.5 * size + 4, ~inside) if click.positive else (0.35 * size + 3, inside)
        rivals = reach & (distance > beyond) & (distance < 3 * size)
        like = o.colour * self._unlike(self._colours, rivals, click, _COLOUR_SCALE)
        like += o.features * self._unlike(self._features, rivals, click, 1.0)
        moving = self._noise + 0.2 * float(np.linalg.norm(self._at(self._motion, click)))
        like += o.moves * self._unlike(self._motion, rivals, click, moving)
        change = around * (o.pull + like) + 4 * np.exp(-((distance / 4) ** 2))
        odds += change if click.positive else -change
        for old in earlier:
            odds += (3 if old.positive else -3) * np.exp(-((self._distance(old) / 3) ** 2))
        return np.asarray(odds, np.float32)

    def _unlike(self, values: FloatArray, rivals: BoolArray, click: Click, scale: float) -> FloatArray:
        """How much more alike to the click than to the rest of what it lies in: -1.5..1.5 [h, w]."""
        if np.count_nonzero(rivals) < 5:
            return np.zeros(self._size, np.float32)
        same = np.linalg.norm(values - self._at(values, click), axis=-1)
        other = np.min([np.linalg.norm(values - kind, axis=-1) for kind in _kinds(values[rivals])], axis=0)
        return np.asarray(((other - same) / scale).clip(-1.5, 1.5), np.float32)

    # From log odds to a mask

    def _cut(self, odds: FloatArray, clicks: tuple[Click, ...]) -> BoolArray:
        """GrabCut around what is likely, keeping what hangs together with a click."""
        later = len(clicks) > 1
        guess = cv2.GaussianBlur(1 / (1 + np.exp(-odds.clip(-30, 30))), (0, 0), 0.7 if later else 1.0)
        likely = np.asarray(guess > 0.5)
        for click in clicks:
            if click.positive:
                likely |= self._distance(click) <= 3
        likely = _reached(likely, [(c.x / STRIDE, c.y / STRIDE) for c in clicks if c.positive])
        far = _depth(~likely) > max(6.0, 0.3 * np.sqrt(np.count_nonzero(likely)))
        guess = np.asarray(np.where(far, 0.3 * guess, guess), np.float32)
        rows, columns = self._frame(likely)
        part = self._image[rows, columns]
        scale = min(1.0, _CUT_SIDE / max(part.shape[:2]))
        size = max(8, round(part.shape[1] * scale)), max(8, round(part.shape[0] * scale))
        cells = guess[
            rows.start // STRIDE : -(-rows.stop // STRIDE), columns.start // STRIDE : -(-columns.stop // STRIDE)
        ]
        hints = np.asarray(cv2.resize(cells, size), np.float32)
        marks = _marks(hints)
        for click in clicks:
            place = round((click.x - columns.start) * scale), round((click.y - rows.start) * scale)
            cv2.circle(marks, place, 3, cv2.GC_FGD if click.positive else cv2.GC_BGD, -1)
        o = self._options
        small = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)
        seen = _shown(small, hints, o.guidance[later])
        cv2.setRNGSeed(0)  # it starts from random clusters
        nowhere = (0, 0, 1, 1)  # no box: the marks say where
        models = np.zeros((1, 65)), np.zeros((1, 65))
        cv2.grabCut(seen, marks, nowhere, *models, o.rounds[later], cv2.GC_INIT_WITH_MASK)
        found = np.isin(marks, (cv2.GC_FGD, cv2.GC_PR_FGD)).astype(np.float32)
        mask = np.zeros(self._image.shape[:2], np.bool_)
        mask[rows, columns] = cv2.resize(found, part.shape[1::-1]) > 0.5
        return _reached(mask, [(click.x, click.y) for click in clicks if click.positive])

    def _frame(self, likely: BoolArray) -> tuple[slice, slice]:
        """The pixels of a box of cells with room around."""
        height, width = self._image.shape[:2]
        x, y, w, h = cv2.boundingRect(likely.astype(np.uint8))
        margin = max(12, round(0.35 * max(w, h)))
        rows = slice(max(0, y - margin) * STRIDE, min(height, (y + h + margin) * STRIDE))
        return rows, slice(max(0, x - margin) * STRIDE, min(width, (x + w + margin) * STRIDE))

    def _distance(self, click: Click) -> FloatArray:
        """Of every cell, in cells."""
        return np.asarray(np.hypot(self._rows - click.y / STRIDE, self._columns - click.x / STRIDE), np.float32)

    def _at(self, values: FloatArray, click: Click, reach: int = 1) -> FloatArray:
        """The median of values [h, w, C] around a click."""
        height, width = self._size
        x = min(max(round(click.x / STRIDE), 0), width - 1)
        y = min(max(round(click.y / STRIDE), 0), height - 1)
        part = values[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1]
        return np.asarray(np.median(part.reshape(-1, values.shape[-1]), axis=0), np.float32)


def own_motion(flow: FloatArray) -> FloatArray:
    """What the camera did not do: flow [2, H, W] without the homography that most of it follows, [H, W, 2]."""
    _, height, width = flow.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    start = np.stack([x, y], axis=-1)
    moved = np.moveaxis(flow, 0, -1)
    step = max(1, min(height, width) // 60)
    some = start[::step, ::step].reshape(-1, 2)
    camera, _ = cv2.findHomography(some, some + moved[::step, ::step].reshape(-1, 2), cv2.RANSAC, 1.0)
    if camera is None:
        return np.asarray(moved - np.median(moved, axis=(0, 1)), np.float32)
    ends = cv2.perspectiveTransform(start.reshape(1, -1, 2), camera).reshape(height, width, 2)
    return np.asarray(moved - (ends - start), np.float32)


def _depth(mask: BoolArray) -> FloatArray:
    """Of every cell inside, how far it is to the outside."""
    return np.asarray(cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _kinds(values: FloatArray, count: int = 6) -> FloatArray:
    """What there is among values [N, C]: at most `count` of them, by k-means."""
    if len(values) <= count:
        return values
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 10, 1e-3)
    _, _, centres = cv2.kmeans(np.ascontiguousarray(values, np.float32), count, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    return np.asarray(centres, np.float32)


def _reached(mask: BoolArray, places: list[tuple[float, float]]) -> BoolArray:
    """The connected parts of a mask that hold one of the places (x, y)."""
    _, parts = cv2.connectedComponents(mask.astype(np.uint8))
    height, width = mask.shape
    kept = {int(parts[min(max(round(y), 0), height - 1), min(max(round(x), 0), width - 1)]) for x, y in places} - {0}
    return np.asarray(np.isin(parts, list(kept)))


def _marks(hints: FloatArray) -> UInt8Array:
    """What GrabCut is told to begin with. Something has to be background."""
    marks = np.where(hints > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD).astype(np.uint8)
    marks[hints < _UNLIKELY] = cv2.GC_BGD
    marks[hints > _SURE] = cv2.GC_FGD
    if not (marks == cv2.GC_BGD).any():
        marks[[0, -1]] = cv2.GC_BGD
        marks[:, [0, -1]] = cv2.GC_BGD
    return marks


def _shown(image: UInt8Array, hints: FloatArray, guidance: int) -> UInt8Array:
    """The picture that GrabCut cuts: brightness, the colour that varies most, and the guess."""
    lab = cv2.cvtColor(image, cv2.COLOR_RGB2Lab).astype(np.float32)
    chroma: NDArray[np.float32] = lab[..., 1:].reshape(-1, 2) - 128
    main = np.linalg.svd(chroma - chroma.mean(axis=0), full_matrices=False)[2][0]
    colour = 128 + 2 * (chroma @ main).reshape(image.shape[:2])
    return np.dstack([lab[..., 0], colour.clip(0, 255), 64 + guidance * hints]).astype(np.uint8)
