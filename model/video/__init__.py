"""Video as exactly indexed frames: `open_video` gives a `VideoSource` for a file or a folder of images."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from model.video.source import CACHE_BYTES, NOMINAL_FPS, VIDEO_SUFFIXES, VideoSource

__all__ = ["VIDEO_SUFFIXES", "VideoSource", "open_video"]


def open_video(
    path: str | Path, *, fps: float | None = None, backend: str | None = None, cache_bytes: int = CACHE_BYTES
) -> VideoSource:
    """Open a video file or a folder of images.

    fps:         frame rate of a folder, 25 if left out; a file has times of its own and takes none.
    backend:     "pyav" or "opencv" for files; None takes PyAV where it is installed.
    cache_bytes: most memory that decoded frames may take.

    ValueError, in one line that names the file and the remedy, for whatever cannot be shown.
    """
    path = Path(path)
    if backend not in (None, "pyav", "opencv"):
        raise ValueError(f"there is no video backend {backend!r}: choose pyav or opencv")
    try:
        if path.is_dir():
            from model.video.folder import FolderSource

            return FolderSource(path, NOMINAL_FPS if fps is None else fps, cache_bytes)
        if not path.exists():
            raise ValueError(f"{path} does not exist: check the name")
        if fps is not None:
            raise ValueError(f"{path} is a file with times of its own: a frame rate is for folders of images only")
        if path.stat().st_size == 0:
            raise ValueError(f"{path} is empty: use another copy")
    except OSError as error:
        raise ValueError(f"{path} cannot be opened: {error.strerror}; check the permissions") from error
    if backend == "pyav" or (backend is None and find_spec("av")):
        from model.video.file import FileSource

        return FileSource(path, cache_bytes)
    from model.video.opencv import OpenCVSource

    return OpenCVSource(path, cache_bytes)
