"""Paint a pond slider seen from above: head towards +x, origin in the middle of the shell, lengths in world units."""

from __future__ import annotations

import cv2
import numpy as np

from app.demo.sprite import Canvas, Sprite
from app.demo.textures import Array, cells, lit, mix, noise, smoothstep

SHELL = (74.0, 61.0)  # half-axes
SKIN = (66, 74, 46)
STRIPE = (206, 190, 84)
# name, joint (x, y), root and foot of the limb (x, y), half-width at root and foot
Limb = tuple[str, tuple[float, float], tuple[float, float], tuple[float, float], float, float]
LIMBS: tuple[Limb, ...] = (
    ("left front", (50, -36), (44, -32), (80, -76), 13, 12),
    ("right front", (50, 36), (44, 32), (80, 76), 13, 12),
    ("left hind", (-50, -34), (-44, -30), (-86, -58), 12, 14),
    ("right hind", (-50, 34), (-44, 30), (-86, 58), 12, 14),
)


def shell(rng: np.random.Generator, unit: float) -> Sprite:
    canvas = Canvas((-92, -66, 80, 66), unit)
    x, y, px = canvas.x, canvas.y, canvas.unit
    tail = 4.5 * np.clip((x + 92) / 24, 0, 1) ** 0.7
    canvas.paint(SKIN, canvas.within(tail - np.abs(y)) * (x < -60) * (x > -90))
    egg = 1 - 0.09 * x / SHELL[0]  # wider behind
    r = np.sqrt((x / SHELL[0]) ** 2 + (y / (SHELL[1] * egg)) ** 2)
    angle = np.arctan2(y, x)
    r = r / (1 + 0.008 * np.cos(25 * angle))
    scale = 0.5 * (SHELL[0] + SHELL[1])
    inside = canvas.within((1 - r) * scale)

    owner, edge = _scutes(canvas, r, angle)
    edge = edge / px
    groove = smoothstep(1.5, 0.2, edge)
    dome = 40 * np.sqrt(np.clip(1.04 - np.minimum(r, 1.0) ** 2, 0, 1)) + 1.6 * np.clip(edge, 0, 4) ** 0.5
    diffuse, highlight = lit(dome * px, 0.7 * px, 0.8)
    tint = rng.normal(0, 1, owner.max() + 1).astype(np.float32)[owner]
    rings = 0.5 + 0.5 * np.sin(edge * 1.9 + tint + 0.6 * noise(rng, canvas.shape, 14 * px, 3))
    mottle = noise(rng, canvas.shape, 20 * px, 5)
    tone = mix((58, 62, 36), (104, 92, 46), np.clip(0.35 + 0.22 * mottle + 0.12 * tint, 0, 1))
    streak = _streaks(canvas, owner, rng)
    tone = mix(tone, (196, 170, 76), streak * smoothstep(1.0, 4.0, edge) * np.clip(0.62 + 0.25 * mottle, 0, 1))
    shade = (
        (0.34 + 0.85 * diffuse)
        * (1 - 0.10 * rings)
        * (1 - 0.62 * groove)
        * (1 + 0.03 * noise(rng, canvas.shape, 2 * px, 1))
    )
    colour = tone * shade[..., None] + (62 * highlight * (1 - groove))[..., None]
    canvas.paint(colour, inside)
    canvas.paint((176, 152, 70), smoothstep(0.965, 0.985, r) * inside, 0.45)
    return canvas.sprite()


def head(rng: np.random.Generator, unit: float) -> tuple[Sprite, tuple[float, float]]:
    """The head with its neck, and the joint it turns about."""
    canvas = Canvas((56, -20, 116, 20), unit)
    x, y, px = canvas.x, canvas.y, canvas.unit
    neck = 11.5 + 1.5 * np.cos((x - 60) / 10)
    skull = 15.0 * np.sqrt(np.clip(1 - (np.abs(x - 94) / np.where(x > 94, 19, 24)) ** 2.3, 0, 1))
    w = np.maximum(np.where(x < 92, neck, 0), skull)
    w = cv2.GaussianBlur(w.astype(np.float32), (0, 0), 1.2 * px)
    w = np.where(x > 106, skull, w)
    inside = canvas.within(w - np.abs(y))
    across = y / np.maximum(w, 1)
    diffuse, highlight = lit(w * np.sqrt(np.clip(1 - across**2, 0, 1)) * px, 0.8 * px, 0.7)
    bands = np.cos(across * 9.5 + 0.35 * noise(rng, canvas.shape, 16 * px, 2))
    tone = mix(SKIN, STRIPE, smoothstep(0.55, 0.9, bands) * 0.8)
    for side in (-1, 1):
        ear = np.sqrt(((x - 83) / 8.5) ** 2 + ((y - side * 10.5) / 3.2) ** 2)
        tone = mix(tone, (190, 50, 28), smoothstep(1.1, 0.8, ear))
    grain = 1 + 0.05 * noise(rng, canvas.shape, 5 * px, 3)
    canvas.paint(tone * ((0.4 + 0.75 * diffuse) * grain)[..., None] + (55 * highlight)[..., None], inside)
    for side in (-1, 1):
        eye = np.hypot(x - 102, y - side * 8.6)
        canvas.paint((172, 168, 80), smoothstep(3.3, 2.7, eye))
        canvas.paint((12, 14, 10), smoothstep(2.3, 1.8, eye))
        canvas.paint((236, 240, 236), smoothstep(0.9, 0.4, np.hypot(x - 101.3, y - side * 8.6 + 0.9)), 0.8)
    return canvas.sprite(), (62.0, 0.0)


