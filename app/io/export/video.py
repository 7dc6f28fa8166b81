"""Videos of the labels: drawn over the picture, or the objects cut out on a transparent ground."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import ClassVar

import numpy as np

from app.io.export.base import Exporter, Option, Options, expect
from app.io.export.labelled import Labelled
from app.io.export.masks import soft_edge
from app.io.overlay import compose
from app.io.video_writer import H264, PRORES_4444, VP9_ALPHA, VideoFormat, VideoWriter, check_encoder
from model.edges import EdgeGuide
from model.palette import PALETTE
from model.types import UInt8Array
from model.video import VideoSource, open_video

SOFTNESS = 3  # pixels


class _Video(Exporter):
    """All frames between the in and the out point, at their own times."""

    form: ClassVar[VideoFormat]
    needs = ""

    def missing(self) -> str | None:
        try:
            check_encoder(self.form)
        except ValueError as error:
            return str(error)
        return None

    def write(self, labelled: Labelled, source: VideoSource, target: Path, options: Options) -> Iterator[None]:
        start, stop = labelled.span
        origin = float(source.times[start])
        with (
            VideoWriter(target, source.size, source.fps, self.form) as video,
            closing(source.frames(start, stop)) as frames,
        ):
            known = set(labelled.frames)
            for frame in frames:
                drawn = self.draw(labelled, frame.index, frame.image, frame.index in known, options)
                video.write(drawn, frame.time - origin)
                yield

    def check(self, labelled: Labelled, target: Path, options: Options) -> None:
        start, stop = labelled.span
        height, width = labelled.media.size
        with open_video(target) as written:
            expect(len(written) == stop - start, f"{len(written)} of {stop - start} frames")
            expect(written.size == (height + height % 2, width + width % 2), "another size")

    def draw(
        self, labelled: Labelled, frame: int, image: UInt8Array, is_labelled: bool, options: Options
    ) -> UInt8Array:
        """The frame as the video shows it."""
        raise NotImplementedError


class OverlayVideo(_Video):
    """Labels over the picture, H.264."""

    id, title, suffix, form = "overlay", "Overlay video (mp4)", ".mp4", H264
    options = (Option("opacity", "Opacity of the labels, 0 to 1", 0.5),)

    def draw(
        self, labelled: Labelled, frame: int, image: UInt8Array, is_labelled: bool, options: Options
    ) -> UInt8Array:
        if not is_labelled:
            return image
        return compose(image, labelled.labels(frame), labelled.keypoints(frame), float(options["opacity"]))


class _Transparent(_Video):
    """The objects on a transparent ground."""

    needs = "masks"
    options = (Option("content", "What is shown", "cutout", ("cutout", "colours")),)

    def draw(
        self, labelled: Labelled, frame: int, image: UInt8Array, is_labelled: bool, options: Options
    ) -> UInt8Array:
        ids = labelled.labels(frame).ids if is_labelled else np.zeros(image.shape[:2], np.uint8)
        shown = np.isin(ids, [info.id for info in labelled.objects])
        alpha = np.rint(soft_edge(shown, EdgeGuide(image, SOFTNESS), SOFTNESS) * 255).astype(np.uint8)
        colours = image if options["content"] == "cutout" else PALETTE[ids]
        return np.dstack([colours, alpha])


class WebM(_Transparent):
    id, title, suffix, form = "webm", "Transparent video (WebM, VP9)", ".webm", VP9_ALPHA


class ProRes(_Transparent):
    id, title, suffix, form = "prores", "Transparent video (ProRes 4444)", ".mov", PRORES_4444
