from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from model.encoder import Encoder, EncoderConfig
from model.folded import folded
from model.network import MatchingNetwork
from model.winograd import WinogradConv
from tests.corpora import TINY_MER


def lived(network: Encoder) -> Encoder:
    """The network with normalisations and residual branches as training leaves them: none is the identity."""
    torch.manual_seed(1)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values in (module.weight, module.running_var):
                nn.init.uniform_(values, 0.5, 1.5)
            for values in (module.bias, module.running_mean):
                nn.init.normal_(values, std=0.2)
    return network.eval()


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if torch.cuda.is_available() else [])])
def test_the_folded_encoder_computes_the_same(device: str) -> None:
    encoder = lived(Encoder(EncoderConfig((8, 128, 128, 130), 16))).to(device)
    image = torch.randn(2, 3, 40, 56, device=device)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    quick = folded(encoder, torch.float32)
    assert any(isinstance(module, WinogradConv) for module in quick.modules()) == (device == "cpu")
    with torch.inference_mode():
        expected = encoder(image)
        assert torch.allclose(quick(image), expected, atol=1e-3 * float(expected.abs().max()))
        rough = folded(encoder, torch.bfloat16)(image)
    assert rough.dtype == torch.bfloat16
    assert torch.cosine_similarity(rough.float(), expected, dim=1).min() > 0.99
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())


def test_the_parts_around_the_encoder_stay() -> None:
    network = lived(MatchingNetwork(replace(TINY_MER)))
    assert isinstance(network, MatchingNetwork)
    image, flow = torch.randn(1, 3, 32, 48), torch.randn(1, 2, 32, 48)
    quick = folded(network, torch.float32)
    with torch.inference_mode():
        torch.testing.assert_close(quick(image, flow), network(image, flow), rtol=1e-3, atol=1e-4)
    assert quick.extraction is not None
