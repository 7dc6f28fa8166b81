"""One export: written beside its place, read back and checked, and only then put there."""

from __future__ import annotations

import errno
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.core.document import Document
from app.io.export.base import Exporter, Options
from app.io.export.json_formats import Coco, YoutubeVis
from app.io.export.keypoints import DeepLabCut, KeypointsCsv, Sleap
from app.io.export.labelled import Labelled
from app.io.export.masks import Alpha, Binary, Davis
from app.io.export.video import OverlayVideo, ProRes, WebM
from app.io.export.yolo import Yolo
from model.video import VideoSource

PROVENANCE = "provenance.json"
_LOG = logging.getLogger("mer.export")

EXPORTERS: dict[str, Exporter] = {
    exporter.id: exporter
    for exporter in (
        Davis(),
        Binary(),
        Alpha(),
        Coco(),
        YoutubeVis(),
        Yolo(),
        KeypointsCsv(),
        DeepLabCut(),
        Sleap(),
        OverlayVideo(),
        WebM(),
        ProRes(),
    )
}


@dataclass(frozen=True, slots=True)
class Progress:
    """done of total frames are written; checking: all are, and they are read back now."""

    done: int
    total: int
    checking: bool = False


@dataclass(frozen=True, slots=True)
class Done:
    """The export lies at `target`. files: how many were written and checked."""

    target: Path
    files: int


def export(
    document: Document,
    source: VideoSource,
    exporter_id: str,
    target: Path,
    options: Options | None = None,
    *,
    name: str | None = None,
    human_only: bool = False,
    overwrite: bool = False,
) -> Generator[Progress | Done]:
    """Write the labels between in and out point to `target`; the last item is `Done`.

    Where they came from is told by a `provenance.json`, in the folder or beside the file. Closing the iterator stops
    the export and leaves nothing behind. ValueError for an unknown exporter or option, for nothing to export, and if
    `target` is in use and `overwrite` is off; OSError if it cannot be written.
    """
    exporter = find_exporter(exporter_id)
    chosen = exporter.chosen(options or {})
    labelled = Labelled(document, name, human_only)
    _check(exporter, labelled, target, overwrite)
    target = target.absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    # The end of the name is left out: it may be as long as names can be.
    with _naming(target), tempfile.TemporaryDirectory(prefix=f".{target.stem[:30]}.", dir=target.parent) as folder:
        staged = Path(folder) / target.name
        if not exporter.suffix:
            staged.mkdir()
        total = len(labelled.frames)
        _LOG.info("export of %d frames as %s begins", total, exporter.id)
        for done, _ in enumerate(exporter.write(labelled, source, staged, chosen), start=1):
            yield Progress(done, max(done, total))
        yield Progress(total, total, checking=True)
        exporter.check(labelled, staged, chosen)
        told = json.dumps(labelled.provenance(), indent=1)
        beside = staged / PROVENANCE if staged.is_dir() else Path(folder) / f"{target.name}.{PROVENANCE}"
        beside.write_text(told + "\n", encoding="utf-8")
        files = sum(p.is_file() for p in Path(folder).rglob("*"))
        _put(staged, target)
        if beside.exists():
            _put(beside, target.parent / beside.name)
    _LOG.info("exported %d files, checked", files)
    yield Done(target, files)


@contextmanager
def _naming(target: Path) -> Iterator[None]:
    """Has every error of the disk name what the user knows, also one that a library tells in a way of its own."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno or errno.EIO, error.strerror or str(error), str(target)) from error
    except RuntimeError as error:
        if type(error).__module__.startswith(("tables", "h5py", "_tables")):
            raise OSError(errno.EIO, "cannot be written, maybe for want of room", str(target)) from error
        raise


def find_exporter(exporter_id: str) -> Exporter:
    """ValueError for an unknown one."""
    if exporter_id not in EXPORTERS:
        raise ValueError(f"unknown format {exporter_id!r}; there are: {', '.join(EXPORTERS)}")
    return EXPORTERS[exporter_id]


def unusable(exporter: Exporter, labelled: Labelled) -> str | None:
    """Why these labels cannot be exported so, or None: what a window shows beside a disabled entry."""
    if (missing := exporter.missing()) is not None:
        return missing
    if not labelled.frames:
        return "no frame is labelled between the in and the out point"
    if exporter.needs == "masks" and not labelled.objects:
        return "there is no object with masks"
    if exporter.needs == "keypoints" and all(labelled.keypoints(f) is None for f in labelled.frames):
        return "there are no keypoints"
    return None


def _check(exporter: Exporter, labelled: Labelled, target: Path, overwrite: bool) -> None:
    if (reason := unusable(exporter, labelled)) is not None:
        raise ValueError(f"{exporter.title}: {reason}")
    if exporter.suffix and target.suffix.lower() != exporter.suffix:
        raise ValueError(f"{target}: {exporter.title} is written to a {exporter.suffix} file")
    if target.exists():
        if target.is_dir() == bool(exporter.suffix):
            raise ValueError(f"{target}: is a {'folder' if target.is_dir() else 'file'}; choose another name")
        if not overwrite and (target.is_file() or any(target.iterdir())):
            raise ValueError(f"{target}: exists already; choose another name, or allow to replace it")
    place = next(p for p in target.absolute().parents if p.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        raise ValueError(f"{target}: {place} cannot be written to; choose another folder")


def _put(staged: Path, target: Path) -> None:
    """Move into place; of a folder that is there already only files of the same names are replaced."""
    if staged.is_dir() and target.is_dir():
        for path in sorted(staged.rglob("*")):
            to = target / path.relative_to(staged)
            if path.is_dir():
                to.mkdir(exist_ok=True)
            else:
                os.replace(path, to)
    elif staged.is_dir():
        shutil.move(staged, target)
    else:
        os.replace(staged, target)
