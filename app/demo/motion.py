"""How things move, in closed form: where a point of a thing lies at a time, and what lies at a place.

A point goes through four maps: its part turns about a joint, the body bends, the body swims along a circle, the
camera looks. Each has an exact inverse, so pictures (which look backwards) and truth (which looks forwards) agree.
World units are pixels of a 480-pixel-high picture at zoom 1; the world's origin is the middle of the scene.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.demo.textures import Array

Points = NDArray[np.float64]
Affine = NDArray[np.float64]  # [2, 3]


def affine(scale: float, angle: float, x: float, y: float) -> Affine:
    """Scale and turn (clockwise on screen) about the origin, then move to (x, y)."""
    c, s = scale * np.cos(angle), scale * np.sin(angle)
    return np.array([[c, -s, x], [s, c, y]])


def compose(outer: Affine, inner: Affine) -> Affine:
    """The map that applies `inner` first."""
    linear = outer[:, :2] @ inner[:, :2]
    return np.column_stack([linear, outer[:, :2] @ inner[:, 2] + outer[:, 2]])


def invert(a: Affine) -> Affine:
    linear = np.linalg.inv(a[:, :2])
    return np.column_stack([linear, -linear @ a[:, 2]])


def apply(a: Affine, points: Points) -> Points:
    return points @ a[:, :2].T + a[:, 2]


def apply_to_grid(a: Affine, x: Array, y: Array) -> tuple[Array, Array]:
    """The images (x', y') of the places x, y, which may be a row and a column that span a grid."""
    (xx, xy, x0), (yx, yy, y0) = a.astype(np.float32)
    return xx * x + xy * y + x0, yx * x + yy * y + y0


@dataclass(frozen=True, slots=True)
class Swing:
    """A part's turning about its joint: rest + amplitude·sin(2π(rate·t + phase)), radians and hertz."""

    joint: tuple[float, float] = (0.0, 0.0)
    amplitude: float = 0.0
    rate: float = 0.0
    phase: float = 0.0
    rest: float = 0.0

    def at(self, time: float) -> Affine:
        angle = self.rest + self.amplitude * np.sin(2 * np.pi * (self.rate * time + self.phase))
        turn = affine(1, angle, 0, 0)
        joint = np.array(self.joint)
        turn[:, 2] = joint - turn[:, :2] @ joint
        return turn


@dataclass(frozen=True, slots=True)
class Swim:
    """A circle swum at constant speed, with a size that swells and shrinks.

    start, heading: place (world units) and direction (radians, clockwise on screen from +x) at time 0.
    speed, turn:    world units and radians per second.
    size, swell:    scale, and its share that comes and goes with a period of 8 s.
    length:         of a body that bends, 0 for a stiff one; `snout` is the x of its front end.
    beat, phase:    frequency (hertz) and phase (0..1) of the wave that runs down the body.
    """

    start: tuple[float, float]
    heading: float
    speed: float
    turn: float
    size: float = 1.0
    swell: float = 0.0
    length: float = 0.0
    snout: float = 0.0
    beat: float = 1.4
    phase: float = 0.0

    def at(self, time: float) -> Affine:
        """Body coordinates to world coordinates."""
        radius = self.speed / self.turn
        angle = self.heading + self.turn * time
        x = self.start[0] + radius * (np.sin(angle) - np.sin(self.heading))
        y = self.start[1] - radius * (np.cos(angle) - np.cos(self.heading))
        return affine(self.size * (1 + self.swell * np.sin(2 * np.pi * time / 8)), angle, x, y)

    def bend(self, x: NDArray[np.floating], time: float) -> NDArray[np.floating]:
        """How far (along y) the body at x is off its straight axis: the turn it is in, and the swimming wave."""
        if not self.length:
            return np.zeros_like(x)
        u = (self.snout - x) / self.length
        wave = np.sin(2 * np.pi * (self.beat * time + self.phase - 0.9 * u))
        return (
            self.length * (0.006 + 0.012 * u + 0.05 * u * u) * wave + 0.5 * self.turn / self.speed * self.size * x * x
        )


@dataclass(frozen=True, slots=True)
class Camera:
    """A hand-held camera that pans and zooms slowly. height, width: of the picture, in pixels."""

    height: int
    width: int

    def at(self, time: float, depth: float = 1.0) -> Affine:
        """World coordinates to pixels, for a layer that the camera's distance scales by `depth`."""
        turn = 2 * np.pi * time
        x = 26 * np.sin(turn / 9 - 0.9) + 0.5 * np.sin(turn * 1.3)
        y = 13 * np.sin(turn / 7 + 2.6) + 0.4 * np.sin(turn * 1.7 + 1)
        zoom = 1.03 - 0.05 * np.cos(turn / 8 + 0.4)
        roll = 0.012 * np.sin(turn / 6) + 0.0008 * np.sin(turn * 1.1)
        view = affine(self.height / 480 * zoom * depth, roll, 0, 0)
        view[:, 2] = view[:, :2] @ (-x, -y) + ((self.width - 1) / 2, (self.height - 1) / 2)
        return view
