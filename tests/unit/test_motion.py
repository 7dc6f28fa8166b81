from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from model.flow import encode_flow
from model.motion import ChannelFusion, ValueExtraction, ValueOptions, hidden_keys, value_map

N = 4  # windows per side; grids of 8×8 cells divide into windows of 2×2
REDUCE = ("max", "mean", "sum")


def slow_cosine(a: Tensor, b: Tensor) -> float:
    """M(A, B), eq (8)."""
    return float((a * b).sum() / (math.sqrt(float((a * a).sum())) * math.sqrt(float((b * b).sum()))))


def slow_window(frame: Tensor, i: int) -> Tensor:
    """Window i of N×N of one frame [C, h, w], counted row by row."""
    height, width = frame.shape[-2] // N, frame.shape[-1] // N
    row, column = divmod(i, N)
    return frame[:, row * height : (row + 1) * height, column * width : (column + 1) * width]


def slow_value(target: Tensor, references: list[Tensor], options: ValueOptions) -> list[float]:
    """Eq (7) of one sample, window by window, then min-max."""
    values = []
    for i in range(N * N):
        here = slow_window(target, i)
        each = [[slow_cosine(here, slow_window(ref, j)) for j in range(N * N)] for ref in references]
        if options.reduce == "sum":  # as printed
            v = sum(sum(row) for row in each) - options.omega * slow_cosine(here, here)
        elif options.reduce == "mean":
            v = sum(sum(row) / (N * N) for row in each) / len(each) - options.omega
        else:
            v = sum(max(row) for row in each) / len(each) - options.omega
        values.append(max(v, 0.0) if options.clamp == "relu" else v)
    low, high = min(values), max(values)
    return [(v - low) / (high - low) if high > low else 0.0 for v in values]


def frames(*shape: int, spread: float = 1.0) -> Tensor:
    """Features that are neither all alike nor all different."""
    return spread * torch.randn(*shape) + 1


@pytest.mark.parametrize("clamp", ["relu", "none"])
@pytest.mark.parametrize("reduce", REDUCE)
def test_the_value_map_is_equation_7(reduce: str, clamp: str) -> None:
    options = ValueOptions(windows=N, reduce=reduce, clamp=clamp, omega=0.52)
    target, references = frames(3, 5, 8, 12), frames(3, 2, 5, 8, 12)
    found = value_map(target, references, options)
    assert found.shape == (3, 8, 12)
    for b in range(3):
        slow = torch.tensor(slow_value(target[b], list(references[b]), options)).view(1, 1, N, N)
        expected = torch.nn.functional.interpolate(slow, (8, 12), mode="bilinear")[0, 0]
        torch.testing.assert_close(found[b], expected, atol=1e-4, rtol=0)


def test_the_readings_of_equation_7_differ_and_omega_matters_only_with_the_clamp() -> None:
    target, references = frames(1, 5, 8, 8), frames(1, 2, 5, 8, 8)

    def read(**changes: object) -> Tensor:
        return value_map(target, references, ValueOptions(windows=N, **changes))  # type: ignore[arg-type]

    readings = [read(reduce=r, clamp="none") for r in REDUCE]
    assert not torch.allclose(readings[0], readings[1], atol=1e-2)
    torch.testing.assert_close(readings[1], readings[2], atol=1e-4, rtol=0)  # they differ by a factor alone
    low, high = (read(reduce="max", clamp="relu", omega=omega) for omega in (0.0, 0.7))
    assert not torch.allclose(low, high, atol=1e-2)
    low, high = (read(reduce="max", clamp="none", omega=omega) for omega in (0.0, 0.7))
    torch.testing.assert_close(low, high, atol=1e-4, rtol=0)


def test_what_was_seen_before_is_of_value_and_what_is_new_is_not() -> None:
    reference = torch.randn(1, 6, 8, 8)
    target = torch.randn(1, 6, 8, 8)
    target[..., 4:6, 2:4] = reference[..., 0:2, 6:8]  # one window that has moved
    value = value_map(target, reference[:, None], ValueOptions(windows=N))[0]
    assert value[4:6, 2:4].min() > 0.5 and value[:3].max() < 0.1 and value[:, 5:].max() < 0.1


