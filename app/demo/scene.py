"""A garden pond that the program paints and films itself: two koi and a turtle among lily pads, with exact truth.

Everything is a function of the seed and of time. Objects 1 and 2 are koi, object 3 is the turtle; the pads and
the flower above them are background that hides them.
"""

from __future__ import annotations

import cv2
import numpy as np

from app.demo.cast import CARRIER, KEYPOINTS, OBJECTS, Thing, cast
from app.demo.motion import Affine, Camera, Points, apply, apply_to_grid, compose, invert
from app.demo.sprite import Sprite
from app.demo.textures import Array, pebbles, smoothstep
from app.demo.water import Water
from model.types import KeypointSet, LabelMap, UInt8Array

FPS = 24.0
SHUTTER = 0.5  # share of the frame time that the shutter is open
# Each sample of a frame is taken at another instant and another place inside the pixel (a rotated grid).
SAMPLES = ((-0.125, -0.375), (0.375, -0.125), (-0.375, 0.125), (0.125, 0.375))

BED_DEPTH = 0.93  # the bed is farther away than the fish, so the camera's moves shift it less
BED_SIZE = (1180, 740)  # world units that the camera can ever see of it, and some more
WATER = np.array([36, 74, 72], np.float32)
BED_TINT = np.array([0.92, 1.06, 0.98], np.float32)
BED_HAZE = 0.14
SKY = np.array([10, 14, 16], np.float32)  # what the water mirrors where it is tilted
GRAIN = 2.0  # deviation of the sensor's noise, in grey levels


def film_size(size: int) -> tuple[int, int]:
    """(height, width) in pixels, both even, of a film about `size` high; 480 gives DAVIS's 854×480."""
    if size < 48:
        raise ValueError(f"the sample cannot be {size} pixels high: use --size 48 or more")
    return size - size % 2, round(size * 854 / 480 / 2) * 2


