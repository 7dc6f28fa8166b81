"""The nouns of propagation. Numpy only: `app.core` may import this module without loading torch.

Conventions, everywhere in the project:

* frames count from 0;
* images are uint8 `[H, W, 3]` RGB;
* a point is `(x, y)` in pixels of the source video, and `(0, 0)` is the *centre* of the top-left pixel;
* object ids are 1..254, stable for the life of a project; 0 is background, 255 is void (ground truth only).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

BACKGROUND = 0
VOID = 255
MAX_OBJECT_ID = 254
_PIECE = 1 << 16  # pixels
_FEW = 16  # values that are sooner looked for than counted

UInt8Array = NDArray[np.uint8]
FloatArray = NDArray[np.float32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Frame:
    """One decoded picture.

    index: position in presentation order, from 0.
    time:  presentation time in seconds, 0.0 for the first frame.
    image: uint8 [H, W, 3] RGB, upright (rotation metadata applied).
    """

    index: int
    time: float
    image: UInt8Array


def present_ids(ids: UInt8Array) -> set[int]:
    """The values that a map [H, W] holds.

    A few are looked for one by one, which is up to eight times as fast. More are counted in pieces: as a whole,
    a large map would be widened eightfold.
    """
    flat = ids.ravel()
    highest = int(flat.max(initial=0))
    if highest < _FEW:
        return {value for value in range(highest + 1) if (flat == value).any()}
    found = np.zeros(256, bool)
    for start in range(0, len(flat), _PIECE):
        found |= np.bincount(flat[start : start + _PIECE], minlength=256) > 0
    return set(np.flatnonzero(found).tolist())


@dataclass(frozen=True, slots=True, eq=False)
class LabelMap:
    """An immutable map of object ids over one frame.

    ids:     uint8 [H, W].
    objects: every object this frame *knows of*, ascending. An id listed here and absent from `ids` was
             looked for and is not there (hidden, out of frame); an id not listed was never asked about.
             Left out, it is the set of ids present.
    """

    ids: UInt8Array
    objects: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.ids.ndim != 2 or self.ids.dtype != np.uint8:
            raise ValueError(f"a label map is uint8 [H, W], not {self.ids.dtype} {list(self.ids.shape)}")
        present = present_ids(self.ids) - {BACKGROUND, VOID}
        known = set(self.objects)
        if bad := [v for v in known if not 1 <= v <= MAX_OBJECT_ID]:
            raise ValueError(f"object ids are 1..{MAX_OBJECT_ID}, not {bad[0]}")
        ids = self.ids
        if ids.flags.writeable:  # nobody else's array may change under us
            ids = ids.copy()
            ids.flags.writeable = False
        object.__setattr__(self, "ids", ids)
        object.__setattr__(self, "objects", tuple(sorted(known | present)))

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.ids.shape[0], self.ids.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class KeypointSet:
    """The keypoints of one frame.

    names:      N distinct names, the same in every frame of a project.
    xy:         float32 [N, 2], pixels; NaN where the point is missing.
    visible:    bool [N]; False = occluded (its place may still be known) or missing.
    confidence: float32 [N] in 0..1; 1 for points a person placed.
    """

    names: tuple[str, ...]
    xy: FloatArray
    visible: BoolArray
    confidence: FloatArray

    def __post_init__(self) -> None:
        n = len(self.names)
        if len(set(self.names)) != n:
            raise ValueError(f"keypoint names must differ: {', '.join(self.names)}")
        for label, array, shape in (
            ("xy", self.xy, (n, 2)),
            ("visible", self.visible, (n,)),
            ("confidence", self.confidence, (n,)),
        ):
            if array.shape != shape:
                raise ValueError(f"keypoints: {label} is {list(array.shape)}, expected {list(shape)}")

    @classmethod
    def of(cls, points: Mapping[str, tuple[float, float] | None]) -> KeypointSet:
        """From a mapping of name to (x, y), or to None where the point is missing. All are fully trusted."""
        missing = (np.nan, np.nan)
        xy = np.array([missing if p is None else p for p in points.values()], np.float32).reshape(-1, 2)
        seen: BoolArray = np.asarray(~np.isnan(xy).any(axis=1))
        return cls(tuple(points), xy, seen, np.asarray(seen, np.float32))


@dataclass(frozen=True, slots=True)
class Anchor:
    """A frame that a person labelled: the truth as far as propagation is concerned, and a permanent reference.

    At least one of `labels` and `keypoints` is given; both must fit the video's frame size.
    """

    frame: int
    labels: LabelMap | None = None
    keypoints: KeypointSet | None = None

    def __post_init__(self) -> None:
        if self.frame < 0:
            raise ValueError(f"frames count from 0, so {self.frame} cannot be labelled")
        if self.labels is None and self.keypoints is None:
            raise ValueError(f"frame {self.frame} carries neither a mask nor keypoints")


class Direction(StrEnum):
    """Which way labels travel. BOTH runs every span between two anchors from both sides and fuses them."""

    FORWARD = "forward"
    BACKWARD = "backward"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class PropagationOptions:
    """How labels travel. Every field is recorded in reports, so a result can be made again.

    short_side:  frames are worked on at this short side in pixels (never enlarged); None = the source size.
    radius:      window radius R in feature cells (stride 4); the window is (2R+1) cells wide.
    sampler:     "fixed" gives every cell this radius; "contract" or "grow" let the multi-cluster sampler choose for
                 each cell, which `radius` then has no say in (`model.sampler`).
    clusters:    K of that sampler; grow_above: its θ, the similarity to a cluster above which a region grows.
    window:      "square" or "circle".
    top_k:       votes per query cell, over all references together.
    temperature: softmax temperature on cosine similarities;
    between_temperature: the same in frames between anchors. Labels that a person gave near by deserve a loud vote;
                 those that were carried far do better as a mean of many.
    colour:      weight of the colour distance of two cells beside their features; 0 = features alone.
    likeness:    l: two cells that differ by d in how much they look like the objects vote e^(-l/2 · |d|²) as loud. What
                 objects look like, a linear model learns from the anchors. 0 = off.
    trust:       head start of an anchor's votes over others, in units of similarity: labels that a person gave are
                 worth more than labels that were carried.
    anchor_radius: the radius near the objects in an anchor that is the only one, and may lie far back in time; never
                 less than `radius`. Between anchors nothing is far from one, and wide windows only add mistakes.
    follow_radius: the radius of a second window in an anchor, where the object near a cell was then; 0 = no second one.
                 Among several anchors no more than `radius`.
                 It keeps anchors of use when their objects have gone elsewhere.
    anchors:     at most so many anchors, the nearest in time, serve as permanent references of one frame.
    long_term:   distances from the anchor behind the current frame that stay in memory beside it.
    short_term:  offsets behind the current frame.
    labels:      "soft" carries probabilities through memory, "hard" carries the arg max.
    edges:       "guided" bends masks to the edges of the picture at full size, "bilinear" leaves them smooth.
    cycle:       also measure forward-backward label disagreement (about twice the affinity cost).
    compact:     the compactness prior reshapes the votes of a cell whose heaviest is above this; 1 = never.
                 None = as the encoder's recipe says.
    value:       how an encoder with value extraction sees frames: "cached" = each once, with the frames before it;
                 "per_target" = again for every query; "off" = without. None = as the encoder's recipe says.
    decoder:     the mask decoder that corrects what matching carried: "off", "bundled", or its file. None = the bundled
                 one, if there is one and it learned with this encoder.
    rounds:      how often it looks at each frame, every time at what it made of it before.
    """

    short_side: int | None = 480
    radius: int = 12
    sampler: str = "fixed"
    clusters: int = 5
    grow_above: float = 0.45
    window: str = "circle"
    top_k: int = 6
    temperature: float = 0.14
    between_temperature: float = 0.05
    colour: float = 36.0
    likeness: float = 30.0
    trust: float = 0.04
    anchor_radius: int = 32
    follow_radius: int = 20
    anchors: int = 4
    long_term: tuple[int, ...] = ()
    short_term: tuple[int, ...] = (1, 3, 5, 7, 10)
    labels: str = "soft"
    edges: str = "guided"
    cycle: bool = False
    compact: float | None = None
    value: str | None = None
    decoder: str | None = "off"
    rounds: int = 1

    def __post_init__(self) -> None:
        checks = {
            "short_side": self.short_side is None or self.short_side >= 16,
            "radius": self.radius >= 1,
            "sampler": self.sampler in ("fixed", "contract", "grow"),
            "clusters": self.clusters >= 1,
            "grow_above": -1 <= self.grow_above <= 1,
            "window": self.window in ("square", "circle"),
            "top_k": self.top_k >= 1,
            "temperature": self.temperature > 0,
            "between_temperature": self.between_temperature > 0,
            "colour": self.colour >= 0,
            "likeness": self.likeness >= 0,
            "trust": self.trust >= 0,
            "anchor_radius": self.anchor_radius >= 1,
            "follow_radius": self.follow_radius >= 0,
            "anchors": self.anchors >= 1,
            "long_term": all(o >= 1 for o in self.long_term),
            "short_term": len(self.short_term) > 0 and all(o >= 1 for o in self.short_term),
            "labels": self.labels in ("soft", "hard"),
            "edges": self.edges in ("guided", "bilinear"),
            "compact": self.compact is None or 0 <= self.compact <= 1,
            "value": self.value in (None, "cached", "per_target", "off"),
            "decoder": self.decoder != "",
            "rounds": self.rounds >= 1,
        }
        for name, ok in checks.items():
            if not ok:
                raise ValueError(f"option {name} cannot be {getattr(self, name)!r}")

    def temperature_at(self, frame: int, anchors: Collection[int]) -> float:
        """The temperature of the votes for a frame, which of its references these are anchors."""
        between = bool(anchors) and min(anchors) < frame < max(anchors)
        return self.between_temperature if between else self.temperature

    def radius_with(self, anchors: int) -> int:
        """The window radius in each of the anchors of a frame that has so many."""
        return max(self.radius, self.anchor_radius) if anchors == 1 else self.radius

    def follow_with(self, anchors: int) -> int:
        """The radius of the windows that follow objects in these."""
        return self.follow_radius if anchors == 1 else min(self.follow_radius, self.radius)


@dataclass(frozen=True, slots=True)
class PropagationRequest:
    """One job: carry the anchors' labels over frames start..stop-1.

    known: frames that were propagated earlier. They fill the memory as if this run had just made them, and
    are not propagated again; so an interrupted run goes on where it stopped.

    excluded: frames that never serve as references.

    revision travels unchanged into every result, so a receiver can drop what is out of date.
    """

    anchors: tuple[Anchor, ...]
    known: tuple[Anchor, ...] = ()
    start: int = 0
    stop: int | None = None
    direction: Direction = Direction.FORWARD
    options: PropagationOptions = field(default_factory=PropagationOptions)
    excluded: tuple[int, ...] = ()
    revision: int = 0

    def __post_init__(self) -> None:
        if not self.anchors:
            raise ValueError("nothing to propagate: no frame is labelled")
        frames = [a.frame for a in (*self.anchors, *self.known)]
        if len(set(frames)) != len(frames):
            raise ValueError(f"two labellings of one frame: {sorted(frames)}")
        if self.start < 0 or (self.stop is not None and self.stop <= self.start):
            raise ValueError(f"empty frame range {self.start}..{self.stop}")


class Origin(StrEnum):
    """Where a frame's labels came from."""

    HUMAN = "human"
    PROPAGATED = "propagated"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True, eq=False)
class PropagationResult:
    """The labels of one frame, at the size of the source video.

    confidence:   float32 [h, w] in 0..1 on the feature grid: 1 - normalised entropy of the votes (`model.matching`).
    sureness:     float32 [h, w] in 0..1, or None without objects: the largest share of any object or the background.
    certainty:    object id -> 0..1: how crisp the object is, sum(s²) / sum(s) over its shares s. Soft labels melt
                  where matching fails, and melt on from frame to frame, so this falls as errors add up. An object that
                  was lost on the way is at most half certain.
    disagreement: float32 [h, w] in 0..1, or None: share of the label mass that does not come back to the
                  reference it left (forward-backward check), when `options.cycle` asked for it.
    """

    frame: int
    origin: Origin
    labels: LabelMap | None
    keypoints: KeypointSet | None
    confidence: FloatArray
    disagreement: FloatArray | None = None
    sureness: FloatArray | None = None
    certainty: Mapping[int, float] = field(default_factory=dict)
    revision: int = 0
