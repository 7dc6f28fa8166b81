"""Paint a koi seen from above: head towards +x, 1 unit of `u` from snout (0) to the tips of the tail (1)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo.sprite import Canvas, Sprite
from app.demo.textures import AnyArray, Array, lit, mix, noise, smoothstep

LENGTH = 240.0
SNOUT = 0.42 * LENGTH  # x of the snout; the origin lies near the centre of mass

PROFILE_U = (0, 0.004, 0.012, 0.025, 0.05, 0.09, 0.14, 0.2, 0.28, 0.37, 0.46, 0.56, 0.66, 0.74, 0.8, 0.85)
PROFILE_W = (0, 0.015, 0.027, 0.036, 0.048, 0.06, 0.07, 0.079, 0.087, 0.09, 0.084, 0.069, 0.05, 0.034, 0.024, 0.02)

Colour = tuple[float, float, float]
# A patch of the second colour: centre u, centre v (-1..1 across the body), its half-lengths in u and in v.
Patch = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Coat:
    base: Colour
    patch: Colour
    fin: Colour
    patches: tuple[Patch, ...]
    net: float  # strength of the scales' dark rims
    root: float  # strength of the patches' colour at the roots of the fins


KOHAKU = Coat(
    base=(252, 246, 234),
    patch=(206, 62, 24),
    fin=(240, 232, 216),
    patches=((0.1, 0.0, 0.06, 0.8), (0.33, -0.25, 0.12, 1.0), (0.5, 0.55, 0.07, 0.75), (0.68, -0.1, 0.07, 1.2)),
    net=0.16,
    root=0.15,
)
UTSURI = Coat(
    base=(228, 138, 36),
    patch=(32, 28, 28),
    fin=(222, 150, 66),
    patches=(
        (0.07, -0.75, 0.07, 0.8),
        (0.27, 0.5, 0.09, 0.9),
        (0.43, -0.6, 0.08, 0.9),
        (0.6, 0.35, 0.07, 0.9),
        (0.8, 0, 0.05, 1),
    ),
    net=0.3,
    root=0.75,
)


def u_of(x: Array) -> Array:
    return (SNOUT - x) / LENGTH


def half_width(u: Array) -> Array:
    return (LENGTH * np.interp(u, PROFILE_U, PROFILE_W)).astype(np.float32)


def body(rng: np.random.Generator, coat: Coat, unit: float) -> Sprite:
    """Body, tail and the fins that keep still."""
    canvas = Canvas((SNOUT - 1.01 * LENGTH, -40, SNOUT + 4, 40), unit)
    x, y = canvas.x, canvas.y
    u, px = u_of(x), canvas.unit
    w = half_width(u)
    _tail(rng, canvas, coat)
    for side in (-1, 1):
        _fan(canvas, coat, (SNOUT - 0.53 * LENGTH, side * 15), side, 0.085 * LENGTH, (2.35, 2.95))
    across = y / np.maximum(w, 0.5)
    inside = canvas.within(w - np.abs(y)) * ((u > 0) & (u < 0.88))

    dome = w * np.sqrt(np.clip(1 - across**2, 0, 1)) * px
    net, rim = _scales(u, across)
    diffuse, highlight = lit(dome * 0.55 + rim * 0.35 * px, 0.6 * px)
    wobble = noise(rng, canvas.shape, 26 * px, 4)
    depth = np.full(canvas.shape, -9.0, np.float32)
    for cu, cv, ru, rv in coat.patches:
        depth = np.maximum(depth, 1 - ((u - cu) / ru) ** 2 - ((across - cv) / rv) ** 2)
    patch = smoothstep(-0.12, 0.12, depth + 0.5 * wobble)
    tone = mix(coat.base, coat.patch, patch)
    mottle = 1 + 0.045 * noise(rng, canvas.shape, 12 * px, 4) + 0.03 * noise(rng, canvas.shape, 2 * px, 1)
    shade = (0.42 + 0.74 * diffuse) * mottle * (1 - coat.net * net)
    colour = tone * shade[..., None] + (70 * highlight * (1 - 0.4 * net))[..., None]
    canvas.paint(colour, inside * smoothstep(0.875, 0.8, u))
    _face(canvas, u, across)
    _dorsal(canvas, coat, patch)
    return canvas.sprite()


def pectoral(rng: np.random.Generator, coat: Coat, side: int, unit: float) -> tuple[Sprite, tuple[float, float]]:
    """The fin behind the gills on one side (-1 = left of the fish, 1 = right) and its joint."""
    joint = (SNOUT - 0.2 * LENGTH, side * 15.0)
    reach = 0.185 * LENGTH
    top, bottom = sorted((joint[1] - side * 4, joint[1] + side * (reach + 3)))
    canvas = Canvas((joint[0] - reach - 3, top, joint[0] + 12, bottom), unit)
    _fan(canvas, coat, joint, side, reach, (1.75, 2.6))
    return canvas.sprite(), joint


def _scales(u: Array, across: AnyArray) -> tuple[Array, Array]:
    """Dark rims and height of the scales: rows of overlapping arcs, unrolled over the round body."""
    pitch = 5.2
    a = u * LENGTH / pitch
    b = np.arcsin(np.clip(across, -0.99, 0.99)) * 26 / pitch  # rows narrow with the body
    best = np.zeros_like(u)
    for row in (0, 1):  # even rows, and odd rows half a scale aside; each arc is centred in front of its scale
        fa = (a + row) % 2
        fb = (b + row * 0.5) % 1 - 0.5
        radius = np.sqrt((fa * 0.62) ** 2 + (fb * 1.35) ** 2)
        best = np.maximum(best, np.where(radius < 0.98, radius, np.float32(0)))
    skin = smoothstep(0.19, 0.25, u) * smoothstep(0.83, 0.76, u)
    return smoothstep(0.66, 0.95, best) * skin, best * skin


def _face(canvas: Canvas, u: Array, across: AnyArray) -> None:
    x, y = canvas.x, canvas.y
    gill = np.abs(u - 0.185 - 0.028 * (1 - across**2)) * LENGTH
    aside = np.abs(across)
    canvas.paint((60, 36, 24), smoothstep(1.6, 0.2, gill) * smoothstep(0.35, 0.7, aside) * (aside < 0.97), 0.35)
    for side in (-1, 1):
        eye = np.hypot(x - (SNOUT - 0.078 * LENGTH), y - side * 10.6)
        canvas.paint((70, 52, 30), smoothstep(3.4, 2.6, eye), 0.7)
        canvas.paint((14, 12, 12), smoothstep(2.5, 1.9, eye))
        glint = np.hypot(x - (SNOUT - 0.078 * LENGTH) + 0.7, y - side * 10.6 + 0.9)
        canvas.paint((235, 240, 240), smoothstep(0.9, 0.4, glint), 0.85)
        nostril = np.hypot(x - (SNOUT - 0.032 * LENGTH), y - side * 4.2)
        canvas.paint((80, 44, 30), smoothstep(1.3, 0.5, nostril), 0.6)


def _dorsal(canvas: Canvas, coat: Coat, patch: Array) -> None:
    u, y = u_of(canvas.x), canvas.y
    along = np.clip((u - 0.33) / 0.36, 0, 1)
    w = 3.4 * np.clip(np.sin(np.pi * along**0.6), 0, 1) ** 0.8
    inside = canvas.within(w - np.abs(y)) * ((u > 0.33) & (u < 0.69))
    rays = 0.5 + 0.5 * np.sin((u * LENGTH + 0.9 * np.abs(y)) * 2.2)
    colour = mix(mix(coat.base, coat.patch, patch) * np.float32(0.72), coat.fin, 0.25 + 0.4 * rays)
    edge = smoothstep(0.35, 1.0, np.abs(y) / np.maximum(w, 0.3))
    canvas.paint(colour * (1 - 0.4 * edge)[..., None], inside, 0.85)


def _tail(rng: np.random.Generator, canvas: Canvas, coat: Coat) -> None:
    u, y = u_of(canvas.x), canvas.y
    s = np.clip((u - 0.8) / 0.2, 0, 1)
    w = (0.02 + 0.085 * s**0.9) * LENGTH
    across = np.abs(y) / w
    end = 0.91 + 0.09 * across**1.3 - 0.02 * across**8
    inside = canvas.within(w - np.abs(y)) * canvas.within((end - u) * LENGTH) * (u > 0.78)
    streak = 0.5 + 0.5 * np.sin(y / w * 34 + 0.5 * noise(rng, canvas.shape, 30 * canvas.unit, 2))
    tone = mix(coat.fin, coat.patch, smoothstep(0.75, 0.2, s) * 0.35)
    canvas.paint(tone * (0.70 + 0.30 * streak)[..., None], inside, 0.92 - 0.3 * s + 0.1 * streak)


def _fan(
    canvas: Canvas,
    coat: Coat,
    joint: tuple[float, float],
    side: int,
    reach: float,
    span: tuple[float, float],
) -> None:
    """A fin that opens from its joint between two angles, measured from the head towards the side."""
    dx, dy = canvas.x - joint[0], (canvas.y - joint[1]) * side
    r, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    middle, half = (span[0] + span[1]) / 2, (span[1] - span[0]) / 2
    off = (angle - middle) / half
    edge = reach * np.sqrt(np.clip(1 - 0.42 * off**2 - 0.10 * off, 0, 1)) * (1 + 0.012 * np.sin(off * 22))
    width = half * r * (0.62 + 0.38 * np.clip(r / reach, 0, 1)) + 2.5  # narrow at the joint, never a point
    inside = canvas.within(edge - r) * canvas.within(width - np.abs(angle - middle) * r)
    rays = 0.5 + 0.5 * np.sin(off * 26)
    far = np.clip(r / reach, 0, 1)
    shade = (0.66 + 0.34 * rays * far) * (1 - 0.12 * np.abs(off))
    tone = mix(coat.fin, coat.patch, smoothstep(0.45, 0.0, far) * coat.root)
    canvas.paint(tone * shade[..., None], inside, 0.93 - 0.38 * far + 0.12 * rays)
