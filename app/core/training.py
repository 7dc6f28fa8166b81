"""A training run as a window sees it: what it is told to do, and what it says while it does it.

`mer train --json` writes one JSON object per line, each with an "event":

preparing  done, total: videos that are decoded so far
scan       videos, video_frames, photos, skipped: what the run learns from
step       a line of metrics.jsonl (step, progress, rate, losses by name, seconds, elapsed), and memory in bytes
estimate   steps_per_minute, as measured
sample     step, and by name the files of pictures in the run's folder that show what the encoder does
finished   weights, steps: the budget is used up
stopped    weights, steps: it was told to end before; it can go on
failed     message, in words

`mer adapt --json` says "failed" as well, and

adapting   what ("measure", "learn" or "compare"), share of 0..1, error: the cycle error if it was measured now
adapted    what `app.core.adaptation.Outcome` is made from
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

EVENTS = frozenset(
    {"preparing", "scan", "step", "estimate", "sample", "finished", "stopped", "failed", "adapting", "adapted"}
)
NO_TERMS = frozenset({"event", "step", "progress", "rate", "gradient", "seconds", "elapsed", "memory"})
SAMPLES = ("truth", "reconstruction", "value", "flow")
_PATHS = {"out", "weights"}
TUNING_RATE = 1e-4
"""Learning rate from an encoder that is good already: that of training from scratch would spoil it first."""
_RECENT = 20  # steps that the pace is measured over


@dataclass(frozen=True, slots=True)
class Setup:
    """What `mer train` is told. Without weights the encoder starts from scratch; steps or minutes are the budget.

    without: files below the sources that are not learned from. device: None = the quickest. rate: None = the recipe's.
    """

    sources: tuple[Path, ...]
    out: Path
    recipe: str = "tracked"
    weights: Path | None = None
    steps: int | None = None
    minutes: float | None = None
    device: str | None = None
    precision: str = "auto"
    without: tuple[Path, ...] = ()
    batch: int | None = None
    crop: int | None = None
    rate: float | None = None

    def arguments(self, resume: bool = False, estimate: bool = False) -> list[str]:
        """Those of `mer`: to begin, to go on, or only to measure how quick it would be."""
        given = ["train", *map(str, self.sources), "--json"]
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name not in ("sources", "without") and value is not None:
                given += [f"--{f.name}", str(value)]
        for path in self.without:
            given += ["--without", str(path)]
        return given + ["--resume"] * resume + ["--estimate"] * estimate

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        made = asdict(self)
        for name in ("sources", "without"):
            made[name] = [str(path) for path in made[name]]
        return {name: str(value) if isinstance(value, Path) else value for name, value in made.items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Setup:
        """ValueError for what `as_dict` did not make."""
        try:
            known = {f.name: data[f.name] for f in fields(cls) if f.name in data}
            for name in ("sources", "without"):
                known[name] = tuple(Path(path) for path in known.get(name, ()))
            for name in _PATHS & known.keys():
                known[name] = None if known[name] is None else Path(known[name])
            return cls(**known)
        except (TypeError, ValueError) as error:
            raise ValueError(f"not the setup of a training run: {error}") from None


def parse(line: str) -> dict[str, Any] | None:
    """The event of a line; None for a line that is none, as a library may print some."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    if not isinstance(event, dict) or event.get("event") not in EVENTS:
        return None
    return event


