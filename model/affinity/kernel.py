"""The affinity on CUDA: one Triton kernel compares, selects and weighs, and keeps nothing but the votes.

Each program takes a tile of query cells and walks over the reference cells that the tile's windows touch, a block at a
time. A block's products are never written to memory: what beats the worst of a query's candidates takes its place. At
the end the candidates are compared once more in fp32. Imported only where Triton is to be had.
"""

# Triton's functions are no Python functions: what they take has no types that a checker knows.
# mypy: disable-error-code="no-untyped-call, no-untyped-def, untyped-decorator"

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.nn.functional import pad

from model.affinity.votes import Affinity
from model.affinity.window import TILE as _TILE
from model.affinity.window import Radius, WindowPair, squared_reach

BLOCK = 64  # reference cells at a time
SPARE = 4  # candidates beyond k that the search hands to the comparison in fp32
MOST_VOTES = 32  # of one cell: they are kept in registers
OPTIONS = {"num_warps": 4, "enable_fp_fusion": True}  # of the compiler
_NARROWEST = 16  # channels that a tensor core takes at least


def fits(references: Tensor, top_k: int) -> bool:
    """Whether the kernel can take references [R, C, h, w] of this size: it counts their numbers in 32 bits."""
    count, channels, height, width = references.shape
    return top_k <= MOST_VOTES and count * height * width * sum(_split(channels)) < 2**31


@torch.no_grad()
def fused_affinity(
    query: Tensor,
    references: Tensor,
    *,
    radius: Radius | WindowPair,
    top_k: int,
    temperature: float,
    window: str = "circle",
    zero: Tensor | None = None,
    bias: Sequence[float] | None = None,
    shift: Sequence[Tensor | None] | None = None,
    dtype: torch.dtype = torch.bfloat16,
) -> Affinity:
    """The same as `windowed_affinity`, for what `fits`; two windows only as `combine="logits"`.

    dtype: of the search, bfloat16, float16 or float32.
    On a CPU it runs with TRITON_INTERPRET=1 alone, to be tested; and there not in bfloat16.
    """
    count, channels, height, width = references.shape
    assert fits(references, top_k), (references.shape, top_k)
    squared_reach(torch.zeros(()), torch.zeros(()), window)  # names a window that there is not
    k, cells = min(top_k, count * height * width), height * width
    main, tail = _split(channels)
    keys = references.permute(0, 2, 3, 1).reshape(count * cells, channels).contiguous()
    queries = query.permute(1, 2, 0).reshape(cells, channels).contiguous()
    # Taking one vector off all keys leaves each query's ranking as it is; what features share would cost bf16 digits.
    common = keys[::16].mean(0, dtype=torch.float32)
    shared = (queries.float() * common).sum(1)
    widest, limits, rings = _limits(radius, count, zero, shared)
    weight = torch.empty(cells, k, device=query.device)
    index = torch.empty(cells, k, dtype=torch.int64, device=query.device)
    rows, columns = triton.cdiv(height, _TILE), triton.cdiv(width, _TILE)
    with torch.cuda.device_of(query):
        _windowed_top_k[(rows * columns,)](
            pad(queries.to(dtype), (0, main + tail - channels)),
            pad((keys - common).to(dtype), (0, main + tail - channels)),
            queries,
            keys,
            limits,
            _floats(tuple(bias or (0.0,) * count), query.device),
            *rings,
            shared,
            _moves(shift, rows * columns, query.device),
            weight,
            index,
            height,
            width,
            count,
            channels,
            widest,
            1 / temperature,
            CIRCLE=window == "circle",
            MOVED=shift is not None,
            RINGS=isinstance(radius, Tensor | WindowPair),
            KEPT=k,
            FOUND=k + SPARE,
            SLOTS=triton.next_power_of_2(k + SPARE),
            MAIN=main,
            TAIL=tail,
            TILE=_TILE,
            BLOCK=BLOCK,
            **OPTIONS,
        )
    return Affinity(weight, index, (height, width), count)


def _split(channels: int) -> tuple[int, int]:
    """Channels as a sum of two powers of two, each 0 or at least 16, rounded up as little as may be."""
    main = max(_NARROWEST, 1 << (channels.bit_length() - 1))
    if channels <= main:
        return main, 0
    tail = max(_NARROWEST, triton.next_power_of_2(channels - main))
    return (2 * main, 0) if tail == main else (main, tail)