def test_a_map_without_contrast_is_nothing_and_any_grid_will_do() -> None:
    flat = torch.ones(1, 3, 8, 8)
    assert not value_map(flat, flat[:, None], ValueOptions(windows=N)).any()
    orthogonal = torch.zeros(1, 2, 8, 8)
    orthogonal[:, 0] = 1
    assert not value_map(orthogonal, 1 - flat[:, None, :2] + orthogonal.flip(1)[:, None], ValueOptions(windows=N)).any()
    for grid in ((7, 9), (3, 11), (1, 1)):
        value = value_map(torch.randn(2, 3, *grid), torch.randn(2, 1, 3, *grid), ValueOptions(windows=N))
        assert value.shape == (2, *grid) and value.isfinite().all() and 0 <= value.min() <= value.max() <= 1


def test_the_value_map_is_a_statement_and_not_a_way_to_learn() -> None:
    target = torch.randn(1, 3, 8, 8, requires_grad=True)
    assert not value_map(target, torch.randn(1, 1, 3, 8, 8), ValueOptions(windows=N)).requires_grad


def extraction(channels: int = 6, grid: int = 8, **changes: object) -> ValueExtraction:
    """With γ and biases that are not 0 and positions learned on this very grid."""
    network = ValueExtraction(ValueOptions(windows=N, **changes), channels)  # type: ignore[arg-type]
    with torch.no_grad():
        network.gamma += 0.7
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
        network.position.place = torch.nn.Parameter(torch.randn(channels, grid, grid))
    return network


def slow_linear(conv: torch.nn.Conv2d, vector: Tensor) -> Tensor:
    """A 1×1 convolution of one cell."""
    assert conv.bias is not None
    return conv.weight[:, :, 0, 0] @ vector + conv.bias


def slow_key(network: ValueExtraction, target: Tensor, value: Tensor) -> dict[tuple[int, int], Tensor]:
    """Eq (9), cell by cell: Φ_key(ν[x, V_m] + pos)."""
    height, width = target.shape[-2:]
    stacked = torch.cat([target, value[None]])
    keys = {}
    for y in range(height):
        for x in range(width):
            embedded = network.embed.bias.clone()  # type: ignore[union-attr]
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < height and 0 <= x + dx < width:
                        embedded += network.embed.weight[:, :, dy + 1, dx + 1] @ stacked[:, y + dy, x + dx]
            keys[y, x] = slow_linear(network.key, embedded + network.position.place[:, y, x])
    return keys


def slow_out(network: ValueExtraction, frame: Tensor, keys: dict[tuple[int, int], Tensor], hidden: set[int]) -> Tensor:
    """Eqs (10)-(12), cell by cell."""
    channels, height, width = frame.shape
    places = [(y, x) for y in range(height) for x in range(width)]
    pos = network.position.place
    values = {p: slow_linear(network.value, frame[:, p[0], p[1]] + pos[:, p[0], p[1]]) for p in places}
    out = torch.zeros_like(frame)
    for y, x in places:
        query = slow_linear(network.query, frame[:, y, x] + pos[:, y, x])
        seen = [p for n, p in enumerate(places) if n not in hidden]
        logits = torch.stack([query @ keys[p] / math.sqrt(channels) for p in seen])
        shares = logits.softmax(0)
        attended = sum((s * values[p] for s, p in zip(shares, seen, strict=True)), torch.zeros(channels))
        out[:, y, x] = network.gamma * attended + frame[:, y, x]
    return out


