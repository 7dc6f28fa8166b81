"""`report.json`: what a propagation was made from, how, how far it came and what it took."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from app import __version__
from app.io.atomic import write_text
from app.io.text import shortened
from model.types import Anchor, Origin

SCHEMA = 1


class State(StrEnum):
    """How a run ended. RUNNING in a file means that the program was killed."""

    RUNNING = "running"
    FINISHED = "finished"
    INTERRUPTED = "interrupted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """One finished frame: where its labels came from, mean confidence and mean disagreement (None: not measured)."""

    origin: Origin
    confidence: float
    disagreement: float | None = None

    def as_dict(self) -> dict[str, Any]:
        record: dict[str, Any] = {"origin": self.origin.value, "confidence": round(self.confidence, 4)}
        if self.disagreement is not None:
            record["disagreement"] = round(self.disagreement, 4)
        return record


@dataclass(slots=True)
class Report:
    """job: everything that decides the labels; two runs with equal jobs make the same masks.

    cost:   seconds per stage, frames per second, peak memory, device: of the last run.
    frames: the finished frames.
    """

    job: dict[str, Any]
    state: State = State.RUNNING
    cost: dict[str, Any] = field(default_factory=dict)
    frames: dict[int, FrameRecord] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write the report as JSON, atomically."""
        content = {
            "schema": SCHEMA,
            "mer": __version__,
            "state": self.state.value,
            **self.job,
            **self.cost,
            "notes": self.notes,
            "frames": [{"frame": f, **record.as_dict()} for f, record in sorted(self.frames.items())],
        }
        write_text(path, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_report(path: Path, job: Mapping[str, Any]) -> Report:
    """The report of an earlier run of this very job. ValueError saying what differs, or that there is no report."""
    again = "to begin anew use --overwrite"
    no_report = ValueError(f"{path}: is not a report of mer propagate; {again}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
    except FileNotFoundError:
        raise ValueError(f"{path}: is missing, so there is nothing to resume; {again}") from None
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise no_report from error
    if schema != SCHEMA:
        raise ValueError(f"{path}: has schema {shortened(schema)}, this version reads {SCHEMA}; {again}")
    try:
        before = {name: content[name] for name in job}
        frames = {
            int(f["frame"]): FrameRecord(Origin(f["origin"]), f["confidence"], f.get("disagreement"))
            for f in content["frames"]
        }
        notes, state = [str(note) for note in content["notes"]], State(content["state"])
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise no_report from error
    if difference := _difference(before, json.loads(json.dumps(job))):
        raise ValueError(f"{path}: cannot resume, {difference}; use the same settings, or {again}")
    return Report(dict(job), state, frames=frames, notes=notes)


def describe_anchor(anchor: Anchor) -> dict[str, Any]:
    """What a person labelled on one frame, with a hash of it."""
    digest = hashlib.sha256()
    described: dict[str, Any] = {"frame": anchor.frame}
    if anchor.labels is not None:
        digest.update(anchor.labels.ids.tobytes())
        described["objects"] = list(anchor.labels.objects)
    if anchor.keypoints is not None:
        for array in (anchor.keypoints.xy, anchor.keypoints.visible, anchor.keypoints.confidence):
            digest.update(array.tobytes())
        described["keypoints"] = list(anchor.keypoints.names)
    return described | {"sha256": digest.hexdigest()}


def _difference(before: Any, now: Any, name: str = "") -> str:
    """The first place where two jobs differ, in words; empty if they are equal."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in before.keys() | now.keys():
            inner = f"{name} {key}".strip()
            if difference := _difference(before.get(key), now.get(key), inner):
                return difference
        return ""
    if before == now:
        return ""
    if isinstance(before, list) and isinstance(now, list):
        return f"{name} changed"
    return f"{name} was {shortened(before)}, now it is {now}"