class Scene:
    """The pond, filmed at `size` pixels high and 16:9. Frames may be asked for in any order.

    names: the keypoints' names; they lie on the turtle.
    """

    names = tuple(KEYPOINTS)

    def __init__(self, size: int = 480, seed: int = 0) -> None:
        self.size = film_size(size)
        self._seed = seed
        self._camera = Camera(*self.size)
        self._water = Water(np.random.default_rng([seed, 1]))
        unit = size / 480
        self._unit = unit
        width, height = BED_SIZE
        bed = pebbles(np.random.default_rng([seed, 2]), (round(height * unit), round(width * unit)), unit)
        soft = np.asarray(cv2.GaussianBlur(bed, (0, 0), 0.65 * unit), np.float32)  # out of the lens's focus
        self._bed = BED_TINT * (0.78 * soft + 0.22 * soft.mean((0, 1))) + BED_HAZE * WATER
        self.things = cast(seed, 1.15 * unit)
        y, x = np.mgrid[: self.size[0], : self.size[1]].astype(np.float32)
        r = np.hypot(x / self.size[1] - 0.5, y / self.size[0] - 0.5)
        self._vignette = 1.03 - 0.3 * smoothstep(0.3, 0.85, r)

    def image(self, index: int) -> UInt8Array:
        """uint8 [H, W, 3] RGB."""
        time = index / FPS
        covers = [self._cover(thing, time) for thing in self.things]
        caustics, sheen, bed = self._through_water(time)
        bed *= self._shadow(covers, 0.0) * (0.36 + 0.70 * np.minimum(caustics, 2.1))
        lights = []
        for thing in self.things:
            sun = np.float32(1.1) if thing.floating else 0.72 + 0.40 * np.minimum(caustics, 2.4)
            lights.append(self._shadow(covers, thing.height) * sun)
        picture = np.zeros_like(bed)
        for number, jitter in enumerate(SAMPLES):
            instant = time + ((number + 0.5) / len(SAMPLES) - 0.5) * SHUTTER / FPS
            sample = bed.copy()
            for floating in (False, True):
                if floating:
                    sample += sheen  # the water's surface lies between
                for thing, light in zip(self.things, lights, strict=True):
                    if thing.floating is floating:
                        self._paint(sample, thing, light, instant, jitter)
            picture += sample
        rng = np.random.default_rng([self._seed, 3, index])
        picture *= self._vignette / len(SAMPLES)
        picture += GRAIN * rng.standard_normal(self.size, np.float32)
        picture += 0.6 * GRAIN * rng.standard_normal(picture.shape, np.float32)
        return np.clip(np.rint(picture), 0, 255).astype(np.uint8).transpose(1, 2, 0).copy()

    def labels(self, index: int) -> LabelMap:
        """Who is seen at the centre of every pixel in the middle of the exposure."""
        ids = np.zeros(self.size, np.uint8)
        for thing in self.things:
            ids[self._cover(thing, index / FPS) >= 0.5] = thing.number
        return LabelMap(ids, tuple(OBJECTS))

    def keypoints(self, index: int) -> KeypointSet:
        """Where the turtle's points are; not visible where something is in front of them or out of the picture."""
        owner = next(thing for thing in self.things if thing.number == CARRIER)
        xy = np.concatenate(
            [self.place(owner, part, np.array([point]), index / FPS) for part, point in KEYPOINTS.values()]
        )
        ids = self.labels(index).ids
        x, y = np.rint(xy).astype(int).T
        inside = (x >= 0) & (y >= 0) & (x < self.size[1]) & (y < self.size[0])
        visible = inside & (ids[np.clip(y, 0, self.size[0] - 1), np.clip(x, 0, self.size[1] - 1)] == CARRIER)
        return KeypointSet(self.names, xy.astype(np.float32), visible, np.ones(len(xy), np.float32))

    def place(self, thing: Thing, part: str, points: Points, time: float) -> Points:
        """Pixels [N, 2] of rest points [N, 2] of a part."""
        body = apply(thing.parts[part].swing.at(time), points)
        body[:, 1] += thing.swim.bend(body[:, 0], time)
        return apply(self._view(thing, time), body)

    def _view(self, thing: Thing, time: float) -> Affine:
        return compose(self._camera.at(time), thing.swim.at(time))

    def _boxes(
        self, thing: Thing, time: float, jitter: tuple[float, float]
    ) -> list[tuple[slice, slice, Sprite, Array, Array]]:
        """For every part in sight: its box in the picture, and where each pixel of the box looks in the sprite."""
        back = invert(self._view(thing, time))
        found = []
        for name, part in thing.parts.items():
            sprite = part.sprite
            h, w = sprite.cover.shape
            rest = np.stack(np.meshgrid(np.linspace(0, w - 1, 9), np.linspace(0, h - 1, 9)), axis=-1).reshape(-1, 2)
            outline = self.place(thing, name, rest / sprite.density + sprite.corner, time)
            left, top = np.maximum(np.floor(outline.min(axis=0)).astype(int) - 2, 0)
            right, bottom = np.minimum(np.ceil(outline.max(axis=0)).astype(int) + 3, self.size[::-1])
            if left >= right or top >= bottom:
                continue
            px = np.arange(left, right, dtype=np.float32)[None] + np.float32(jitter[0])
            py = np.arange(top, bottom, dtype=np.float32)[:, None] + np.float32(jitter[1])
            x, y = apply_to_grid(back, px, py)
            if thing.swim.length:
                y -= thing.swim.bend(x, time).astype(np.float32)
            u, v = apply_to_grid(compose(sprite.to_pixels, invert(part.swing.at(time))), x, y)
            found.append((slice(top, bottom), slice(left, right), sprite, u, v))
        return found

    def _cover(self, thing: Thing, time: float) -> Array:
        cover = np.zeros(self.size, np.float32)
        for rows, columns, sprite, u, v in self._boxes(thing, time, (0.0, 0.0)):
            part = cover[rows, columns]
            np.maximum(part, cv2.remap(sprite.cover, u, v, cv2.INTER_LINEAR), out=part)
        return cover

    def _paint(self, picture: Array, thing: Thing, light: Array, time: float, jitter: tuple[float, float]) -> None:
        """Lay a thing over picture [3, H, W], lit by light [H, W]."""
        for rows, columns, sprite, u, v in self._boxes(thing, time, jitter):
            *colour, alpha = np.asarray(cv2.split(cv2.remap(sprite.colour, u, v, cv2.INTER_LINEAR)), np.float32)
            shade, through = light[rows, columns] * (1 - thing.haze), 1 - alpha
            for plane, tone, water in zip(picture[:, rows, columns], colour, WATER, strict=True):
                plane *= through
                plane += tone * shade + alpha * (water * np.float32(thing.haze))

    def _shadow(self, covers: list[Array], height: float) -> Array:
        """Light [H, W] in 0..1 that things higher up leave at `height`."""
        small = (self.size[1] // 2, self.size[0] // 2)
        light = np.ones(small[::-1], np.float32)
        for thing, cover in zip(self.things, covers, strict=True):
            drop = (thing.height - height) * self._unit / 2
            if drop <= 0:
                continue
            soft = cv2.GaussianBlur(cv2.resize(cover, small, interpolation=cv2.INTER_AREA), (0, 0), 0.6 + 0.11 * drop)
            move = np.array([[1, 0, 0.62 * drop], [0, 1, 0.8 * drop]], np.float32)
            light *= 1 - 0.66 * cv2.warpAffine(soft, move, small, borderMode=cv2.BORDER_REPLICATE)
        return _enlarge(light, self.size)

    def _through_water(self, time: float) -> tuple[Array, Array, Array]:
        """Caustics [H, W], the sky's reflection [3, H, W], and the bed as the waves bend it [3, H, W]."""
        height, width = self.size
        y, x = np.mgrid[0:height:2, 0:width:2].astype(np.float32) + np.float32(0.5)  # smooth enough for half the size
        x, y = apply_to_grid(invert(self._camera.at(time, BED_DEPTH)), x, y)
        caustics = self._water.caustics(x, y, time, 70.0)
        sx, sy = self._water.slope(x, y, time)
        bed_x = (x + 14 * sx + BED_SIZE[0] / 2) * np.float32(self._unit)
        bed_y = (y + 14 * sy + BED_SIZE[1] / 2) * np.float32(self._unit)
        maps = _enlarge(bed_x, self.size), _enlarge(bed_y, self.size)
        bed = cv2.remap(self._bed, *maps, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        tilt = smoothstep(0.03, 0.2, sx * np.float32(-0.6) + sy * np.float32(-0.8))
        sheen = _enlarge(tilt, self.size) * SKY[:, None, None]
        return _enlarge(caustics, self.size), sheen, np.asarray(cv2.split(bed), np.float32)


def _enlarge(field: Array, size: tuple[int, int]) -> Array:
    return np.asarray(cv2.resize(field, size[::-1]), np.float32)
