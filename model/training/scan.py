"""A quick look at the footage before training: what there is, what cannot be read, what would teach little."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.training.cache import PHOTO_SUFFIXES
from model.training.corpus import find_sources
from model.training.frame_folder import open_frames
from model.types import UInt8Array
from model.video import open_video

_LOOKS = 4  # frames that are looked at
_SMALL = 32  # pixels: side of the picture that is compared
_STILL = 1.0  # mean difference of grey levels up to which nothing moves
_ALIKE = 5  # of 64 bits: prints that differ in no more show the same place
_SAME = 16  # grey levels: pictures of one place that differ more than that in some spot were taken at other times


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one video, or one folder of photos, is.

    seconds: its length; 0 for photos. frames: or photos. area: of a frame, pixels. problem: why it is of no use, or "".
    still:   nothing moves in it. prints: uint64 [_LOOKS], perceptual hashes of some frames, and these frames in small:
             float32 [_LOOKS, 32, 32]; None for photos and for what cannot be read.
    """

    path: Path
    kind: str
    seconds: float = 0.0
    frames: int = 0
    area: int = 0
    problem: str = ""
    still: bool = False
    prints: NDArray[np.uint64] | None = None
    small: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Scan:
    """What is known of all of them. duplicates: groups of videos that show nearly the same, the best first."""

    looks: tuple[Look, ...]
    total: int
    duplicates: tuple[tuple[Path, ...], ...] = ()

    @property
    def videos(self) -> tuple[Look, ...]:
        """Those that can be used."""
        return tuple(look for look in self.looks if look.kind == "video" and not look.problem)

    @property
    def photos(self) -> int:
        return sum(look.frames for look in self.looks if look.kind == "photos")

    @property
    def seconds(self) -> float:
        return sum(look.seconds for look in self.videos)

    @property
    def unreadable(self) -> tuple[Look, ...]:
        return tuple(look for look in self.looks if look.problem)

    @property
    def still(self) -> tuple[Path, ...]:
        return tuple(look.path for look in self.videos if look.still)

    @property
    def repeated(self) -> tuple[Path, ...]:
        """Of every group of duplicates all but the first."""
        return tuple(path for group in self.duplicates for path in group[1:])


def scan(folders: Iterable[Path]) -> Iterator[Scan]:
    """Look at everything below the folders: what is known after each look. Closing the generator ends it.

    ValueError for a folder that does not exist, or cannot be listed.
    """
    sources = tuple(find_sources(folders))
    looks: list[Look] = []
    yield Scan((), len(sources))
    for source in sources:
        looks.append(look_at(source))
        yield Scan(tuple(looks), len(sources), duplicates(looks) if len(looks) == len(sources) else ())


def look_at(source: Path) -> Look:
    """Open a video and look at a few of its frames. What cannot be read is a problem, no error."""
    try:
        opened = open_frames(source) if source.is_dir() else open_video(source)
        if opened is None:
            photos = [p for p in source.iterdir() if p.suffix.lower() in PHOTO_SUFFIXES]
            return Look(source, "photos", frames=len(photos))
        with opened as video:
            count = len(video)
            if count < 2:
                return Look(source, "video", problem=f"{source}: a single frame is no video")
            seconds = float(video.times[-1] - video.times[0]) * count / (count - 1)
            places = np.linspace(0, count - 1, _LOOKS + 2).round().astype(int)[1:-1]
            height, width = video.size
            images = [_small(video[int(frame)].image) for frame in places]
            beside = [_small(video[min(int(frame) + max(1, count // 8), count - 1)].image) for frame in places[:2]]
    except (ValueError, OSError) as error:
        return Look(source, "video", problem=str(error))
    moved = max(float(np.abs(a - b).mean()) for a in images for b in (*images, *beside))
    prints = np.array([fingerprint(image) for image in images], np.uint64)
    return Look(source, "video", seconds, count, height * width, "", moved < _STILL, prints, np.stack(images))


def duplicates(looks: Iterable[Look]) -> tuple[tuple[Path, ...], ...]:
    """Groups of two and more videos that show nearly the same, whatever their size, format and compression.

    The longest, and of these the largest, is the first of its group.
    """
    groups: list[list[Look]] = []
    for look in sorted((k for k in looks if k.prints is not None), key=lambda k: (-k.frames, -k.area, str(k.path))):
        for group in groups:
            if _alike(group[0], look):
                group.append(look)
                break
        else:
            groups.append([look])
    return tuple(tuple(look.path for look in group) for group in groups if len(group) > 1)


def fingerprint(small: NDArray[np.float32]) -> int:
    """64 bits that tell pictures apart and survive scaling and compression: where it gets brighter to the right.

    small: grey [32, 32]. A difference hash of 8×9 areas.
    """
    areas = cv2.resize(small, (9, 8), interpolation=cv2.INTER_AREA)
    return int(np.packbits(areas[:, 1:] > areas[:, :-1]).view(">u8")[0])


def _alike(one: Look, other: Look) -> bool:
    assert one.prints is not None and other.prints is not None and one.small is not None and other.small is not None
    if abs(one.seconds - other.seconds) > 0.05 * max(one.seconds, other.seconds):
        return False
    if float(np.bitwise_count(one.prints ^ other.prints).mean()) > _ALIKE:
        return False
    # A fixed camera sees one place all day: only where no spot differs is it the same recording.
    return float(np.quantile(np.abs(one.small - other.small), 0.995)) <= _SAME


def _small(image: UInt8Array) -> NDArray[np.float32]:
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA), np.float32)