class Lines:
    """Whole lines out of the pieces in which a pipe gives them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[str]:
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")


@dataclass(slots=True)
class Progress:
    """How far a run is, from its events.

    setup:  what it was told, for its budget; without, a share is what there was when the last step began.
    share:  0..1 of the budget. curves: steps and values of every loss by name. pace: steps per minute.
    memory: bytes, None before the first step of this process; elapsed: seconds of training, of all the run's parts.
    corpus: what is learned from. preparing: so many of how many videos are read. samples: files of pictures by name.
    """

    setup: Setup | None = None
    share: float = 0.0
    step: int = 0
    elapsed: float = 0.0
    memory: int | None = None
    pace: float | None = None
    curves: dict[str, tuple[list[int], list[float]]] = field(default_factory=dict)
    corpus: dict[str, Any] = field(default_factory=dict)
    preparing: tuple[int, int] | None = None
    samples: dict[str, str] = field(default_factory=dict)
    sampled: int = 0
    message: str = ""
    _times: list[tuple[float, float]] = field(default_factory=list)

    @property
    def left(self) -> float | None:
        """Seconds until the budget is used up, as far as that is known: by the pace of the last steps."""
        if self.setup is not None and self.setup.minutes is not None and self.setup.steps is None and self.step:
            return max(0.0, 60 * self.setup.minutes - self.elapsed)
        if len(self._times) < 2:
            return None
        (share, time), (share_now, now) = self._times[0], self._times[-1]
        return (1 - share_now) * (now - time) / (share_now - share) if share_now > share else None

    def take(self, event: Mapping[str, Any]) -> None:
        match event.get("event"):
            case "preparing":
                self.preparing = int(event["done"]), int(event["total"])
            case "scan":
                self.preparing = None
                self.corpus = {name: value for name, value in event.items() if name != "event"}
            case "step":
                self._step(event)
            case "estimate":
                self.pace = float(event["steps_per_minute"])
            case "sample":
                self.sampled = int(event["step"])
                self.samples = {name: str(event[name]) for name in SAMPLES if name in event}
            case "failed":
                self.message = str(event["message"])

    def _step(self, line: Mapping[str, Any]) -> None:
        step, elapsed = int(line["step"]), float(line["elapsed"])
        share = self._used(step, elapsed, float(line["progress"]))
        if step <= self.step:  # it was killed, and goes on from the checkpoint before
            self._forget(step)
        self.preparing = None
        self.step, self.share, self.elapsed = step, share, elapsed
        self.memory = int(line["memory"]) if "memory" in line else self.memory
        for name, value in line.items():
            if name not in NO_TERMS:
                steps, values = self.curves.setdefault(name, ([], []))
                steps.append(step)
                values.append(float(value))
        self._times = [*self._times[1 - _RECENT :], (share, elapsed)]
        spent = self._times[-1][1] - self._times[0][1]
        if spent > 0:
            self.pace = 60 * (len(self._times) - 1) / spent

    def _used(self, step: int, elapsed: float, before: float) -> float:
        """The share of the budget that is used up after a step; before it there was so much."""
        steps, minutes = (None, None) if self.setup is None else (self.setup.steps, self.setup.minutes)
        parts = [step / steps] if steps else []
        parts += [elapsed / (60 * minutes)] if minutes else []
        return min(1.0, max(parts, default=before))

    def _forget(self, step: int) -> None:
        """Everything from this step on."""
        self._times = []
        for steps, values in self.curves.values():
            kept = bisect_left(steps, step)
            del steps[kept:], values[kept:]


def read_progress(folder: Path, setup: Setup | None = None) -> Progress:
    """Of a run that nobody listens to any more, from what it left in its folder."""
    progress = Progress(setup)
    try:
        lines = (folder / "metrics.jsonl").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    for line in lines:
        try:
            progress.take({"event": "step", **json.loads(line)})
        except (ValueError, TypeError, KeyError, ArithmeticError, RecursionError):  # half a line, of a run that died
            continue
    progress.corpus = _corpus(folder / "card.json")
    files = {name: f"samples/{name}.png" for name in SAMPLES if (folder / "samples" / f"{name}.png").exists()}
    progress.samples, progress.sampled = files, progress.step
    return progress


def _corpus(card: Path) -> dict[str, Any]:
    try:
        corpus = json.loads(card.read_text(encoding="utf-8", errors="replace"))["corpus"]
        return {name: int(corpus[name]) for name in ("videos", "photos")}
    except (OSError, ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return {}


@dataclass(frozen=True, slots=True)
class Footage:
    """What a scan of folders found. looked of total: how far it is. seconds: of all videos that can be used.

    unreadable: why, one line each. duplicates: videos that nearly repeat another; still: in which nothing moves.
    learned: videos that are learned from; held_out: those that are kept to measure on.
    """

    looked: int
    total: int
    videos: int = 0
    seconds: float = 0.0
    photos: int = 0
    unreadable: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    learned: int = 0
    held_out: int = 0

    @property
    def usable(self) -> bool:
        return self.videos > 0 or self.photos > 0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the user asks for. scratch: not from the shipped encoder. home: the folder that runs live in."""

    folders: tuple[Path, ...]
    recipe: str
    scratch: bool
    minutes: float | None
    steps: int | None
    device: str | None
    precision: str
    home: Path
