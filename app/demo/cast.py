"""Who is in the pond: two koi and a turtle, and the lily pads and the flower that hide them now and then."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from app.demo import koi, pond, turtle
from app.demo.motion import Swim, Swing
from app.demo.sprite import Sprite

STILL = Swing()


@dataclass(frozen=True, slots=True)
class Part:
    sprite: Sprite
    swing: Swing = STILL


@dataclass(frozen=True, slots=True)
class Thing:
    """number: object id, 0 for background. parts: farthest first. height: world units above the bed.

    haze: share of the water's own colour in front of it; things above the water have none.
    """

    number: int
    parts: dict[str, Part]
    swim: Swim
    height: float
    haze: float = 0.0
    floating: bool = False


OBJECTS = {1: "red and white koi", 2: "black and yellow koi", 3: "turtle"}
CARRIER = 3  # the object that the keypoints lie on
KEYPOINTS: dict[str, tuple[str, tuple[float, float]]] = {
    "head": ("head", (97, 0)),
    "shell": ("shell", (-2, 0)),
    "left front foot": ("left front", (76, -69)),
    "right front foot": ("right front", (76, 69)),
    "left hind foot": ("left hind", (-80, -54)),
    "right hind foot": ("right hind", (-80, 54)),
}


def cast(seed: int, unit: float) -> list[Thing]:
    """Everything that moves, lowest first."""

    def fish(number: int, coat: koi.Coat, swim: Swim, height: float, haze: float) -> Thing:
        rng = np.random.default_rng([seed, 10 + number])
        parts = {}
        for name, side in (("left pectoral", -1), ("right pectoral", 1)):
            sprite, joint = koi.pectoral(rng, coat, side, unit)
            parts[name] = Part(sprite, Swing(joint, 0.22 * side, 1.1, 0.3 * number, 0.05 * side))
        parts["body"] = Part(koi.body(rng, coat, unit))
        return Thing(number, parts, swim, height, haze)

    rng = np.random.default_rng([seed, 20])
    limbs = {}
    for which in turtle.LIMBS:
        name, joint = which[:2]
        diagonal = name in ("left front", "right hind")  # opposite limbs row together
        side = 1 if name.startswith("right") else -1
        amplitude = 0.34 if "front" in name else 0.26
        limbs[name] = Part(turtle.limb(rng, which, unit), Swing(joint, amplitude * side, 0.9, 0.0 if diagonal else 0.5))
    sprite, joint = turtle.head(rng, unit)
    limbs["head"] = Part(sprite, Swing(joint, 0.14, 0.4, 0.1))
    limbs["shell"] = Part(turtle.shell(rng, unit))

    def floating(sprite: Sprite, at: tuple[float, float], heading: float, turn: float, height: float) -> Thing:
        return Thing(0, {"leaf": Part(sprite)}, Swim(at, heading, 2.5, turn, swell=0.01), height, floating=True)

    rng = np.random.default_rng([seed, 30])
    swim = {"length": koi.LENGTH, "snout": koi.SNOUT}
    return [
        fish(2, koi.UTSURI, Swim((-135, -118), 0.72, 100, 0.2, 0.95, 0.03, beat=1.5, phase=0.4, **swim), 16, 0.2),
        fish(1, koi.KOHAKU, Swim((-245, 86), -0.1, 148, 0.1, 1.0, 0.04, beat=1.35, phase=0.1, **swim), 26, 0.1),
        Thing(3, limbs, Swim((255, -95), 3.0, 50, -0.2, 0.9, 0.06), 32, 0.06),
        floating(pond.lily_pad(rng, 84, unit), (60, -165), 1.9, 0.06, 50),
        floating(pond.lily_pad(rng, 44, unit, 0.75), (82, 84), 0.6, -0.09, 50),
        floating(pond.lily_pad(rng, 70, unit, 0.1), (-355, -160), 0.4, 0.07, 50),
        floating(pond.lily_pad(rng, 92, unit, 0.25), (365, 165), -2.4, -0.05, 50),
        floating(pond.water_lily(rng, 40, unit), (345, 110), 0.0, 0.05, 58),
    ]