def limb(rng: np.random.Generator, which: Limb, unit: float) -> Sprite:
    _, _, root, foot, w_root, w_foot = which
    end = np.array(foot, np.float32)
    start = np.array(root, np.float32)
    low, high = np.minimum(start, end) - 28, np.maximum(start, end) + 28
    canvas = Canvas((float(low[0]), float(low[1]), float(high[0]), float(high[1])), unit)
    axis = end - start
    length = float(np.linalg.norm(axis))
    axis /= length
    side = np.sign(foot[1])
    along = ((canvas.x - start[0]) * axis[0] + (canvas.y - start[1]) * axis[1]) / length
    across = ((canvas.y - start[1]) * axis[0] - (canvas.x - start[0]) * axis[1]) * side
    across = across + 7 * np.sin(np.pi * np.clip(along, 0, 1.3) * 0.8)  # the limb curves backwards
    s = np.clip(along, 0, 1)
    w = w_root + (w_foot - w_root) * s - 3.2 * np.sin(np.pi * s)
    beyond = np.maximum(along - 0.88, 0) * length
    toes = 11 * (1 + 0.10 * np.cos(across / max(w_foot, 1) * 11))
    w = w * np.sqrt(np.clip(1 - (beyond / toes) ** 2, 0, 1))
    behind = np.maximum(-along, 0) * length
    w = w * np.sqrt(np.clip(1 - (behind / 8) ** 2, 0, 1))
    px = canvas.unit
    inside = canvas.within(w - np.abs(across))
    round_ = np.clip(across / np.maximum(w, 1), -1, 1)
    diffuse, highlight = lit(0.7 * w * np.sqrt(1 - round_**2) * px, 0.8 * px, 0.7)
    wave = 0.5 * noise(rng, canvas.shape, 18 * px, 3)
    bands = np.cos(round_ * 7 + wave)
    tone = mix(SKIN, STRIPE, smoothstep(0.62, 0.95, bands) * smoothstep(1.12, 0.9, along) * 0.75)
    wrinkle = 1 + 0.09 * noise(rng, canvas.shape, 6 * px, 4)
    canvas.paint(tone * ((0.38 + 0.75 * diffuse) * wrinkle)[..., None] + (40 * highlight)[..., None], inside)
    return canvas.sprite()


def _scutes(canvas: Canvas, r: Array, angle: Array) -> tuple[Array, Array]:
    """Plate number [H, W] and distance to its edge in pixels: five plates along the spine, four on each side, a rim."""
    spine = [(-56, 0), (-31, 0), (-2, 0), (27, 0), (54, 0)]
    flank = [(x, side * y) for x, y in ((-45, 36), (-17, 43), (14, 43), (42, 34)) for side in (-1, 1)]
    seeds = np.array(spine + flank, np.float64)
    corner = np.array([canvas.x[0, 0], canvas.y[0, 0]])
    owner, edge = cells((seeds - corner) * canvas.unit, canvas.shape)
    rim = 0.86
    scale = 0.5 * (SHELL[0] + SHELL[1]) * canvas.unit
    plates = 26
    turn = angle / (2 * np.pi) * plates
    marginal = np.floor(turn).astype(np.int32) + plates // 2 + len(seeds)
    side = np.abs(turn - np.round(turn)) * 2 * np.pi / plates * scale * r
    ring = np.abs(r - rim) * scale
    outer = r > rim
    edge = np.where(outer, np.minimum(side, ring), np.minimum(edge, ring))
    return np.where(outer, marginal, owner), edge.astype(np.float32)


def _streaks(canvas: Canvas, owner: Array, rng: np.random.Generator) -> Array:
    """Yellow lines across the flank plates, bent by noise."""
    bend = noise(rng, canvas.shape, 22 * canvas.unit, 4)
    lines = np.cos(canvas.x * 0.62 + np.abs(canvas.y) * 0.10 + 1.5 * bend + owner * 2.4)
    fine = np.cos(canvas.x * 0.2 - canvas.y * 0.55 + 1.3 * bend + owner * 1.7)
    return np.maximum(smoothstep(0.72, 0.97, lines), 0.7 * smoothstep(0.86, 0.99, fine))
