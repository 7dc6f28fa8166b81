"""Procedural textures: noise, lit height fields, pebbles. Lengths are in pixels of the texture."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
AnyArray = NDArray[np.floating]  # what arithmetic gives; these functions return float32 again
LIGHT = np.array([-0.42, -0.55, 0.72], np.float32)  # towards the sun: upper left, above the water
LIGHT /= np.linalg.norm(LIGHT)


def noise(rng: np.random.Generator, shape: tuple[int, int], wavelength: float, octaves: int = 4) -> Array:
    """Multi-octave value noise [H, W], about unit variance; each octave halves the wavelength and the strength."""
    height, width = shape
    total, power = np.zeros(shape, np.float32), 0.0
    for octave in range(octaves):
        cell = max(wavelength / 2**octave, 1.0)
        lattice = rng.standard_normal((int(height / cell) + 4, int(width / cell) + 4)).astype(np.float32)
        to_lattice = np.array([[1 / cell, 0, 1.5], [0, 1 / cell, 1.5]], np.float32)
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        total += 0.5**octave * cv2.warpAffine(lattice, to_lattice, (width, height), flags=flags)
        power += 0.25**octave
        if cell == 1.0:
            break
    return total / np.float32(0.75 * np.sqrt(power))  # cubic interpolation leaves about 0.75 of the deviation


def smoothstep(low: float, high: float, x: AnyArray) -> Array:
    """0 below `low`, 1 above `high`, smooth between; `low` may exceed `high`."""
    s = np.clip((x - low) / (high - low), 0, 1)
    return (s * s * (3 - 2 * s)).astype(np.float32)


def mix(a: AnyArray | tuple[float, ...], b: AnyArray | tuple[float, ...], amount: AnyArray) -> Array:
    """Colours a and b ([3] or [H, W, 3]) blended by amount [H, W]."""
    first, second = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return first + (second - first) * amount.astype(np.float32)[..., None]


def lit(height: AnyArray, softness: float, steepness: float = 1.0) -> tuple[Array, Array]:
    """Diffuse light and highlight [H, W] in 0..1 of a height field [H, W] in pixels, blurred by `softness` first."""
    rounded = np.asarray(cv2.GaussianBlur(height.astype(np.float32), (0, 0), softness), np.float32)
    dy, dx = np.gradient(rounded * np.float32(steepness))
    length = np.sqrt(dx * dx + dy * dy + 1)
    half = LIGHT + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    diffuse = (-dx * LIGHT[0] - dy * LIGHT[1] + LIGHT[2]) / length
    highlight = (-dx * half[0] - dy * half[1] + half[2]) / length
    return np.clip(diffuse, 0, 1).astype(np.float32), np.clip(highlight, 0, 1).astype(np.float32) ** 24


def cells(seeds: NDArray[np.float64], shape: tuple[int, int]) -> tuple[NDArray[np.int32], Array]:
    """Voronoi cells of seeds [N, 2] (x, y): the nearest seed's number [H, W] and the distance to the cell's edge."""
    height, width = shape
    at = np.round(seeds).astype(int)
    inside = (at >= 0).all(axis=1) & (at[:, 0] < width) & (at[:, 1] < height)
    image = np.ones(shape, np.uint8)
    image[at[inside, 1], at[inside, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(image, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL)
    number = np.zeros(labels.max() + 1, np.int32)
    number[labels[at[inside, 1], at[inside, 0]]] = np.flatnonzero(inside)
    owner = number[labels]
    edge = np.ones(shape, np.uint8)
    edge[:, 1:][owner[:, 1:] != owner[:, :-1]] = 0
    edge[1:][owner[1:] != owner[:-1]] = 0
    return owner, cv2.distanceTransform(edge, cv2.DIST_L2, cv2.DIST_MASK_5).astype(np.float32)


def pebbles(rng: np.random.Generator, shape: tuple[int, int], unit: float) -> Array:
    """A bed of rounded stones in gravel, float32 [H, W, 3] RGB 0..255; `unit` pixels are one world unit."""
    gravel = _stones(rng, shape, 7 * unit, unit)
    for size, share in ((19 * unit, 0.5), (40 * unit, 0.42)):
        stones = _stones(rng, shape, size, unit, share)
        cover = stones[..., 3:]
        shade = cv2.GaussianBlur(stones[..., 3], (0, 0), size / 9)
        shade = np.roll(shade, (int(size / 12), int(size / 14)), (0, 1))[..., None]
        gravel = gravel * (1 - 0.45 * shade) * (1 - cover) + stones * cover
    silt = noise(rng, shape, 150 * unit, 5)
    bed = mix(gravel[..., :3], (112, 112, 92), smoothstep(-0.4, 2.6, silt) * 0.5)
    return np.clip(bed * (1 + 0.06 * noise(rng, shape, 3 * unit, 2))[..., None], 0, 255).astype(np.float32)


STONES = np.array(
    [
        (122, 116, 100),
        (98, 98, 90),
        (142, 128, 102),
        (84, 86, 84),
        (150, 140, 120),
        (112, 94, 74),
        (170, 162, 144),
        (92, 98, 80),
    ],
    np.float32,
)


def _stones(rng: np.random.Generator, shape: tuple[int, int], size: float, unit: float, share: float = 1.0) -> Array:
    """Stones about `size` pixels wide, [H, W, 4] with coverage; only a `share` of the places holds one."""
    rows, columns = int(shape[0] / size) + 2, int(shape[1] / size) + 2
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
    seeds = (grid + rng.uniform(-0.45, 0.45, grid.shape)) * size
    owner, inside = cells(seeds, shape)
    # a blurred distance has rounded corners, so its level sets are pebbles rather than polygons
    depth = cv2.GaussianBlur(inside, (0, 0), size / 9) - size * 0.1
    depth += 0.035 * size * noise(rng, shape, size / 2, 3) * smoothstep(0, 0.16 * size, inside)  # never over the edge
    held = rng.random(len(seeds)) < share
    cover = smoothstep(-0.6, 0.6, depth) * held[owner]
    dome = np.sqrt(np.clip(depth, 0, 0.33 * size) * size * 0.3)
    diffuse, highlight = lit(dome, max(size / 30, 0.4), 1.1)
    colour = STONES[rng.integers(len(STONES), size=len(seeds))] * rng.uniform(0.72, 1.12, (len(seeds), 1))
    grain = 1 + 0.10 * noise(rng, shape, size / 3, 4) + 0.05 * noise(rng, shape, 2 * unit, 1)
    body = colour[owner].astype(np.float32) * (grain * (0.35 + 0.85 * diffuse))[..., None] + 22 * highlight[..., None]
    if share == 1.0:  # between the smallest stones it is simply dark
        body, cover = mix((38, 36, 30), body, cover), np.ones_like(cover)
    return np.dstack([body, cover]).astype(np.float32)
