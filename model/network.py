"""The whole network of a recipe: the encoder, and around it what of MER and LIIR the recipe has (eqs 5-12)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from model.encoder import Encoder
from model.motion import ChannelFusion, ValueExtraction
from model.positions import PositionEncoding
from model.recipes import Recipe


class Views(NamedTuple):
    """What the network makes of B samples of T views each, every view being the target once.

    features: [B, T, T, C, h, w]; [b, t, i] is view i with view t as the target: Out of eq (12), or without value
              extraction simply Φ of view i, whatever the target.
    value:    the value map of each view, [B, T, h, w] in 0..1; None without value extraction.
    """

    features: Tensor
    value: Tensor | None

    @property
    def own(self) -> Tensor:
        """Each view as its own target, [B, T, C, h, w]."""
        return self.features.diagonal(dim1=1, dim2=2).movedim(-1, 1)


class MatchingNetwork(Encoder):
    """The encoder of a recipe with the parts that the recipe names, each None where it does not.

    Without any part it is `Encoder` to the last number and name, so weights of one are weights of the other.
    """

    def __init__(self, recipe: Recipe) -> None:
        super().__init__(recipe.encoder)
        self.fusion = None if recipe.flow is None else ChannelFusion(recipe.flow.encoding)
        self.positions = None
        if recipe.positions is not None:
            side = recipe.crop_at(1.0) // 2  # the grid behind the first convolution
            self.positions = PositionEncoding(recipe.positions.kind, recipe.encoder.widths[0], (side, side))
        self.extraction = None if recipe.value is None else ValueExtraction(recipe.value, recipe.encoder.channels)

    def forward(self, image: Tensor, flow: Tensor | None = None, shifts: Tensor | None = None) -> Tensor:
        """x = Φ(O), eqs (5) and (6): normalised Lab [B, 3, H, W] -> [B, C, H/4, W/4].

        flow:   [B, 2, H, W], the motion of each picture as of `model.flow.Motion`; None means that all stands still.
        shifts: int64 [B, 2], how far each picture's positions are moved (LIIR's negatives), in cells of H/2×W/2.
        """
        if self.fusion is not None:
            image = self.fusion(image, image.new_zeros(len(image), 2, *image.shape[-2:]) if flow is None else flow)
        x = self.stem(image)
        if self.positions is not None:
            x = self.positions(x, shifts)
        return self.stages(x)

    def views(
        self,
        image: Tensor,
        flow: Tensor | None,
        count: int,
        hidden: Tensor | None = None,
        shifts: Tensor | None = None,
    ) -> Views:
        """All of a training sample's views at once, each with the others as its references.

        image [B*T, 3, H, W], flow [B*T, 2, H, W] and shifts [B*T, 2] as in `forward`, T = count, the views of a sample
        together; hidden: bool [B, T, h*w], the keys that DropKey takes from each view when it is the target.
        """
        x = self(image, flow, shifts)
        x = x.unflatten(0, (-1, count))
        if self.extraction is None:
            return Views(x[:, None].expand(-1, count, *x.shape[1:]), None)
        features, values = [], []
        for target in range(count):
            references = x[:, [i for i in range(count) if i != target]]
            key, value = self.extraction.keys(x[:, target], references)
            unseen = None if hidden is None else hidden[:, target].repeat_interleave(count, dim=0)
            out = self.extraction(x.flatten(0, 1), key.repeat_interleave(count, dim=0), unseen)
            features.append(out.unflatten(0, (-1, count)))
            values.append(value)
        return Views(torch.stack(features, dim=1), torch.stack(values, dim=1))


def load_network(recipe: Recipe, state: object) -> MatchingNetwork:
    """The network of a recipe with these weights. ValueError if they do not belong together.

    Both may be a stranger's: what they say of sizes is compared before any memory is taken for it.
    """
    try:
        with torch.device("meta"):
            wanted = MatchingNetwork(recipe).state_dict()
        assert isinstance(state, Mapping)
        tensors = list(state.values())
        held = {tensor.untyped_storage().data_ptr(): tensor.untyped_storage().nbytes() for tensor in tensors}
        assert {name: tensor.shape for name, tensor in state.items()} == {k: v.shape for k, v in wanted.items()}
        assert sum(held.values()) >= sum(tensor.nbytes for tensor in tensors), "numbers that are not there"
        network = MatchingNetwork(recipe)
        network.load_state_dict(dict(state))
    except Exception as error:  # what is no recipe trips wherever it is first used
        raise ValueError("the weights are not those of their recipe") from error
    return network


class ViewNetwork(nn.Module):
    """`MatchingNetwork.views` as a module of its own, for what wraps modules, as DistributedDataParallel does."""

    def __init__(self, network: MatchingNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor, flow: Tensor | None, count: int, hidden: Tensor | None = None) -> Views:
        """As `MatchingNetwork.views`."""
        return self.network.views(image, flow, count, hidden)
