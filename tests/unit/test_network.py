from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.encoder import Encoder
from model.motion import hidden_keys
from model.network import MatchingNetwork, ViewNetwork
from model.positions import PositionOptions
from model.recipes import Recipe
from tests.corpora import NARROW, TINY, TINY_MER

IMAGES = torch.randn(6, 3, 32, 32)
FLOW = 0.5 * torch.randn(6, 2, 32, 32)


def alive(recipe: Recipe) -> MatchingNetwork:
    """A network whose parts all do something."""
    network = MatchingNetwork(recipe).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name in ("fusion.alpha", "extraction.gamma"):
                parameter += 0.5
    return network


def test_without_parts_it_is_the_encoder() -> None:
    torch.manual_seed(3)
    encoder = Encoder(NARROW)
    after = torch.rand(1)
    torch.manual_seed(3)
    network = MatchingNetwork(TINY)
    assert torch.equal(torch.rand(1), after)  # it draws no more numbers either
    assert list(network.state_dict()) == list(encoder.state_dict())
    assert torch.equal(network(IMAGES), encoder(IMAGES))
    encoder.load_state_dict(network.state_dict())
    views = network.eval().views(IMAGES, None, 2)
    expected = encoder.eval()(IMAGES).unflatten(0, (3, 2))
    assert views.value is None and torch.equal(views.own, expected)
    assert torch.equal(views.features[:, 0], views.features[:, 1])


def test_at_first_the_parts_but_positions_change_nothing() -> None:
    network = MatchingNetwork(replace(TINY_MER, positions=None)).eval()
    encoder = Encoder(NARROW).eval()
    encoder.load_state_dict({k: v for k, v in network.state_dict().items() if k in encoder.state_dict()})
    assert torch.equal(network(IMAGES, FLOW), encoder(IMAGES))
    torch.testing.assert_close(network.views(IMAGES, FLOW, 2).own.flatten(0, 1), encoder(IMAGES))


def test_motion_reaches_the_encoder_and_none_means_still() -> None:
    network = alive(replace(TINY_MER, positions=None, value=None, weight=None))
    assert not torch.allclose(network(IMAGES, FLOW), network(IMAGES))
    assert torch.equal(network(IMAGES, torch.zeros_like(FLOW)), network(IMAGES))


def test_positions_join_behind_the_first_convolution_and_shift_with_the_frame() -> None:
    network = alive(replace(TINY, positions=PositionOptions(), crop=32))
    assert network.positions is not None and network.positions.place.shape == (8, 16, 16)
    shifts = torch.tensor([[0, 0], [3, 0], [0, 5], [16, 16], [1, 1], [2, 2]])
    with torch.no_grad():
        network.positions.place *= 50
        moved, here = network(IMAGES, None, shifts), network(IMAGES)
        for n, same in enumerate((True, False, False, True, False, False)):
            assert torch.allclose(moved[n], here[n], atol=1e-5) == same
        expected = network.stages(network.stem(IMAGES[:1]) + network.positions.place)
        torch.testing.assert_close(here[:1], expected)


def test_each_view_is_the_target_once() -> None:
    """Key of the target, queries and values of every frame: eqs (9)-(12) as they are written."""
    network = alive(TINY_MER)
    extraction = network.extraction
    assert extraction is not None
    hidden = hidden_keys(64, 0.3, 0, range(6)).view(2, 3, 64)
    with torch.no_grad():
        views = network.views(IMAGES, FLOW, 3, hidden)
        x = network(IMAGES, FLOW).unflatten(0, (2, 3))
        assert views.features.shape == (2, 3, 3, 16, 8, 8) and views.value is not None
        for b in range(2):
            for t in range(3):
                others = [i for i in range(3) if i != t]
                key, value = extraction.keys(x[b, t, None], x[b, others][None])
                torch.testing.assert_close(views.value[b, t], value[0])
                for i in range(3):
                    out = extraction(x[b, i, None], key, hidden[b, t, None])
                    torch.testing.assert_close(views.features[b, t, i], out[0], atol=1e-5, rtol=1e-4)
                torch.testing.assert_close(views.own[b, t], views.features[b, t, t])
    assert not torch.allclose(views.features[:, 0, 1], views.features[:, 1, 1], atol=1e-3)  # it depends on the target


def test_all_parameters_learn() -> None:
    """Else several processes would wait for gradients that never come."""
    network = alive(TINY_MER).train()
    views = ViewNetwork(network)(IMAGES, FLOW, 2)
    views.features.square().sum().backward()
    assert all(p.grad is not None for p in network.parameters())
    parts = [(n, p) for n, p in network.named_parameters() if n.startswith(("fusion.", "extraction.", "positions."))]
    idle = {name for name, p in parts if p.grad is not None and not p.grad.any()}
    assert len(parts) == 13 and idle <= {"extraction.key.bias"}  # a constant in all logits, which softmax does not see


@pytest.mark.parametrize("bf16", [False, True])
def test_it_runs_in_bf16(bf16: bool) -> None:
    network = alive(TINY_MER)

    def run(low: bool) -> Tensor:
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16, enabled=low):
            return network.views(IMAGES, FLOW, 2).own.float()

    similar = torch.nn.functional.cosine_similarity(run(bf16), run(False), dim=2)
    assert similar.mean() > 0.99
