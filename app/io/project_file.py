"""Projects: folders called NAME.mer.

    project.json     what the project is: see `app.io.project_schema`
    labels-N.pack    compressed label maps, confidence grids and keypoints: see `app.io.pack`
    journal-N        what happened since project.json was written: see `app.io.journal`
    thumbnail.png    for lists of projects
    lock             who has it open: see `app.io.project_lock`

A save adds to the pack, syncs it, and then replaces project.json, which alone says what counts. So a crash at any byte
leaves the old project or the new one. When more than half of a pack is no longer needed, a new one is written.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from app import __version__
from app.core.document import Document
from app.core.history import Key
from app.core.media import Media
from app.io import journal
from app.io.durable import replace_file
from app.io.media import entry_of, found, relinked
from app.io.pack import Blob, adding, cut, is_pack, pack_name, pack_number, read_blobs
from app.io.project_migration import migrated
from app.io.project_schema import SCHEMA, Project, Values, blobs_of, decode, encode, project_json, project_of
from model.types import UInt8Array

_OURS = re.compile(r"lock(\..*)?|thumbnail\.png|journal-\d+(\.damaged)?|labels-\d+\.pack|\..*\.part")

SUFFIX = ".mer"
PROJECT, THUMBNAIL = "project.json", "thumbnail.png"
THUMBNAIL_SIZE = (320, 180)  # (width, height) at most
MAX_BYTES = 1 << 30  # of project.json: twenty times what a video of 100 000 frames and many objects needs
WASTE = 8 << 20  # bytes that a pack may always carry along


@dataclass(frozen=True, slots=True)
class Loaded:
    """A project in memory.

    notes:     what the user should know, one line each.
    recovered: operations that had not been saved and come from the journal.
    lost:      frames that were left out because their labels are damaged.
    damage:    of the journal; see `Replay`.
    """

    document: Document
    notes: tuple[str, ...] = ()
    recovered: int = 0
    lost: tuple[int, ...] = ()
    damage: tuple[Path, int] | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A document at one moment. Its parts are immutable, so any thread may save it while the document goes on."""

    media: Media
    values: Mapping[Key, Any]
    revision: int

    @classmethod
    def of(cls, document: Document) -> Snapshot:
        return cls(document.media, document.values(), document.revision)


@dataclass(frozen=True, slots=True)
class Stored:
    """What a folder holds, so that the next save need not look.

    stamp:   tells whether project.json is still that one; empty if there is none.
    segment: the first of the journal that counts.
    pack, end, blobs: number and length of the pack, and what is of use in it, by digest.
    """

    stamp: tuple[int, ...] = ()
    segment: int = 0
    pack: int = 0
    end: int = 0
    blobs: Mapping[str, Blob] = field(default_factory=dict)

    @classmethod
    def of(cls, folder: Path, project: Project, whole: bool = True) -> Stored:
        """whole: no blob is damaged. Otherwise none is used again, or labels made anew would be lost once more."""
        blobs = {blob.digest: blob for blob in blobs_of(project.values.frames)} if whole else {}
        return cls(_stamp(folder), project.journal, pack_number(project.pack), project.pack_end, blobs)

    @property
    def is_wasteful(self) -> bool:
        """More of the pack is waste than not."""
        live = sum(blob.length for blob in self.blobs.values())
        return self.end - live > max(live, WASTE)


def create(folder: Path, document: Document, thumbnail: UInt8Array | None = None) -> None:
    """Make a new project. ValueError if there is one, or other things, in this folder; OSError if it cannot be."""
    if (folder / PROJECT).exists():
        raise ValueError(f"{folder}: is a project already: choose another name")
    save(document, folder, thumbnail)


def save(document: Document, folder: Path, thumbnail: UInt8Array | None = None) -> None:
    """Put the document in the place of what the project held, if anything; its journal is empty after that.

    ValueError if the folder holds other things, OSError if it cannot be written: the project is as it was then.
    """
    write(Snapshot.of(document), folder, thumbnail)


def load(folder: Path, video: Path | None = None) -> Loaded:
    """A project with what its journal adds.

    video: where the user says the video is now; as it was saved if left out.
    MissingMedia if the video is not there; ValueError, OSError if this is no project or it cannot be read.
    """
    while True:
        stamp = _stamp(folder)
        try:
            return loaded(folder, read_project(folder), video)
        except FileNotFoundError:
            if _stamp(folder) == stamp:
                raise
            # Somebody saved it meanwhile, and what project.json had named is gone.


def loaded(folder: Path, project: Project, video: Path | None = None) -> Loaded:
    """What `load` gives, of a `project.json` that was read."""
    note = ""
    if video is None:
        media = found(project.media, folder)
    else:
        media, note = relinked(project.media, video)
    notes = [note] if note else []
    document = Document(media)
    values, lost = _values(folder, project, media)
    document.restore(values, project.revision)
    if lost:
        some = ", ".join(map(str, lost[:5])) + (", …" if len(lost) > 5 else "")
        notes.append(f"{folder}: the labels of {len(lost)} frames ({some}) are damaged and were left out")
    replayed = journal.replay(folder, media, project.journal)
    for record in replayed.records:
        document.restore(record)
    return Loaded(document, (*notes, *replayed.notes), len(replayed.records), lost, replayed.damage)


