"""Labels on the feature grid: between a frame's label map or keypoints and the channels that memory carries.

Channels are one per object id, then one per keypoint, each 0..1 on cells. Background is what the objects leave.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from model.edges import EdgeGuide
from model.encoder import STRIDE
from model.grid import FIRST, PARTS, PITCH, by_cell, padded_size
from model.types import Anchor, FloatArray, KeypointSet, LabelMap, UInt8Array

HEAT_SIGMA = 1.0 * PARTS  # of a keypoint's Gaussian, in places on the grid of labels
_SPOT_SIGMA = 1.5 * PARTS  # a keypoint lies at the mean of its heat under a Gaussian window of this width
_SPOT_REACH = 6 * PARTS  # and nothing further than this from its warmest place counts
_GONE = 0.5  # an object with less than so many cells in all has left the picture
_SEEN = 0.2  # a heat map whose peak is lower than this shows no point


@dataclass(frozen=True, slots=True)
class Channels:
    """What the L channels mean: object ids, then keypoint names. The sizes are those of the source and the work."""

    objects: tuple[int, ...]
    keypoints: tuple[str, ...]
    source_size: tuple[int, int]
    working_size: tuple[int, int]

    @property
    def count(self) -> int:
        return len(self.objects) + len(self.keypoints)

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) in cells."""
        height, width = padded_size(*self.working_size)
        return height // STRIDE, width // STRIDE

    @property
    def label_grid(self) -> tuple[int, int]:
        """(2h, 2w), the places that labels have."""
        h, w = self.grid
        return PARTS * h, PARTS * w

    @property
    def scale(self) -> tuple[float, float]:
        """Working pixels per source pixel, (y, x)."""
        return self.working_size[0] / self.source_size[0], self.working_size[1] / self.source_size[1]

    def encode(self, anchor: Anchor) -> tuple[Tensor, Tensor]:
        """An anchor's channels float32 [L, 2h, 2w], and bool [L]: which of them it knows."""
        values = torch.zeros(self.count, *self.label_grid)
        known = torch.zeros(self.count, dtype=torch.bool)
        if anchor.labels is not None:
            for channel, number in enumerate(self.objects):
                if number in anchor.labels.objects:
                    known[channel] = True
                    values[channel] = self._cover(anchor.labels.ids == number)
        if anchor.keypoints is not None:
            for name, point in zip(anchor.keypoints.names, self._places(anchor.keypoints.xy), strict=True):
                channel = len(self.objects) + self.keypoints.index(name)
                known[channel] = True
                if not np.isnan(point).any():
                    values[channel] = self._heat(torch.tensor(point))
        return values, known

    def decode_labels(self, values: Tensor, known: Tensor, image: UInt8Array | None = None) -> LabelMap:
        """The label map at the size of the source: bilinear channels, then the arg max.

        image: the frame itself, uint8 [H, W, 3]; if given, the channels are bent to its edges first.
        """
        cell = round(STRIDE / min(self.scale))  # in source pixels
        covers = zip(self.objects, values[: len(self.objects)].cpu().contiguous().numpy(), strict=True)
        margin = 0 if image is None else 2 * cell
        boxes = [(n, cover, box) for n, cover in covers if (box := self._support(cover, margin)) is not None]
        ids = np.zeros(self.source_size, np.uint8)
        if boxes:  # whatever lies outside all of them is background: in a 4K frame that is most of it
            rows, columns = (_hull([box[axis] for *_, box in boxes]) for axis in (0, 1))
            guide = None if image is None else EdgeGuide(image[rows, columns], max(1, round(cell / 2)))
            inner = ids[rows, columns]
            best, total = np.zeros((2, *inner.shape), np.float32)
            for number, cover, box in boxes:
                pixels = self._enlarge(cover, *box)
                place = _within(box[0], rows), _within(box[1], columns)
                if guide is not None:
                    pixels = guide.refine(pixels, *place)
                total[place] += pixels
                wins = pixels > best[place]
                best[place][wins] = pixels[wins]
                inner[place][wins] = number
            inner[best < 1 - total] = 0
        ids.flags.writeable = False
        return LabelMap(ids, tuple(n for n, k in zip(self.objects, known.tolist(), strict=False) if k))

    def decode_keypoints(self, values: Tensor, known: Tensor) -> KeypointSet:
        """Each point at the centre of its warmest spot; its confidence is the height of that peak."""
        heat = values[len(self.objects) :]
        places = _hot_spots(heat).cpu().numpy()
        scale_y, scale_x = self.scale
        xy = ((places * PITCH + FIRST + 0.5) / [scale_x, scale_y] - 0.5).astype(np.float32)
        height, width = self.source_size
        xy = xy.clip(-0.5, [width - 0.5, height - 0.5])
        confidence = (heat.flatten(1).amax(dim=1).clamp(0, 1).cpu() * known[len(self.objects) :]).numpy()
        xy[confidence == 0] = np.nan
        return KeypointSet(self.keypoints, xy, confidence > _SEEN, confidence)

    def sureness(self, values: Tensor) -> FloatArray:
        """The largest share of each cell, the background's included: float32 [h, w] in 0..1."""
        objects = by_cell(values[: len(self.objects)]).clamp(0, 1)
        background = (1 - objects.sum(dim=0, keepdim=True)).clamp(0, 1)
        return torch.cat([background, objects]).amax(dim=0).cpu().numpy()

    def certainty(self, values: Tensor, known: Tensor) -> dict[int, float | None]:
        """Object id -> sum(s²) / sum(s) of its shares s of cells, 0..1: 1 = crisp; None = it does not show."""
        objects = by_cell(values[: len(self.objects)]).clamp(0, 1)
        total = objects.sum(dim=(1, 2))
        crisp = (objects.square().sum(dim=(1, 2)) / total.clamp_min(_GONE)).tolist()
        shows = (total > _GONE).tolist()
        told = zip(self.objects, crisp, shows, known.tolist(), strict=False)
        return {number: c if s else None for number, c, s, k in told if k}

    def harden(self, values: Tensor) -> Tensor:
        """Every place wholly its strongest object's, or the background's; keypoints stay as they are."""
        n = len(self.objects)
        if n == 0:
            return values
        background = 1 - values[:n].sum(dim=0, keepdim=True)
        winner = torch.cat([background, values[:n]]).argmax(dim=0)
        return torch.cat([F.one_hot(winner, n + 1).permute(2, 0, 1)[1:].float(), values[n:]])

    def refocus(self, values: Tensor) -> Tensor:
        """Heat maps of the keypoints that are seen redrawn around their points, or they would melt frame by frame."""
        if not self.keypoints:
            return values
        heat = values[len(self.objects) :]
        seen = heat.flatten(1).amax(dim=1) > _SEEN
        drawn = torch.stack([self._heat(place) for place in _hot_spots(heat).cpu()]).to(heat.device)
        return torch.cat([values[: len(self.objects)], torch.where(seen[:, None, None], drawn, heat)])

    def _cover(self, mask: np.ndarray) -> Tensor:
        """The share of each place's 3×3 pixels (about its centre) that the mask covers."""
        height, width = self.working_size
        small = mask.astype(np.float32)
        if mask.shape != self.working_size:
            small = cv2.resize(small, (width, height), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
        h, w = self.label_grid
        pixels, around = torch.from_numpy(small)[None, None], PITCH // 2
        before = around - FIRST
        pixels = F.pad(pixels, (before, w * PITCH - width, before, h * PITCH - height), mode="replicate")
        return F.avg_pool2d(pixels, 2 * around + 1, stride=PITCH)[0, 0, :h, :w]

    def _heat(self, place: Tensor) -> Tensor:
        h, w = self.label_grid
        y, x = torch.arange(h).unsqueeze(1), torch.arange(w)
        distance = (x - place[0]).square() + (y - place[1]).square()
        return torch.exp(-distance / (2 * HEAT_SIGMA**2))

    def _places(self, xy: FloatArray) -> FloatArray:
        """Where points of the source lie on the grid of labels."""
        scale_y, scale_x = self.scale
        return (((xy + 0.5) * [scale_x, scale_y] - 0.5 - FIRST) / PITCH).astype(np.float32)

    def _support(self, cover: FloatArray, margin: int) -> tuple[slice, slice] | None:
        """The source pixels that bilinear enlargement of a channel reaches, and a margin; None if it is empty."""
        spans = []
        for axis, (size, scale) in enumerate(zip(self.source_size, self.scale, strict=True)):
            used = np.flatnonzero((cover > 1e-3).any(axis=1 - axis))
            if not len(used):
                return None
            low = (PITCH * (used[0] - 1) + FIRST + 0.5) / scale - 0.5
            high = (PITCH * (used[-1] + 1) + FIRST + 0.5) / scale - 0.5
            last = used[-1] == cover.shape[axis] - 1  # edges are repeated beyond the last centre
            spans.append(slice(max(0, int(low) - margin), size if last else min(size, int(high) + 2 + margin)))
        return spans[0], spans[1]

    def _enlarge(self, cover: FloatArray, rows: slice, columns: slice) -> FloatArray:
        """Bilinear values of a channel at the source pixels of a box."""
        scale_y, scale_x = self.scale
        matrix = np.array(
            [
                [scale_x / PITCH, 0, ((columns.start + 0.5) * scale_x - 0.5 - FIRST) / PITCH],
                [0, scale_y / PITCH, ((rows.start + 0.5) * scale_y - 0.5 - FIRST) / PITCH],
            ]
        )
        size = (columns.stop - columns.start, rows.stop - rows.start)
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(cover, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.float32)


def _hull(spans: list[slice]) -> slice:
    """The shortest span that holds all of these."""
    return slice(min(span.start for span in spans), max(span.stop for span in spans))


def _within(span: slice, outer: slice) -> slice:
    """A span counted from the start of one that holds it."""
    return slice(span.start - outer.start, span.stop - outer.start)


def _hot_spots(heat: Tensor) -> Tensor:
    """(x, y) of the centre of the warmest spot of each map [K, 2h, 2w], in its places: float32 [K, 2].

    Mean shift from the warmest place: unlike the mean of the k warmest ones it has no pull towards their centres,
    which over hundreds of frames would add up to a drift.
    """
    h, w = heat.shape[-2:]
    place = heat.flatten(1).argmax(dim=1)
    start = torch.stack([place % w, place // w], dim=1)
    around = torch.arange(-_SPOT_REACH, _SPOT_REACH + 1, device=heat.device)
    x, y = start[:, :1] + around, start[:, 1:] + around
    each = torch.arange(len(heat), device=heat.device)[:, None, None]
    inside = ((y >= 0) & (y < h))[:, :, None] & ((x >= 0) & (x < w))[:, None]
    patch = heat[each, y.clamp(0, h - 1)[:, :, None], x.clamp(0, w - 1)[:, None]] * inside + 1e-12
    centre = start.float()
    for _ in range(15):
        distance = (x - centre[:, :1]).square()[:, None] + (y - centre[:, 1:]).square()[:, :, None]
        weight = patch * torch.exp(-distance / (2 * _SPOT_SIGMA**2))
        total = weight.sum(dim=(1, 2))
        mean_x, mean_y = (weight * x[:, None]).sum(dim=(1, 2)) / total, (weight * y[:, :, None]).sum(dim=(1, 2)) / total
        centre = torch.stack([mean_x, mean_y], dim=1)
    return centre
