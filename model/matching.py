"""What a frame has in common with its references, as propagation asks for it: one affinity, and how sure it is."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from model.affinity import Affinity, Radius, WindowPair, windowed_affinity
from model.compactness import compact_votes
from model.features import as_query, common_product, without_colour
from model.following import AWAY, Windows
from model.grid import by_label, from_rows, to_rows
from model.likeness import Likeness
from model.sampler import SamplerOptions, sample_windows
from model.types import PropagationOptions

JUDGED_AT = 0.05
"""The temperature at which votes tell how sure they are. Those that carry labels best leave them near equal."""


def frame_affinity(
    query: Tensor,
    keys: Tensor,
    options: PropagationOptions,
    anchored: Sequence[bool] | None = None,
    windows: Windows | None = None,
    likeness: Likeness | None = None,
    trusted: Sequence[bool] | None = None,
    temperature: float | None = None,
) -> Affinity:
    """The affinity of a frame [C, h, w] to its references [R, C, h, w], all as `FeatureStore.get` gives them.

    anchored: [R] which of them are anchors; none when left out.
    windows:  where the frame looks at them; when left out, no window follows what moves, and all in an anchor are wide.
    likeness: how much cells look like the objects. A vote between two that differ by d weighs e^(-l/2 · |d|²) times as
              much, l = `options.likeness`, whatever the temperature.
    trusted:  [R] which have the head start `options.trust`; all anchors when left out.
    temperature: of the votes, as of `options.temperature_at`; `options.temperature` when left out.
    """
    anchored = anchored or [False] * len(keys)
    trusted = trusted or anchored
    looked_at, radii, shift = _windows(options, anchored, windows if options.sampler == "fixed" else None)
    again = len(looked_at) > len(keys)
    radius: Radius | WindowPair = radii
    if options.sampler != "fixed":
        looks = without_colour(query), without_colour(keys)
        sampler = SamplerOptions(size=options.sampler, clusters=options.clusters, threshold=options.grow_above)
        radius = sample_windows(*looks, sampler).windows
    temperature = temperature or options.temperature
    asked, zero = as_query(query, options.colour), common_product(query, options.colour)
    marks = None
    if likeness is not None and options.likeness:
        weight = options.likeness * temperature
        asked = torch.cat([asked, weight * likeness.query, torch.full_like(zero[None], -weight)])
        marks = torch.cat([likeness.keys, likeness.keys.square().sum(1, keepdim=True) / 2], dim=1)
        zero = zero + weight / 2 * likeness.query.square().sum(0)
    affinity = windowed_affinity(
        asked,
        keys if marks is None and not again else _stacked(keys, marks, looked_at),
        radius=radius,
        top_k=options.top_k * (2 if again else 1),  # no cell is seen more than twice
        temperature=temperature,
        window=options.window,
        zero=zero,
        bias=[options.trust * trusted[r] for r in looked_at],
        shift=shift if again else None,
    )
    if again:
        affinity = affinity.united(looked_at, options.top_k)
    return affinity if options.compact is None else compact_votes(affinity, options.compact)


def _windows(
    options: PropagationOptions, anchored: Sequence[bool], windows: Windows | None
) -> tuple[list[int], list[int], list[Tensor | None]]:
    """Which references are looked at, with which radius, and how far each tile's window is moved (`AWAY` = not at all).

    First all of them; then an anchor again, with a wide window near the objects and there only; and again, where these
    were then.
    """
    looked_at = [*range(len(anchored))]
    wide = options.radius_with(sum(anchored))
    radii = [wide if anchor else options.radius for anchor in anchored]
    shift: list[Tensor | None] = [None] * len(anchored)
    if windows is None:
        return looked_at, radii, shift
    if wide > options.radius and not bool(windows.near.all()):
        still = windows.near.new_zeros((*windows.near.shape, 2), dtype=torch.int64)
        for row in [row for row, anchor in enumerate(anchored) if anchor]:
            near = windows.near[..., None]
            radii[row], shift[row] = options.radius, still.masked_fill(near, AWAY)
            looked_at, radii, shift = [*looked_at, row], [*radii, wide], [*shift, still.masked_fill(~near, AWAY)]
    for row, moved in enumerate(windows.moved):
        if moved is not None:
            looked_at, radii, shift = [*looked_at, row], [*radii, options.follow_with(sum(anchored))], [*shift, moved]
    return looked_at, radii, shift


def _stacked(keys: Tensor, marks: Tensor | None, rows: Sequence[int]) -> Tensor:
    """Matching vectors [R, C, h, w] in this order, with marks [R, M, h, w] behind them: [rows, C + M, h, w]."""
    channels = keys.shape[1]
    more = 0 if marks is None else marks.shape[1]
    out = keys.new_empty(len(rows), *keys.shape[2:], channels + more)
    for place, row in zip(out, rows, strict=True):
        place[..., :channels] = keys[row].permute(1, 2, 0)
        if marks is not None:
            place[..., channels:] = marks[row].permute(1, 2, 0)
    return out.permute(0, 3, 1, 2)


def confidence(affinity: Affinity, temperature: float) -> Tensor:
    """1 - the entropy of each cell's votes over log k, had they been weighed at `JUDGED_AT`: float32 [h, w].

    temperature: the one they were weighed at.
    """
    return 1 - affinity.sharpened(temperature / JUDGED_AT).entropy()


def carry(affinity: Affinity, values: Sequence[Tensor], known: Tensor) -> Tensor:
    """Labels along the votes: those of R references, each [L, 2h, 2w] -> [L, 2h, 2w]; known bool [R, L].

    A cell hands all its labels on, each to the same place in the other cell: so what is thinner than a cell survives.
    A reference that does not know of an object has no say in it: its votes for that channel are left out and the
    others count for more, so that an object painted late is not voted away by the frames before it.
    """
    rows = torch.cat([to_rows(labels) for labels in values])
    carried = from_rows(affinity.apply_to_rows(rows), affinity.grid)
    if bool(known.all()):
        return carried
    says = known.to(carried.device)[:, :, None, None].float().expand(-1, -1, *affinity.grid)
    return carried / by_label(affinity.apply(says)).clamp_min(1e-6)
