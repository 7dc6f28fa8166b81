"""The frame cache: every clip is decoded once, scaled down and kept as a plain tar of JPEGs.

A tar can be listed, streamed and copied with common tools, and its members are found by offset, so frames are
read at random without unpacking. The name is a hash of what the content depends on; a changed source makes a
new tar, an unchanged one is reused.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from model.files import replacing
from model.types import UInt8Array
from model.video import open_video

VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".gif"})
PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_FORMAT = 1
_JPEG = [cv2.IMWRITE_JPEG_QUALITY, 92]
_META = "meta.json"


@dataclass(frozen=True, slots=True)
class Clip:
    """One cached clip (or one folder of photos): where its JPEGs lie in the tar.

    kind:    "video" or "photos"; fps: frames per second of the cached frames (0 for photos).
    offsets: int64 [N, 2], start and length in bytes of each frame.
    """

    tar: Path
    source: str
    kind: str
    fps: float
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets)

    def read(self, index: int) -> UInt8Array:
        """Frame `index` as RGB uint8 [H, W, 3]. ValueError if the tar was damaged after it was written."""
        start, length = (int(v) for v in self.offsets[index])
        with open(self.tar, "rb") as file:
            file.seek(start)
            data = np.frombuffer(file.read(length), np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise ValueError(f"{self.tar}: damaged at frame {index}; delete the file, it will be made again")
        return np.asarray(image, np.uint8)


def cached_clip(source: Path, cache: Path, short_side: int) -> Clip:
    """The clip of a video file or of a folder of photos, decoding it now if it is not in the cache yet.

    Frames are scaled so that the short side is at most `short_side`. ValueError if nothing can be read; OSError if
    the cache cannot be written.
    """
    tar = cache / f"{source.stem}-{_key(source, short_side)}.tar"
    if tar.exists() and (clip := _load(tar)) is not None:
        return clip
    cache.mkdir(parents=True, exist_ok=True)
    with replacing(tar) as partial:
        _write(source, partial, short_side)
    clip = _load(tar)
    assert clip is not None, f"{tar} cannot be read back"
    return clip


def _key(source: Path, short_side: int) -> str:
    files = _photos(source) if source.is_dir() else [source]
    digest = hashlib.sha256(f"{_FORMAT}:{short_side}".encode())
    for file in files:
        try:
            stat = file.stat()
        except OSError as error:  # such as a link that leads nowhere
            raise ValueError(f"{file}: cannot be opened ({error.strerror})") from None
        digest.update(f"{file.resolve()}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _photos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file())


def _read_photos(files: list[Path]) -> Iterator[UInt8Array]:
    for file in files:
        try:
            image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB)
        except (OSError, cv2.error):
            continue
        if image is not None:  # one unreadable photo among thousands is no reason to stop
            yield np.asarray(image, np.uint8)


def _write(source: Path, target: Path, short_side: int) -> None:
    if source.is_dir():
        _write_tar(source, "photos", 0.0, _read_photos(_photos(source)), target, short_side)
        return
    with open_video(source) as video, closing(video.frames()) as frames:
        _write_tar(source, "video", video.fps, (frame.image for frame in frames), target, short_side)


def _write_tar(
    source: Path, kind: str, fps: float, images: Iterable[UInt8Array], target: Path, short_side: int
) -> None:
    count = 0
    with tarfile.open(target, "w") as tar:
        _add(tar, _META, json.dumps({"source": source.name, "kind": kind, "fps": fps}).encode())
        for image in images:
            done, data = cv2.imencode(".jpg", cv2.cvtColor(_shrink(image, short_side), cv2.COLOR_RGB2BGR), _JPEG)
            assert done
            _add(tar, f"{count:06d}.jpg", data.tobytes())
            count += 1
    if count == 0:
        raise ValueError(f"{source}: no picture in it can be read")


def _shrink(image: UInt8Array, short_side: int) -> UInt8Array:
    scale = short_side / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    tar.addfile(info, io.BytesIO(data))


def _load(path: Path) -> Clip | None:
    """The clip of a tar, None if the tar is damaged."""
    try:
        with tarfile.open(path, "r:") as tar:
            members = tar.getmembers()
            meta_file = tar.extractfile(_META)
            assert meta_file is not None
            meta = json.load(meta_file)
        offsets = np.array([(m.offset_data, m.size) for m in members if m.name != _META], np.int64)
        if offsets[-1].sum() > path.stat().st_size:
            return None
        return Clip(path, meta["source"], meta["kind"], meta["fps"], offsets)
    except (tarfile.TarError, LookupError, ValueError):
        return None