def _limits(
    radius: Radius | WindowPair, count: int, zero: Tensor | None, shared: Tensor
) -> tuple[int, Tensor, tuple[Tensor, Tensor, Tensor, Tensor]]:
    """The widest radius; r² of each reference, int32 [R]; near², far², share and zero of each query cell, [h*w].

    A product counts in full up to near, share * (product - zero) + zero beyond it, and not at all beyond far.
    """
    if isinstance(radius, WindowPair):
        near, far, share = radius.near.flatten().int(), radius.far.flatten().int(), radius.far_share.flatten()
        nothing = torch.zeros_like(share) if zero is None else zero.float().flatten()
    elif isinstance(radius, Tensor):
        near = far = radius.to(shared.device).flatten().int()
        share, nothing = torch.ones_like(shared), torch.zeros_like(shared)
    else:
        radii = (radius,) * count if isinstance(radius, int) else tuple(radius)
        assert len(radii) == count and min(radii) >= 0, f"radii {radii} for {count} references"
        return max(radii), _squares(radii, shared.device), (shared,) * 4  # nobody reads these
    widest = int(far.max())
    return widest, _squares((widest,) * count, shared.device), (near**2, far**2, share.contiguous(), nothing)


def _moves(shift: Sequence[Tensor | None] | None, tiles: int, device: torch.device) -> Tensor:
    """int32 [R, tiles, 2]: how far each tile's windows are moved; of a single reference that nobody reads, if not."""
    moves = torch.zeros(1 if shift is None else len(shift), tiles, 2, dtype=torch.int32, device=device)
    for row, moved in zip(moves, shift or (), strict=False):
        if moved is not None:
            row.copy_(moved.view(-1, 2))
    return moves


@lru_cache(maxsize=32)
def _squares(radii: tuple[int, ...], device: torch.device) -> Tensor:
    """Kept: a copy to the device for every frame would make the host wait for it."""
    return torch.tensor(radii, dtype=torch.int32, device=device) ** 2


@lru_cache(maxsize=32)
def _floats(values: tuple[float, ...], device: torch.device) -> Tensor:
    """Kept, as `_squares` are."""
    return torch.tensor(values, dtype=torch.float32, device=device)


@triton.jit
def _reach(dy, dx, CIRCLE: tl.constexpr):
    """As `squared_reach`."""
    if CIRCLE:
        return dy * dy + dx * dx
    farther = tl.maximum(tl.abs(dy), tl.abs(dx))
    return farther * farther