@pytest.mark.parametrize("dropped", [False, True])
def test_value_extraction_is_equations_9_to_12(dropped: bool) -> None:
    network = extraction()
    target, references = torch.randn(2, 6, 8, 8), torch.randn(2, 2, 6, 8, 8)
    other = torch.randn(2, 6, 8, 8)  # a reference, say
    hidden = torch.rand(2, 64) < 0.4 if dropped else None
    with torch.no_grad():
        key, value = network.keys(target, references)
        assert torch.equal(value, value_map(target, references, network.options))
        out = network(other, key, hidden)
        for b in range(2):
            keys = slow_key(network, target[b], value[b])
            for (y, x), expected in keys.items():
                torch.testing.assert_close(key[b, :, y, x], expected, atol=1e-4, rtol=1e-4)
            gone = set(hidden[b].nonzero().flatten().tolist()) if hidden is not None else set()
            torch.testing.assert_close(out[b], slow_out(network, other[b], keys, gone), atol=1e-4, rtol=1e-4)


def test_at_first_frames_pass_unchanged_and_gamma_learns() -> None:
    network = ValueExtraction(ValueOptions(windows=N), 6)
    target, references = torch.randn(1, 6, 8, 8), torch.randn(1, 1, 6, 8, 8)
    key, _ = network.keys(target, references)
    out = network(target, key)
    assert torch.equal(out, target)
    (out - torch.randn_like(out)).square().sum().backward()
    assert network.gamma.grad is not None and network.gamma.grad != 0


def test_other_grids_get_the_positions_enlarged() -> None:
    network = extraction(grid=8)
    with torch.no_grad():
        key, value = network.keys(torch.randn(1, 6, 12, 20), torch.randn(1, 1, 6, 12, 20))
        assert network(torch.randn(1, 6, 12, 20), key).shape == (1, 6, 12, 20) and value.shape == (1, 12, 20)


def test_dropped_keys_are_as_many_as_asked_and_depend_on_seed_and_number_alone() -> None:
    drawn = hidden_keys(50, 0.3, seed=4, numbers=[7, 8, 9])
    assert drawn.sum(dim=1).tolist() == [15, 15, 15]
    assert torch.equal(hidden_keys(50, 0.3, 4, [9, 7])[[1, 0]], drawn[[0, 2]])
    assert not torch.equal(drawn[0], drawn[1]) and not torch.equal(hidden_keys(50, 0.3, 5, [7])[0], drawn[0])
    assert not hidden_keys(50, 0.0, 4, [7]).any() and not hidden_keys(4, 0.99, 4, [7]).all()


@pytest.mark.parametrize("encoding", ["vector", "wheel", "magnitude"])
def test_channel_fusion_is_equation_5(encoding: str) -> None:
    fusion = ChannelFusion(encoding)
    image, flow = torch.randn(2, 3, 6, 7), 0.5 * torch.rand(2, 2, 6, 7)
    assert torch.equal(fusion(image, flow), image)
    with torch.no_grad():
        fusion.alpha += 0.3
    fused = fusion(image, flow)
    shown = encode_flow(flow, encoding)
    for b, y, x in np.ndindex(2, 6, 7):
        expected = image[b, :, y, x] + 0.3 * fusion.mix.weight[:, :, 0, 0] @ shown[b, :, y, x]
        torch.testing.assert_close(fused[b, :, y, x], expected)
    assert torch.equal(fusion(image, torch.zeros_like(flow)), image)  # what stands still is left alone


def test_fusion_can_be_learned_from_where_it_starts() -> None:
    """With α and the convolution both at 0 no gradient would ever reach either."""
    fusion = ChannelFusion("vector")
    image, flow = torch.randn(4, 3, 6, 7), torch.randn(4, 2, 6, 7)
    wanted = image + 0.5 * flow.sum(dim=1, keepdim=True)
    optimiser = torch.optim.Adam(fusion.parameters(), 0.01)
    losses = []
    for _ in range(60):
        loss = (fusion(image, flow) - wanted).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.3 * losses[0] and fusion.alpha.item() != 0


@pytest.mark.parametrize(
    ("name", "value"),
    [("windows", 0), ("reduce", "min"), ("omega", 1.5), ("clamp", "abs"), ("drop_key", 1.0), ("inference", "never")],
)
def test_wrong_options(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"value {name} cannot be {value!r}"):
        ValueOptions(**{name: value})  # type: ignore[arg-type]
