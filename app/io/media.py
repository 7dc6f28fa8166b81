"""The video of a project: known again wherever it was moved, and told from another one under its name."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from app.core.media import Media
from app.io.project_schema import MediaEntry
from model.video import VideoSource, open_video
from model.video.folder import SUFFIXES

_SAMPLE = 1 << 16  # bytes that are looked at in the beginning, in the middle and at the end of a file


class MissingMedia(ValueError):
    """A project's video is not where it was. path: where it was last; found: another video that lies there now."""

    def __init__(self, path: Path, found: Path | None = None) -> None:
        self.path = path
        self.found = found
        what = "is another video than the project's" if found else "is gone"
        super().__init__(f"{found or path}: {what}: choose where the video lies now")


def fingerprint(path: Path) -> str:
    """Of a video file, or of a folder of images: quick at any length, the same wherever it lies. OSError as it comes.

    A file is known by its size and three samples of its bytes, a folder by the names and sizes of its images and a
    sample of the first.
    """
    known = hashlib.blake2b(digest_size=16)
    if path.is_dir():
        images = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES and not p.name.startswith("."))
        for image in images:
            known.update(f"{image.name}\0{image.stat().st_size}\n".encode())
        if images:
            known.update(_sample(images[0], 0))
    else:
        size = path.stat().st_size
        known.update(f"{size}\n".encode())
        for offset in (0, size // 2, max(0, size - _SAMPLE)):
            known.update(_sample(path, offset))
    return known.hexdigest()


def media_of(source: VideoSource) -> Media:
    """What a new project notes of an open video."""
    path = source.path.resolve()
    return Media(path, source.size, len(source), source.fps, fingerprint(path))


def check_media(media: Media, source: VideoSource) -> None:
    """ValueError if labels of a project do not fit this video: it has another size, or other frames."""
    if (source.size, len(source)) != (media.size, media.frames):
        (h, w), (height, width) = source.size, media.size
        raise ValueError(
            f"{source.path}: has {len(source)} frames of {w}×{h}, but the project's video has {media.frames} of "
            f"{width}×{height}: choose that one"
        )


def entry_of(media: Media, folder: Path) -> MediaEntry:
    """What a project in `folder` says of its video."""
    try:
        relative = _text(Path(os.path.relpath(media.path, folder.resolve())))
    except ValueError:  # on another drive
        relative = None
    return MediaEntry(
        relative=relative,
        absolute=_text(media.path),
        size=media.size,
        frames=media.frames,
        fps=media.fps,
        fingerprint=media.fingerprint,
    )


def found(entry: MediaEntry, folder: Path) -> Media:
    """The project's video: beside the project as it was, or else where it was. MissingMedia if it is at neither."""
    last = _path(entry.absolute)
    places = [folder.resolve() / _path(entry.relative), last] if entry.relative is not None else [last]
    other = None
    for place in places:
        path = Path(os.path.normpath(place))
        if path.is_file() or path.is_dir():
            media = _media(entry, path)
            if entry.fingerprint in ("", media.fingerprint):
                return media
            other = other or path
    raise MissingMedia(last, other)


def relinked(entry: MediaEntry, path: Path) -> tuple[Media, str]:
    """The video that a user chose instead, and a note if it is not the same file.

    ValueError if the labels do not fit it, or it is no video.
    """
    path = path.resolve()
    media = _media(entry, path) if path.exists() else None
    if media is not None and media.fingerprint == entry.fingerprint:
        return media, ""
    with open_video(path) as source:
        new = media_of(source)
        check_media(replace(new, size=entry.size, frames=entry.frames), source)
    return new, f"{path} is not the file that the project was made with, but it has the same size and frames"


_QUOTED = "bytes:"


def _text(path: Path) -> str:
    """With "/" between its parts. A name that is no text (on Linux any bytes will do) is written in percents."""
    text = path.as_posix()
    try:
        text.encode()
    except UnicodeEncodeError:
        return _QUOTED + quote_from_bytes(os.fsencode(path))
    return text


def _path(text: str) -> Path:
    return Path(os.fsdecode(unquote_to_bytes(text.removeprefix(_QUOTED))) if text.startswith(_QUOTED) else text)


def _media(entry: MediaEntry, path: Path) -> Media:
    return Media(path, entry.size, entry.frames, entry.fps, fingerprint(path))


def _sample(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(_SAMPLE)
