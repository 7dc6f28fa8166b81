"""The folder that a propagation fills: masks/00000.png …, keypoints.csv, overlay.mp4 and report.json."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

BYTES_PER_PIXEL = 1 / 8  # of a frame's mask and its share of the overlay video together: a generous estimate


class OutputFolder:
    """Names in the folder, and what is checked before anything is written to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.masks = folder / "masks"
        self.keypoints = folder / "keypoints.csv"
        self.overlay = folder / "overlay.mp4"
        self.report = folder / "report.json"

    def mask(self, frame: int) -> Path:
        return self.masks / f"{frame:05d}.png"

    def check(self, inputs: Iterable[Path], resume: bool, overwrite: bool) -> None:
        """ValueError if the folder cannot be written, is in use without leave, or would swallow an input."""
        if resume and overwrite:
            raise ValueError("--resume goes on and --overwrite begins anew: choose one")
        if self.folder.exists() and not self.folder.is_dir():
            raise ValueError(f"{self.folder}: is a file: choose another --out")
        self._check_writable()
        if self.folder.exists() and any(self.folder.iterdir()) and not (resume or overwrite):
            raise ValueError(
                f"{self.folder}: is not empty: choose another --out, go on with --resume or begin anew with --overwrite"
            )
        own = {p.resolve() for p in (self.masks, self.keypoints, self.overlay, self.report)}
        for path in inputs:
            if path.resolve() in own or path.resolve().parent == self.masks.resolve():
                raise ValueError(f"{path}: lies where results are written: choose another --out")

    def check_room(self, frames: int, size: tuple[int, int]) -> None:
        """ValueError if the disk clearly has no room for the results of so many frames of (height, width)."""
        needed = int(frames * size[0] * size[1] * BYTES_PER_PIXEL)
        free = shutil.disk_usage(self._existing()).free
        if free < needed:
            raise ValueError(
                f"{self.folder}: the results need about {needed / 1e6:.0f} MB, but only {free / 1e6:.0f} MB are free: "
                "make room or choose another --out"
            )

    def clear(self) -> None:
        """Remove the results of an earlier run, and nothing else."""
        for path in (*self.masks.glob("*.png"), self.keypoints, self.overlay, self.report):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # not empty, or never made
            self.masks.rmdir()

    def _existing(self) -> Path:
        """The folder, or the nearest one above it that exists."""
        return next(p for p in (self.folder.resolve(), *self.folder.resolve().parents) if p.exists())

    def _check_writable(self) -> None:
        place = self._existing()
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
            raise ValueError(f"{self.folder}: {place} cannot be written to: choose another --out")
