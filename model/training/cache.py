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
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from model.files import replacing
from model.training.frame_folder import open_frames
from model.types import UInt8Array
from model.video import open_video

PHOTO_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_FORMAT = 1  # of what is kept of video files
_FOLDER_FORMAT = 2  # and of folders: some are videos
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
            image = decoded(file.read(length))
        if image is None:
            raise ValueError(f"{self.tar}: damaged at frame {index}; delete the file, it will be made again")
        return image


def cached_clip(source: Path, cache: Path, short_side: int) -> Clip:
    """The clip of a video file or of a folder, decoding it now if it is not in the cache yet.

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
    files, version = (_photos(source), _FOLDER_FORMAT) if source.is_dir() else ([source], _FORMAT)
    digest = hashlib.sha256(f"{version}:{short_side}".encode())
    for file in files:
        try:
            stat = file.stat()
        except OSError as error:  # such as a link that leads nowhere
            raise ValueError(f"{file}: cannot be opened ({error.strerror})") from None
        digest.update(f"{file.resolve()}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:16]


def _photos(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES and p.is_file())


@contextmanager
def jpegs(source: Path, short_side: int, start: int = 0) -> Iterator[tuple[str, float, Iterator[tuple[int, bytes]]]]:
    """What is kept of a video file or of a folder: kind, frames per second, and numbered JPEGs from `start`.

    kind: "video" or "photos", which a folder is unless its pictures are frames (`frame_folder`). Frames are scaled so
    that the short side is at most `short_side`. A photo that cannot be read is left out, and so is its number.
    ValueError if the source cannot be opened.
    """
    frames_of = open_frames(source) if source.is_dir() else open_video(source)
    if frames_of is None:
        yield "photos", 0.0, ((n, jpeg(image, short_side)) for n, image in _read_photos(_photos(source), start))
        return
    with frames_of as video, closing(video.frames(start)) as frames:
        yield "video", video.fps, ((frame.index, jpeg(frame.image, short_side)) for frame in frames)


def _read_photos(files: list[Path], start: int) -> Iterator[tuple[int, UInt8Array]]:
    for number, file in enumerate(files[start:], start):
        try:
            image = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR_RGB)
        except (OSError, cv2.error):
            continue
        if image is not None:  # one unreadable photo among thousands is no reason to stop
            yield number, np.asarray(image, np.uint8)


def jpeg(image: UInt8Array, short_side: int) -> bytes:
    """A picture as a JPEG, scaled so that the short side is at most `short_side`."""
    done, data = cv2.imencode(".jpg", cv2.cvtColor(_shrink(image, short_side), cv2.COLOR_RGB2BGR), _JPEG)
    assert done
    return data.tobytes()


def decoded(data: bytes) -> UInt8Array | None:
    """A JPEG as RGB uint8 [H, W, 3], None if it is damaged."""
    image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    return None if image is None else np.asarray(image, np.uint8)


def _write(source: Path, target: Path, short_side: int) -> None:
    count = 0
    with jpegs(source, short_side) as (kind, fps, images), tarfile.open(target, "w") as tar:
        add_member(tar, _META, json.dumps({"source": source.name, "kind": kind, "fps": fps}).encode())
        for _, data in images:
            add_member(tar, f"{count:06d}.jpg", data)
            count += 1
    if count == 0:
        raise ValueError(f"{source}: no picture in it can be read")


def _shrink(image: UInt8Array, short_side: int) -> UInt8Array:
    scale = short_side / min(image.shape[:2])
    if scale >= 1:
        return image
    return np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)


def add_member(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    """A file in a tar, without owner and date: equal content gives equal bytes."""
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