@triton.jit
def _windowed_top_k(
    query,  # [h*w, MAIN + TAIL] in the type of the search
    keys,  # [R*h*w, MAIN + TAIL] the same, less what they share
    exact_query,  # [h*w, C] as they came
    exact_keys,  # [R*h*w, C]
    limits,
    bias,
    near,
    far,
    share,
    zero,
    shared,  # [h*w] products with what the keys share
    moves,  # [R, tiles, 2] int32, read where MOVED
    weight,  # [h*w, KEPT] float32, what comes out
    index,  # [h*w, KEPT] int64
    height,
    width,
    count,
    channels,
    radius,
    sharpness,
    CIRCLE: tl.constexpr,
    MOVED: tl.constexpr,
    RINGS: tl.constexpr,
    KEPT: tl.constexpr,
    FOUND: tl.constexpr,
    SLOTS: tl.constexpr,
    MAIN: tl.constexpr,
    TAIL: tl.constexpr,
    TILE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    # Whose votes: the tile's query cells. What sticks out of the grid is worked out like its nearest cell, not stored.
    corner_y = tl.program_id(0) // tl.cdiv(width, TILE) * TILE
    corner_x = tl.program_id(0) % tl.cdiv(width, TILE) * TILE
    place = tl.arange(0, TILE * TILE)
    y, x = corner_y + place // TILE, corner_x + place % TILE
    inside = (y < height) & (x < width)
    y, x = tl.minimum(y, height - 1), tl.minimum(x, width - 1)
    cell = y * width + x
    stride: tl.constexpr = MAIN + TAIL
    main, tail = tl.arange(0, MAIN), MAIN + tl.arange(0, 16 if TAIL == 0 else TAIL)
    query_main = tl.load(query + cell[:, None] * stride + main[None, :])
    if TAIL:
        query_tail = tl.load(query + cell[:, None] * stride + tail[None, :])
    base = tl.load(shared + cell)
    if RINGS:
        near_square, far_square = tl.load(near + cell), tl.load(far + cell)
        far_share, nothing = tl.load(share + cell), tl.load(zero + cell)

    # Slots beyond FOUND only fill up to a power of two: nothing is worse than they are good, so nothing takes them.
    slots = tl.arange(0, SLOTS)[None, :]
    best = tl.zeros((TILE * TILE, SLOTS), tl.float32) + tl.where(slots < FOUND, float("-inf"), float("inf"))
    found = tl.zeros((TILE * TILE, SLOTS), tl.int32)
    worst = tl.min(best, 1)
    columns = tl.arange(0, BLOCK)
    for reference in range(count):
        limit, ahead = tl.load(limits + reference), tl.load(bias + reference)
        down, right = 0, 0
        if MOVED:
            move = moves + 2 * (reference * tl.num_programs(0) + tl.program_id(0))
            down, right = tl.load(move), tl.load(move + 1)
        # The rectangle of reference cells that the tile's windows touch, counted line by line; none if it is outside.
        top, left = tl.maximum(corner_y + down - radius, 0), tl.maximum(corner_x + right - radius, 0)
        across = tl.maximum(tl.minimum(corner_x + right + TILE + radius, width) - left, 0)
        touched = across * tl.maximum(tl.minimum(corner_y + down + TILE + radius, height) - top, 0)
        for start in range(0, touched, BLOCK):
            number = start + columns
            key_y, key_x = top + number // across, left + number % across
            key = tl.where(number < touched, reference * height * width + key_y * width + key_x, 0)
            key_main = tl.load(keys + key[:, None] * stride + main[None, :])
            product = tl.dot(query_main, tl.trans(key_main), input_precision="ieee")
            if TAIL:
                key_tail = tl.load(keys + key[:, None] * stride + tail[None, :])
                product = tl.dot(query_tail, tl.trans(key_tail), acc=product, input_precision="ieee")
            product += base[:, None] + ahead
            reach = _reach(key_y[None, :] - down - y[:, None], key_x[None, :] - right - x[:, None], CIRCLE)
            seen = (reach <= limit) & (number < touched)[None, :]
            if RINGS:
                bent = far_share[:, None] * (product - nothing[:, None]) + nothing[:, None]
                product = tl.where(reach <= near_square[:, None], product, bent)
                seen = seen & (reach <= far_square[:, None])
            product = tl.where(seen, product, float("-inf"))
            # Until no query finds anything better here than the worst that it has: the best goes to that one's slot.
            most = tl.max(product, 1)
            while tl.max((most > worst).to(tl.int32), 0) > 0:
                where = tl.argmax(product, 1)
                slot = tl.argmin(best, 1)
                takes = (slots == slot[:, None]) & (most > worst)[:, None]
                its_key = tl.sum(tl.where(columns[None, :] == where[:, None], key[None, :], 0), 1)
                best = tl.where(takes, most[:, None], best)
                found = tl.where(takes, its_key[:, None], found)
                product = tl.where(columns[None, :] == where[:, None], float("-inf"), product)
                most, worst = tl.max(product, 1), tl.min(best, 1)

    # What the candidates count in fp32.
    exact = tl.zeros((TILE * TILE, SLOTS), tl.float32) + float("-inf")
    exact_main = tl.load(exact_query + cell[:, None] * channels + main[None, :], main[None, :] < channels, 0.0)
    if TAIL:
        exact_tail = tl.load(exact_query + cell[:, None] * channels + tail[None, :], tail[None, :] < channels, 0.0)
    for candidate in range(FOUND):
        chosen = slots == candidate
        its_key = tl.sum(tl.where(chosen, found, 0), 1)
        its_best = tl.max(tl.where(chosen, best, float("-inf")), 1)
        line = exact_keys + its_key[:, None] * channels
        key_main = tl.load(line + main[None, :], main[None, :] < channels, 0.0)
        product = tl.sum(exact_main.to(tl.float32) * key_main.to(tl.float32), 1)
        if TAIL:
            key_tail = tl.load(line + tail[None, :], tail[None, :] < channels, 0.0)
            product += tl.sum(exact_tail.to(tl.float32) * key_tail.to(tl.float32), 1)
        product += tl.load(bias + its_key // (height * width))
        if RINGS:
            its_cell = its_key % (height * width)
            reach = _reach(its_cell // width - y, its_cell % width - x, CIRCLE)
            product = tl.where(reach <= near_square, product, far_share * (product - nothing) + nothing)
        product = tl.where(its_best == float("-inf"), float("-inf"), product)
        exact = tl.where(chosen, product[:, None], exact)

    # The KEPT best of them, the best first, and their softmax.
    highest = tl.max(exact, 1)
    total = tl.zeros((TILE * TILE,), tl.float32)
    votes = tl.zeros((TILE * TILE, SLOTS), tl.float32)
    voters = tl.zeros((TILE * TILE, SLOTS), tl.int32)
    for rank in range(KEPT):
        where = tl.argmax(exact, 1)
        vote = tl.exp((tl.max(exact, 1) - highest) * sharpness)
        chosen = slots == where[:, None]
        voter = tl.sum(tl.where(chosen, found, 0), 1)
        votes = tl.where(slots == rank, vote[:, None], votes)
        voters = tl.where(slots == rank, voter[:, None], voters)
        exact = tl.where(chosen, float("-inf"), exact)
        total += vote
    stored = inside[:, None] & (slots < KEPT)
    tl.store(weight + cell[:, None] * KEPT + slots, votes / total[:, None], stored)
    tl.store(index + cell[:, None] * KEPT + slots, voters.to(tl.int64), stored)
