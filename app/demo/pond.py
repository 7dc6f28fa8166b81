"""Paint what floats on the pond: lily pads and a water lily, seen from above, origin in their middle."""

from __future__ import annotations

import numpy as np

from app.demo.sprite import Canvas, Sprite
from app.demo.textures import lit, mix, noise, smoothstep


def lily_pad(rng: np.random.Generator, radius: float, unit: float, warmth: float = 0.0) -> Sprite:
    """A round leaf with its notch towards +x; `warmth` 0..1 turns it from green to autumn."""
    reach = radius * 1.06
    canvas = Canvas((-reach, -reach, reach, reach), unit)
    x, y, px = canvas.x, canvas.y, canvas.unit
    r, angle = np.hypot(x, y), np.arctan2(y, x)
    lobes = rng.uniform(0, 2 * np.pi, 4)
    edge = sum(np.cos((k + 2) * angle + p) / (k + 2) for k, p in enumerate(lobes))
    rim = radius * (1 + 0.016 * edge + 0.004 * np.cos(23 * angle + lobes[0]))
    notch = np.abs(y) - (0.06 * radius * np.clip(x / radius, 0, 1) ** 0.5 + 0.16 * np.clip(x, 0, None))
    notch = np.where(x > 0.02 * radius, notch, radius)
    # the two lobes of the notch are rounded where they meet the rim
    inner = -np.logaddexp(-(rim - r) / (0.03 * radius), -notch / (0.03 * radius)) * 0.03 * radius
    inside = canvas.within(inner)

    veins = 17
    warp = noise(rng, canvas.shape, 0.5 * radius * px, 3)
    turn = angle / (2 * np.pi) * veins + 0.05 * warp
    across = np.abs(turn - np.round(turn)) * 2 * np.pi / veins * r
    fork = np.abs(np.abs(turn - np.round(turn)) - 0.42 * np.clip(r / radius - 0.55, 0, 1)) * 2 * np.pi / veins * r
    vein = np.maximum(
        smoothstep(0.012, 0.003, across / radius), 0.8 * smoothstep(0.011, 0.003, fork / radius) * (r > 0.55 * radius)
    )
    vein = vein * smoothstep(1.0, 0.75, r / radius)
    quilt = np.clip(across / radius, 0, 0.09) ** 0.5
    bumps = radius * (0.14 * quilt + 0.010 * noise(rng, canvas.shape, 0.22 * radius * px, 4) + 0.03 * (r / radius) ** 4)
    diffuse, highlight = lit(bumps * px, 0.012 * radius * px)
    mottle = noise(rng, canvas.shape, 0.6 * radius * px, 5)
    green = mix((58, 96, 44), (122, 142, 62), np.clip(0.42 + 0.2 * mottle, 0, 1))
    tone = mix(green, (176, 128, 58), np.clip(warmth * (0.4 + 0.5 * mottle + 0.5 * (r / radius) ** 3), 0, 1))
    tone = mix(tone, (168, 178, 98), vein * 0.55)
    spots = smoothstep(1.9, 2.5, noise(rng, canvas.shape, 9 * px, 3))
    tone = mix(tone, (96, 68, 36), spots * 0.7)
    tone = mix(tone, (128, 84, 52), smoothstep(0.05, 0.0, inner / radius) * 0.5)
    sheen = smoothstep(0.2, 1.6, noise(rng, canvas.shape, 0.8 * radius * px, 3)) * 16
    shade = 0.40 + 0.86 * diffuse + 0.03 * noise(rng, canvas.shape, 2 * px, 1)
    canvas.paint(tone * shade[..., None] + (sheen + 26 * highlight)[..., None], inside)
    canvas.paint((150, 160, 92), smoothstep(0.045, 0.02, r / radius), 0.7)
    return canvas.sprite()


def water_lily(rng: np.random.Generator, radius: float, unit: float) -> Sprite:
    """A flower of four rings of petals, the outermost first."""
    canvas = Canvas((-radius * 1.05, -radius * 1.05, radius * 1.05, radius * 1.05), unit)
    x, y = canvas.x, canvas.y
    rings = ((1.0, 9, 0.20), (0.86, 9, 0.19), (0.66, 8, 0.16), (0.46, 7, 0.13))
    for level, (reach, count, width) in enumerate(rings):
        start = rng.uniform(0, 2 * np.pi)
        for petal in range(count):
            angle = start + 2 * np.pi * (petal + rng.uniform(-0.12, 0.12)) / count
            length = reach * radius * rng.uniform(0.93, 1.0)
            a = (x * np.cos(angle) + y * np.sin(angle)) / length
            b = (y * np.cos(angle) - x * np.sin(angle)) / radius
            s = np.clip((a - 0.08) / 0.92, 0, 1)
            w = width * np.sin(np.pi * s**0.85).clip(0, 1) ** 0.75
            across = np.abs(b) / np.maximum(w, 1e-3)
            inside = canvas.within((w - np.abs(b)) * radius) * (a > 0.08) * (a < 1)
            shadow = smoothstep(1.5, 0.6, np.hypot((a - 0.5) * 1.5, (b - 0.02) / width)) * 0.16
            canvas.paint((96, 30, 60), shadow * canvas.cover)
            light = 0.80 + 0.06 * level + 0.16 * np.cos(angle + 2.2) * (1 - 0.2 * level)
            cup = 1 - 0.16 * across**2 + 0.05 * np.sin(b / width * 20)
            tone = mix((250, 226, 230), (222, 120, 156), np.clip(s**1.6 * 0.95 - 0.08 * level, 0, 1))
            canvas.paint(np.clip(tone * (light * cup * (0.72 + 0.3 * s**0.5))[..., None], 0, 250), inside)
    r, angle = np.hypot(x, y) / radius, np.arctan2(y, x)
    stamens = 0.17 + 0.035 * np.cos(angle * 15)
    glow = 0.74 + 0.26 * np.cos(angle * 15 + r * 40)
    canvas.paint(np.array((236, 178, 52)) * glow[..., None], canvas.within((stamens - r) * radius))
    canvas.paint((244, 212, 96), smoothstep(0.085, 0.06, r))
    return canvas.sprite()
