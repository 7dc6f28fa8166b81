"""Skeletons to begin with, the joints that people commonly label, and a skeleton while it is being edited."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from app.core.objects import Skeleton


def _chains(*chains: str) -> Skeleton:
    """From chains of names, separated by commas, that follow each other along bones. A name counts once."""
    lists = [[name.strip() for name in chain.split(",")] for chain in chains]
    names = tuple(dict.fromkeys(name for chain in lists for name in chain))
    pairs = [(names.index(a), names.index(b)) for chain in lists for a, b in pairwise(chain)]
    return Skeleton(names, tuple(dict.fromkeys(pairs)))


PRESETS: dict[str, Skeleton] = {
    "Person, 17 points": _chains(  # in the order of COCO
        "nose, left eye",
        "nose, right eye",
        "left eye, left ear",
        "right eye, right ear",
        "left ear, left shoulder",
        "right ear, right shoulder",
        "left shoulder, right shoulder",
        "left shoulder, left elbow",
        "right shoulder, right elbow",
        "left elbow, left wrist",
        "right elbow, right wrist",
        "left shoulder, left hip",
        "right shoulder, right hip",
        "left hip, right hip",
        "left hip, left knee",
        "right hip, right knee",
        "left knee, left ankle",
        "right knee, right ankle",
    ),
    "Mouse from above, 8 points": _chains(
        "nose, left ear, neck", "nose, right ear, neck", "neck, back, tail base, tail middle, tail tip"
    ),
    "Four legs, 17 points": _chains(
        "nose, head, withers, back, tail base",
        "withers, left front elbow, left front knee, left front paw",
        "withers, right front elbow, right front knee, right front paw",
        "tail base, left back knee, left back hock, left back paw",
        "tail base, right back knee, right back hock, right back paw",
    ),
    "Hand, 21 points": _chains(
        *(
            f"wrist, {finger} 1, {finger} 2, {finger} 3, {finger} 4"
            for finger in ("thumb", "index", "middle", "ring", "little")
        )
    ),
}


@dataclass(slots=True)
class SkeletonDraft:
    """A skeleton that is being edited. It remembers what points were called at first, so that they keep their places.

    points: (name now, name at first or None for a new one). bones: pairs of positions, the lower first.
    """

    points: list[tuple[str, str | None]] = field(default_factory=list)
    bones: list[tuple[int, int]] = field(default_factory=list)

    @classmethod
    def of(cls, skeleton: Skeleton) -> SkeletonDraft:
        return cls([(name, name) for name in skeleton.names], [_pair(*bone) for bone in skeleton.bones])

    def add(self, name: str) -> int:
        """A new point, and its position. A name that is taken gets a number."""
        name, taken = name.strip() or "point", {name for name, _ in self.points}
        numbered = (f"{name} {n}" for n in range(2, len(taken) + 3))
        self.points.append((name if name not in taken else next(n for n in numbered if n not in taken), None))
        return len(self.points) - 1

    def rename(self, position: int, name: str) -> None:
        """ValueError if the name is empty or another point has it."""
        name = " ".join(name.split())
        if not name:
            raise ValueError("a keypoint needs a name")
        if any(name == other for at, (other, _) in enumerate(self.points) if at != position):
            raise ValueError(f'there is a keypoint "{name}" already; names must differ')
        self.points[position] = name, self.points[position][1]

    def remove(self, position: int) -> None:
        """A point and its bones."""
        del self.points[position]
        kept = [bone for bone in self.bones if position not in bone]
        self.bones = [(a - (a > position), b - (b > position)) for a, b in kept]

    def toggle_bone(self, a: int, b: int) -> None:
        """Join two points, or part them again."""
        if a != b:
            bone = _pair(a, b)
            self.bones.remove(bone) if bone in self.bones else self.bones.append(bone)

    def take(self, skeleton: Skeleton) -> None:
        """Another skeleton instead; points that are called the same stay the same."""
        first = {first for _, first in self.points if first is not None}
        self.points = [(name, name if name in first else None) for name in skeleton.names]
        self.bones = [_pair(*bone) for bone in skeleton.bones]

    def skeleton(self) -> Skeleton:
        return Skeleton(tuple(name for name, _ in self.points), tuple(self.bones))

    def renamed(self) -> dict[str, str]:
        """Old names and the new ones, of points that are called differently now."""
        return {first: name for name, first in self.points if first is not None and first != name}


def _pair(a: int, b: int) -> tuple[int, int]:
    return (a, b) if a < b else (b, a)
