"""What can be asked about a frame beside propagating to it, and what comes back. Loads neither torch nor Qt.

Whoever asks names the options that propagation runs with: features are those that it has in its cache, or will want.
"""

from __future__ import annotations

from dataclasses import dataclass

from app.core.annotations import FrameLabels
from model.types import BoolArray, PropagationOptions, UInt8Array


@dataclass(frozen=True, slots=True)
class FeaturePca:
    """The features of a frame as colours: their three main directions. Answer: `Picture`."""

    frame: int
    options: PropagationOptions


@dataclass(frozen=True, slots=True)
class Clusters:
    """Which cells of a frame look alike. Answer: `Picture`."""

    frame: int
    options: PropagationOptions


@dataclass(frozen=True, slots=True)
class Flow:
    """Which way things move, in the colours of the flow wheel. Answer: `Picture`."""

    frame: int
    options: PropagationOptions


@dataclass(frozen=True, slots=True)
class ValueMap:
    """What value extraction takes for worth matching (eqs 7 and 8). Answer: `Picture`."""

    frame: int
    options: PropagationOptions


@dataclass(frozen=True, slots=True)
class Votes:
    """Who votes for the label of a pixel. Answer: tuple of `Vote`, heaviest first.

    x, y: source pixels. references: the frames that are looked at. labels: what is known of them, by frame.
    """

    frame: int
    x: float
    y: float
    references: tuple[int, ...]
    options: PropagationOptions
    labels: tuple[tuple[int, FrameLabels], ...] = ()


@dataclass(frozen=True, slots=True)
class Click:
    """A place that belongs to the object, or (not positive) does not; source pixels."""

    x: float
    y: float
    positive: bool = True


@dataclass(frozen=True, slots=True)
class ClickSegment:
    """The object that was clicked. Answer: `Segment`."""

    frame: int
    clicks: tuple[Click, ...]
    options: PropagationOptions


Query = FeaturePca | Clusters | Flow | ValueMap | Votes | ClickSegment


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What is shown in place of a frame: RGB uint8 [h, w, 3], which may be smaller than the frame.

    legend: what the colours mean, uint8 [h, w, 3]: a wheel of directions, or a ramp from 0 to 1.
    """

    frame: int
    rgb: UInt8Array
    legend: UInt8Array | None = None


@dataclass(frozen=True, slots=True)
class Vote:
    """A place in another frame, in source pixels, and its share of the vote, 0..1."""

    frame: int
    x: float
    y: float
    weight: float


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What belongs to the clicked object: bool [H, W] at the size of the source."""

    frame: int
    mask: BoolArray


@dataclass(frozen=True, slots=True)
class Engine:
    """What has been loaded.

    views: for each kind of picture that can be asked for, "" or why it cannot be shown.
    devices: name and title of those that there are. cell_bytes: kept of one cell of a frame, at most; 0 = not known.
    """

    name: str
    sha256: str
    recipe: str
    device: str
    views: tuple[tuple[str, str], ...]
    devices: tuple[tuple[str, str], ...] = ()
    cell_bytes: int = 0