def read_project(folder: Path) -> Project:
    """`project.json`, in the present schema. ValueError, naming the file and the remedy, if it is not to be used."""
    path = folder / PROJECT
    if not path.is_file():
        raise ValueError(f"{folder}: is not a project of mer: choose a folder that ends in {SUFFIX}")
    _check_inside(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path}: is too large to be true: take it from a copy of the project")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise ValueError(f"{path}: is damaged: take it from a copy of the project") from None
    try:
        project = project_of(migrated(content))
        pack_number(project.pack)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return project


def write(
    snapshot: Snapshot,
    folder: Path,
    thumbnail: UInt8Array | None = None,
    segment: int | None = None,
    stored: Stored | None = None,
) -> Stored:
    """Save a snapshot; what the folder holds now.

    segment: the journal's segment that goes on after the snapshot; without one, the whole journal is done with.
    stored:  what `write` said last time, if it was into this folder. If that is gone it is not made again: it may lie
             on a share, and what is written in its place would be hidden when the share comes back.
    """
    if stored is not None and not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, "is gone: bring its disk or share back, or save elsewhere", str(folder))
    _prepare(folder)
    stored = _stored(folder, stored)
    if segment is None:
        segment = journal.next_segment(folder, stored.segment)
    if thumbnail is not None:
        replace_file(folder / THUMBNAIL, _png(thumbnail))
    number, end, known = stored.pack, stored.end, stored.blobs
    if stored.is_wasteful or not _whole(folder / pack_name(number), end):
        number, end, known = number + 1, 0, {}
    pack = folder / pack_name(number)
    _check_inside(pack)
    with adding(pack, end, known) as writer:
        values = encode(snapshot.values, writer.put)
    project = _project(snapshot, folder, segment, pack.name, writer.end, values)
    try:
        replace_file(folder / PROJECT, project_json(project))
    except OSError:
        if _stamp(folder) == stored.stamp:
            cut(pack, end)
        raise
    _tidy(folder, pack.name)
    journal.forget(folder, segment)
    return Stored.of(folder, project)


def _project(snapshot: Snapshot, folder: Path, segment: int, pack: str, end: int, values: Values) -> Project:
    return Project(
        schema=SCHEMA,
        mer=__version__,
        saved=datetime.now(UTC).isoformat(timespec="seconds"),
        media=entry_of(snapshot.media, folder),
        revision=snapshot.revision,
        journal=segment,
        pack=pack,
        pack_end=end,
        values=values,
    )


def _values(folder: Path, project: Project, media: Media) -> tuple[dict[Key, Any], tuple[int, ...]]:
    blobs = blobs_of(project.values.frames)
    pack = folder / project.pack
    _check_inside(pack)
    data = read_blobs(pack, blobs) if blobs else {}
    try:
        return decode(project.values, media, data.get)
    except ValueError as error:
        raise ValueError(f"{folder / PROJECT}: {error}") from None


def _prepare(folder: Path) -> None:
    """Make the folder if need be. ValueError if it is not one for a project."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file: choose another name")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / PROJECT).exists() and any(not _OURS.fullmatch(entry.name) for entry in folder.iterdir()):
        # Our own files may be there without it: a first save that failed leaves some.
        raise ValueError(f"{folder}: holds other files: choose another name, or an empty folder")


def _stored(folder: Path, stored: Stored | None) -> Stored:
    stamp = _stamp(folder)
    if stored is not None and stored.stamp == stamp:
        return stored
    if stamp:
        with suppress(ValueError):  # what cannot be read cannot be of use, and it must not be in the way
            return Stored.of(folder, read_project(folder))
    return Stored(pack=max((pack_number(path.name) for path in _packs(folder)), default=0) + 1)


def _stamp(folder: Path) -> tuple[int, ...]:
    """Changes with every `project.json`; empty if there is none."""
    try:
        status = os.stat(folder / PROJECT)
    except FileNotFoundError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def _whole(pack: Path, end: int) -> bool:
    return end == 0 or (pack.is_file() and pack.stat().st_size >= end)


def _check_inside(path: Path) -> None:
    if path.is_symlink():
        raise ValueError(f"{path}: is a link; a project holds its files itself: put a copy in its place")
    if path.exists() and not path.is_file():  # reading a pipe would wait for ever
        raise ValueError(f"{path}: is no file: take it from a copy of the project")


def _packs(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if is_pack(path.name)]


def _tidy(folder: Path, pack: str) -> None:
    """Remove packs of earlier saves, and what saves that crashed left lying about."""
    for path in (*_packs(folder), *folder.glob(f".{PROJECT}.*.part"), *folder.glob(f".{THUMBNAIL}.*.part")):
        if path.name != pack:
            with suppress(OSError):  # somebody may still be reading it; the next save tries again
                path.unlink()


def _png(image: UInt8Array) -> bytes:
    """uint8 [H, W, 3], made smaller."""
    picture = Image.fromarray(image)
    picture.thumbnail(THUMBNAIL_SIZE)
    file = BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
