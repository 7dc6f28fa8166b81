"""What a project file says, as types; and the way from a document's values to these and back.

The same types serve `project.json` and the records of the journal. Compressed maps and keypoints are blobs: whoever
encodes says where they go, and whoever decodes says where they come from.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, TypeVar

import numpy as np
from pydantic import Field, TypeAdapter, ValidationError

from app.core.annotations import Basis, FrameLabels, PackedGrid, PackedMap, digest
from app.core.contents import DROPPED, ENCODER, OBJECTS, OPTIONS, RETIRED, SKELETON, SPAN
from app.core.history import Key
from app.core.media import Media
from app.core.objects import ObjectInfo, Skeleton
from app.io.pack import Blob
from model.types import MAX_OBJECT_ID, KeypointSet, Origin, PropagationOptions
from model.video.source import MAX_PIXELS

SCHEMA = 2
MAX_FRAMES = 100_000_000  # a month of video; beyond it a file is damaged or hostile

Index = Annotated[int, Field(ge=0, lt=MAX_FRAMES)]
Side = Annotated[int, Field(ge=1, le=MAX_PIXELS)]
ObjectId = Annotated[int, Field(ge=1, le=MAX_OBJECT_ID)]
Revision = Annotated[int, Field(ge=0, lt=1 << 53)]
T = TypeVar("T")
Put = Callable[[bytes, str], Blob]
Get = Callable[[Blob], bytes | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapEntry:
    """A label map of the video's size."""

    objects: tuple[ObjectId, ...]
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class GridEntry:
    """A grid of sureness; size: (height, width) in cells."""

    size: tuple[Side, Side]
    blob: Blob


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameEntry:
    """One frame. basis: (frame, revision) of the reference before, and of that after. carried: beside a person's."""

    frame: Index
    origin: Origin
    revision: Revision
    labels: MapEntry | None = None
    keypoints: Blob | None = None
    certainty: dict[ObjectId, float | None] = field(default_factory=dict)
    grid: GridEntry | None = None
    weights: Annotated[str, Field(max_length=200)] = ""
    basis: tuple[tuple[Index, Revision] | None, tuple[Index, Revision] | None] | None = None
    carried: FrameEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Values:
    """Values of a document by key; in a journal only those that changed. cleared: frames without labels now."""

    objects: tuple[ObjectInfo, ...] | None = None
    skeleton: Skeleton | None = None
    dropped: tuple[Index, ...] | None = None
    span: tuple[Index, Index] | None = None
    options: dict[str, Any] | None = None
    retired: tuple[ObjectId, ...] | None = None
    encoder: Annotated[str, Field(max_length=200, pattern=r"^([\w (][\w (). -]*\.pt)?$")] | None = None
    frames: tuple[FrameEntry, ...] = ()
    cleared: tuple[Index, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaEntry:
    """The video. relative: from the project folder, with "/"; None where there is no such way. absolute: as it was."""

    relative: str | None
    absolute: str
    size: tuple[Side, Side]
    frames: Annotated[int, Field(ge=1, le=MAX_FRAMES)]
    fps: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    fingerprint: str = ""

    def __post_init__(self) -> None:
        if self.size[0] * self.size[1] > MAX_PIXELS:
            raise ValueError(f"a video of {self.size[1]}×{self.size[0]} pixels cannot be")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """`project.json`.

    schema:   of this file. mer: the version that wrote it. saved: when, ISO 8601.
    revision: the document's.
    journal:  the first segment of the journal that is younger than this file.
    pack:     the pack's name; pack_end: what lies behind it there does not belong to the project.
    """

    schema: int
    mer: str
    saved: str
    media: MediaEntry
    revision: Revision
    journal: Annotated[int, Field(ge=0, lt=1 << 31)]
    pack: str
    pack_end: Annotated[int, Field(ge=0, lt=1 << 48)]
    values: Values


_PROJECT = TypeAdapter(Project)
_VALUES = TypeAdapter(Values)
_FRAME = TypeAdapter(FrameEntry)
_OPTIONS = TypeAdapter(PropagationOptions)


def project_json(project: Project) -> bytes:
    """With a line for each frame. One by one they never keep other threads waiting for long."""
    values = project.values
    head = _PROJECT.dump_json(replace(project, values=replace(values, frames=())), exclude_defaults=True)
    frames = b",\n".join(_FRAME.dump_json(entry, exclude_defaults=True) for entry in values.frames)
    comma = b"" if head.endswith(b"{}}") else b","
    return head[:-2] + comma + b'"frames":[\n' + frames + b"\n]}}\n"


def project_of(content: Any) -> Project:
    """ValueError of one line if this is no project."""
    return _checked(_PROJECT.validate_python, content)


def values_json(values: Values) -> bytes:
    """On one line, without its end."""
    return _VALUES.dump_json(values, exclude_defaults=True)


def values_of(text: bytes) -> Values:
    """ValueError of one line if this is something else."""
    return _checked(_VALUES.validate_json, text)


def blobs_of(frames: Iterable[FrameEntry]) -> set[Blob]:
    """Everything that frames refer to."""
    whole = [part for entry in frames for part in (entry, entry.carried) if part is not None]
    holders = (part for entry in whole for part in (entry.labels, entry.grid) if part is not None)
    return {part.blob for part in holders} | {entry.keypoints for entry in whole if entry.keypoints is not None}


def encode(values: Mapping[Key, Any], put: Put) -> Values:
    """A document's values as they are stored."""
    parts = {key: value for key, value in values.items() if isinstance(key, str)}
    if OPTIONS in parts:
        parts[OPTIONS] = _OPTIONS.dump_python(parts[OPTIONS], mode="json")
    for key in (DROPPED, RETIRED):
        if key in parts:
            parts[key] = tuple(sorted(parts[key]))
    frames = sorted((key, value) for key, value in values.items() if isinstance(key, int) and value is not None)
    cleared = tuple(sorted(key for key, value in values.items() if isinstance(key, int) and value is None))
    return Values(**parts, frames=tuple(_entry(frame, known, put) for frame, known in frames), cleared=cleared)


def decode(values: Values, media: Media, get: Get) -> tuple[dict[Key, Any], tuple[int, ...]]:
    """A document's values, and the frames that are left out because their blobs are damaged.

    get: the bytes of a blob, None where they are damaged. ValueError for what cannot be true of this video.
    """
    found: dict[Key, Any] = {}
    if values.objects is not None:
        ids = [info.id for info in values.objects]
        if len(set(ids)) != len(ids):
            raise ValueError("two objects have one id")
        found[OBJECTS] = tuple(sorted(values.objects, key=lambda info: info.id))
    if values.skeleton is not None:
        found[SKELETON] = values.skeleton
    if values.dropped is not None:
        found[DROPPED] = frozenset(values.dropped)
    if values.span is not None:
        if not 0 <= values.span[0] < values.span[1] <= media.frames:
            raise ValueError(f"the range {values.span} is not within the {media.frames} frames of the video")
        found[SPAN] = values.span
    if values.options is not None:
        found[OPTIONS] = _checked(_OPTIONS.validate_python, values.options)
    if values.retired is not None:
        found[RETIRED] = frozenset(values.retired)
    if values.encoder is not None:
        found[ENCODER] = values.encoder
    found |= dict.fromkeys(values.cleared)
    damaged = []
    for entry in values.frames:
        if entry.frame >= media.frames:
            raise ValueError(f"the video has frames 0..{media.frames - 1}; there is no frame {entry.frame}")
        known = _frame(entry, media, get)
        if known is None:
            damaged.append(entry.frame)
        else:
            found[entry.frame] = known
    return found, tuple(damaged)


def _entry(frame: int, known: FrameLabels, put: Put) -> FrameEntry:
    maps, grid, points = known.labels, known.grid, known.keypoints
    stored = None if points is None else _points_bytes(points)
    return FrameEntry(
        frame=frame,
        origin=known.origin,
        revision=known.revision,
        labels=None if maps is None else MapEntry(objects=maps.objects, blob=put(maps.data, maps.digest)),
        keypoints=None if stored is None else put(stored, digest(stored)),
        certainty={n: None if math.isnan(value) else float(value) for n, value in known.certainty.items()},
        grid=None if grid is None else GridEntry(size=grid.shape, blob=put(grid.data, grid.digest)),
        weights=known.weights,
        basis=None if known.basis is None else (known.basis.before, known.basis.after),
        carried=None if known.carried is None else _entry(frame, known.carried, put),
    )


def _frame(entry: FrameEntry, media: Media, get: Get) -> FrameLabels | None:
    maps = grid = points = carried = None
    if entry.carried is not None:
        if entry.origin is Origin.PROPAGATED or entry.carried.origin is not Origin.PROPAGATED or entry.carried.carried:
            raise ValueError(f"frame {entry.frame} carries what cannot be carried")
        if (carried := _frame(entry.carried, media, get)) is None:
            return None
    if entry.labels is not None:
        if (data := get(entry.labels.blob)) is None:
            return None
        maps = PackedMap(media.size, entry.labels.objects, data)
    if entry.grid is not None:
        if (data := get(entry.grid.blob)) is None:
            return None
        if any(cells > pixels for cells, pixels in zip(entry.grid.size, media.size, strict=True)):
            raise ValueError(f"frame {entry.frame} has a grid of sureness that is larger than the video")
        grid = PackedGrid(entry.grid.size, data)
    if entry.keypoints is not None:
        if (data := get(entry.keypoints)) is None:
            return None
        points = _points(entry.frame, data)
    return FrameLabels(
        entry.origin,
        maps,
        points,
        {n: math.nan if value is None else value for n, value in entry.certainty.items()},
        grid,
        entry.weights,
        None if entry.basis is None else Basis(*entry.basis),
        entry.revision,
        carried,
    )


def _points_bytes(points: KeypointSet) -> bytes:
    """The names as a line of JSON, then the arrays: xy, visible, confidence."""
    arrays = points.xy.astype("<f4"), points.visible.astype("u1"), points.confidence.astype("<f4")
    return json.dumps(points.names).encode() + b"\n" + b"".join(array.tobytes() for array in arrays)


_NAMES = TypeAdapter(tuple[str, ...])


def _points(frame: int, data: bytes) -> KeypointSet:
    head, _, body = data.partition(b"\n")
    names = _checked(_NAMES.validate_json, head)
    n = len(names)
    if len(body) != 13 * n:
        raise ValueError(f"frame {frame} has keypoints that cannot be read")
    xy = np.frombuffer(body, "<f4", 2 * n).reshape(n, 2).astype(np.float32)
    visible = np.frombuffer(body, "u1", n, 8 * n) != 0
    return KeypointSet(names, xy, visible, np.frombuffer(body, "<f4", n, 9 * n).astype(np.float32))


def _checked(validate: Callable[[Any], T], content: Any) -> T:
    try:
        return validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}".removeprefix(": ")) from None
