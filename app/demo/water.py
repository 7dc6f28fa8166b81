"""Light through a moving water surface: a few plane waves bend the sun's rays and the view of the bed."""

from __future__ import annotations

import numpy as np

from app.demo.textures import Array


class Water:
    """A sum of plane waves with the deep-water dispersion ω² ∝ k; places are in world units, time in seconds."""

    def __init__(self, rng: np.random.Generator, waves: int = 14) -> None:
        wavelength = np.geomspace(48, 230, waves)
        angle = 2.4 * np.arange(waves) + rng.uniform(-0.4, 0.4, waves)  # the golden angle: from everywhere
        self.k = (2 * np.pi / wavelength)[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        self.omega = 7.0 * np.sqrt(2 * np.pi / wavelength)
        self.phase = rng.uniform(0, 2 * np.pi, waves)
        self.amplitude = rng.uniform(0.7, 1.3, waves) * wavelength**1.4 / 1550

    def slope(self, x: Array, y: Array, time: float) -> tuple[Array, Array]:
        """The surface's gradient (dh/dx, dh/dy) at the places x, y."""
        gx, gy = np.zeros_like(x), np.zeros_like(x)
        for k, phase, a in self._waves(time):
            c = np.cos(k[0] * x + k[1] * y + phase)
            gx += a * k[0] * c
            gy += a * k[1] * c
        return gx, gy

    def caustics(self, x: Array, y: Array, time: float, depth: float) -> Array:
        """Light that falls on the bed at `depth` below the surface: 1 on average, above 1 where rays meet.

        A ray through the surface at p lands at p - depth·∇h(p), so a beam's light is spread by the determinant
        of I - depth·∇²h; the p that lands on (x, y) is found by two fixed-point steps.
        """
        px, py = x, y
        for _ in range(2):
            gx, gy = self.slope(px, py, time)
            px, py = x + depth * gx, y + depth * gy
        xx, xy, yy = np.zeros_like(x), np.zeros_like(x), np.zeros_like(x)
        for k, phase, a in self._waves(time):
            s = a * np.sin(k[0] * px + k[1] * py + phase)
            xx += k[0] * k[0] * s
            xy += k[0] * k[1] * s
            yy += k[1] * k[1] * s
        spread = (1 + depth * xx) * (1 + depth * yy) - (depth * xy) ** 2
        light = 1 / (np.abs(spread) + 0.12)
        return (light / light.mean()).astype(np.float32)

    def _waves(self, time: float) -> list[tuple[Array, np.float32, np.float32]]:
        k = self.k.astype(np.float32)
        phase = (self.phase - self.omega * time).astype(np.float32)
        return list(zip(k, phase, self.amplitude.astype(np.float32), strict=True))
